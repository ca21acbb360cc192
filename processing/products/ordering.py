"""What people say of products: make it, keep it as it is, let it go on."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from catalogue import audit
from catalogue.access import Person
from catalogue.errors import NotPermittedError, TransitionError
from catalogue.models import Dataset, User
from catalogue.permissions import Act, may, require
from processing.models import Product, ProductRule

Condition = Product.Condition

# What an order can bring about; the others are made, being made, or impossible.
ORDERABLE = (Condition.STALE, Condition.ABSENT, Condition.FAILED)


def may_decide(person: Person, product: Product) -> bool:
    """Say whether a person may order or pin a product: its team, staff, or a data steward."""
    return may(person, Act.EDIT, product.subject)


@transaction.atomic
def order(person: Person, product: Product) -> None:
    """
    Have a product made now, whatever the rule holds back; a failed one again.

    Raises
    ------
    NotPermittedError
        If it is not theirs to say.
    TransitionError
        If there is nothing to make.
    """
    user = _require(person, product)
    if not order_all(user, Product.objects.filter(pk=product.pk)):
        product.refresh_from_db()
        raise TransitionError("order this product", f"It is {product.condition}.")


def order_all(user: User, products: QuerySet[Product]) -> int:
    """Have many products made; the caller has asked whether this person may."""
    wanted = products.filter(condition__in=ORDERABLE, pinned_at=None)
    # Of a failed one the next pass must not know that it was tried.
    wanted.filter(condition=Condition.FAILED).update(wanted_run=None, condition=Condition.ABSENT)
    return products.filter(condition__in=ORDERABLE, pinned_at=None).update(
        ordered_at=Now(), ordered_by=user
    )


@transaction.atomic
def pin(person: Person, product: Product, reason: str) -> None:
    """
    Keep a product as it is, whatever changes; the difference stays visible.

    Raises
    ------
    NotPermittedError
        If it is not theirs to say.
    TransitionError
        If there is nothing to keep yet.
    """
    user = _require(person, product)
    if product.processing_run_id is None:
        raise TransitionError("pin this product", "It has no result yet.")
    Product.objects.filter(pk=product.pk).update(
        pinned_at=Now(), pinned_by=user, pin_reason=reason[:500], condition=Condition.PINNED
    )
    _record(user, [product], "product.pinned", reason)


@transaction.atomic
def unpin(person: Person, product: Product, reason: str) -> None:
    """
    Let a product follow its rule again.

    Raises
    ------
    NotPermittedError
        If it is not theirs to say.
    """
    user = _require(person, product)
    Product.objects.filter(pk=product.pk).update(pinned_at=None, pinned_by=None, pin_reason="")
    _record(user, [product], "product.unpinned", reason)


def require_curator(person: Person, act: str) -> User:
    """
    Return a data steward.

    Raises
    ------
    NotPermittedError
        Naming who may.
    """
    if not (isinstance(person, User) and person.is_data_steward):
        raise NotPermittedError(act, "a data steward")
    return person


def backlog(rule: ProductRule) -> QuerySet[Product]:
    """Select the products of a rule that only an order would bring about."""
    return Product.objects.filter(
        rule=rule, condition__in=ORDERABLE, pinned_at=None, ordered_at=None
    )


def _require(person: Person, product: Product) -> User:
    require(person, Act.EDIT, product.subject)
    if not isinstance(person, User):
        raise NotPermittedError("decide on this product", "its team")
    return person


def _record(user: User, products: Iterable[Product], act: str, reason: str) -> None:
    changes: list[tuple[Dataset, None, str]] = [(p.subject, None, p.rule.slug) for p in products]
    audit.record_all(act, changes, person=user, reason=reason)
