"""The launch form: every type of a manifest's JSON Schema becomes a field, and back."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from django import forms
from django.core.exceptions import ValidationError
from pydantic import BaseModel, ConfigDict, Field, create_model

from processing.errors import RecipeInputError
from processing.forms.fields import draw_field
from processing.forms.launch import LaunchForm
from processing.forms.parameters import ParameterText, list_parameters, value_of, write_value
from processing.recipes.manifest import InputSlot, Manifest
from tests.builders import World, a_dataset, a_manifest, a_recipe


class Shade(StrEnum):
    LIGHT = "light"
    DARK = "dark"


class Beam(BaseModel):
    width: Annotated[float, Field(gt=0, description="Full width", json_schema_extra={"unit": "µm"})]
    shade: Shade = Shade.DARK


def manifest_with(**fields: Any) -> Manifest:
    """A manifest whose parameters pydantic has described, as those of real recipes."""
    model = create_model("Parameters", __config__=ConfigDict(extra="forbid"), **fields)
    return a_manifest(parameters=model.model_json_schema())


def field_for(annotation: Any, default: Any) -> Any:
    (text,) = list_parameters(manifest_with(value=(annotation, default)))
    return draw_field(text)


@pytest.mark.parametrize(
    ("annotation", "default", "entered", "value"),
    [
        (int, 1, "1000", 1000),
        (int, 1, " 1e3 ", 1000),
        (int, 1, str(2**60 + 1), 2**60 + 1),
        (float, 1.0, "0.95", 0.95),
        (float | None, 0.95, "", None),
        (float | None, None, "-1", -1.0),
        (str, "a", "", ""),
        (str | None, None, "", None),
        (Literal["a", "b"], "a", "b", "b"),
        (Literal["a"], "a", "a", "a"),
        (Literal[1, 2] | None, None, "2", 2),
        (Literal[1, 2] | None, None, "", None),
        (Shade, Shade.DARK, "light", "light"),
        (bool, False, "on", True),
        (bool | None, None, "no", False),
        (bool | None, None, "", None),
        (tuple[int, int] | None, None, "21 30", [21, 30]),
        (tuple[float, float], (1, 2), "0.5, 7", [0.5, 7.0]),
        (list[float], [], "1\n2.5\n", [1.0, 2.5]),
        (list[str] | None, None, "a b\nc", ["a b", "c"]),
        (dict[str, int] | None, None, '{"a": 1}', {"a": 1}),
        (int | str, 1, '"x"', "x"),
    ],
)
def test_what_is_entered_becomes_a_value_of_the_parameters_type(
    annotation: Any, default: Any, entered: str, value: Any
) -> None:
    found = field_for(annotation, default).clean(entered)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "entered", "message"),
    [
        (int, "", "Enter a value; the default is 1."),
        (int, "10.5", "Enter a whole number"),
        (int, "many", "many is not a number. Enter a whole number, such as 1000."),
        (float, "nan", "Enter a number"),
        (float, "1e999", "Enter a number"),
        (tuple[int, int], "21 x", "x is not a number"),
        (Literal[1, 2], "3", "Choose one of 1, 2."),
        (dict[str, int], "{", "This is not JSON"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(
    annotation: Any, entered: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        field_for(annotation, 1).clean(entered)
    assert caught.value.messages[0].startswith(message)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 1000),
        (float | None, None),
        (Literal["a", "b"], "b"),
        (Literal[1, 2], 2),
        (bool | None, True),
        (tuple[int, int], [21, 30]),
        (list[float], [1.0, 2.5]),
        (dict[str, int], {"a": 1}),
    ],
)
def test_a_shown_value_comes_back_as_it_was(annotation: Any, value: Any) -> None:
    field = field_for(annotation, value)
    assert field.clean(field.prepare_value(value)) == value


def test_a_field_carries_label_unit_limits_and_help() -> None:
    text = list_parameters(
        manifest_with(
            photon_energy=(
                Annotated[
                    float,
                    Field(gt=1, le=100, description="Energy.", json_schema_extra={"unit": "keV"}),
                ],
                12.7,
            )
        )
    )[0]
    field = draw_field(text)
    assert field.label == "Photon energy (keV)"
    assert field.help_text == "Energy; more than 1, at most 100"
    assert field.widget.attrs["step"] == "any"


def test_an_optional_parameter_says_that_it_may_be_empty() -> None:
    assert field_for(float | None, None).help_text == "may be empty"
    assert field_for(float, 1.0).help_text == ""


def test_the_only_allowed_value_is_offered_and_nothing_else() -> None:
    assert field_for(Literal["a"], "a").widget.choices == [("a", "a")]


def test_a_nested_object_becomes_fields_of_a_group() -> None:
    manifest = manifest_with(bins=(int, 10), beam=(Beam, Beam(width=2.0)))
    texts = {text.name: text for text in list_parameters(manifest)}
    assert list(texts) == ["bins", "beam.width", "beam.shade"]
    assert texts["beam.width"].group == "beam"
    assert texts["beam.width"].default == 2.0
    assert texts["beam.shade"].schema["enum"] == ["light", "dark"]
    assert value_of(texts["beam.width"], {"beam": {"width": 3.0}}) == 3.0
    assert value_of(texts["beam.width"], {"bins": 3}) == 2.0


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "not set"), (True, "yes"), (False, "no"), ([1, 2.5], "1 2.5"), ({"a": 1}, '{"a": 1}')],
)
def test_values_are_written_in_words(value: Any, words: str) -> None:
    assert write_value(value) == words


def a_form(world: World, changes: dict[str, Any] | None = None, **fields: Any) -> LaunchForm:
    """The form of xrd-map for a fresh scan and geometry, filled in but for some changes."""
    scan = a_dataset(world)
    poni = a_dataset(world, content="poni")
    recipe = a_recipe(a_manifest(**fields))
    data = {
        "input-geometry": [str(poni.pid)],
        "parameter-bins": ["1000"],
        "parameter-polarization": ["0.95"],
        "parameter-unit": ["q_nm^-1"],
    }
    return LaunchForm(world.ines, recipe, scan, _query(data | (changes or {})))


def _query(data: dict[str, list[str]]) -> Any:
    from django.http import QueryDict  # noqa: PLC0415 - needs settings

    query = QueryDict(mutable=True)
    for name, values in data.items():
        query.setlist(name, values)
    return query


def test_a_filled_form_gives_inputs_and_parameters(world: World) -> None:
    form = a_form(world, {"parameter-polarization": [""], "parameter-bins": ["500"]})
    assert form.is_valid(), form.errors
    assert form.parameters == {
        "bins": 500, "polarization": None, "unit": "q_nm^-1", "zigzag": False,
    }  # fmt: skip
    assert [d.content for d in form.inputs["geometry"]] == ["poni"]
    assert form.inputs["scan"] == [form.subject]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"parameter-bins": ["5"]}, "parameter-bins", "Must be at least 10."),
        ({"parameter-polarization": ["2"]}, "parameter-polarization", "Must be at most 1."),
        ({"parameter-unit": ["furlong"]}, "parameter-unit", "Choose one of q_nm^-1, 2th_deg."),
        ({"input-geometry": [""]}, "input-geometry", "No dataset is given; it takes poni."),
        ({"input-geometry": ["x"]}, "input-geometry", "There is no dataset x that you may read."),
        ({"parameter-colour": ["red"]}, None, "colour: This recipe has no such"),
    ],
)
def test_a_fault_stands_at_its_field(
    world: World, changes: dict[str, Any], field: str | None, message: str
) -> None:
    form = a_form(world, changes)
    assert not form.is_valid()
    errors = form.errors[field] if field else form.non_field_errors()
    assert errors[0].startswith(message)


def test_a_hidden_dataset_and_a_missing_one_are_refused_alike(world: World) -> None:
    other = a_dataset(world, content="poni", title="Secret geometry")
    other.guards.update(proposal=None, instrument=None)
    form = a_form(world, {"input-geometry": [str(other.pid)]})
    (message,) = form.errors["input-geometry"]
    assert message == f"There is no dataset {other.pid} that you may read."
    assert "Secret geometry" not in form.as_p()


def test_the_first_field_at_fault_gets_the_focus(world: World) -> None:
    form = a_form(world, {"parameter-bins": ["5"], "parameter-polarization": ["2"]})
    form.point_at_first_error()
    focused = [name for name, field in form.fields.items() if "autofocus" in field.widget.attrs]
    assert focused == ["parameter-bins"]
    assert 'aria-invalid="true"' in str(form["parameter-bins"])
    assert "parameter-bins_error" in str(form["parameter-bins"])
    assert 'value="5"' in str(form["parameter-bins"])  # what was entered is kept


def test_a_nested_fault_stands_at_the_nested_field(world: World) -> None:
    manifest = manifest_with(beam=(Beam, Beam(width=2.0)))
    form = a_form(
        world,
        {"parameter-beam.width": ["-1"], "parameter-beam.shade": ["light"]},
        name="beam-map",
        parameters=manifest.parameters,
    )
    del form.data["parameter-bins"], form.data["parameter-polarization"]
    del form.data["parameter-unit"]
    assert form.errors == {"parameter-beam.width": ["Must be more than 0."]}


def test_several_datasets_go_to_a_role_that_takes_many(world: World) -> None:
    inputs = {
        "scan": InputSlot(contents=("nexus-scan",)),
        "geometry": InputSlot(contents=("poni",)),
        "darks": InputSlot(contents=("image",), many=True, optional=True),
    }
    darks = [a_dataset(world, content="image") for _ in range(2)]
    pids = [str(dark.pid) for dark in darks]
    form = a_form(world, {"input-darks": pids}, name="many", inputs=inputs)
    assert form.is_valid(), form.errors
    assert form.inputs["darks"] == darks
    assert isinstance(form.fields["input-darks"].widget, forms.SelectMultiple)


def test_a_recipe_that_cannot_use_the_dataset_draws_no_form(world: World) -> None:
    with pytest.raises(RecipeInputError, match="cannot use"):
        LaunchForm(world.ines, a_recipe(), a_dataset(world, content="euxfel-run"))


def test_an_empty_field_of_a_list_is_a_list_of_nothing() -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    phases = ParameterText(
        "phases", schema, "Phases", "", "", [], is_optional=False, is_advanced=False
    )
    assert draw_field(phases).clean("") == []
    assert draw_field(phases).clean("Si\nLaB6\n") == ["Si", "LaB6"]
