"""
A record as a Workflow Run RO-Crate, in JSON-LD.

Process Run Crate 0.5 on RO-Crate 1.1, and with ``add_workflow`` Provenance Run Crate. Files
that do not travel in the archive are named by their address here. Lists of one element are
written as the element: some readers take no others.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from catalogue.digests import canonical_json
from processing.exports.record import (
    Record,
    RecordedActivity,
    RecordedDataset,
    RecordedFile,
    RecordedParameter,
)

VERSION = "0.5"
BASE_PROFILE = "https://w3id.org/ro/crate/1.1"
PROCESS_PROFILE = f"https://w3id.org/ro/wfrun/process/{VERSION}"
CONTEXT = [f"{BASE_PROFILE}/context", "https://w3id.org/ro/terms/workflow-run/context"]
METADATA = "ro-crate-metadata.json"
README = "README.md"

Entity = dict[str, Any]


class Crate:
    """
    The entities of a crate by their ``@id``.

    Parameters
    ----------
    record : Record
        What it tells.
    payload : mapping of UUID to str
        The path in the archive of each file that travels along.
    """

    def __init__(self, record: Record, payload: Mapping[UUID, str]) -> None:
        self.record = record
        self.entities: dict[str, Entity] = {}
        self.actions = _in_order(record.activities.values())
        self._payload = payload
        self._published = _published(record)
        for dataset in record.datasets.values():
            self._add_dataset(dataset)
        for activity in self.actions:
            self._add_action(activity)
        self._add_root()

    @property
    def root(self) -> Entity:
        return self.entities["./"]

    def write(self) -> str:
        """Return the metadata document."""
        graph = list(self.entities.values())
        return canonical_json({"@context": CONTEXT, "@graph": graph})

    def add(self, identifier: str, kind: str | list[str], /, **said: Any) -> Entity:
        """Add an entity, or return the one that is there; leave out what says nothing."""
        if identifier not in self.entities:
            told = {name: value for name, value in said.items() if value not in ("", None, [])}
            self.entities[identifier] = {"@id": identifier, "@type": kind, **told}
        return refer(identifier)

    def dataset_id(self, key: str) -> str:
        """Return the ``@id`` of a dataset: its folder in the archive, else its address."""
        row = self.record.datasets[key]
        if row.is_hidden:
            return f"#{key}"
        paths = [self._payload[file.uuid] for file in row.files if file.uuid in self._payload]
        if paths:
            return quote(paths[0].split("/", 1)[0]) + "/"
        return f"{self.record.base}/datasets/{key}/"

    def action_id(self, key: str) -> str:
        row = self.record.activities[key]
        return f"#{key}" if row.is_hidden else f"{self.record.base}/api/v1/activities/{key}/"

    def software_id(self, row: RecordedActivity) -> str:
        name = "hidden" if row.is_hidden else quote(row.recipe or "unnamed", safe="")
        return f"{self.record.base}/recipes/{name}/#{quote(row.version or 'unnamed', safe='')}"

    def parameter_id(self, activity: str, name: str) -> str:
        return f"#parameter/{activity}/{quote(name, safe='')}"

    def _add_dataset(self, row: RecordedDataset) -> None:
        identifier = self.dataset_id(row.key)
        if row.is_hidden:
            self.add(identifier, "CreativeWork", name="A dataset that is hidden from you")
            return
        taken = row.taken_back
        self.add(
            identifier,
            "Dataset",
            name=row.title,
            description=f"{row.content}, {row.kind}",
            identifier=f"{self.record.base}/datasets/{row.key}/",
            hasPart=one([self._add_file(file) for file in row.files]),
            creativeWorkStatus=f"{taken.kind}: {taken.reason}" if taken else "",
            sdDatePublished=self._published,
        )

    def _add_file(self, file: RecordedFile) -> Entity:
        address = f"{self.record.base}/files/{file.uuid}/"
        path = self._payload.get(file.uuid)
        return self.add(
            quote(path) if path else address,
            "File",
            name=file.path,
            contentSize=str(file.size),
            sha256=file.sha256,
            encodingFormat=file.media_type,
            url=address,
            sdDatePublished="" if path else self._published,
        )

    def _add_action(self, row: RecordedActivity) -> None:
        used = [link.dataset for link in self.record.used if link.activity == row.key]
        made = [link.dataset for link in self.record.generated if link.activity == row.key]
        things = [refer(self.dataset_id(key)) for key in dict.fromkeys(used)]
        parameters = [self._add_parameter(row, given) for given in row.parameters]
        status = "FailedActionStatus" if row.error else "CompletedActionStatus"
        self.add(
            self.action_id(row.key),
            "CreateAction",
            name=row.title or "A step that is hidden from you",
            description=f"{row.recipe} {row.version}".strip() or "A step that is hidden from you",
            identifier=row.run_key,
            instrument=self._add_software(row),
            agent=self._add_agent(row),
            object=one([*things, *parameters]),
            result=one([refer(self.dataset_id(key)) for key in dict.fromkeys(made)]),
            startTime=write_time(row.started_at),
            endTime=write_time(row.ended_at),
            actionStatus=f"http://schema.org/{status}",
            error=row.error,
        )

    def _add_software(self, row: RecordedActivity) -> Entity:
        identifier = self.software_id(row)
        return self.add(
            identifier,
            "SoftwareApplication",
            name=row.recipe or "Software that is not named",
            version=row.version or "unknown",
            url=identifier,
            softwareRequirements=one([f"{name} {v}" for name, v in row.packages.items()]),
        )

    def _add_agent(self, row: RecordedActivity) -> Entity:
        place = self.record.place
        if row.person is None:
            return self.add(
                place.ror or f"{self.record.base}/", "Organization",
                name=place.name, url=place.ror or f"{self.record.base}/",
            )  # fmt: skip
        orcid = f"https://orcid.org/{row.person.orcid}" if row.person.orcid else ""
        name = row.person.name
        return self.add(
            orcid or f"{self.record.base}/people/{row.person.pid}/", "Person",
            name=name, affiliation=self._add_place(),
        )  # fmt: skip

    def _add_place(self) -> Entity:
        place = self.record.place
        address = place.ror or f"{self.record.base}/"
        return self.add(address, "Organization", name=place.name, url=address)

    def _add_parameter(self, row: RecordedActivity, given: RecordedParameter) -> Entity:
        plain = isinstance(given.value, str | int | float) and given.value != ""
        return self.add(
            self.parameter_id(row.key, given.name), "PropertyValue",
            name=given.name, unitText=given.unit,
            value=given.value if plain else canonical_json(given.value),
        )  # fmt: skip

    def _add_root(self) -> None:
        subjects = [self.record.datasets[key] for key in self.record.subjects]
        title = subjects[0].title if subjects else self.actions[0].title
        top = [refer(self.dataset_id(row.key)) for row in self.record.datasets.values()
               if not row.is_hidden]  # fmt: skip
        authors = [self._add_agent(row) for row in self.actions if row.person]
        self.add(README, "File", name="What is in here", encodingFormat="text/markdown",
                 about=refer("./"))  # fmt: skip
        self.add(
            "./",
            "Dataset",
            name=title,
            description=f"How {title} came to be, from the catalogue of {self.record.place.name}",
            datePublished=self._published,
            license=self._add_licence(subjects),
            author=one(_distinct(authors)) or self._add_place(),
            publisher=self._add_place(),
            hasPart=one([*_distinct(top), refer(README)]),
            mentions=one([refer(self.action_id(row.key)) for row in self.actions]),
            conformsTo=self.add_profile(PROCESS_PROFILE, "Process Run Crate")
            if self.actions
            else None,
        )
        self.add(METADATA, "CreativeWork", about=refer("./"), conformsTo=refer(BASE_PROFILE))

    def add_profile(self, address: str, name: str, version: str = VERSION) -> Entity:
        return self.add(address, "CreativeWork", name=name, version=version)

    def _add_licence(self, subjects: Sequence[RecordedDataset]) -> Entity:
        for row in subjects:
            if row.licence:
                address = f"https://spdx.org/licenses/{row.licence}"
                return self.add(address, "CreativeWork", name=row.licence,
                                description=f"SPDX: {row.licence}")  # fmt: skip
        return self.add(
            f"{self.record.base}/#no-licence", "CreativeWork", name="No licence yet",
            description="Nobody has granted a licence yet: ask those who measured.",
        )  # fmt: skip


def _in_order(activities: Iterable[RecordedActivity]) -> list[RecordedActivity]:
    """Return what software did, the first step first; taking data is none of its acts."""
    steps = [row for row in activities if row.kind != "acquisition"]
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(steps, key=lambda row: row.ended_at or last)


def refer(identifier: str) -> Entity:
    return {"@id": identifier}


def one(values: Iterable[Any]) -> Any:
    """Return the only value, or a list of several; None for none."""
    found = list(values)
    return found[0] if len(found) == 1 else found or None


def _distinct(references: Iterable[Entity]) -> list[Entity]:
    return [refer(key) for key in dict.fromkeys(row["@id"] for row in references)]


def write_time(when: datetime | None) -> str:
    """Write a time to the second: the profiles know no fractions."""
    return when.isoformat(timespec="seconds") if when else ""


def _published(record: Record) -> str:
    """Say when the newest thing in the record was there: the same crate says the same twice."""
    times = [row.registered_at for row in record.datasets.values() if row.registered_at]
    times += [row.ended_at for row in record.activities.values() if row.ended_at]
    return write_time(max(times, default=None))
