"""The launch form: datasets by role, and parameters drawn from a manifest."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format

from catalogue.access import Person
from catalogue.models import Dataset
from processing.errors import RecipeInputError, RecipeParameterError
from processing.forms.fields import draw_field
from processing.forms.parameters import label_of, list_parameters, value_of
from processing.forms.presets import list_presets
from processing.models import ProcessingRun, Recipe
from processing.recipes.manifest import InputSlot, JsonObject
from processing.submission import (
    candidates,
    check_inputs,
    choose_inputs,
    fitting_roles,
    read_manifest,
)

_MOST_CANDIDATES = 100


class DatasetField(forms.Field):
    """The datasets given to one role; who may see them is asked when they are read."""

    def __init__(self, role: str, slot: InputSlot, offered: list[Dataset]) -> None:
        choices = [(str(row.pid), describe(row)) for row in offered]
        if slot.optional and not slot.many:
            choices.insert(0, ("", "none"))
        widget = forms.SelectMultiple if slot.many else forms.Select
        takes = " or ".join(slot.contents)
        help_text = slot.description or f"takes {takes}"
        if not offered and not slot.optional:
            help_text = f"You see no dataset with {takes} of this instrument. Register one first."
        super().__init__(
            label=label_of(role, ""),
            help_text=help_text,
            required=False,  # check_inputs says better what is missing
            widget=widget(choices=choices),
        )

    def to_python(self, value: Any) -> list[str]:
        values = value if isinstance(value, list) else [value]
        return [pid for pid in values if pid]


def describe(dataset: Dataset) -> str:
    if dataset.start_time is None:
        return dataset.title
    return f"{dataset.title}, {date_format(timezone.localtime(dataset.start_time), 'j M Y H:i')}"


class LaunchForm(forms.Form):
    """
    What a person chooses for one processing run.

    Parameters
    ----------
    person : User or AnonymousUser
        Whose datasets are offered.
    recipe : Recipe
        In the version to run.
    subject : Dataset
        Given to the first role that it fits; that role is not asked for.
    data : mapping, optional
        What was sent.
    origin : ProcessingRun, optional
        Whose choices fill the form.
    preset : str, optional
        Name of the preset that fills the parameters; an unknown one fills nothing.
    """

    use_required_attribute = False

    def __init__(
        self,
        person: Person,
        recipe: Recipe,
        subject: Dataset,
        data: Any = None,
        *,
        origin: ProcessingRun | None = None,
        preset: str = "",
    ) -> None:
        super().__init__(data)
        self.person, self.subject = person, subject
        self.manifest = read_manifest(recipe)
        roles = fitting_roles(recipe, subject)
        if not roles:
            reason = f"{subject.title} contains {subject.content}, which {recipe.name} cannot use"
            raise RecipeInputError("inputs", f"{reason}. Choose another recipe")
        self.subject_role = roles[0]
        self.texts = {text.name: text for text in list_parameters(self.manifest)}
        self.presets = list_presets(self.manifest)
        self.preset = next((one for one in self.presets if one.name == preset), None)
        given = origin.parameters if origin else {}
        given = self.preset.parameters if self.preset else given
        self._add_inputs(_given_inputs(origin))
        for name, text in self.texts.items():
            self.fields[f"parameter-{name}"] = draw_field(text)
            self.initial[f"parameter-{name}"] = value_of(text, given)
        self.inputs: dict[str, list[Dataset]] = {}
        self.parameters: JsonObject = {}

    def _add_inputs(self, given: Mapping[str, list[Dataset]]) -> None:
        # What is needed first: the database has not kept the order of the manifest.
        slots = sorted(self.manifest.inputs.items(), key=lambda item: item[1].optional)
        for role, slot in slots:
            if role == self.subject_role:
                continue
            chosen = given.get(role, [])
            likely = candidates(self.person, slot, self.subject).exclude(
                pk__in=[self.subject.pk, *(row.pk for row in chosen)]
            )
            offered = [*chosen, *likely[:_MOST_CANDIDATES]]
            self.fields[f"input-{role}"] = DatasetField(role, slot, offered)
            if chosen or (offered and not slot.optional and not given):
                pids = [str(row.pid) for row in chosen or offered[:1]]
                self.initial[f"input-{role}"] = pids if slot.many else pids[0]

    def proposal(self) -> tuple[dict[str, list[Dataset]], JsonObject] | None:
        """Return what Launch would run if nothing is changed, None if that cannot run."""
        pids = {self.subject_role: [str(self.subject.pid)]}
        for role in self.manifest.inputs:
            chosen = self.initial.get(f"input-{role}")
            if chosen:
                pids[role] = chosen if isinstance(chosen, list) else [chosen]
        parameters: JsonObject = {}
        for name in self.texts:
            _put(parameters, name.split("."), self.initial[f"parameter-{name}"])
        try:
            inputs = choose_inputs(self.person, pids)
            check_inputs(self.manifest, inputs)
            return inputs, self.manifest.validate_parameters(parameters)
        except (RecipeInputError, RecipeParameterError):
            return None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._clean_inputs(cleaned)
        self._clean_parameters(cleaned)
        return cleaned

    def _clean_inputs(self, cleaned: Mapping[str, Any]) -> None:
        pids = {self.subject_role: [str(self.subject.pid)]}
        pids |= {
            role: cleaned.get(f"input-{role}", [])
            for role in self.manifest.inputs
            if role != self.subject_role
        }
        try:
            self.inputs = choose_inputs(self.person, pids)
            check_inputs(self.manifest, self.inputs)
        except RecipeInputError as error:
            self._refuse(f"input-{error.role}", error.reason)

    def _clean_parameters(self, cleaned: Mapping[str, Any]) -> None:
        if any(name.startswith("parameter-") for name in self.errors):
            return
        given: JsonObject = {}
        for name in self.texts:
            _put(given, name.split("."), cleaned[f"parameter-{name}"])
        for name in self.data:
            # A name that the recipe does not know is for the manifest to refuse.
            if name.startswith("parameter-") and name not in self.fields:
                given[name.removeprefix("parameter-")] = None
        try:
            self.parameters = self.manifest.validate_parameters(given)
        except RecipeParameterError as error:
            for fault in error.faults:
                self._refuse(self._field_of(fault.pointer), fault.detail)

    def _field_of(self, pointer: str) -> str:
        """Return the field of a JSON pointer: the longest beginning that is one."""
        names = pointer.split("/")[2:]
        for end in range(len(names), 0, -1):
            if (name := ".".join(names[:end])) in self.texts:
                return f"parameter-{name}"
        return ".".join(names)

    def _refuse(self, name: str, reason: str) -> None:
        sentence = f"{reason[:1].upper()}{reason[1:].rstrip('.')}."
        known = name in self.fields
        self.add_error(name if known else None, sentence if known else f"{name}: {sentence}")

    def point_at_first_error(self) -> None:
        """Let the browser put the cursor into the first field at fault."""
        first = next((name for name in self.fields if name in self.errors), None)
        if first:
            self.fields[first].widget.attrs["autofocus"] = True

    def dataset_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("input-")]

    def groups(self) -> dict[str, list[forms.BoundField]]:
        """Return the fields of ordinary parameters by the object they belong to."""
        return self._grouped(is_advanced=False)

    def advanced_groups(self) -> dict[str, list[forms.BoundField]]:
        return self._grouped(is_advanced=True)

    def has_advanced_faults(self) -> bool:
        fields = (field for group in self.advanced_groups().values() for field in group)
        return any(field.errors for field in fields)

    def _grouped(self, *, is_advanced: bool) -> dict[str, list[forms.BoundField]]:
        groups: dict[str, list[forms.BoundField]] = {}
        for name, text in self.texts.items():
            if text.is_advanced == is_advanced:
                heading = label_of(text.group, "")
                groups.setdefault(heading, []).append(self[f"parameter-{name}"])
        return groups


def _given_inputs(origin: ProcessingRun | None) -> dict[str, list[Dataset]]:
    given: dict[str, list[Dataset]] = {}
    if origin is not None:
        for row in origin.inputs.select_related("dataset"):
            given.setdefault(row.role, []).append(row.dataset)
    return given


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        target = target.setdefault(part, {})
    target[path[-1]] = value
