"""
A record as W3C PROV, in four notations of one document.

Datasets are collections of files; a recipe is the plan that the engine followed on behalf
of a person; what was taken back is invalidated. Names are addresses of this catalogue.
"""

import re
from enum import StrEnum
from typing import Any

from prov.identifier import Identifier, Namespace, QualifiedName
from prov.model import PROV, ProvDocument

from catalogue.digests import canonical_json
from processing.exports.record import Record, RecordedActivity, RecordedDataset

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
# What XML 1.0 cannot hold, whatever a title says.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff]")

Attributes = list[tuple[QualifiedName | str | Identifier, Any]]


class Notation(StrEnum):
    """How PROV is written; the value is what a request names."""

    JSON = "prov-json"
    N = "prov-n"
    XML = "prov-xml"
    TURTLE = "turtle"

    @property
    def label(self) -> str:
        """How people call it."""
        return "Turtle" if self is Notation.TURTLE else self.value.upper()

    @property
    def media_type(self) -> str:
        return {
            Notation.JSON: "application/json",
            Notation.N: "text/provenance-notation",
            Notation.XML: "application/provenance+xml",
            Notation.TURTLE: "text/turtle",
        }[self]


_FORMATS: dict[Notation, dict[str, str]] = {
    Notation.JSON: {"format": "json"},
    Notation.N: {"format": "provn"},
    Notation.XML: {"format": "xml"},
    Notation.TURTLE: {"format": "rdf", "rdf_format": "turtle"},
}


def write_prov(record: Record, notation: Notation) -> str:
    """Write a record in one of the notations."""
    text = draw_prov(record).serialize(**_FORMATS[notation])
    assert isinstance(text, str)  # noqa: S101 - without a destination it returns the text
    return text


def read_prov(text: str, notation: Notation) -> ProvDocument:
    """Read back what ``write_prov`` has written."""
    return ProvDocument.deserialize(content=text, **_FORMATS[notation])


def draw_prov(record: Record) -> ProvDocument:
    """Turn a record into a document of PROV."""
    return _Drawing(record).document


class _Drawing:
    def __init__(self, record: Record) -> None:
        self.document = ProvDocument()
        self._record = record
        self._spaces: dict[str, Namespace] = {}
        self._drawn: set[QualifiedName] = set()
        for dataset in record.datasets.values():
            self._draw_dataset(dataset)
        for activity in record.activities.values():
            self._draw_activity(activity)
        self._draw_edges()

    def _name(self, space: str, local: str) -> QualifiedName:
        """Name a thing below its address; signs that a notation lacks become _x2F_."""
        if space not in self._spaces:
            address = f"{self._record.base}/{_ADDRESSES[space]}"
            self._spaces[space] = self.document.add_namespace(space, address)
        fit = _UNFIT.sub(lambda sign: f"_x{ord(sign[0]):X}_", local)
        return self._spaces[space][fit]

    def _said(self, **values: Any) -> Attributes:
        """Return attributes of our own vocabulary, without those that say nothing."""
        return [
            (self._name("plm", name), _plain(value))
            for name, value in values.items()
            if value not in {"", None}
        ]

    def _draw_dataset(self, row: RecordedDataset) -> None:
        if row.is_hidden:
            self.document.entity(self._name("hidden", row.key), self._said(hidden=True))
            return
        said = self._said(
            kind=row.kind, content=row.content, digest=row.digest, licence=row.licence,
            is_cut=True if row.is_cut else None,
        )  # fmt: skip
        entity = self._name("dataset", row.key)
        kind = [(PROV["type"], PROV["Collection"]), (PROV["label"], _plain(row.title))]
        self.document.entity(entity, kind + said)
        for file in row.files:
            name = self._name("file", str(file.uuid))
            told = self._said(
                path=file.path, size=file.size, sha256=file.sha256, media_type=file.media_type
            )
            self.document.entity(name, told)
            self.document.membership(entity, name)
        if taken := row.taken_back:
            act = self._name("retraction", row.key)
            said = self._said(kind=taken.kind, reason=taken.reason)
            self.document.activity(act, taken.since, taken.since, said)
            self.document.invalidation(entity, act, taken.since)

    def _draw_activity(self, row: RecordedActivity) -> None:
        if row.is_hidden:
            self.document.activity(
                self._name("hidden", row.key), other_attributes=self._said(hidden=True)
            )
            return
        said = self._said(
            kind=row.kind, recipe=row.recipe, version=row.version, run_key=row.run_key,
            environment=row.environment, error=row.error,
        )  # fmt: skip
        for given in row.parameters:
            said.append((self._name("parameter", given.name), _plain(given.value)))
            if given.unit:
                said.append((self._name("unit", given.name), given.unit))
        said += [
            (self._name("package", name), _plain(version)) for name, version in row.packages.items()
        ]
        activity = self._name("activity", row.key)
        label = [(PROV["label"], _plain(row.title))]
        self.document.activity(activity, row.started_at, row.ended_at, label + said)
        self._draw_agents(activity, row)

    def _draw_agents(self, activity: QualifiedName, row: RecordedActivity) -> None:
        """Say who did it: the engine by a recipe for a person, or the person alone."""
        person = None
        if row.person:
            person = self._name("person", str(row.person.pid))
            told = [(PROV["label"], _plain(row.person.name)), *self._said(orcid=row.person.orcid)]
            self._once("agent", person, [(PROV["type"], PROV["Person"]), *told])
        if not row.recipe:
            if person:
                self.document.association(activity, person)
            return
        plan = self._name("recipe", f"{row.recipe}-{row.version}")
        said = self._said(name=row.recipe, version=row.version)
        self._once("entity", plan, [(PROV["type"], PROV["Plan"]), *said])
        engine = self._name("plm", "engine")
        self._once("agent", engine, [(PROV["type"], PROV["SoftwareAgent"])])
        self.document.association(activity, engine, plan)
        if person:
            self.document.delegation(engine, person, activity)

    def _once(self, kind: str, name: QualifiedName, attributes: Attributes) -> None:
        if name not in self._drawn:
            self._drawn.add(name)
            getattr(self.document, kind)(name, attributes)

    def _draw_edges(self) -> None:
        record = self._record
        for link in record.used:
            begun = record.activities[link.activity].started_at
            self.document.usage(
                *self._ends(link.activity, link.dataset), begun,
                other_attributes=self._role(link.role),
            )  # fmt: skip
        for link in record.generated:
            ended = record.activities[link.activity].ended_at
            activity, entity = self._ends(link.activity, link.dataset)
            self.document.generation(
                entity, activity, ended, other_attributes=self._role(link.role)
            )

    def _ends(self, activity: str, dataset: str) -> tuple[QualifiedName, QualifiedName]:
        acts, things = self._record.activities, self._record.datasets
        return (
            self._name("hidden" if acts[activity].is_hidden else "activity", activity),
            self._name("hidden" if things[dataset].is_hidden else "dataset", dataset),
        )

    def _role(self, role: str) -> Attributes:
        return [(PROV["role"], _plain(role))]


_ADDRESSES = {
    "plm": "terms#",
    "dataset": "datasets/",
    "file": "files/",
    "activity": "api/v1/activities/",
    "person": "people/",
    "recipe": "recipes/",
    "retraction": "retractions/",
    "hidden": "hidden#",
    "parameter": "terms/parameter#",
    "unit": "terms/unit#",
    "package": "terms/package#",
}


def _plain(value: Any) -> Any:
    """Return a value that all notations hold: text, number or truth; else its JSON."""
    if isinstance(value, str):
        return _UNWRITABLE.sub("�", value)
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**31):
        return value
    return _plain(canonical_json(value))
