"""What a machine says of raw datasets that it has looked at itself."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import pydantic_core
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    RootModel,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from catalogue.description import Content
from catalogue.errors import Fault, MisshapenError

MOST_DATASETS = 500  # per call
_LARGEST = 2**63 - 1  # bytes; also the largest integer of the database
_LONGEST_TEXT = 1000
# The rule of _stay_inside, for the schema: what checks it here knows no look-ahead.
_INSIDE = r"^(?!\.{1,2}(/|$))[^/\x00]+(/(?!\.{1,2}(/|$))[^/\x00]+)*$"
_FIRST_YEAR, _LAST_YEAR = 1900, 2200  # an embargo can be counted from all between


def _text(longest: int, *, is_needed: bool = False) -> Any:
    """Make a type of text, without the one sign that PostgreSQL cannot hold."""
    return StringConstraints(
        strip_whitespace=True,
        min_length=1 if is_needed else 0,
        max_length=longest,
        pattern=r"^[^\x00]*$",
        strict=True,
    )


def _stay_inside(path: str) -> str:
    parts = path.split("/")
    if "\x00" in path or {"", ".", ".."} & set(parts):
        raise PydanticCustomError("path", "must be relative, without '..', '.' or empty parts")
    return path


def _may_be_empty(path: str) -> str:
    return _stay_inside(path.removesuffix("/")) if path else path


def _read_value(value: Any) -> float | str:
    """Take a number or a text; a truth is a text. Whether it is finite is asked later."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if not value.strip() or len(value) > _LONGEST_TEXT or "\x00" in value:
            raise PydanticCustomError("value", "must be of 1 to 1000 characters, if it is text")
        return value
    if not isinstance(value, int | float):
        raise PydanticCustomError("value", "must be a number or text")
    return value


def _be_of_our_time(time: datetime) -> datetime:
    if not _FIRST_YEAR <= time.year < _LAST_YEAR:
        raise PydanticCustomError("year", "must lie between the years 1900 and 2199")
    return time


_Instant = Annotated[
    AwareDatetime | None,
    AfterValidator(lambda time: time and _be_of_our_time(time)),
    WithJsonSchema({"type": "string", "format": "date-time", "nullable": True}),
]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BatchFile(_Said):
    """A file that lies in the store already; its checksum is the machine's word."""

    path: Annotated[
        str,
        StringConstraints(max_length=1000),
        AfterValidator(_stay_inside),
        Field(json_schema_extra={"pattern": _INSIDE}),
    ]
    size: Annotated[int, Field(ge=0, le=_LARGEST, strict=True, description="In bytes.")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    media_type: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9]+/[a-z0-9][a-z0-9.+-]*$", max_length=100)
    ] = "application/octet-stream"


class BatchParameter(_Said):
    """A quantity with its unit as people write it."""

    name: Annotated[str, _text(200, is_needed=True)]
    value: Annotated[
        int | float | str,
        PlainValidator(_read_value),
        WithJsonSchema({"oneOf": [{"type": "number"}, {"type": "string"}, {"type": "boolean"}]}),
    ]
    unit: Annotated[str, _text(60)] = ""


class BatchSample(_Said):
    name: Annotated[str, _text(200, is_needed=True)]
    chemical_formula: Annotated[str, _text(200)] = ""


class BatchDataset(_Said):
    """One raw dataset; its instrument and ``source_id`` together name it for ever."""

    instrument: Annotated[str, _text(50, is_needed=True), Field(description="Its slug.")]
    source_id: Annotated[
        str,
        _text(200, is_needed=True),
        Field(description="How the instrument's own software calls it."),
    ]
    title: Annotated[str, _text(500, is_needed=True)]
    description: Annotated[str, _text(20_000)] = ""
    content: Annotated[Content, Field(description="What its files hold; recipes ask for it.")] = (
        "files"
    )
    proposal: Annotated[str, _text(60), Field(description="Its number.")] = ""
    start_time: _Instant = None
    end_time: _Instant = None
    store: Annotated[str, _text(50, is_needed=True), Field(description="One we only read.")]
    prefix: Annotated[
        str,
        StringConstraints(max_length=199),
        AfterValidator(_may_be_empty),
        Field(description="The folder in the store from which the paths count."),
    ] = ""
    files: Annotated[list[BatchFile], Field(min_length=1, max_length=100_000)]
    parameters: Annotated[list[BatchParameter], Field(max_length=1000)] = []
    samples: Annotated[list[BatchSample], Field(max_length=100)] = []
    techniques: Annotated[
        list[Annotated[str, _text(200, is_needed=True)]],
        Field(max_length=50, description="An IRI, an identifier, PaNET01216, or a name."),
    ] = []


