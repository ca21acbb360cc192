"""From the signature of a function to the roles and parameters of its manifest."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, create_model
from pydantic.fields import FieldInfo

from processing.errors import RecipeDefinitionError
from processing.recipes.manifest import InputSlot, OutputSlot
from processing.recipes.roles import Input, Inputs, OrderedInputs, Output


@dataclass(frozen=True)
class Signature:
    """What a function says of itself."""

    inputs: dict[str, InputSlot]
    parameters: dict[str, Any]
    outputs: dict[str, OutputSlot]


def read_signature(recipe: str, function: Callable[..., Any]) -> Signature:
    """
    Read data roles, recipe parameters and outputs from a function's annotations.

    Raises
    ------
    RecipeDefinitionError
        If an argument has no usable annotation.
    """
    hints = get_type_hints(function, include_extras=True)
    arguments = inspect.signature(function).parameters.values()
    data = [a for a in arguments if a.kind is not a.KEYWORD_ONLY]
    asked = [a for a in arguments if a.kind is a.KEYWORD_ONLY]
    return Signature(
        inputs={a.name: _input_slot(recipe, a, hints.get(a.name)) for a in data},
        parameters=_parameter_schema(recipe, asked, hints),
        outputs=_output_slots(recipe, hints.get("return")),
    )


def _input_slot(recipe: str, argument: inspect.Parameter, hint: Any) -> InputSlot:
    hint, description = _description(hint)
    hint, optional = _optional(hint)
    many = get_origin(hint) in {Inputs, OrderedInputs}
    outer = get_origin(hint) if many else Input
    return InputSlot(
        contents=_contents(recipe, argument.name, hint, outer),
        # Of many, none at all is a choice where the function says so by ``= ()``.
        optional=argument.default == () if many else optional and argument.default is None,
        many=many,
        ordered=outer is OrderedInputs,
        description=description,
    )


def _output_slots(recipe: str, hint: Any) -> dict[str, OutputSlot]:
    """Read one output, named ``result``, or the fields of a NamedTuple of outputs."""
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = get_type_hints(hint, include_extras=True)
        return {role: _output_slot(recipe, role, given) for role, given in fields.items()}
    return {"result": _output_slot(recipe, "return", hint)}


def _output_slot(recipe: str, role: str, hint: Any) -> OutputSlot:
    hint, description = _description(hint)
    hint, optional = _optional(hint)
    content = _contents(recipe, role, hint, Output)[0]
    return OutputSlot(content=content, optional=optional, description=description)


def _description(hint: Any) -> tuple[Any, str]:
    if get_origin(hint) is not Annotated:
        return hint, ""
    hint, *extras = get_args(hint)
    found = [extra.description for extra in extras if isinstance(extra, FieldInfo)]
    return hint, next(filter(None, found), "") or ""


def _optional(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in {Union, UnionType} and type(None) in get_args(hint):
        return next(part for part in get_args(hint) if part is not type(None)), True
    return hint, False


def _contents(recipe: str, argument: str, hint: Any, outer: Any) -> tuple[str, ...]:
    if get_origin(hint) is outer and get_origin(get_args(hint)[0]) is Literal:
        return tuple(get_args(get_args(hint)[0]))
    raise RecipeDefinitionError(
        recipe, f"{argument} must be annotated as {outer.__name__}[Literal['…']]"
    )


def _parameter_schema(
    recipe: str, arguments: list[inspect.Parameter], hints: dict[str, Any]
) -> dict[str, Any]:
    for argument in arguments:
        if argument.name not in hints:
            raise RecipeDefinitionError(recipe, f"parameter {argument.name} has no annotation")
    fields: dict[str, Any] = {
        a.name: (hints[a.name], ... if a.default is a.empty else a.default) for a in arguments
    }
    config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)
    model = create_model("Parameters", __config__=config, **fields)
    schema = model.model_json_schema()
    schema.pop("title", None)
    return schema
