"""
Import a delivery, the whole of it or nothing.

The order is: check every row by itself, all rows against each other and against the
catalogue, write by thousands, then let embargoes and listings follow.
"""

from collections.abc import Iterable, Sequence

from django.db import transaction

from catalogue.audit import record_all
from catalogue.embargo.dates import recompute
from catalogue.indexing import reindex
from catalogue.models import Guard, User
from catalogue.user_office.changes import Change, Written
from catalogue.user_office.checking import Known, Wanted, check, make_unique, read_known
from catalogue.user_office.faults import UserOfficeError
from catalogue.user_office.memberships import Teams, write_memberships
from catalogue.user_office.people import write_people
from catalogue.user_office.proposals import write_proposals, write_samples
from catalogue.user_office.reading import Document, collect

_REASON = "user office import"


def import_documents(
    documents: Iterable[Document], *, is_complete: bool = False, person: User | None = None
) -> list[Change]:
    """
    Make the catalogue agree with what the user office delivers.

    Parameters
    ----------
    documents : iterable of Document
        Parsed files, or the bodies of calls.
    is_complete : bool, optional
        Whether the delivery holds all memberships there are: others of the user office
        then end yesterday. Those given by hand or at sign-in are never touched.
    person : User, optional
        Who imports, for the audit log; None for the steward process.

    Returns
    -------
    list of Change
        Empty if everything agreed already.

    Raises
    ------
    UserOfficeError
        With every fault; nothing is stored.
    RegistrationError
        If the embargo of a dataset cannot follow its proposal; nothing is stored.
    """
    delivery = collect(documents)
    if delivery.faults:
        raise UserOfficeError(delivery.faults)
    faults = delivery.faults
    wanted = make_unique(delivery, faults)
    with transaction.atomic():
        known = read_known(wanted)
        faults += check(wanted, known, is_complete=is_complete)
        if faults:
            raise UserOfficeError(faults)
        return _write(wanted, known, is_complete=is_complete, person=person)


def plan_import(documents: Iterable[Document], *, is_complete: bool = False) -> list[Change]:
    """Return what ``import_documents`` would change: it is done, and taken back."""
    with transaction.atomic():
        changes = import_documents(documents, is_complete=is_complete)
        transaction.set_rollback(True)
    return changes


def _write(wanted: Wanted, known: Known, *, is_complete: bool, person: User | None) -> list[Change]:
    people, of_people = write_people(wanted, known)
    proposals, of_proposals = write_proposals(wanted, known)
    teams = Teams(people, proposals)
    of_memberships = write_memberships(wanted, known, teams, is_complete=is_complete)
    of_samples = write_samples(wanted, proposals)
    parts = (of_people, of_proposals, of_memberships, of_samples)
    for part in parts:
        for act, events in part.events.items():
            record_all(act, events, person=person, reason=_REASON)
    _let_datasets_follow(parts)
    return [change for part in parts for change in part.changes]


def _let_datasets_follow(parts: Sequence[Written]) -> None:
    """Embargoes follow the dates and policies of proposals; listings follow names."""
    redated = {pk for part in parts for pk in part.redated}
    reworded = {pk for part in parts for pk in part.reworded}
    if redated:
        recompute(Guard.objects.filter(proposal__in=redated))
    datasets = set(Guard.objects.filter(proposal__in=reworded).values_list("dataset", flat=True))
    reindex(datasets.union(*(part.datasets for part in parts)))
