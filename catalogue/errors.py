"""
What the catalogue refuses.

::

    CatalogueError
    ├── UnknownDatasetError     missing, or not visible to this person
    ├── UnknownFileError        the same for one file of a dataset
    ├── UnknownMemberError      no such file in an archive
    ├── NoPictureError          a dataset of which there is no thumbnail
    ├── UnknownTokenError       no such token of this person
    ├── UnknownRequestError     the same for what somebody asks
    ├── UnknownProposalError    missing, or the person is not on its team
    ├── UnknownConstantError    a dataset that calibrates nothing
    ├── UnknownMembershipError  nothing says that they are on this team
    ├── EmbargoError            visible, but its bytes are closed until a day
    ├── RetractedError          taken back; its page says why
    ├── NotPermittedError       visible, but this act is not theirs
    ├── ScopeError              theirs, but not with this token
    ├── TokenError              a token that cannot be made
    ├── RateLimitError          too many calls by one person, token or address
    ├── PreconditionError       what is there is not the version that was named
    ├── RangeError              a part of a file behind its end
    ├── TransitionError         the state of the data forbids this act
    ├── RefusedFileError        a file that must not be registered or read
    ├── ContentChangedError     registered files are there again with other bytes
    ├── RegistrationError       a description that cannot become a dataset
    ├── DescriptionError        what somebody says of data has faults; each is named
    │   ├── MisshapenError      its fields are missing, unknown or of a wrong type
    │   └── OtherContentError   it is registered already, and was said otherwise
    ├── RepeatedKeyError        a client's key came back with another body
    ├── UnknownCollectionError  missing, or another person's own
    ├── UnknownAttachmentError  missing, or its dataset is hidden
    ├── UnknownPublicationError nobody has told us of it
    ├── DeclarationError        facility.toml is wrong at one line
    ├── BusyError               too many at once; the same later
    └── StoreError              bytes cannot be read or written just now
        └── ChecksumError       bytes differ from what the catalogue knows

They know no HTTP: ``config.problems`` gives each its status.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date


class CatalogueError(Exception):
    """Root of all that the catalogue refuses; the text tells the next step."""


class UnknownDatasetError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(
            f"There is no dataset {pid} that you may see. Check the identifier, or sign in."
        )


class UnknownFileError(CatalogueError):
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        super().__init__(
            f"There is no file {uuid} that you may see. Check the identifier, or sign in."
        )


class UnknownMemberError(CatalogueError):
    def __init__(self, member: str) -> None:
        self.member = member
        super().__init__(f"This archive has no member {member!r}. Take a name from its manifest.")


class NoPictureError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__("This dataset has no picture. Open its files instead.")


class UnknownTokenError(CatalogueError):
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        super().__init__(f"You have no token {uuid}. GET /api/v1/tokens/ lists those you have.")


class UnknownConstantError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(
            f"The dataset {pid} is no calibration constant. PUT says from when to when it is one."
        )


class UnknownRequestError(CatalogueError):
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        super().__init__(
            f"There is no request {uuid} that you may see. Check the identifier, or sign in."
        )


class UnknownProposalError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(
            f"There is no proposal {pid} whose team you may see. Check the identifier, or sign in."
        )


class UnknownMembershipError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(f"Nobody {pid} is on this team. Take the person from the list of members.")


class EmbargoError(CatalogueError):
    """
    Bytes that are not open yet.

    Parameters
    ----------
    pid : str
        Of the dataset, whose page may be seen.
    until : date or None
        The day on which they open; None where nothing says when.
    """

    def __init__(self, pid: str, until: date | None) -> None:
        self.pid = pid
        self.until = until
        when = f"open on {until}" if until else "are closed, and no day is set"
        super().__init__(f"These data {when}. Ask for access on the page of the dataset.")


class RetractedError(CatalogueError):
    """
    Bytes of a dataset that was taken back.

    Parameters
    ----------
    pid : str
        Of the dataset; its page remains.
    kind : str
        "retracted" because it is wrong, "withdrawn" because it must not be shown.
    reason : str
        In the words of whoever took it back.
    since : date
        When that was.
    """

    def __init__(self, pid: str, kind: str, reason: str, since: date) -> None:
        self.pid = pid
        self.kind = kind
        self.reason = reason
        self.since = since
        ended = reason if reason.endswith((".", "!", "?")) else f"{reason}."
        super().__init__(
            f"This dataset was {kind} on {since}: {ended} Ask a data steward about it."
        )


class TransitionError(CatalogueError):
    """
    An act that the state of the data forbids; nothing was written.

    Parameters
    ----------
    act : str
        The act as a verb phrase, "extend the embargo".
    reason : str
        Why not, and what can be done.
    """

    def __init__(self, act: str, reason: str) -> None:
        self.act = act
        self.reason = reason
        super().__init__(f"It is not possible to {act}: {reason}")


class NotPermittedError(CatalogueError):
    """
    An act that this person may not do on something they can see.

    Parameters
    ----------
    act : str
        The act as a verb phrase, "register datasets".
    who_may : str
        Who may do it instead, "the staff of its instrument".
    """

    def __init__(self, act: str, who_may: str) -> None:
        self.act = act
        self.who_may = who_may
        super().__init__(f"You may not {act}. Ask {who_may}.")


class ScopeError(CatalogueError):
    """
    A call that the person may make, but not with this token.

    Parameters
    ----------
    scope : str
        What the token would need, "ingest"; empty where no token will do.
    held : sequence of str
        What it has.
    """

    def __init__(self, scope: str, held: Sequence[str]) -> None:
        self.scope = scope
        self.held = list(held)
        if scope:
            need = f"This token lacks the scope {scope!r}. Make one that has it on /me/tokens/."
        else:
            need = "No token may do this. Sign in with name and password instead."
        super().__init__(need)


class TokenError(CatalogueError):
    """
    A token that cannot be made.

    Parameters
    ----------
    field : str
        Which part of the wish is at fault, "days".
    reason : str
        What can be had instead.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(reason)


