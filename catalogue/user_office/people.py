"""Write people and where they work."""

from collections.abc import Collection, Mapping
from typing import Any

from catalogue.models import Affiliation, Membership, User
from catalogue.user_office.changes import BATCH, Change, Written, differing, tell
from catalogue.user_office.checking import Known, Wanted
from catalogue.user_office.rows import AffiliationRow, PersonRow

_LISTED = {"full_name", "orcid"}  # searches find datasets by them
_ATTRIBUTES = ("full_name", "first_name", "last_name", "email", "orcid")


def write_people(wanted: Wanted, known: Known) -> tuple[dict[str, User], Written]:
    """
    Create and change accounts; nobody can sign in to a new one by a password.

    Returns
    -------
    tuple
        All people that the delivery names, by account, and what was done.
    """
    written = Written()
    created: dict[str, User] = {}
    changed, renamed = [], set()
    for account, placed in wanted.people.items():
        values = _values(placed.row)
        person = known.people.get(account)
        if person is None:
            created[account] = person = User(username=account, **values)
            person.set_unusable_password()
            written.changes.append(Change("create", f"person {account}", person.full_name))
        elif found := differing(person, values):
            changed.append(person)
            renamed |= {person.pk} if _LISTED & found.keys() else set()
            detail = tell(found, hidden={"email"})
            written.changes.append(Change("change", f"person {account}", detail))
    User.objects.bulk_create(created.values(), batch_size=BATCH)
    User.objects.bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["username"],
        update_fields=_ATTRIBUTES,
    )
    people = known.people | created
    written.changes += _write_affiliations(wanted, people, new=created.keys())
    _note_renamed(written, renamed)
    return people, written


def _note_renamed(written: Written, renamed: set[int]) -> None:
    """Note what is listed under the names of leaders and owners."""
    led = Membership.objects.filter(person__in=renamed, role=Membership.Role.PI)
    owned = User.objects.filter(pk__in=renamed, datasets__isnull=False)
    written.reworded = set(led.values_list("proposal", flat=True))
    written.datasets = set(owned.values_list("datasets", flat=True))


def _values(row: PersonRow) -> dict[str, Any]:
    said = {
        "full_name": row.name,
        "first_name": row.given_name,
        "last_name": row.family_name,
        "email": row.email,
        "orcid": row.orcid,
    }
    return {name: value for name, value in said.items() if value}


def _write_affiliations(
    wanted: Wanted, people: Mapping[str, User], new: Collection[str]
) -> list[Change]:
    """Give people the affiliations that are delivered with them, in place of others."""
    rows = {name: placed.row for name, placed in wanted.affiliations.items()}
    keys, changes = _sync_affiliations(rows)
    pairs = {
        (people[account].pk, keys[affiliation.name, affiliation.city])
        for account, placed in wanted.people.items()
        for affiliation in placed.row.affiliations
    }
    through = User.affiliations.through
    settled = {person for person, _ in pairs}
    present = {
        (person, affiliation): pk
        for pk, person, affiliation in through.objects.filter(user__in=settled).values_list(
            "pk", "user_id", "affiliation_id"
        )
    }
    gone = present.keys() - pairs
    through.objects.filter(pk__in=[present[pair] for pair in gone]).delete()
    through.objects.bulk_create(
        (through(user_id=user, affiliation_id=key) for user, key in sorted(pairs - present.keys())),
        batch_size=BATCH,
    )
    moved = {person for person, _ in pairs ^ present.keys()}
    return changes + [
        Change("change", f"person {account}", "affiliations")
        for account in wanted.people
        if people[account].pk in moved and account not in new
    ]


def _sync_affiliations(
    rows: Mapping[tuple[str, str], AffiliationRow],
) -> tuple[dict[tuple[str, str], int], list[Change]]:
    """Return the primary keys of affiliations, created or changed where they differ."""
    names = {name for name, _ in rows}
    known = {(one.name, one.city): one for one in Affiliation.objects.filter(name__in=names)}
    created, changed, changes = [], [], []
    for (name, city), row in rows.items():
        values = row.model_dump(include={"ror", "address", "country"}, exclude_none=True)
        affiliation = known.get((name, city))
        if affiliation is None:
            affiliation = known[name, city] = Affiliation(name=name, city=city, **values)
            created.append(affiliation)
            changes.append(Change("create", f"affiliation {name}", city))
        elif found := differing(affiliation, values):
            changed.append(affiliation)
            changes.append(Change("change", f"affiliation {name}", tell(found)))
    Affiliation.objects.bulk_create(created, batch_size=BATCH)
    Affiliation.objects.bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["name", "city"],
        update_fields=["ror", "address", "country"],
    )
    return {name: known[name].pk for name in rows}, changes
