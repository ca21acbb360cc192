"""What a failed registration means for an acquisition: wait, or be shown to a person."""

from dataclasses import dataclass

from catalogue.errors import (
    BusyError,
    CatalogueError,
    ContentChangedError,
    RefusedFileError,
    RegistrationError,
    StoreError,
)
from catalogue.models import Arrival

State = Arrival.State

NO_PROPOSAL = "no-proposal"
CONTENT_CHANGED = "content-changed"
_OURSELVES = "The server failed at it, which its log explains. Ask the operator to look there."

# What may be mended without a change of the acquisition itself: a linked file arrives, a
# filter is installed, an instrument declared.
MAY_HEAL = frozenset(
    {
        "file-incomplete",
        "file-unreadable",
        "file-virtual-source",
        "file-filter-missing",
        "registration",
    }
)


@dataclass(frozen=True)
class Verdict:
    """
    The state in which an acquisition is left, and why.

    ``begins_anew`` means that it must first be quiet for its whole time again.
    """

    state: Arrival.State
    code: str
    reason: str
    begins_anew: bool = False


def judge(error: Exception) -> Verdict:
    """
    Judge a failed registration.

    Parameters
    ----------
    error : Exception
        Nothing was registered.

    Returns
    -------
    Verdict
        Still waiting where time alone mends it (a writer at work, a store that is not
        mounted, a server that is busy), quarantined where a person should know.
    """
    match error:
        case RefusedFileError(code="file-changing"):
            return Verdict(State.WAITING, error.code, str(error), begins_anew=True)
        case StoreError():
            return Verdict(State.WAITING, "no-storage", str(error))
        case BusyError():
            return Verdict(State.WAITING, "busy", str(error))
        case _:
            return Verdict(State.QUARANTINED, _code(error), _reason(error))


def _code(error: Exception) -> str:
    match error:
        case RefusedFileError():
            return error.code
        case ContentChangedError():
            return CONTENT_CHANGED
        case RegistrationError(field="proposal"):
            return NO_PROPOSAL
        case _:
            return "registration"


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, CatalogueError) else _OURSELVES
