"""
What people ask for about closed data: access, a longer embargo, an early release.

Asking never changes who may read what, but for one case: whoever alone decides on an
early release has asked themselves, and it is done.
"""

from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from catalogue import audit
from catalogue.access import (
    Person,
    State,
    cleared_datasets,
    may_read,
    memberships,
    valid_memberships,
)
from catalogue.embargo.rulings import (
    Standpoint,
    hold,
    look,
    release,
    require_extensible,
    require_releasable,
)
from catalogue.embargo.teams import leaders_of, stewards, team_of
from catalogue.errors import TransitionError, UnknownRequestError
from catalogue.models import Dataset, EmbargoPolicy, Guard, Membership, Notice, Request, User
from catalogue.notices import tell_all
from catalogue.permissions import Act, require

Kind = Request.Kind
RequestState = Request.State

OBJECTION_DAYS = 14  # in which a team may object to an early release

_ASK_ACCESS, _ASK_EXTENSION = "ask for access", "ask for a longer embargo"
_RELEASE = "open the data early"


@transaction.atomic
def ask_access(person: User, dataset: Dataset, reason: str) -> Request:
    """
    Ask to read closed data as a guest.

    Raises
    ------
    UnknownDatasetError
        If its page is hidden.
    TransitionError
        If they may read the data, or there is nothing to read any more.
    """
    require(person, Act.ASK_ACCESS, dataset)
    if stone := look(dataset).stone:
        raise TransitionError(_ASK_ACCESS, f"the dataset was {stone.kind}.")
    if may_read(person, dataset):
        raise TransitionError(_ASK_ACCESS, "you may read these data already.")
    request = _file(person, Kind.ACCESS, dataset, reason)
    _tell_of(request, leaders_of(dataset), f"asks for access to “{dataset.title}”: {reason}")
    return request


@transaction.atomic
def ask_extension(person: User, dataset: Dataset, reason: str) -> Request:
    """
    Ask for a longer embargo, which a data steward decides before it ends.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If the person does not lead the proposal.
    TransitionError
        If there is no embargo with a day, it is too late, or it was asked already.
    """
    require(person, Act.ASK_EXTENSION, dataset)
    found = hold(dataset)
    require_extensible(found, _ASK_EXTENSION)
    refuse_late(found)
    if _waiting(dataset, Kind.EXTENSION).exists():
        raise TransitionError(_ASK_EXTENSION, "this was asked already, and is not decided yet.")
    request = _file(person, Kind.EXTENSION, dataset, reason)
    _tell_of(request, stewards(), f"asks for a longer embargo of “{dataset.title}”: {reason}")
    return request


def refuse_late(found: Standpoint) -> None:
    """
    Refuse a wish for a longer embargo that comes too near to its end.

    Raises
    ------
    TransitionError
        Saying how many days before it had to come.
    """
    notice = timedelta(days=max(policy.extension_notice_days for policy in found.policies))
    opens_on = found.state.opens_on
    if opens_on is not None and opens_on - found.today < notice:
        raise TransitionError(
            _ASK_EXTENSION,
            f"it had to be asked {notice.days} days before {opens_on}. "
            "A data steward can set another day.",
        )


@transaction.atomic
def ask_release(person: User, dataset: Dataset, reason: str) -> Request | None:
    """
    Open data early, as far as it is this person's to decide.

    Returns
    -------
    Request or None
        None if the data are open now. Else it waits: for the leaders of the other
        inputs, for two weeks without objection by the team, or, where data are
        proprietary, for a data steward.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If the person leads none of the proposals that keep the data closed.
    TransitionError
        If the data cannot be opened early, or it was asked already.
    """
    require(person, Act.RELEASE, dataset)
    found = hold(dataset)
    if found.state.state == State.PROPRIETARY and not found.stone:
        return _wait_for(stewards(), _file(person, Kind.RELEASE, dataset, reason))
    require_releasable(found, _RELEASE)
    request = _file(person, Kind.RELEASE, dataset, reason)
    if not agreed(found):
        return _wait_for(leaders_of(dataset), request)
    if any(p.early_release == EmbargoPolicy.EarlyRelease.TEAM for p in found.policies):
        return _wait_for_team(request, found.today + timedelta(days=OBJECTION_DAYS))
    settle_release(request.person, dataset, reason)
    return None


def agreed(found: Standpoint) -> bool:
    """Say whether a leader of each closed input has asked for an early release."""
    asking = _waiting(found.dataset, Kind.RELEASE).values("person")
    return all(_leads(guard, asking) for guard in found.closed)


