"""What a machine says of raw datasets that it has looked at itself."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import pydantic_core
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    RootModel,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from catalogue.description import Content
from catalogue.errors import Fault, MisshapenError
from catalogue.statements import (
    Said,
    SaidParameter,
    SaidSample,
    find_misshapen,
    find_repeats,
    pointer,
    text,
)

MOST_DATASETS = 500  # per call
_LARGEST = 2**63 - 1  # bytes; also the largest integer of the database
_FIRST_YEAR, _LAST_YEAR = 1900, 2200  # an embargo can be counted from all between


def _stay_inside(path: str) -> str:
    if "\x00" in path or {"", ".", ".."} & set(path.split("/")):
        raise PydanticCustomError("path", "must be relative, without '..', '.' or empty parts")
    return path


def _may_be_empty(path: str) -> str:
    return _stay_inside(path.removesuffix("/")) if path else path


def _be_of_our_time(time: datetime | None) -> datetime | None:
    if time and not _FIRST_YEAR <= time.year < _LAST_YEAR:
        raise PydanticCustomError("year", "must lie between the years 1900 and 2199")
    return time


_Instant = Annotated[
    AwareDatetime | None,
    AfterValidator(_be_of_our_time),
    WithJsonSchema({"type": "string", "format": "date-time", "nullable": True}),
]


class BatchFile(Said):
    """A file that lies in the store already; its checksum is the machine's word."""

    path: Annotated[
        str,
        StringConstraints(min_length=1, max_length=1000),
        AfterValidator(_stay_inside),
        # The same for those who read the schema; pydantic's own patterns cannot look ahead.
        Field(json_schema_extra={"pattern": r"^(?!([^\x00]*/)?\.{0,2}(/|$))[^\x00]+$"}),
    ]
    size: Annotated[int, Field(ge=0, le=_LARGEST, strict=True, description="In bytes.")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    media_type: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9]+/[a-z0-9][a-z0-9.+-]*$", max_length=100)
    ] = "application/octet-stream"


class BatchDataset(Said):
    """One raw dataset; its instrument and ``source_id`` together name it for ever."""

    instrument: Annotated[str, text(50, is_needed=True), Field(description="Its slug.")]
    source_id: Annotated[
        str,
        text(200, is_needed=True),
        Field(description="How the instrument's own software calls it."),
    ]
    title: Annotated[str, text(500, is_needed=True)]
    description: Annotated[str, text(20_000)] = ""
    content: Annotated[Content, Field(description="What its files hold; recipes ask for it.")] = (
        "files"
    )
    proposal: Annotated[str, text(60), Field(description="Its number.")] = ""
    start_time: _Instant = None
    end_time: _Instant = None
    store: Annotated[str, text(50, is_needed=True), Field(description="One we only read.")]
    prefix: Annotated[
        str,
        StringConstraints(max_length=199),
        AfterValidator(_may_be_empty),
        Field(description="The folder in the store from which the paths count."),
    ] = ""
    files: Annotated[list[BatchFile], Field(min_length=1, max_length=100_000)]
    parameters: Annotated[list[SaidParameter], Field(max_length=1000)] = []
    samples: Annotated[list[SaidSample], Field(max_length=100)] = []
    techniques: Annotated[
        list[Annotated[str, text(200, is_needed=True)]],
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
            faults += find_misshapen(error, place)
    return found, faults


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
            for here, first in find_repeats(values)
        )
    return faults


def _contradict(place: int, one: BatchDataset) -> Iterator[Fault]:
    if one.start_time and one.end_time and one.end_time < one.start_time:
        yield Fault(pointer(place, "end_time"), "lies before start_time")
    for here, first in find_repeats([file.path for file in one.files]):
        yield Fault(pointer(place, "files", here, "path"), f"is that of file {first} too")
    for here, first in find_repeats([parameter.name for parameter in one.parameters]):
        yield Fault(pointer(place, "parameters", here, "name"), f"is that of parameter {first} too")
    for here, parameter in enumerate(one.parameters):
        if not parameter.is_finite:
            where = pointer(place, "parameters", here, "value")
            yield Fault(where, "is not a finite number; leave the parameter out")
