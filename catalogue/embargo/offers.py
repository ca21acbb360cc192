"""What a person can do about the access to a dataset today: what a page offers them."""

from collections.abc import Callable, Collection

from catalogue.access import State
from catalogue.embargo.marks import standing
from catalogue.embargo.rulings import (
    CLOSED,
    Standpoint,
    require_extensible,
    require_releasable,
)
from catalogue.embargo.wishes import refuse_late
from catalogue.errors import TransitionError
from catalogue.models import Tombstone
from catalogue.permissions import Act

_ANY = frozenset(State)
_NOT_OPEN = CLOSED | {State.PROPRIETARY}


def _can_be_extended(found: Standpoint, act: str) -> None:
    require_extensible(found, act)
    refuse_late(found)


def _can_be_released(found: Standpoint, act: str) -> None:
    if found.state.state != State.PROPRIETARY or found.stone:
        require_releasable(found, act)


def _can_be_withdrawn(found: Standpoint, act: str) -> None:
    if not found.stone or found.stone.kind == Tombstone.Kind.WITHDRAWN:
        found.require(act, _ANY)


def _can_be_reinstated(found: Standpoint, act: str) -> None:
    is_retracted = found.stone and found.stone.kind == Tombstone.Kind.RETRACTED
    if not is_retracted or standing(found.dataset) is None:
        raise TransitionError(act, "nobody has retracted this very dataset.")


# What the state of the data has to be for each act; the others depend on more than that.
_CHECKS: dict[Act, Callable[[Standpoint, str], None]] = {
    Act.ASK_ACCESS: lambda found, act: found.require(act, _NOT_OPEN),
    Act.GRANT_ACCESS: lambda found, act: found.require(act, _NOT_OPEN),
    Act.ASK_EXTENSION: _can_be_extended,
    Act.RELEASE: _can_be_released,
    Act.RULE: lambda found, act: found.require(act, CLOSED),
    Act.RETRACT: lambda found, act: found.require(act, _ANY),
    Act.REINSTATE: _can_be_reinstated,
    Act.WITHDRAW: _can_be_withdrawn,
}


def offered_acts(
    permitted: Collection[Act], found: Standpoint, *, is_readable: bool
) -> frozenset[Act]:
    """
    Return what a person may do about access, and the state of the data allows.

    Parameters
    ----------
    permitted : collection of Act
        What they may do in some state or other.
    found : Standpoint
        The dataset as it is.
    is_readable : bool
        Whether they may read its bytes: then they need not ask.
    """
    offered = {act for act in permitted if _is_possible(act, found)}
    return frozenset(offered - {Act.ASK_ACCESS} if is_readable else offered)


def _is_possible(act: Act, found: Standpoint) -> bool:
    check = _CHECKS.get(act)
    if check is None:
        return False
    try:
        check(found, str(act))
    except TransitionError:
        return False
    return True
