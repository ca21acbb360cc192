"""
Who may do what to a dataset that they see: one table of acts.

What they may see, and whose bytes they may read, is the matter of ``catalogue.access``.
A refused act on a visible dataset is 403, on a hidden one 404.
"""

from enum import StrEnum, auto

from catalogue.access import Person, closed_guards, get_dataset, may_read, memberships
from catalogue.errors import NotPermittedError
from catalogue.models import Dataset, Guard, Membership, User


class Standing(StrEnum):
    """What a person is to a dataset; they may be several at once."""

    SIGNED_IN = auto()
    READER = auto()  # signed in, and may read its bytes
    MEMBER = auto()  # of every proposal it stems from
    LEADER = auto()  # principal investigator of every one
    CO_LEADER = auto()  # principal investigator of one, among those that are closed if any is
    INSIDER = auto()  # member or staff, at each of its origins
    OWNER = auto()  # launched what made it
    CURATOR = auto()  # data steward


class Act(StrEnum):
    """What can be done to a dataset, as a verb phrase."""

    PROCESS = "process this dataset"
    ARCHIVE = "archive this dataset"
    EDIT = "edit this dataset's description"
    ASK_ACCESS = "ask for access to this dataset"
    GRANT_ACCESS = "give somebody access to this dataset"
    RELEASE = "open this dataset early"
    OBJECT = "object to an early release of this dataset"
    ASK_EXTENSION = "ask for a longer embargo of this dataset"
    DECIDE_EXTENSION = "decide on a longer embargo of this dataset"
    RULE = "set the opening date of this dataset"
    RETRACT = "retract this dataset"
    REINSTATE = "undo the retraction of this dataset"
    WITHDRAW = "withdraw this dataset"


_TEAM = frozenset({Standing.INSIDER, Standing.CURATOR})

_MAY: dict[Act, frozenset[Standing]] = {
    Act.PROCESS: frozenset({Standing.READER}),
    Act.ARCHIVE: _TEAM | {Standing.OWNER},
    Act.EDIT: _TEAM | {Standing.OWNER},
    Act.ASK_ACCESS: frozenset({Standing.SIGNED_IN}),
    Act.GRANT_ACCESS: frozenset({Standing.LEADER, Standing.CURATOR}),
    Act.RELEASE: frozenset({Standing.CO_LEADER}),
    Act.OBJECT: frozenset({Standing.MEMBER, Standing.CURATOR}),
    Act.ASK_EXTENSION: frozenset({Standing.LEADER}),
    Act.DECIDE_EXTENSION: frozenset({Standing.CURATOR}),
    Act.RULE: frozenset({Standing.CURATOR}),
    Act.RETRACT: frozenset({Standing.LEADER, Standing.OWNER, Standing.CURATOR}),
    Act.REINSTATE: frozenset({Standing.LEADER, Standing.OWNER, Standing.CURATOR}),
    Act.WITHDRAW: frozenset({Standing.CURATOR}),
}

_WHO = {
    Standing.READER: "whoever may read its data",
    Standing.MEMBER: "a member of its team",
    Standing.LEADER: "the principal investigator",
    Standing.CO_LEADER: "its principal investigators",
    Standing.INSIDER: "its team or the staff of its instrument",
    Standing.OWNER: "its owner",
    Standing.CURATOR: "a data steward",
    Standing.SIGNED_IN: "somebody who is signed in",
}


def standings(
    person: Person, dataset: Dataset, *, is_readable: bool | None = None
) -> frozenset[Standing]:
    """
    Say what a person is to a dataset that they see.

    Parameters
    ----------
    person : User or AnonymousUser
        Who sees it.
    dataset : Dataset
        That they see.
    is_readable : bool, optional
        Whether they may read its bytes, if that is known.
    """
    if not isinstance(person, User) or not person.is_active:
        return frozenset()
    found = {Standing.SIGNED_IN}
    if may_read(person, dataset) if is_readable is None else is_readable:
        found.add(Standing.READER)
    if person.is_data_steward:
        found.add(Standing.CURATOR)
    if dataset.kind == Dataset.Kind.DERIVED and dataset.owner_id == person.pk:
        found.add(Standing.OWNER)
    return frozenset(found | _by_guards(person, dataset))


def _by_guards(person: User, dataset: Dataset) -> set[Standing]:
    guards = list(Guard.objects.filter(dataset=dataset))
    if not guards:
        return set()
    roles: dict[int, set[str]] = {}
    for proposal, role in memberships(person).values_list("proposal", "role"):
        roles.setdefault(proposal, set()).add(role)
    staffed = set(person.instruments.values_list("pk", flat=True))
    of_each = {guard.pk: _at_guard(guard, roles, staffed) for guard in guards}
    found = set.intersection(*of_each.values())
    closed = set(closed_guards([dataset.pk]).values_list("pk", flat=True))
    if any(Standing.LEADER in of_each[pk] for pk in of_each.keys() & closed or of_each):
        found.add(Standing.CO_LEADER)
    return found


def _at_guard(guard: Guard, roles: dict[int, set[str]], staffed: set[int]) -> set[Standing]:
    held = roles.get(guard.proposal_id or 0, set())
    found = set()
    if held:
        found.add(Standing.MEMBER)
    is_staff = guard.instrument_id in staffed
    if held or is_staff:
        found.add(Standing.INSIDER)
    if is_staff and guard.proposal_id is None:  # data of nobody's proposal are the staff's own
        found.add(Standing.LEADER)
    if Membership.Role.PI in held:
        found.add(Standing.LEADER)
    return found


def permitted_acts(
    person: Person, dataset: Dataset, *, is_readable: bool | None = None
) -> frozenset[Act]:
    """Return all that a person may do to a dataset that they see; see ``standings``."""
    held = standings(person, dataset, is_readable=is_readable)
    return frozenset(act for act, needed in _MAY.items() if held & needed)


def may(person: Person, act: Act, dataset: Dataset) -> bool:
    """Say whether a person may do one thing to a dataset that they see."""
    return bool(standings(person, dataset) & _MAY[act])


def require(person: Person, act: Act, dataset: Dataset) -> None:
    """
    Refuse an act that is not this person's.

    Raises
    ------
    NotPermittedError
        If they see the dataset; it names who may.
    UnknownDatasetError
        If they do not even see it.
    """
    get_dataset(person, dataset.pid)
    if not may(person, act, dataset):
        raise NotPermittedError(str(act), " or ".join(_WHO[who] for who in sorted(_MAY[act])))


def require_account(person: Person) -> User:
    """
    Return a person who is signed in.

    Raises
    ------
    NotPermittedError
        If nobody is.
    """
    if not isinstance(person, User):
        raise NotPermittedError("do this", _WHO[Standing.SIGNED_IN])
    return person


def require_steward(person: Person, act: str) -> User:
    """
    Return a person who is a data steward.

    Raises
    ------
    NotPermittedError
        If they are none.
    """
    if not isinstance(person, User) or not person.is_data_steward:
        raise NotPermittedError(act, _WHO[Standing.CURATOR])
    return person
