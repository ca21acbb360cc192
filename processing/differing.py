"""In what two processing runs differ, in sentences; what is the same is not told."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from catalogue.access import Person
from catalogue.models import DataFile
from processing.access import are_results_open
from processing.models import ProcessingRun, Replay
from processing.recipes.manifest import Environment, Manifest

_PREVIEW = "preview.png"
_RESULT = "the result"
_FIELDS = ("recipe", "inputs", "parameters", "environment")
_USAGE = {
    "seconds": ("elapsed time", "s", 1),
    "cpu_seconds": ("computing time", "s", 1),
    "peak_memory_bytes": ("most memory", "MiB", 2**20),
}
_NOTICEABLE = 0.1  # of the larger: no two runs take the same time


@dataclass(frozen=True)
class Line:
    """
    One difference.

    Attributes
    ----------
    section : str
        recipe, inputs, parameters, environment, resources, usage or outputs.
    name : str
        Of the role, parameter, package or file.
    one, other : str
        What the two have, empty where one has nothing.
    reason : str
        Why, where a rule has said so.
    """

    section: str
    name: str
    one: str
    other: str
    reason: str = ""

    @property
    def sentence(self) -> str:
        if not self.one:
            text = f"Only the second has {self.name}: {self.other}."
        elif not self.other:
            text = f"Only the first has {self.name}: {self.one}."
        else:
            text = f"{self.name[:1].upper()}{self.name[1:]} is {self.one} in the first and "
            text += f"{self.other} in the second."
        return f"{text} {self.reason}".strip()


@dataclass(frozen=True)
class Diff:
    """``key_fields`` are the parts of the key that differ; none for equal keys."""

    one: ProcessingRun
    other: ProcessingRun
    key_fields: list[str]
    lines: list[Line]

    @property
    def summary(self) -> str:
        if self.key_fields:
            return f"Their keys differ in {_join(self.key_fields)}."
        if any(line.section == "outputs" for line in self.lines):
            return "They have the same key, and yet their results differ."
        return "They have the same key: nothing that a result depends on differs."


def diff(person: Person, one: ProcessingRun, other: ProcessingRun) -> Diff:
    """
    Compare two processing runs.

    Parameters
    ----------
    person : User or AnonymousUser
        Who reads it. Results may be closed, or withdrawn, where all inputs are open.
    one, other : ProcessingRun
        Both of which the reader sees, and with them all of their inputs.

    Returns
    -------
    Diff
        Differences only, in the order recipe, inputs, parameters, environment,
        resources, usage, outputs.
    """
    keys = json.loads(one.key_document), json.loads(other.key_document)
    fields = [name for name in _FIELDS if keys[0].get(name) != keys[1].get(name)]
    lines = [
        *_compare("recipe", {"recipe": str(one.recipe)}, {"recipe": str(other.recipe)}),
        *_compare_inputs(one, other),
        *_compare("parameters", _texts(one.parameters), _texts(other.parameters)),
        *_compare("environment", _environment(one), _environment(other)),
        *_compare("resources", _resources(one), _resources(other)),
        *_compare_usage(one.usage or {}, other.usage or {}),
        *_compare_outputs(person, one, other),
    ]
    return Diff(one, other, fields, lines)


def _compare(section: str, one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Line]:
    for name in [*one, *(name for name in other if name not in one)]:
        if one.get(name) != other.get(name):
            yield Line(section, name, one.get(name, ""), other.get(name, ""))


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value, ensure_ascii=False) for name, value in sorted(values.items())}


def _compare_inputs(one: ProcessingRun, other: ProcessingRun) -> Iterator[Line]:
    given = _inputs(one), _inputs(other)
    for role in dict.fromkeys([*given[0], *given[1]]):
        left, right = (side.get(role, {}) for side in given)
        if left.keys() != right.keys():
            reason = _reasons(one, other, role)
            yield Line("inputs", f"the {role}", _titles(left), _titles(right), reason)


def _titles(given: Mapping[int, str]) -> str:
    return _join([f"“{title}”" for title in given.values()])


def _inputs(run: ProcessingRun) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for row in run.inputs.select_related("dataset").order_by("id"):
        found.setdefault(row.role, {})[row.dataset_id] = row.dataset.title
    return found


def _reasons(one: ProcessingRun, other: ProcessingRun, role: str) -> str:
    told = {
        place: picked["rule"]
        for place, run in (("first", one), ("second", other))
        if isinstance(picked := run.resolution.get(role), dict) and picked.get("rule")
    }
    if len(set(told.values())) == 1 and len(told) == 2:
        return f"Both were picked by the same rule: {told['first'].rstrip('.')}."
    return " ".join(f"In the {place}: {text.rstrip('.')}." for place, text in told.items())


def _environment(run: ProcessingRun) -> dict[str, str]:
    """Return package versions and Python: of the record, else of the recipe as it is."""
    found = run.activity.environment if run.activity else {}
    if "packages" not in found:
        found = Manifest.model_validate_json(run.recipe.manifest).environment.model_dump()
    environment = Environment.model_validate(found)
    return {**dict(sorted(environment.packages.items())), "Python": environment.python}


def _resources(run: ProcessingRun) -> dict[str, str]:
    limits = Manifest.model_validate_json(run.recipe.manifest).resources
    return {
        "the number of cores": str(limits.cores),
        "the limit of memory": f"{limits.memory_bytes / 2**20:.0f} MiB",
        "the limit of time": f"{limits.walltime_s:g} s",
    }


def _compare_usage(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Line]:
    for field, (name, unit, factor) in _USAGE.items():
        left, right = (float(usage.get(field) or 0.0) / factor for usage in (one, other))
        if abs(left - right) > _NOTICEABLE * max(left, right):
            yield Line("usage", name, *(f"{v:.3g} {unit}" if v else "" for v in (left, right)))


def _compare_outputs(person: Person, one: ProcessingRun, other: ProcessingRun) -> Iterator[Line]:
    if one.state != other.state:
        yield Line("outputs", "the state", one.get_state_display(), other.get_state_display())
        return
    if replay := Replay.objects.filter(_pair(one, other)).exclude(verdict="").first():
        yield from _tell_verdict(replay, is_open=are_results_open(person, replay.original))
    elif one.content_digest and one.content_digest == other.content_digest:
        if one.result_digest != other.result_digest:
            yield Line("outputs", "the result", "the same content", "other bytes of it")
    elif one.result_digest != other.result_digest:
        are_open = are_results_open(person, one) and are_results_open(person, other)
        told = (
            (_outputs(one), _outputs(other))
            if are_open
            else ({_RESULT: "one"}, {_RESULT: "another"})
        )
        yield from _compare("outputs", *told)


def _tell_verdict(replay: Replay, *, is_open: bool) -> Iterator[Line]:
    if replay.verdict != Replay.Verdict.IDENTICAL_BYTES:
        yield Line("outputs", "the result", "the original", replay.get_verdict_display())
    for found in replay.detail.get("differences", []) if is_open else ():
        size = f", by {found['deviation']:g} at most" if found.get("deviation") else ""
        yield Line("outputs", found["path"], "the original", f"{found['detail']}{size}")


def _pair(one: ProcessingRun, other: ProcessingRun) -> Q:
    return Q(original=one, processing_run=other) | Q(original=other, processing_run=one)


def _outputs(run: ProcessingRun) -> dict[str, str]:
    if run.activity is None:
        return {"the result": run.result_digest[:12]}
    files = DataFile.objects.filter(dataset__generated_by__activity=run.activity).order_by("path")
    data = files.exclude(path=_PREVIEW).values_list("path", "sha256")
    return {path: f"{sha256[:12]}…" for path, sha256 in data}


def _join(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