class RateLimitError(CatalogueError):
    """
    More calls than one caller may make.

    Parameters
    ----------
    policy : str
        Which limit, "calls" or "bytes".
    calls : int
        What it allows in a minute.
    retry_after_s : int
        Seconds after which the next call will be answered.
    """

    def __init__(self, policy: str, calls: int, retry_after_s: int) -> None:
        self.policy = policy
        self.calls = calls
        self.retry_after_s = retry_after_s
        super().__init__(
            f"These were more than {calls} calls in a minute. Go on in {retry_after_s} s."
        )


class PreconditionError(CatalogueError):
    """
    A call for one version of something of which there is another by now.

    Parameters
    ----------
    subject : str
        What it was about, "scan.h5".
    etag : str
        Of what is there, in quotes as HTTP writes it.
    """

    def __init__(self, subject: str, etag: str) -> None:
        self.subject = subject
        self.etag = etag
        super().__init__(
            f"{subject} is not the version that you named. Read it again, then decide anew."
        )


class RangeError(CatalogueError):
    def __init__(self, file: str, size: int) -> None:
        self.file = file
        self.size = size
        super().__init__(
            f"{file} has {size} bytes, and none in the range you ask for. Ask for one inside it."
        )


class RefusedFileError(CatalogueError):
    """
    A file that must not be registered, or read by a recipe.

    Parameters
    ----------
    code : str
        Which rule it breaks, "file-external-link".
    reason : str
        What was found, what was expected, and what to do.
    file : str
        Its name relative to the dataset, never an absolute path.
    """

    def __init__(self, code: str, reason: str, *, file: str = "") -> None:
        self.code = code
        self.reason = reason
        self.file = file
        super().__init__(f"{file}: {reason}" if file else reason)


class ContentChangedError(CatalogueError):
    def __init__(self, pid: str, file: str) -> None:
        self.pid = pid
        self.file = file
        super().__init__(
            f"{file} is registered in dataset {pid} with other content. "
            "Register the new files under another name, or restore the old ones."
        )


class RegistrationError(CatalogueError):
    """
    A description that cannot become a dataset.

    Parameters
    ----------
    field : str
        Which part of the request is at fault, "proposal".
    reason : str
        What was found and what to do.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Fault:
    """One fault of a body: a JSON pointer to where it stands, and what is wrong."""

    pointer: str
    detail: str


class DescriptionError(CatalogueError):
    """
    What somebody says of data and cannot stand; nothing of it was written.

    Parameters
    ----------
    errors : sequence of Fault
        All faults that were found.
    """

    def __init__(self, errors: Sequence[Fault]) -> None:
        self.errors = list(errors)
        first = f"{self.errors[0].pointer}: {self.errors[0].detail}"
        more = f" {len(self.errors) - 1} more: see errors." if len(self.errors) > 1 else ""
        super().__init__(f"{first}{more}")


class MisshapenError(DescriptionError):
    pass


class OtherContentError(DescriptionError):
    pass


class RepeatedKeyError(CatalogueError):
    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"The Idempotency-Key {key} came with another body before. "
            "Give a new key to a new call."
        )


class UnknownCollectionError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(
            f"There is no collection {pid} that you may see. Check the identifier, or sign in."
        )


class UnknownAttachmentError(CatalogueError):
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        super().__init__(
            f"There is no attachment {uuid} that you may see. Check the identifier, or sign in."
        )


class UnknownPublicationError(CatalogueError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(f"There is no publication {pid} here. Check the identifier.")


@dataclass(frozen=True)
class DeclarationFault:
    """One fault of a facility.toml: where it stands and what is wrong."""

    key: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.key}: {self.reason}"


@dataclass
class DeclarationError(CatalogueError):
    """A facility.toml with faults; nothing of it was stored."""

    faults: list[DeclarationFault] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class BusyError(CatalogueError):
    def __init__(self, act: str) -> None:
        self.act = act
        super().__init__(f"The server is busy: it cannot {act} just now. Try again in a minute.")


class StoreError(CatalogueError):
    """
    A store that cannot be read or written just now.

    Parameters
    ----------
    store : str
        Its name in facility.toml.
    reason : str
        What happened and what to do, without a server's path.
    """

    def __init__(self, store: str, reason: str) -> None:
        self.store = store
        self.reason = reason
        super().__init__(f"Store {store}: {reason}")


class ChecksumError(StoreError):
    """
    Bytes that are not those which the catalogue knows.

    Parameters
    ----------
    store : str
        Its name in facility.toml.
    file : str
        Its name relative to the dataset.
    expected : str
        The sha256 that is registered.
    found : str
        That of the bytes; empty if size or time of change told enough.
    """

    def __init__(self, store: str, file: str, *, expected: str, found: str) -> None:
        self.file = file
        self.expected = expected
        self.found = found
        is_now = f"has sha256 {found[:12]}…" if found else "has changed"
        super().__init__(
            store,
            f"{file} {is_now}; it was registered with {expected[:12]}…. "
            "Ask the operator to restore it.",
        )
