"""
What a processing run takes along and brings back, as JSON.

Only these documents travel between worker, supervisor and runner, so any machine that
has the recipe's packages and sees the stores can execute a run.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

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


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TicketFile(_Document):
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


class TicketInput(_Document):
    """The datasets given to one role, in order; ``digest`` as in the key document."""

    pid: str
    digest: str
    title: str
    files: tuple[TicketFile, ...]


class Limits(_Document):
    cores: int = Field(default=1, ge=1)
    memory_bytes: int = Field(default=2**31, gt=0)
    walltime_s: float = Field(default=1800.0, gt=0)


class Ticket(_Document):
    """
    Everything an attempt needs; it carries no secret.

    ``clock`` (ISO 8601, UTC) and ``seed`` are fixed when the run is queued, so that a
    replay of the same row writes the same bytes. ``content_store`` is the folder that
    holds ``staging/`` and ``store/`` on one file system.
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

    @property
    def staging(self) -> Path:
        """Where this attempt, and no other, writes."""
        return self.content_store / "staging" / f"{self.uuid}.{self.fence}"


class LogLine(_Document):
    kind: Literal["log"] = "log"
    level: Literal["info", "warning", "error"] = "info"
    text: str


class Progress(_Document):
    kind: Literal["progress"] = "progress"
    done: int
    total: int
    stage: str = ""


Event = LogLine | Progress


class Quantity(_Document):
    """A headline number of the result; it becomes a Parameter of the derived dataset."""

    name: str
    value: float | str
    unit: str | None = None


class OutputFile(_Document):
    """A file that a recipe has written; size and sha256 are the supervisor's finding."""

    role: str
    path: str
    size: int = 0
    sha256: str = ""


class Failure(_Document):
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
    message: str
    traceback: str = ""


class Usage(_Document):
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


class Outcome(_Document):
    """What an attempt brings back: outputs, or a failure."""

    outputs: tuple[OutputFile, ...] = ()
    preview: OutputFile | None = None
    quantities: tuple[Quantity, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None
    usage: Usage = Usage()
