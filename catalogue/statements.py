"""What somebody says of a dataset: the shapes that a batch and an edit have in common."""

import math
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from catalogue.errors import Fault, MisshapenError

_LONGEST_TEXT = 1000

Model = TypeVar("Model", bound=BaseModel)


def text(longest: int, *, is_needed: bool = False) -> Any:
    """Make a type of text, without the one sign that PostgreSQL cannot hold."""
    return StringConstraints(
        strip_whitespace=True,
        min_length=1 if is_needed else 0,
        max_length=longest,
        pattern=r"^[^\x00]*$",
        strict=True,
    )


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


class Said(BaseModel):
    """A thing that is said; names that are not ours are refused, never passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SaidParameter(Said):
    """A quantity with its unit as people write it."""

    name: Annotated[str, text(200, is_needed=True)]
    value: Annotated[
        int | float | str,
        PlainValidator(_read_value),
        WithJsonSchema({"oneOf": [{"type": "number"}, {"type": "string"}, {"type": "boolean"}]}),
    ]
    unit: Annotated[str, text(60)] = ""

    @property
    def is_finite(self) -> bool:
        """Whether it can be kept: text always, a number unless it is none."""
        if isinstance(self.value, str):
            return True
        try:
            return math.isfinite(self.value)
        except OverflowError:  # an integer beyond all floats
            return False


class SaidSample(Said):
    name: Annotated[str, text(200, is_needed=True)]
    chemical_formula: Annotated[str, text(200)] = ""


def read_said(kind: type[Model], said: Any) -> Model:
    """
    Return what was said, in its shape.

    Raises
    ------
    MisshapenError
        Naming each field that is missing, unknown or of a wrong type.
    """
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        raise MisshapenError(find_misshapen(error)) from error


def find_misshapen(error: ValidationError, *parts: int | str) -> list[Fault]:
    """Name the faults of a shape by pointers that begin with ``parts``."""
    return [
        Fault(pointer(*parts, *fault["loc"]), _say(fault["type"], fault["msg"]))
        for fault in error.errors(include_url=False, include_input=False)
    ]


def pointer(*parts: int | str) -> str:
    """Write a JSON pointer as the fragment of an address, "#/3/parameters/0/unit"."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "#" + "".join(f"/{part}" for part in escaped)


def _say(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such field here"
    return message[:1].lower() + message[1:]


def find_repeats(values: list[str]) -> list[tuple[int, int]]:
    """Return where a value stands again, and where it stood first."""
    if len(set(values)) == len(values):
        return []
    first: dict[str, int] = {}
    return [
        (here, first[value])
        for here, value in enumerate(values)
        if first.setdefault(value, here) != here
    ]
