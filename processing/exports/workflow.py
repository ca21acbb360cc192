"""
The steps of a history as one workflow: what Provenance Run Crate adds to a crate.

We keep no workflow file: the steps were decided one by one, by rules and people. The file in
the crate is drawn from the record, in our own words, and says so.
"""

from importlib import metadata
from typing import Any

from catalogue.digests import canonical_json
from processing.exports.crate import (
    BASE_PROFILE,
    METADATA,
    PROCESS_PROFILE,
    VERSION,
    Crate,
    Entity,
    one,
    refer,
    write_time,
)
from processing.exports.record import RecordedActivity, RecordedParameter

WORKFLOW = "workflow.json"
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_PROFILES = {
    PROCESS_PROFILE: ("Process Run Crate", VERSION),
    f"https://w3id.org/ro/wfrun/workflow/{VERSION}": ("Workflow Run Crate", VERSION),
    f"https://w3id.org/ro/wfrun/provenance/{VERSION}": ("Provenance Run Crate", VERSION),
    _WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
_FORMAL = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"


def add_workflow(crate: Crate) -> str:
    """
    Make a crate a Provenance Run Crate.

    Parameters
    ----------
    crate : Crate
        With at least one action.

    Returns
    -------
    str
        The text of the workflow file, to be packed as ``workflow.json``.
    """
    engine = _add_engine(crate)
    steps = [_add_step(crate, place, row) for place, row in enumerate(crate.actions, start=1)]
    controls = [_add_control(crate, place, row) for place, row in enumerate(crate.actions, 1)]
    inputs, outputs = _add_slots(crate)
    tools = dict.fromkeys(crate.software_id(row) for row in crate.actions)
    crate.add(
        WORKFLOW,
        ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        conformsTo=crate.add_profile(_BIOSCHEMAS, "ComputationalWorkflow", "1.0-RELEASE"),
        name=f"Steps of: {crate.root['name']}",
        description="Drawn from the record of what was done.",
        encodingFormat="application/json",
        programmingLanguage=_add_language(crate),
        url=crate.record.base,
        license=crate.root["license"],
        author=crate.root["author"],
        creator=crate.root["author"],
        version="1",
        dateCreated=crate.root["datePublished"],
        hasPart=one(map(refer, tools)),
        step=one(steps),
        input=one(inputs),
        output=one(outputs),
    )
    whole = _add_whole(crate)
    crate.add(
        "#organisation", "OrganizeAction", name="The engine carries out the steps",
        instrument=engine, object=one(controls), result=whole, agent=crate.root["publisher"],
        startTime=_earliest(crate), endTime=_latest(crate),
    )  # fmt: skip
    root = crate.root
    root["mainEntity"] = refer(WORKFLOW)
    root["hasPart"] = [*_as_list(root["hasPart"]), refer(WORKFLOW)]
    root["mentions"] = [whole, *_as_list(root["mentions"]), refer("#organisation")]
    root["conformsTo"] = [crate.add_profile(url, *said) for url, said in _PROFILES.items()]
    crate.entities[METADATA]["conformsTo"] = [refer(BASE_PROFILE), refer(_WORKFLOW_CRATE)]
    return _write_steps(crate)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _add_engine(crate: Crate) -> Entity:
    address = f"{crate.record.base}/terms#engine"
    return crate.add(address, "SoftwareApplication", name="Palimpsest", url=address,
                     version=metadata.version("palimpsest"))  # fmt: skip


def _add_language(crate: Crate) -> Entity:
    address = f"{crate.record.base}/terms#steps"
    return crate.add(address, "ComputerLanguage", name="Steps of Palimpsest", url=address,
                     alternateName="Palimpsest", version="1")  # fmt: skip


def _add_step(crate: Crate, place: int, row: RecordedActivity) -> Entity:
    return crate.add(
        f"{WORKFLOW}#step-{place}", "HowToStep", name=row.recipe or "hidden",
        position=str(place), workExample=refer(crate.software_id(row)),
    )  # fmt: skip


def _add_control(crate: Crate, place: int, row: RecordedActivity) -> Entity:
    return crate.add(
        f"#control-{place}", "ControlAction", name=f"Step {place}",
        instrument=refer(f"{WORKFLOW}#step-{place}"), object=refer(crate.action_id(row.key)),
    )  # fmt: skip


def _add_slots(crate: Crate) -> tuple[list[Entity], list[Entity]]:
    """Name what goes into the whole and what comes out: raw data, parameters, results."""
    record = crate.record
    made = {link.dataset for link in record.generated if _is_step(crate, link.activity)}
    inputs = {
        link.dataset: link.role
        for link in record.used
        if link.dataset not in made and not record.datasets[link.dataset].is_hidden
    }
    outputs = dict.fromkeys(record.subjects, "result")
    slots: list[list[Entity]] = []
    for way, things in (("input", inputs), ("output", outputs)):
        slots.append([])
        for place, (key, role) in enumerate(things.items(), start=1):
            identifier = f"{WORKFLOW}#{way}-{place}"
            slots[-1].append(_add_slot(crate, identifier, role, "Dataset"))
            crate.entities[crate.dataset_id(key)]["exampleOfWork"] = refer(identifier)
    for row in crate.actions:
        slots[0] += [_add_choice(crate, row, given) for given in row.parameters]
    return slots[0], slots[1]


def _is_step(crate: Crate, activity: str) -> bool:
    return crate.record.activities[activity].kind != "acquisition"


def _add_slot(crate: Crate, identifier: str, name: str, kind: str) -> Entity:
    crate.add(_FORMAL, "CreativeWork", name="FormalParameter", version="1.0-RELEASE")
    return crate.add(
        identifier, "FormalParameter", name=name, additionalType=kind,
        conformsTo=refer(_FORMAL), description=f"{name}, as the recipe calls it",
        valueRequired=True,
    )  # fmt: skip


def _add_choice(crate: Crate, row: RecordedActivity, given: RecordedParameter) -> Entity:
    chosen = crate.parameter_id(row.key, given.name)
    slot = _add_slot(crate, f"{WORKFLOW}{chosen}", given.name, _kind_of(given.value))
    crate.entities[chosen]["exampleOfWork"] = slot
    return slot


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    return "Float" if isinstance(value, float) else "Text"


def _add_whole(crate: Crate) -> Entity:
    """Add the action that all steps are parts of."""
    entities, record = crate.entities, crate.record
    inputs = [
        e for e in entities.values() if "#input-" in _example(e) or "#parameter" in _example(e)
    ]
    failed = next((row.error for row in crate.actions if row.error), "")
    status = "FailedActionStatus" if failed else "CompletedActionStatus"
    return crate.add(
        "#whole", "CreateAction", name=crate.root["name"],
        description="All steps together",
        instrument=refer(WORKFLOW), agent=crate.root["author"],
        object=one(refer(entity["@id"]) for entity in inputs),
        result=one(refer(crate.dataset_id(key)) for key in record.subjects),
        startTime=_earliest(crate), endTime=_latest(crate),
        actionStatus=f"http://schema.org/{status}", error=failed,
    )  # fmt: skip


def _example(entity: Entity) -> str:
    found = entity.get("exampleOfWork", {}).get("@id", "")
    return str(found)


def _earliest(crate: Crate) -> str:
    times = [row.started_at for row in crate.actions if row.started_at]
    return write_time(min(times, default=None))


def _latest(crate: Crate) -> str:
    times = [row.ended_at for row in crate.actions if row.ended_at]
    return write_time(max(times, default=None))


def _write_steps(crate: Crate) -> str:
    steps = [
        {
            "step": place,
            "recipe": row.recipe,
            "version": row.version,
            "parameters": {given.name: given.value for given in row.parameters},
        }
        for place, row in enumerate(crate.actions, start=1)
    ]
    return canonical_json({"steps": steps}) + "\n"
