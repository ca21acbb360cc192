"""How a typed function becomes a manifest, and what its parameters may be."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from processing.errors import RecipeDefinitionError, RecipeParameterError
from processing.recipes.base import Input, Output, Workspace, recipe, working_in, workspace


@recipe("smooth-curve", version="1.2.3", environment=["numpy"], cores=2)
def smooth_curve(
    curve: Input[Literal["nexus", "image"]],
    mask: Input[Literal["image"]] | None = None,
    *,
    bins: Annotated[int, Field(ge=10, le=1000, description="Number of bins")] = 100,
    width: Annotated[float, Field(gt=0, json_schema_extra={"unit": "mm"})] = 1.0,
    shift: float = 0.0,
    limits: tuple[float, float] | None = None,
    shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None,
    kind: Literal["mean", "median"] = "mean",
    corner: Literal[1, 2] | None = None,
    even: bool = False,
) -> Output[Literal["curve"]]:
    """
    Smooth one curve.

    With a window that runs along it.
    """
    return (curve, mask, bins, even)  # type: ignore[return-value]  # what the call tests look at


MANIFEST = smooth_curve.manifest


def faults_of(**given: Any) -> list[tuple[str, str]]:
    with pytest.raises(RecipeParameterError) as refusal:
        MANIFEST.validate_parameters(given)
    return [(fault.pointer, fault.detail) for fault in refusal.value.faults]


def test_a_signature_becomes_a_manifest() -> None:
    assert (MANIFEST.name, MANIFEST.version, MANIFEST.title) == (
        "smooth-curve",
        "1.2.3",
        "Smooth one curve",
    )
    assert MANIFEST.description == "With a window that runs along it."
    assert MANIFEST.inputs["curve"].contents == ("nexus", "image")
    assert not MANIFEST.inputs["curve"].optional
    assert MANIFEST.inputs["mask"].optional
    assert MANIFEST.outputs["result"].content == "curve"
    assert MANIFEST.resources.cores == 2
    properties = MANIFEST.parameters["properties"]
    assert properties["bins"]["minimum"] == 10
    assert properties["bins"]["description"] == "Number of bins"
    assert properties["width"]["unit"] == "mm"
    assert MANIFEST.parameters["additionalProperties"] is False


def test_explicit_defaults_equal_omitted_ones() -> None:
    defaults = MANIFEST.validate_parameters({})

    assert defaults == {
        "bins": 100,
        "corner": None,
        "even": False,
        "kind": "mean",
        "limits": None,
        "shape": None,
        "shift": 0.0,
        "width": 1.0,
    }
    assert MANIFEST.validate_parameters(defaults) == defaults


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("bins", 500.0, 500),
        ("width", 2, 2.0),
        ("shift", -0.0, 0.0),
        ("limits", [1, 2.5], [1.0, 2.5]),
        ("limits", [-0.0, 1], [0.0, 1.0]),
        ("limits", None, None),
        ("shape", [4.0, 5], [4, 5]),
        ("corner", 2, 2),
        ("corner", 2.0, 2),
        ("even", True, True),
    ],
)
def test_equal_choices_get_one_spelling(name: str, given: Any, expected: Any) -> None:
    found: Any = MANIFEST.validate_parameters({name: given})[name]

    assert found == expected
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("bins", 9),
        ("bins", 1001),
        ("bins", 10.5),
        ("bins", True),
        ("bins", "100"),
        ("bins", None),
        ("width", 0),
        ("width", math.nan),
        ("width", math.inf),
        ("limits", [0.0, math.nan]),
        ("limits", [1.0]),
        ("limits", [1.0, 2.0, 3.0]),
        ("limits", "all"),
        ("shape", [0, 5]),
        ("kind", "mode"),
        ("corner", 3),
        ("even", 1),
        ("colour", "red"),
    ],
)
def test_a_parameter_outside_its_limits_is_refused_by_name(name: str, given: Any) -> None:
    faults = faults_of(**{name: given})

    assert {pointer.split("/")[2] for pointer, _ in faults} == {name}


def test_all_faults_are_told_at_once() -> None:
    faults = faults_of(bins=1, width=-1, colour="red")

    assert sorted(pointer for pointer, _ in faults) == [
        "#/parameters/bins",
        "#/parameters/colour",
        "#/parameters/width",
    ]


def test_two_unknown_parameters_are_both_told() -> None:
    faults = faults_of(colour="red", smell="none")

    assert sorted(pointer for pointer, _ in faults) == ["#/parameters/colour", "#/parameters/smell"]


def define(function: Any, packages: list[str] | None = None) -> None:
    recipe("broken", version="1.0.0", environment=packages or [])(function)


def test_data_without_annotation_is_refused() -> None:
    def function(scan) -> Output[Literal["curve"]]:  # type: ignore[no-untyped-def,empty-body]  # the case
        ...

    with pytest.raises(RecipeDefinitionError, match="scan must be annotated as Input"):
        define(function)


def test_a_parameter_without_annotation_is_refused() -> None:
    def function(  # type: ignore[no-untyped-def,empty-body]  # the case
        scan: Input[Literal["nexus"]], *, bins=3
    ) -> Output[Literal["curve"]]: ...

    with pytest.raises(RecipeDefinitionError, match="parameter bins has no annotation"):
        define(function)


def test_a_recipe_without_output_is_refused() -> None:
    def function(scan: Input[Literal["nexus"]]) -> None: ...

    with pytest.raises(RecipeDefinitionError, match="return must be annotated as Output"):
        define(function)


def test_a_package_that_is_not_installed_is_refused() -> None:
    def function(scan: Input[Literal["nexus"]]) -> Output[Literal["curve"]]:  # type: ignore[empty-body]  # the case
        ...

    with pytest.raises(RecipeDefinitionError, match="no-such-package is not installed"):
        define(function, ["no-such-package"])


def test_the_environment_names_packages_and_not_the_folder() -> None:
    assert list(MANIFEST.environment.packages) == ["numpy"]
    assert len(MANIFEST.environment.digest) == 64


def test_paths_are_taken_as_inputs() -> None:
    curve, mask, bins, even = smooth_curve("a.h5", mask=[Path("m1"), Path("m2")], bins=20)

    assert curve.file == Path("a.h5")
    assert mask.files == (Path("m1"), Path("m2"))
    assert (bins, even) == (20, False)
    assert smooth_curve("a.h5")[1] is None


def test_a_workspace_holds_within_its_block_only(tmp_path: Path) -> None:
    with working_in(Workspace(tmp_path)) as work:
        assert workspace() is work
    assert workspace() is not work


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("note", "a\x00b"),
        ("note", "\ud800"),
        ("table", {"deep": [math.nan]}),
        ("table", {"a\x00": 1}),
        ("width", 10**400),
    ],
)
def test_what_no_database_can_hold_is_refused_though_a_schema_lets_it_pass(
    name: str, given: Any
) -> None:
    properties = {
        "note": {"type": "string", "default": ""},
        "table": {"type": "object", "default": {}},
        "width": {"type": "number", "default": 1.0},
    }
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    manifest = MANIFEST.model_copy(update={"parameters": schema})
    with pytest.raises(RecipeParameterError) as refused:
        manifest.validate_parameters({name: given})
    assert [fault.name for fault in refused.value.faults] == [name]
