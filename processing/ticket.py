"""
What a processing run takes along and brings back, as JSON.

Only these documents travel between worker, supervisor and runner, so any machine that
has the recipe's packages and sees the stores can execute a run.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from catalogue.digests import canonical_json


def write_key_document(
    *,
    recipe: str,
    version: str,
    inputs: dict[str, list[str]],
    parameters: dict[str, JsonValue],
    environment: str,
) -> str:
    """
    State what a result depends on, as canonical JSON; its sha256 is the run key.

    Parameters
    ----------
    recipe, version : str
        Name and MAJOR.MINOR.PATCH, of which PATCH is declared result-neutral.
    inputs : dict
        Role to dataset digests, sorted unless the role is ordered.
    parameters : dict
        Validated, with defaults filled in.
    environment : str
        Digest of the packages that the recipe declares.
    """
    return canonical_json(
        {
            "v": 1,
            "recipe": [recipe, ".".join(version.split(".")[:2])],
            "inputs": {role: list(digests) for role, digests in inputs.items()},
            "parameters": parameters,
            "environment": environment,
        }
    )


class Document(BaseModel):
    """
    A JSON document that others keep and read again years later.

    ``later`` names the fields that came after the first release: at their default they
    are left out, so that what was written before keeps its digest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _leave_out_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        written: dict[str, Any] = write(self)
        return {
            name: value
            for name, value in written.items()
            if name not in self.later
            or getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }


class TicketFile(Document):
    """
    One input file: its registered relative name and where its bytes are.

    ``modified_ns`` is its time of change when it was hashed, None where files never
    change.
    """

    path: str
    location: Path
    size: int
    sha256: str
    modified_ns: int | None = None


class TicketInput(Document):
    """The datasets given to one role, in order; ``digest`` as in the key document."""

    pid: str
    digest: str
    title: str
    files: tuple[TicketFile, ...]


class Limits(Document):
    """
    What a run may use.

    ``scratch_bytes`` must be free on the disk before it starts. ``fan_out`` is the
    number of threads of the engine's cluster that ``work.map`` may use instead of the run's
    own cores.
    """

    later = frozenset({"scratch_bytes", "fan_out"})

    cores: int = Field(default=1, ge=1)
    memory_bytes: int = Field(default=2**31, gt=0)
    walltime_s: float = Field(default=1800.0, gt=0)
    scratch_bytes: int = Field(default=0, ge=0)
    fan_out: int = Field(default=0, ge=0)


class Original(Document):
    """
    An old result to compare a replay with, by role, and what of it may differ.

    ``tolerance`` is relative and absolute by path, ``volatile`` the paths that never
    count; both as the manifest says.
    """

    files: dict[str, tuple[TicketFile, ...]]
    tolerance: dict[str, tuple[float, float]] = {}
    volatile: tuple[str, ...] = ()


class Tls(Document):
    """Files, as the machine names them that reads them; their content never travels."""

    ca: Path
    cert: Path
    key: Path


class Cluster(Document):
    """A Dask scheduler, as the machine of the run reaches it; ``slots`` chunks at once."""

    scheduler: str
    slots: int
    tls: Tls | None = None


class Ticket(Document):
    """
    Everything an attempt needs; it carries no secret.

    ``clock`` (ISO 8601, UTC) and ``seed`` are fixed when the run is queued, so that a
    replay of the same row writes the same bytes. ``content_store`` is the folder that
    holds ``staging/`` and ``store/`` on one file system.

    ``interpreter`` is the Python of the recipe's environment, empty for the supervisor's
    own. ``manifest_file`` is the TOML of a command or notebook, which must still have the
    ``manifest_digest`` it was registered with; empty for a function. The supervisor names
    the ``cluster`` that ``work.map`` may use.
    """

    uuid: str
    fence: int
    recipe: str
    version: str
    entry: str
    environment: str
    run_key: str
    key_document: str
    inputs: dict[str, tuple[TicketInput, ...]]
    parameters: dict[str, JsonValue]
    outputs: dict[str, str]  # role -> content
    clock: str
    seed: int
    limits: Limits
    content_store: Path
    interpreter: str = ""
    manifest_file: str = ""
    manifest_digest: str = ""
    cluster: Cluster | None = None
    original: Original | None = None  # of a replay: its outputs are compared, not kept

    @property
    def staging(self) -> Path:
        """Where this attempt, and no other, writes."""
        return self.content_store / "staging" / f"{self.uuid}.{self.fence}"

    @property
    def cache(self) -> Path:
        """Where recipes keep what they can make again; anybody may empty it at any time."""
        return self.content_store / "cache"


