"""
What people decide about when data open: it stands above the policy, and is audited.

Each ruling is one transaction: the guards, the dates of all that stems from the data, the
listings and the audit log. Whatever the state of the data forbids is refused with
TransitionError and nothing is written. Open data never close.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import F, QuerySet

from catalogue import audit
from catalogue.access import AccessState, LocalToday, State, dated_guards, judge
from catalogue.embargo.dates import add_months, settle, tell_dates
from catalogue.errors import TransitionError
from catalogue.models import Dataset, EmbargoPolicy, Facility, Guard, Tombstone, User
from catalogue.permissions import Act, require

Ruling = Guard.Ruling

_DATED = frozenset({State.EMBARGOED, State.EXTENDED})
CLOSED = _DATED | {State.COLLECTING}  # and nobody's property


@dataclass(frozen=True)
class Standpoint:
    """
    What a ruling starts from.

    Attributes
    ----------
    state : AccessState
        Of the dataset today.
    today : date
        Where the facility is, by the database's clock.
    guards : list of Guard
        All of the dataset.
    stone : Tombstone or None
        If it was taken back.
    """

    dataset: Dataset
    state: AccessState
    today: date
    guards: list[Guard]
    stone: Tombstone | None

    @property
    def closed(self) -> list[Guard]:
        """The guards that keep the dataset closed."""
        return [
            guard for guard in self.guards if guard.opens_on is None or guard.opens_on > self.today
        ]

    @property
    def policies(self) -> set[EmbargoPolicy]:
        """The policies under which the data are closed."""
        found = {
            (guard.proposal.policy if guard.proposal else None) or self.dataset.policy
            for guard in self.closed
        }
        return {policy for policy in found if policy}

    @property
    def lets_products_go(self) -> bool:
        """Whether products may open before their inputs."""
        releasable = EmbargoPolicy.Products.RELEASABLE
        return bool(self.policies) and all(p.products == releasable for p in self.policies)

    def require(self, act: str, states: frozenset[State]) -> None:
        """
        Refuse an act in any other state.

        Raises
        ------
        TransitionError
            Saying which state the data are in.
        """
        if self.stone:
            raise TransitionError(act, f"the dataset was {self.stone.kind}.")
        if self.state.state not in states:
            raise TransitionError(act, _REASONS[self.state.state])
        if not self.guards:
            raise TransitionError(act, "it belongs to no proposal and no instrument.")


_REASONS = {
    State.COLLECTING: "no day is set yet, because nobody knows when the measurement ended.",
    State.EMBARGOED: "the data are under an embargo that ends on its day.",
    State.EXTENDED: "the data are under an extended embargo that ends on its day.",
    State.PROPRIETARY: (
        "the data are proprietary. Their principal investigator asks, and a data steward "
        "agrees and names the day."
    ),
    State.OPEN: "the data are open, and open data never close.",
    State.RELEASED_EARLY: "the data have been opened, and open data never close.",
}


def look(dataset: Dataset) -> Standpoint:
    """Return what a ruling on a dataset would start from now."""
    return _look(dataset, _guards(dataset))


def hold(dataset: Dataset) -> Standpoint:
    """Return the same, and let nobody else rule on it until the transaction ends."""
    return _look(dataset, _guards(dataset).select_for_update(of=("self",)))


def _guards(dataset: Dataset) -> QuerySet[Guard]:
    return dated_guards([dataset.pk]).select_related("proposal__policy").order_by("pk")


def _look(dataset: Dataset, guards: QuerySet[Guard]) -> Standpoint:
    rows = list(guards)
    stone = Tombstone.objects.filter(dataset=dataset).first()
    today = rows[0].today if rows else local_today(dataset)  # type: ignore[attr-defined]  # dated
    return Standpoint(dataset, judge(rows), today, rows, stone)


def local_today(dataset: Dataset) -> date:
    """Return the day it is where a dataset was measured, by the database's clock."""
    facility = Facility.objects.annotate(today=LocalToday(F("timezone")))
    return facility.values_list("today", flat=True).get(pk=dataset.facility_id)


@transaction.atomic
def extend(person: User, dataset: Dataset, reason: str) -> date:
    """
    Extend the embargo of raw data by the period of its policy, from the old day on.

    Returns
    -------
    date
        On which the data open now.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to decide.
    TransitionError
        If there is no embargo with a day, or it was extended as often as it may be.
    """
    act = "extend the embargo"
    require(person, Act.DECIDE_EXTENSION, dataset)
    found = hold(dataset)
    require_extensible(found, act)

    def move(guard: Guard) -> None:
        months = max(policy.extension_months for policy in found.policies)
        old = guard.opens_on or found.today  # in these states each one has a day
        guard.opens_on = add_months(old, months)
        if guard.listed_on == old:  # the page was to appear with the data
            guard.listed_on = guard.opens_on
        guard.ruling, guard.extensions = Ruling.EXTENDED, guard.extensions + 1

    return _write(found, "embargo.extended", move, person, reason)