class Batch(RootModel[list[BatchDataset]]):
    root: Annotated[list[BatchDataset], Field(min_length=1, max_length=MOST_DATASETS)]


def read_batch(body: bytes) -> tuple[dict[int, BatchDataset], list[Fault]]:
    """
    Read the datasets of a body.

    Parameters
    ----------
    body : bytes
        JSON text.

    Returns
    -------
    dict of int to BatchDataset, list of Fault
        Those that are well formed, by their place, and what is wrong with the others.

    Raises
    ------
    MisshapenError
        If it is no array of 1 to 500 datasets.
    """
    try:
        said = pydantic_core.from_json(body)
    except ValueError as error:
        raise MisshapenError([Fault("#", f"is no JSON: {error}")]) from error
    if not isinstance(said, list) or not 0 < len(said) <= MOST_DATASETS:
        raise MisshapenError([Fault("#", f"must be an array of 1 to {MOST_DATASETS} datasets")])
    try:
        return dict(enumerate(Batch.model_validate(said).root)), []
    except ValidationError:
        return _sort_out(said)


def _sort_out(said: list[Any]) -> tuple[dict[int, BatchDataset], list[Fault]]:
    found, faults = {}, []
    for place, one in enumerate(said):
        try:
            found[place] = BatchDataset.model_validate(one)
        except ValidationError as error:
            faults += [
                Fault(pointer(place, *fault["loc"]), _say(fault["type"], fault["msg"]))
                for fault in error.errors(include_url=False, include_input=False)
            ]
    return found, faults


def pointer(*parts: int | str) -> str:
    """Write a JSON pointer as the fragment of an address, "#/3/parameters/0/unit"."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "#" + "".join(f"/{part}" for part in escaped)


def _say(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such field here"
    return message[:1].lower() + message[1:]


def find_contradictions(items: Mapping[int, BatchDataset]) -> list[Fault]:
    """
    Name what cannot stand together: within a dataset, and within a batch.

    Parameters
    ----------
    items : mapping of int to BatchDataset
        Well-formed datasets by their place in the batch.
    """
    faults = [fault for place, one in items.items() for fault in _contradict(place, one)]
    places = list(items)
    names = [f"{one.instrument} {one.source_id}" for one in items.values()]
    firsts = [f"{one.store}/{one.prefix}/{one.files[0].path}" for one in items.values()]
    for values, where in ((names, ("source_id",)), (firsts, ("files", 0, "path"))):
        faults += (
            Fault(pointer(places[here], *where), f"is that of {pointer(places[first])} too")
            for here, first in _repeats(values)
        )
    return faults


def _contradict(place: int, one: BatchDataset) -> Iterator[Fault]:
    if one.start_time and one.end_time and one.end_time < one.start_time:
        yield Fault(pointer(place, "end_time"), "lies before start_time")
    for here, first in _repeats([file.path for file in one.files]):
        yield Fault(pointer(place, "files", here, "path"), f"is that of file {first} too")
    for here, first in _repeats([parameter.name for parameter in one.parameters]):
        yield Fault(pointer(place, "parameters", here, "name"), f"is that of parameter {first} too")
    for here, parameter in enumerate(one.parameters):
        if not isinstance(parameter.value, str) and not _is_finite(parameter.value):
            where = pointer(place, "parameters", here, "value")
            yield Fault(where, "is not a finite number; leave the parameter out")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _repeats(values: list[str]) -> list[tuple[int, int]]:
    """Return where a value stands again, and where it stood first."""
    if len(set(values)) == len(values):
        return []
    first: dict[str, int] = {}
    return [
        (here, first[value])
        for here, value in enumerate(values)
        if first.setdefault(value, here) != here
    ]