def _readable(given: Any) -> Any:
    """Replace what no database holds: a recipe quotes whatever bytes it has read."""
    if not isinstance(given, str):
        return given
    return given.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


Said = Annotated[str, BeforeValidator(_readable)]
"""Text in a recipe's own words."""


class LogLine(Document):
    kind: Literal["log"] = "log"
    level: Literal["info", "warning", "error"] = "info"
    text: Said


class Progress(Document):
    kind: Literal["progress"] = "progress"
    done: int
    total: int
    stage: Said = ""


Event = LogLine | Progress


class Quantity(Document):
    """A headline number of the result; it becomes a Parameter of the derived dataset."""

    name: str
    value: float | Said
    unit: str | None = None


def _in_calendar(at: datetime) -> datetime:
    """Refuse what no calendar has in another time zone: its page could not be shown."""
    if not datetime(1000, 1, 1, tzinfo=UTC) <= at <= datetime(9001, 1, 1, tzinfo=UTC):
        raise ValueError("must lie in the years 1000 to 9000")
    return at


class MadeConstant(Document):
    """
    What a result calibrates, from when on and under which conditions.

    It becomes the CalibrationConstant of the dataset in this role.
    """

    role: str
    kind: Annotated[Said, Field(min_length=1, max_length=40)]
    detector: Annotated[Said, Field(max_length=100)] = ""
    module: Annotated[Said, Field(max_length=100)] = ""
    valid_from: Annotated[AwareDatetime, AfterValidator(_in_calendar)]
    conditions: Annotated[
        dict[Annotated[Said, Field(min_length=1, max_length=60)], float | Said],
        Field(max_length=50),
    ] = {}


class OutputFile(Document):
    """
    A file that a recipe has written; size and sha256 are the supervisor's finding.

    ``content_digest`` is the runner's: equal for files that differ only in what the
    recipe declares volatile, see ``processing.recipes.comparison``.
    """

    role: str
    path: str
    size: int = 0
    sha256: str = ""
    content_digest: str = ""


class Failure(Document):
    """
    Why an attempt brought no result.

    ``reason`` says whose fault it is and thereby what happens next: ``input`` and
    ``recipe`` end the run, ``lost`` and ``memory`` are tried again, ``environment``
    and ``disk`` wait for the operator without using up an attempt.
    """

    reason: Literal[
        "input", "recipe", "output", "memory", "time", "disk", "environment", "lost", "cancelled"
    ]
    code: str
    message: Said
    traceback: Said = ""


class Usage(Document):
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


class Deviation(Document):
    """A path at which a replay differs; ``deviation`` in the unit of the field."""

    path: str
    detail: str
    deviation: float | None = None


class Repetition(Document):
    """How well a replay has repeated the old result."""

    verdict: Literal["identical-bytes", "identical-content", "equal-within-tolerance", "different"]
    deviations: tuple[Deviation, ...] = ()


class Outcome(Document):
    """What an attempt brings back: outputs, or a failure."""

    later = frozenset({"constants"})

    outputs: tuple[OutputFile, ...] = ()
    preview: OutputFile | None = None
    quantities: tuple[Quantity, ...] = ()
    warnings: tuple[Said, ...] = ()
    constants: tuple[MadeConstant, ...] = ()  # at most one of each role
    repetition: Repetition | None = None
    failure: Failure | None = None
    usage: Usage = Usage()
