"""Datasets that somebody puts together under a title; a collection opens none of them."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q, QuerySet

from catalogue import audit
from catalogue.access import Person, get_dataset, visible_datasets
from catalogue.errors import (
    DescriptionError,
    Fault,
    NotPermittedError,
    UnknownCollectionError,
    UnknownDatasetError,
)
from catalogue.models import Collection, CollectionItem, Dataset, User
from catalogue.permissions import require_account

MOST_DATASETS = 10_000


def visible_collections(person: Person) -> QuerySet[Collection]:
    """Select the collections that a person may see: their own, and those that are shared."""
    mine = Q(owner=person) if isinstance(person, User) else Q(pk__in=[])
    return Collection.objects.filter(Q(is_shared=True) | mine).select_related("owner")


def own_collections(person: Person) -> QuerySet[Collection]:
    """Select the collections to which a person may add datasets."""
    if not isinstance(person, User):
        return Collection.objects.none()
    return Collection.objects.filter(owner=person)


def get_collection(person: Person, pid: object) -> Collection:
    """
    Return a collection that the person may see.

    Raises
    ------
    UnknownCollectionError
        If there is none, or it is another person's own; the two cannot be told apart.
    """
    try:
        return visible_collections(person).get(pid=str(pid))
    except (Collection.DoesNotExist, ValidationError) as error:
        raise UnknownCollectionError(str(pid)) from error


def visible_items(person: Person, collection: Collection) -> QuerySet[CollectionItem]:
    """Select what a person may see of a collection, in its order."""
    items = collection.items.filter(dataset__in=visible_datasets(person))
    rows = items.select_related("dataset__instrument", "dataset__facility")
    return rows.order_by("position", "dataset__pid")


def count_hidden(person: Person, collection: Collection) -> int | None:
    """Count what its owner has put in and may not see any more; others are told nothing."""
    if collection.owner_id != person.pk:
        return None
    return collection.items.count() - visible_items(person, collection).count()


@transaction.atomic
def make_collection(
    person: Person, title: str, description: str = "", *, is_shared: bool = False
) -> Collection:
    """
    Make an empty collection.

    Raises
    ------
    NotPermittedError
        If nobody is signed in.
    DescriptionError
        If it has no title, or one that cannot be kept.
    """
    owner = require_account(person)
    _check(title, description)
    collection = Collection.objects.create(
        owner=owner, title=title.strip(), description=description.strip(), is_shared=is_shared
    )
    audit.record("collection.made", collection, person=owner, new=_facts(collection))
    return collection


@transaction.atomic
def edit_collection(
    person: Person,
    pid: object,
    *,
    title: str | None = None,
    description: str | None = None,
    is_shared: bool | None = None,
) -> Collection:
    """
    Change title, description, or whether everybody sees the list.

    Raises
    ------
    UnknownCollectionError, NotPermittedError
        If it is hidden, or somebody else's.
    DescriptionError
        If the title cannot be kept.
    """
    collection = _lock(person, pid, "change this collection")
    old = _facts(collection)
    collection.title = collection.title if title is None else title.strip()
    collection.description = collection.description if description is None else description.strip()
    collection.is_shared = collection.is_shared if is_shared is None else is_shared
    _check(collection.title, collection.description)
    new = _facts(collection)
    if new != old:
        collection.save(update_fields=["title", "description", "is_shared"])
        audit.record("collection.edited", collection, person=collection.owner, old=old, new=new)
    return collection


@transaction.atomic
def remove_collection(person: Person, pid: object) -> None:
    """Take a collection apart; its datasets stay what they are."""
    collection = _lock(person, pid, "remove this collection")
    audit.record("collection.removed", collection, person=collection.owner, old=_facts(collection))
    collection.delete()


@transaction.atomic
def add_dataset(person: Person, pid: object, dataset: object) -> Dataset:
    """
    Put a dataset at the end of a collection; once there it stays where it is.

    Raises
    ------
    UnknownCollectionError, NotPermittedError
        If the collection is hidden, or somebody else's.
    UnknownDatasetError
        If the dataset is hidden.
    DescriptionError
        If the collection is full.
    """
    collection = _lock(person, pid, "add to this collection")
    row = get_dataset(person, str(dataset))
    if collection.items.filter(dataset=row).exists():
        return row
    if collection.items.count() >= MOST_DATASETS:
        text = f"the collection has {MOST_DATASETS} datasets; begin another one"
        raise DescriptionError([Fault("#/dataset", text)])
    last = collection.items.aggregate(last=Max("position"))["last"] or 0
    CollectionItem.objects.create(collection=collection, dataset=row, position=last + 1)
    told = {"dataset": str(row.pid)}
    audit.record("collection.added", collection, person=collection.owner, new=told)
    return row


@transaction.atomic
def remove_dataset(person: Person, pid: object, dataset: object) -> None:
    """
    Take a dataset out of a collection.

    Raises
    ------
    UnknownDatasetError
        If it is not in it, or hidden by now.
    """
    collection = _lock(person, pid, "take from this collection")
    item = _get_item(person, collection, dataset)
    told = {"dataset": str(item.dataset.pid)}
    audit.record("collection.taken", collection, person=collection.owner, old=told)
    item.delete()


@transaction.atomic
def move_dataset(person: Person, pid: object, dataset: object, place: int) -> None:
    """
    Move a dataset to a place in the order of what its owner sees, counted from 1.

    Raises
    ------
    UnknownDatasetError
        If it is not in the collection, or hidden by now.
    """
    collection = _lock(person, pid, "order this collection")
    item = _get_item(person, collection, dataset)
    items = [it for it in visible_items(person, collection) if it.pk != item.pk]
    items.insert(max(0, place - 1), item)
    hidden = collection.items.exclude(pk__in=[it.pk for it in items]).order_by("position")
    for position, row in enumerate([*items, *hidden], start=1):
        row.position = position
    CollectionItem.objects.bulk_update([*items, *hidden], ["position"], batch_size=1000)
    told = {"dataset": str(item.dataset.pid), "place": items.index(item) + 1}
    audit.record("collection.moved", collection, person=collection.owner, new=told)


def _get_item(person: Person, collection: Collection, dataset: object) -> CollectionItem:
    try:
        return visible_items(person, collection).get(dataset__pid=str(dataset))
    except (CollectionItem.DoesNotExist, ValidationError) as error:
        raise UnknownDatasetError(str(dataset)) from error


def _lock(person: Person, pid: object, act: str) -> Collection:
    """Return a collection of one's own; nobody else changes it meanwhile."""
    require_account(person)
    collection = get_collection(person, pid)
    if collection.owner_id != person.pk:
        raise NotPermittedError(act, "its owner")
    return visible_collections(person).select_for_update(of=("self",)).get(pk=collection.pk)


def _check(title: str, description: str) -> None:
    faults = []
    if not 0 < len(title.strip()) <= 500 or "\x00" in title:
        faults.append(Fault("#/title", "must be text of 1 to 500 characters"))
    if len(description) > 20_000 or "\x00" in description:
        faults.append(Fault("#/description", "must be text of at most 20000 characters"))
    if faults:
        raise DescriptionError(faults)


def _facts(collection: Collection) -> dict[str, object]:
    return {
        "title": collection.title,
        "description": collection.description,
        "is_shared": collection.is_shared,
    }
