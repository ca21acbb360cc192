"""What people decide about acquisitions that did not register themselves."""

from django.db import transaction
from django.db.models import QuerySet

from catalogue.access import Person, registrable_instruments
from catalogue.audit import record
from catalogue.errors import NotPermittedError, RegistrationError, TransitionError
from catalogue.models import Arrival, Proposal, User
from catalogue.watching.arrivals import CHOSEN

State = Arrival.State

_OPEN = frozenset({State.WAITING, State.QUARANTINED, State.DISMISSED})


def visible_arrivals(person: Person) -> QuerySet[Arrival]:
    """
    Select the acquisitions of the instruments whose data a person may register.

    Raises
    ------
    NotPermittedError
        If there is no such instrument: to everybody else the list tells nothing.
    """
    instruments = registrable_instruments(person)
    if not instruments.exists():
        raise NotPermittedError(
            "see what arrives from instruments", "the staff of the instrument, or a data steward"
        )
    return Arrival.objects.filter(rule__instrument__in=instruments)


def get_arrival(person: Person, rule: str, key: str) -> Arrival | None:
    """Return an acquisition that a person may decide about, None if it is not there or hidden."""
    return visible_arrivals(person).filter(rule__slug=rule, key=key).first()


@transaction.atomic
def try_again(person: User, arrival: Arrival, *, proposal: str = "") -> None:
    """
    Let an acquisition be read by the next look, without a pause.

    Parameters
    ----------
    person : User
        Who may decide about it.
    arrival : Arrival
        Not registered yet.
    proposal : str
        The number of the proposal to which it belongs, whatever its path says; empty
        leaves that as it is.

    Raises
    ------
    RegistrationError
        If there is no such proposal at its facility.
    TransitionError
        If it is registered, or gone.
    """
    row = _hold(arrival, "try this again")
    facility = row.rule.instrument.facility
    if proposal and not Proposal.objects.filter(facility=facility, number=proposal).exists():
        raise RegistrationError(
            "proposal",
            f"Proposal {proposal} is not known. Check its number, or have it added first.",
        )
    place = {"rule": row.rule.slug, "key": row.key}
    if proposal:
        record(CHOSEN, row, person=person, new=place | {"proposal": proposal})
    else:
        record("arrival.retried", row, person=person, old=_standing(row), new=place)
    row.state, row.attempts, row.code, row.reason = State.WAITING, 0, "", ""
    row.save(update_fields=["state", "attempts", "code", "reason"])


@transaction.atomic
def dismiss(person: User, arrival: Arrival, reason: str) -> None:
    """
    Set an acquisition aside until its files change.

    Raises
    ------
    RegistrationError
        If no reason is given.
    TransitionError
        If it is registered, or gone.
    """
    reason = reason.strip()
    if not reason:
        raise RegistrationError("reason", "Say why it is set aside: others will ask.")
    row = _hold(arrival, "set this aside")
    place = {"rule": row.rule.slug, "key": row.key}
    record("arrival.dismissed", row, person=person, old=_standing(row), new=place, reason=reason)
    row.state, row.reason = State.DISMISSED, f"{person}: {reason}"[:2000]
    row.save(update_fields=["state", "reason"])


def _hold(arrival: Arrival, act: str) -> Arrival:
    row = Arrival.objects.select_for_update(of=["self"]).select_related(
        "rule__instrument__facility"
    ).get(pk=arrival.pk)  # fmt: skip
    if row.state not in _OPEN:
        raise TransitionError(act, f"it is {row.get_state_display()} by now. Load the page again.")
    return row


def _standing(row: Arrival) -> dict[str, str]:
    return {"state": row.state, "code": row.code, "reason": row.reason}
