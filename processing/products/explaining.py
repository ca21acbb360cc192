"""Why a product exists, in which condition it is, and what of it differs from what is wanted."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ValidationError

from catalogue.access import Person, cleared_datasets, visible_datasets
from catalogue.declaration.comparing import Locator
from catalogue.models import Dataset
from processing.access import visible_processing_runs
from processing.errors import UnknownProductError
from processing.models import Configuration, Product, ProductRule
from processing.products.judging import Verdict
from processing.products.reviewing import Finding, Review

Condition = Product.Condition
_HIDDEN = "a dataset that you may not see"
_CLOSED = "a checksum of data that are closed to you"


@dataclass(frozen=True)
class Origin:
    """Which sentence of which text makes a product exist."""

    rule: ProductRule
    revision: Configuration | None
    line: int

    def __str__(self) -> str:
        if self.rule.owner == ProductRule.Owner.PAGE:
            return f"[product.{self.rule.slug}] on the page of rules"
        if self.revision is None:
            return f"the rule {self.rule.slug}, which no file has declared yet"
        when = f"{self.revision.applied_at:%Y-%m-%d %H:%M} UTC"
        whom = f" by {self.revision.applied_by}" if self.revision.applied_by else ""
        return (
            f"[product.{self.rule.slug}], line {self.line} of facility.toml as applied on {when}"
            f"{whom} (revision {self.revision.number})"
        )


@dataclass(frozen=True)
class Bound:
    """What one role got: ``then`` when the result was made, ``now`` if it were made today."""

    role: str
    rule: str
    then: str
    now: str
    then_pid: str
    now_pid: str
    is_same: bool


@dataclass(frozen=True)
class Difference:
    """One entry of the key document that is not what it was."""

    name: str
    then: str
    now: str


@dataclass(frozen=True)
class Explanation:
    """All that there is to say of one product."""

    product: Product
    origin: Origin
    verdict: Verdict
    inputs: list[Bound]
    differences: list[Difference]
    next_step: str

    def lines(self) -> Iterator[str]:
        """Write it for people."""
        subject = self.product.subject
        yield f"{self.product.rule.slug} of {subject.title} ({subject.pid})"
        yield f"  It is wanted because of {self.origin}."
        yield f"  Recipe: {self.product.rule.recipe}; keep: {self.product.rule.get_keep_display()}."
        for bound in self.inputs:
            yield f"  {bound.role}: {bound.rule}"
            yield f"    now {bound.now or 'nothing'}"
            if bound.then and not bound.is_same:
                yield f"    the result was made with {bound.then}"
        yield f"  Condition: {tell_condition(self.verdict)}"
        for one in self.differences:
            yield f"    {one.name}: {one.then} -> {one.now}"
        yield f"  {self.next_step}"


def tell_condition(verdict: Verdict) -> str:
    """Say the condition of a product in one sentence."""
    reasons = f" ({', '.join(verdict.reasons)})" if verdict.reasons else ""
    return f"{verdict.condition}{reasons}. {verdict.detail}".strip()


def find_product(person: Person, name: str) -> Product:
    """
    Return a product by "rule/subject", or by a dataset that fulfils it.

    Raises
    ------
    UnknownProductError
        If there is none whose subject the person may see.
    """
    if "\x00" in name:  # which the database does not take
        raise UnknownProductError(name)
    slug, _, pid = name.rpartition("/")
    products = Product.objects.select_related(
        "rule__recipe", "rule__archive", "subject", "processing_run__recipe", "wanted_run"
    ).filter(subject__in=visible_datasets(person))
    try:
        if slug:
            found = products.filter(rule__slug=slug, subject__pid=pid)
        else:
            found = products.filter(processing_run__activity__generated__dataset__pid=pid)
        return found[0]
    except (IndexError, ValidationError) as error:
        raise UnknownProductError(name) from error


def explain(person: Person, product: Product) -> Explanation:
    """
    Explain one product, as it stands at this moment.

    Parameters
    ----------
    person : User or AnonymousUser
        Datasets that they may not see are not named; of what is closed to them, neither
        checksums are told nor why a run on it has failed.
    product : Product
        From ``find_product``.
    """
    rule = product.rule
    review = Review(rule, only=product.subject_id)
    finding = next(iter(review.findings()), None)
    revision = Configuration.objects.first()
    line = Locator(revision.text).line_of(["product", rule.slug]) if revision else 0
    run = product.processing_run
    old = run.key_document if run else ""
    differences = list(_differences(old, finding.document)) if old and finding else []
    if finding and not _is_cleared(person, finding, product):
        differences = [_without_checksums(one) for one in differences]
    return Explanation(
        product,
        Origin(rule, revision, line),
        _tell_verdict(person, finding) if finding else _orphaned(product),
        list(_bound(person, review, finding, product)),
        differences,
        _next_step(finding),
    )


def _is_cleared(person: Person, finding: Finding, product: Product) -> bool:
    """Say whether all is open to a person that the old key or the new one is made of."""
    run = product.processing_run
    used = set(run.inputs.values_list("dataset_id", flat=True)) if run else set()
    pks = used | {product.subject_id} | {one.pk for one in finding.picked.values()}
    return cleared_datasets(person).filter(pk__in=pks).count() == len(pks)


def _without_checksums(one: Difference) -> Difference:
    return Difference(one.name, _CLOSED, _CLOSED) if one.name.startswith("inputs.") else one


def _tell_verdict(person: Person, finding: Finding) -> Verdict:
    """Add why it failed, for those who may see the run that did."""
    verdict, reason = finding.verdict, finding.row.problem
    if verdict.condition != Condition.FAILED or not reason:
        return verdict
    if not visible_processing_runs(person).filter(pk=finding.wanted_run or 0).exists():
        return verdict
    return replace(verdict, detail=f"{verdict.detail} {reason}")


def _orphaned(product: Product) -> Verdict:
    return Verdict(Condition.ORPHANED, detail=product.detail)


def _bound(
    person: Person, review: Review, finding: Finding | None, product: Product
) -> Iterator[Bound]:
    """Say what each late-bound role gets, and what it got when the result was made."""
    run = product.processing_run
    used = {row.role: row.dataset for row in run.inputs.select_related("dataset")} if run else {}
    picked = finding.picked if finding else {}
    pks = {one.pk for one in picked.values()} | {dataset.pk for dataset in used.values()}
    seen = visible_datasets(person).in_bulk(pks)
    resolution = run.resolution if run else {}
    for role, shelf in review.shelves.items():
        now, then = picked.get(role), used.get(role)
        yield Bound(
            role,
            str(shelf.binding),
            then=_name(then.pk, seen) + _decided(resolution.get(role)) if then else "",
            now=_name(now.pk, seen) if now else "",
            then_pid=str(then.pid) if then and then.pk in seen else "",
            now_pid=now.pid if now and now.pk in seen else "",
            is_same=then is None or now is None or then.pk == now.pk,
        )


def _name(pk: int, seen: Mapping[int, Dataset]) -> str:
    dataset = seen.get(pk)
    if dataset is None:
        return _HIDDEN
    at = f" of {dataset.start_time:%Y-%m-%d %H:%M} UTC" if dataset.start_time else ""
    return f"“{dataset.title}”{at}"


def _decided(resolution: Mapping[str, Any] | None) -> str:
    if not resolution:
        return ""
    return f", picked on {str(resolution.get('decided_at', ''))[:16].replace('T', ' ')} UTC"


def _next_step(finding: Finding | None) -> str:
    if finding is None:
        return "The rule does not match it any more, so nothing will be made."
    condition = Condition(finding.verdict.condition)
    if finding.is_due:
        return "The steward asks for it at its next pass, within the budgets of the rule."
    return {
        Condition.FRESH: "There is nothing to do.",
        Condition.QUEUED: "It waits for a worker.",
        Condition.RUNNING: "It is being made.",
        Condition.FAILED: "The steward does not try it again: mend the cause, then order it.",
        Condition.PINNED: "It stays as it is until somebody takes the pin away.",
        Condition.BLOCKED: "It is made as soon as that is mended.",
        Condition.RETRACTED: "It comes back only if the retraction is undone or an input replaced.",
    }.get(condition, "Nothing is launched by itself; a person may order it.")


def _differences(old: str, new: str) -> Iterator[Difference]:
    """Compare two key documents entry by entry."""
    then, now = (dict(_flatten(json.loads(text))) for text in (old, new))
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield Difference(name, then.get(name, "none"), now.get(name, "none"))


def _flatten(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(document, dict) and document:
        for name, value in document.items():
            yield from _flatten(value, f"{path}.{name}" if path else name)
    else:
        yield path, _short(document)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 70 else f"{text[:16]}…"