def require_extensible(found: Standpoint, act: str) -> None:
    """
    Refuse to extend what its policy does not let be extended.

    Raises
    ------
    TransitionError
        Saying why, and who can do what instead.
    """
    found.require(act, _DATED)
    if found.dataset.kind == Dataset.Kind.DERIVED:
        raise TransitionError(act, "these data open with their inputs. Ask for those.")
    allowed = min((policy.extension_times for policy in found.policies), default=0)
    if any(guard.extensions >= allowed for guard in found.closed):
        raise TransitionError(
            act, "the policy allows no further extension. A data steward can set another day."
        )


@transaction.atomic
def release(person: User | None, dataset: Dataset, reason: str) -> None:
    """
    Open closed data today.

    Parameters
    ----------
    person : User or None
        One of those who decide; None where a period without objection has passed. That
        all of them agree is asked in ``catalogue.embargo.wishes``.
    dataset : Dataset
        Raw, or derived where the policies of all its closed inputs let products go.
    reason : str
        For the audit log.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to decide.
    TransitionError
        If the data are open, proprietary or taken back, or must wait for their inputs.
    """
    if person:
        require(person, Act.RELEASE, dataset)
    found = hold(dataset)
    require_releasable(found, "open the data early")

    def move(guard: Guard) -> None:
        _open_on(guard, found.today)
        guard.ruling = Ruling.RELEASED

    _write(found, "embargo.released", move, person, reason)


def require_releasable(found: Standpoint, act: str) -> None:
    """
    Refuse to open early what its policy does not let go.

    Raises
    ------
    TransitionError
        Saying why, and who can do what instead.
    """
    found.require(act, CLOSED)
    if found.dataset.kind == Dataset.Kind.DERIVED and not found.lets_products_go:
        raise TransitionError(
            act,
            "these data open with the last of their inputs. Open those, or ask a data "
            "steward to set a day.",
        )


@transaction.atomic
def rule(person: User, dataset: Dataset, opens_on: date, reason: str) -> None:
    """
    Set the day on which closed data open, whatever policy and inputs say.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If the person is no data steward.
    TransitionError
        If the data are open, proprietary or taken back, or the day lies in the past.
    """
    act = "set the opening day"
    require(person, Act.RULE, dataset)
    found = hold(dataset)
    found.require(act, CLOSED)
    _set_day(found, act, "embargo.ruled", opens_on, person, reason)


@transaction.atomic
def open_proprietary(person: User, dataset: Dataset, opens_on: date, reason: str) -> None:
    """
    Let proprietary data open on a day; that their leaders ask for it is seen elsewhere.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If the person is no data steward.
    TransitionError
        If the data are not proprietary, or the day lies in the past.
    """
    act = "let proprietary data open"
    require(person, Act.RULE, dataset)
    found = hold(dataset)
    found.require(act, frozenset({State.PROPRIETARY}))
    _set_day(found, act, "proprietary.opened", opens_on, person, reason)


def _set_day(
    found: Standpoint, act: str, event: str, opens_on: date, person: User, reason: str
) -> None:
    if opens_on < found.today:
        raise TransitionError(act, f"{opens_on} lies in the past. To open at once name today.")

    def move(guard: Guard) -> None:
        _open_on(guard, opens_on)
        guard.ruling, guard.is_proprietary = Ruling.STEWARD, False

    _write(found, event, move, person, reason)


def _open_on(guard: Guard, day: date) -> None:
    """Set the day of a guard; whoever opens data shows their page then at the latest."""
    is_early = guard.listed_on is not None and guard.listed_on != guard.opens_on
    guard.listed_on = min(guard.listed_on, day) if is_early and guard.listed_on else day
    guard.opens_on = day


def _write(
    found: Standpoint, event: str, move: Callable[[Guard], None], person: User | None, reason: str
) -> date:
    """Move the closed guards, and with them all that stems from the data."""
    dataset, closed, old = found.dataset, found.closed, tell_dates(found.guards)
    for guard in closed:
        move(guard)
        guard.save()
    new = tell_dates(found.guards)
    audit.record(event, dataset, person=person, old=old, new=new, reason=reason)
    settle([dataset.pk], person=person, reason=reason)
    return max(guard.opens_on for guard in closed if guard.opens_on)
