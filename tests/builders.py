"""Rows for tests: functions, valid by default, telling by their arguments."""

import hashlib
import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from catalogue.description import Description, FoundFile, FoundParameter
from catalogue.embargo.dates import settle
from catalogue.models import (
    Dataset,
    EmbargoPolicy,
    Facility,
    Guard,
    Instrument,
    Membership,
    Proposal,
    Store,
    Technique,
    User,
)
from catalogue.registration import RawOrigin, register_raw
from processing.models import ProcessingRun, Recipe
from processing.recipes.manifest import Environment, InputSlot, Manifest, OutputSlot
from processing.submission import submit
from processing.ticket import Limits
from tests.makers.kernels import share_kernels

_numbers = itertools.count(1)


@dataclass(frozen=True)
class World:
    """
    One facility and the people of the story.

    Ines leads the proposal, Carlo is on it, Sten is a stranger, Rea reuses data after
    the embargo, Dana is data steward, Ivo is staff of the instrument.
    """

    folder: Path
    facility: Facility
    instrument: Instrument
    proposal: Proposal
    policy: EmbargoPolicy
    raw: Store
    products: Store
    archive: Store
    ines: User
    carlo: User
    sten: User
    rea: User
    dana: User
    ivo: User


def a_world(folder: Path) -> World:
    facility = Facility.objects.create(
        slug="demo", name="Demo light source", timezone="Europe/Paris"
    )
    policy = EmbargoPolicy.objects.create(
        slug="default", months=36, starts_with="dataset.end_time", licence="CC-BY-4.0"
    )
    instrument = Instrument.objects.create(slug="id13", name="ID13 micro-XRD", facility=facility)
    proposal = Proposal.objects.create(
        facility=facility, number="hg-172", title="Pigments of a painting", policy=policy
    )
    people = {
        name: User.objects.create_user(name, password=f"{name}-password", full_name=name.title())
        for name in ("ines", "carlo", "sten", "rea", "dana", "ivo")
    }
    people["dana"].is_data_steward = True
    people["dana"].save()
    instrument.staff.add(people["ivo"])
    Membership.objects.create(person=people["ines"], proposal=proposal, role="pi")
    Membership.objects.create(person=people["carlo"], proposal=proposal, role="member")
    stores = {}
    for name in ("raw", "products", "archive"):
        root = folder / name
        root.mkdir(parents=True, exist_ok=True)
        stores[name] = Store.objects.create(
            slug=name, kind="posix", root=str(root), read_only=name == "raw"
        )
    share_kernels(folder / "products")
    return World(folder, facility, instrument, proposal, policy, **stores, **people)


def a_dataset(
    world: World,
    *,
    title: str = "Fragment of a painting",
    content: str = "nexus-scan",
    is_open: bool = False,
    opens_on: date | None = None,
    listed_on: date | None = None,
    proposal: Proposal | None = None,
    instrument: Instrument | None = None,
    sample: str = "",
    technique: str = "",
    parameters: dict[str, tuple[float | str, str]] | None = None,
    start_time: datetime | None = None,
    file: bytes | None = None,
) -> Dataset:
    """A raw dataset of one real file, closed to all but the team unless said otherwise."""
    number = next(_numbers)
    name = f"scan_{number:04d}.dat"
    body = file if file is not None else f"content {number}".encode()
    Path(world.raw.root, name).write_bytes(body)
    found = FoundFile(
        path=name,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        media_type="application/octet-stream",
    )
    start = start_time or datetime.now(UTC) - timedelta(days=1)
    description = Description(
        content=content,  # type: ignore[arg-type]  # a literal, checked at run time
        root=world.raw.root,
        title=title,
        files=(found,),
        start_time=start,
        end_time=start + timedelta(minutes=5),
        sample=sample or None,
        techniques=(technique,) if technique else (),
        parameters=tuple(
            FoundParameter(name=key, value=value, unit=unit or None)
            for key, (value, unit) in (parameters or {}).items()
        ),
    )
    origin = RawOrigin(
        instrument=instrument or world.instrument,
        store=world.raw,
        key_prefix="",
        policy=world.policy,
        proposal=proposal or world.proposal,
    )
    dataset = register_raw(description, origin).dataset
    if is_open or opens_on or listed_on:
        opens = opens_on or (date(2020, 1, 1) if is_open else date(2100, 1, 1))
        dates = {"opens_on": opens, "listed_on": listed_on or opens}
        Guard.objects.filter(dataset=dataset).update(**dates)
        settle([dataset.pk])
        dataset.refresh_from_db()
    return dataset


def a_technique(pid: str = "PaNET01101", name: str = "x-ray powder diffraction") -> Technique:
    technique, _ = Technique.objects.get_or_create(pid=pid, defaults={"name": name})
    technique.ancestors.add(technique)  # the closure holds the term itself
    return technique


def a_manifest(**changes: Any) -> Manifest:
    """A manifest in the shape of xrd-map's, small."""
    fields: dict[str, Any] = {
        "name": "xrd-map",
        "version": "1.0.0",
        "title": "Integrate every frame of a raster scan into one map",
        "description": "One pattern for each position.",
        "entry": "processing.recipes.xrd_map:xrd_map",
        "inputs": {
            "scan": InputSlot(contents=("nexus-scan",)),
            "geometry": InputSlot(contents=("poni",)),
            "mask": InputSlot(contents=("image",), optional=True),
        },
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "bins": {
                    "type": "integer",
                    "minimum": 10,
                    "maximum": 100_000,
                    "default": 1000,
                    "description": "Bins along q",
                },
                "polarization": {
                    "anyOf": [{"type": "number", "minimum": -1, "maximum": 1}, {"type": "null"}],
                    "default": 0.95,
                },
                "unit": {"enum": ["q_nm^-1", "2th_deg"], "type": "string", "default": "q_nm^-1"},
                "zigzag": {"type": "boolean", "default": False},
            },
        },
        "outputs": {"result": OutputSlot(content="xrd-map")},
        "resources": Limits(),
        "environment": Environment(packages={"numpy": "2"}, python="3.11.7", digest="c" * 64),
    }
    return Manifest(**(fields | changes))


def a_recipe(manifest: Manifest | None = None) -> Recipe:
    manifest = manifest or a_manifest()
    return Recipe.objects.get_or_create(
        name=manifest.name,
        version=manifest.version,
        defaults={
            "title": manifest.title,
            "manifest": manifest.model_dump_json(),
            "digest": manifest.digest,
        },
    )[0]


def a_run(world: World, **parameters: Any) -> ProcessingRun:
    """A queued run of a_recipe() by Ines on fresh datasets."""
    scan = a_dataset(world)
    geometry = a_dataset(world, content="poni", title="Geometry")
    return submit(
        world.ines, a_recipe(), {"scan": [scan], "geometry": [geometry]}, parameters
    ).processing_run
