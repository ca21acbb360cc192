"""Small histories to export: a map made of a scan, and a picture made of that."""

from dataclasses import dataclass
from typing import Any

from catalogue.models import Dataset
from tests.api.results import an_activity
from tests.builders import World, a_dataset, a_manifest, a_recipe


@dataclass(frozen=True)
class Chain:
    """scan and geometry, the map of them, and what was made of the map."""

    scan: Dataset
    geometry: Dataset
    map: Dataset
    last: Dataset


def a_chain(world: World, *, is_open: bool = True) -> Chain:
    """Make two steps by Ines; unless open, the scan is closed and all that is made of it."""
    properties = {"bins": {"type": "integer", "default": 1000, "unit": "pixel"}}
    a_recipe(a_manifest(parameters={"type": "object", "properties": properties}))
    scan = a_dataset(world, title="Scan of a fragment", is_open=is_open, sample="Prussian blue")
    geometry = a_dataset(world, content="poni", title="Geometry", is_open=True)
    first = a_result_of(world, {"scan": [scan], "geometry": [geometry]})
    return Chain(scan, geometry, first, a_result_of(world, {"map": [first]}))


def a_result_of(world: World, used: dict[str, list[Dataset]], **changes: Any) -> Dataset:
    return an_activity(world, used, **changes).generated.get().dataset
