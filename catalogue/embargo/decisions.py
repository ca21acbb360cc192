"""What becomes of a request: granted, refused, or not decided in time."""

from collections.abc import Callable
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from catalogue import audit
from catalogue.access import State
from catalogue.embargo.rulings import Standpoint, extend, hold, open_proprietary
from catalogue.embargo.wishes import Kind, RequestState, agreed, settle_release
from catalogue.errors import TransitionError
from catalogue.models import Dataset, Guest, Notice, Request, User
from catalogue.notices import tell
from catalogue.permissions import Act, require

_DECIDE = "decide this request"

# Who decides on which kind, by the act that it amounts to.
ACTS = {
    Kind.ACCESS: Act.GRANT_ACCESS,
    Kind.EXTENSION: Act.DECIDE_EXTENSION,
    Kind.RELEASE: Act.RULE,
}


@transaction.atomic
def grant(person: User, request: Request, answer: str, day: date | None = None) -> Request:
    """
    Grant what somebody asks for.

    Parameters
    ----------
    person : User
        Who decides: the leader of the data or a data steward about access, else a data
        steward.
    request : Request
        That waits for a decision.
    answer : str
        To whoever asks; it goes into the audit log.
    day : date, optional
        The last day of a visit, or the one on which proprietary data open.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to decide.
    TransitionError
        If it is decided, or the data are not in a state in which it can be granted.
    """
    require(person, ACTS[Kind(request.kind)], request.dataset)
    found, held = _hold(request)
    day = _GRANTS[Kind(held.kind)](person, found, held, answer, day)
    until = f" until {day}" if held.kind == Kind.ACCESS else f": the data open on {day}"
    return _decide(held, RequestState.GRANTED, person, answer, until)


@transaction.atomic
def refuse(person: User, request: Request, answer: str) -> Request:
    """
    Refuse what somebody asks for.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to decide.
    TransitionError
        If it is decided.
    """
    require(person, ACTS[Kind(request.kind)], request.dataset)
    _, held = _hold(request)
    return _decide(held, RequestState.REFUSED, person, answer)


@transaction.atomic
def object_to(person: User, request: Request, answer: str) -> Request:
    """
    Object to an early release, which stops it.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If the person is not on the team.
    TransitionError
        If it is decided, or no early release.
    """
    require(person, Act.OBJECT, request.dataset)
    if request.kind != Kind.RELEASE:
        raise TransitionError("object", "only an early release can be objected to.")
    _, held = _hold(request)
    return _decide(held, RequestState.REFUSED, person, answer)


def _hold(request: Request) -> tuple[Standpoint, Request]:
    """Let nobody else decide on the data or the request; in this order everywhere."""
    found = hold(request.dataset)
    held = Request.objects.select_for_update(of=("self",)).select_related("person")
    row = held.get(pk=request.pk)
    row.dataset = request.dataset
    if row.state != RequestState.OPEN:
        raise TransitionError(_DECIDE, f"it is decided: {row.get_state_display()}.")
    return found, row


def _grant_access(
    person: User, found: Standpoint, request: Request, answer: str, day: date | None
) -> date:
    if found.state.is_open:
        raise TransitionError(_DECIDE, "the data are open to all by now.")
    if day is None or day < found.today:
        raise TransitionError(_DECIDE, "a visit needs a last day that is today or later.")
    Guest.objects.update_or_create(
        dataset=found.dataset,
        person=request.person,
        defaults={"valid_to": day, "granted_by": person, "request": request},
    )
    new = {"guest": str(request.person), "valid_to": day.isoformat()}
    audit.record("access.granted", found.dataset, person=person, new=new, reason=answer)
    return day


def _grant_extension(
    person: User, found: Standpoint, request: Request, answer: str, _: date | None
) -> date:
    return extend(person, found.dataset, answer or request.reason)


def _grant_release(
    person: User, found: Standpoint, request: Request, answer: str, day: date | None
) -> date:
    if found.state.state != State.PROPRIETARY:
        why = "early releases are not granted: they happen when all who decide agree."
        raise TransitionError(_DECIDE, why)
    if not agreed(found):
        why = "the principal investigators of all proprietary inputs have to ask for it."
        raise TransitionError(_DECIDE, why)
    if day is None:
        raise TransitionError(_DECIDE, "the day on which the data open has to be named.")
    open_proprietary(person, found.dataset, day, answer or request.reason)
    others = Request.objects.filter(dataset=found.dataset, kind=Kind.RELEASE)
    others.filter(state=RequestState.OPEN).update(state=RequestState.GRANTED, decided_by=person)
    return day


_GRANTS: dict[Kind, Callable[[User, Standpoint, Request, str, date | None], date]] = {
    Kind.ACCESS: _grant_access,
    Kind.EXTENSION: _grant_extension,
    Kind.RELEASE: _grant_release,
}


def _decide(
    request: Request, state: RequestState, person: User | None, answer: str, more: str = ""
) -> Request:
    """Write a decision down, and tell whoever asked."""
    request.state, request.answer, request.decided_by = state, answer, person
    request.decided_at = timezone.now()
    request.save()
    new = {"request": str(request.uuid), "kind": request.kind}
    event = f"request.{state.value}"
    audit.record(event, request.dataset, person=person, new=new, reason=answer)
    about = f"Your request for {Kind(request.kind).label}, “{request.dataset.title}”,"
    text = f"{about} was {state.label}{more}. {answer}".strip()
    once = f"decision {request.uuid}"
    kind = Notice.Kind.DECISION
    tell(request.person, kind, text, once=once, dataset=request.dataset)
    return request


@transaction.atomic
def lapse(requests: QuerySet[Request], answer: str) -> int:
    """Close requests that nothing is left to decide about; return how many."""
    waiting = requests.filter(state=RequestState.OPEN).select_related("dataset", "person")
    held = list(waiting.select_for_update(of=("self",), skip_locked=True))
    for request in held:
        _decide(request, RequestState.LAPSED, None, answer)
    return len(held)


@transaction.atomic
def carry_out_release(request: Request) -> bool:
    """Open data to whose early release nobody has objected; say whether it was done."""
    try:
        found, held = _hold(request)
    except TransitionError:
        return False  # decided while we looked
    if held.due_on is None or held.due_on > found.today:
        return False
    try:
        with transaction.atomic():
            settle_release(None, found.dataset, held.reason)
    except TransitionError as error:
        _decide(held, RequestState.LAPSED, None, error.reason)
        return False
    return True


@transaction.atomic
def end_visit(person: User, dataset: Dataset, guest: User, reason: str) -> None:
    """
    End somebody's access to closed data before its day.

    Raises
    ------
    NotPermittedError, UnknownDatasetError
        If it is not theirs to give access.
    TransitionError
        If they are no guest.
    """
    require(person, Act.GRANT_ACCESS, dataset)
    visit = Guest.objects.select_for_update().filter(dataset=dataset, person=guest).first()
    if visit is None:
        raise TransitionError("end this visit", f"{guest} is no guest of the dataset.")
    old = {"guest": str(guest), "valid_to": visit.valid_to.isoformat()}
    visit.delete()
    audit.record("access.ended", dataset, person=person, old=old, reason=reason)
    # They may not see its page any more: the notice must stand for itself.
    text = f"Your access to the dataset {dataset.pid} has ended: {reason}"
    once = f"visit ended {dataset.pid} {timezone.now().isoformat()}"
    tell(guest, Notice.Kind.DECISION, text, once=once)