def _leads(guard: Guard, people: QuerySet[Request, Any]) -> bool:
    """Say whether one of some people leads what a guard stands for."""
    if guard.proposal_id is None:
        staffed = User.objects.filter(pk__in=people, instruments=guard.instrument_id)
        return staffed.exists()
    leading = valid_memberships().filter(role=Membership.Role.PI, person__in=people)
    return leading.filter(proposal=guard.proposal_id).exists()


def settle_release(person: User | None, dataset: Dataset, reason: str) -> None:
    """Open data on which all who decide agree; the caller holds their guards."""
    release(person, dataset, reason)
    _waiting(dataset, Kind.RELEASE).update(
        state=RequestState.GRANTED, decided_by=person, decided_at=timezone.now()
    )
    by = f" by {person}" if person else ""
    text = f"“{dataset.title}” was opened to all{by}: {reason}"
    once = f"released {dataset.pid}"
    tell_all(team_of([dataset.pk]), Notice.Kind.DECISION, text, once=once, dataset=dataset)


def _wait_for(people: QuerySet[User], request: Request) -> Request:
    text = f"asks to open “{request.dataset.title}” early: {request.reason}"
    _tell_of(request, people, text)
    return request


def _wait_for_team(request: Request, due_on: date) -> Request:
    _waiting(request.dataset, Kind.RELEASE).update(due_on=due_on)
    request.due_on = due_on
    text = (
        f"wants to open “{request.dataset.title}” on {due_on}, unless a member of the team "
        f"objects: {request.reason}"
    )
    _tell_of(request, team_of([request.dataset.pk]), text)
    return request


def _file(person: User, kind: Request.Kind, dataset: Dataset, reason: str) -> Request:
    try:
        with transaction.atomic():
            request = Request.objects.create(
                kind=kind, dataset=dataset, person=person, reason=reason
            )
    except IntegrityError as error:
        text = "you have asked already, and it is not decided yet."
        raise TransitionError(f"ask for {kind.label}", text) from error
    new = {"request": str(request.uuid), "kind": kind.value}
    audit.record("request.filed", dataset, person=person, new=new, reason=reason)
    return request


def _tell_of(request: Request, people: QuerySet[User], text: str) -> None:
    """Tell those who decide; where a proposal has no leader, the data stewards."""
    asked = list(people.exclude(pk=request.person_id)) or stewards().exclude(pk=request.person_id)
    once, kind = f"request {request.uuid}", Notice.Kind.REQUEST
    tell_all(asked, kind, f"{request.person} {text}", once=once, dataset=request.dataset)


def _waiting(dataset: Dataset, kind: Request.Kind) -> QuerySet[Request]:
    return Request.objects.filter(dataset=dataset, kind=kind, state=RequestState.OPEN)


@transaction.atomic
def take_back(person: User, request: Request) -> None:
    """
    Take one's own request back.

    Raises
    ------
    TransitionError
        If it was decided, or is somebody else's.
    """
    mine = Request.objects.filter(pk=request.pk, person=person, state=RequestState.OPEN)
    if not mine.update(state=RequestState.TAKEN_BACK):
        raise TransitionError("take this request back", "only your own, undecided one can be.")
    new = {"request": str(request.uuid), "kind": request.kind}
    audit.record("request.taken_back", request.dataset, person=person, new=new)


def visible_requests(person: User) -> QuerySet[Request]:
    """
    Select the requests that a person may see, the latest first.

    These are their own, those on data of proposals that they lead, and wishes for an
    early release of their team's data; a data steward sees all.
    """
    requests = Request.objects.select_related("dataset__facility", "person", "decided_by")
    if person.is_data_steward:
        return requests
    of_dataset = Guard.objects.filter(dataset=OuterRef("dataset"))
    mine = memberships(person).values("proposal")
    led = memberships(person).filter(role=Membership.Role.PI).values("proposal")
    staffed = Q(proposal__isnull=True, instrument__in=person.instruments.values("pk"))
    leads = Q(Exists(of_dataset.filter(Q(proposal__in=led) | staffed)))
    is_member = Q(Exists(of_dataset.filter(proposal__in=mine)), kind=Kind.RELEASE)
    theirs = Q(dataset__in=cleared_datasets(person)) & (leads | is_member)
    return requests.filter(Q(person=person) | theirs)


def get_request(person: Person, uuid: str) -> Request:
    """
    Return a request that the person may see.

    Raises
    ------
    UnknownRequestError
        If there is none, or it is hidden; the two cannot be told apart.
    """
    if not isinstance(person, User):
        raise UnknownRequestError(str(uuid))
    try:
        return visible_requests(person).get(uuid=uuid)
    except (Request.DoesNotExist, ValidationError) as error:
        raise UnknownRequestError(str(uuid)) from error
