"""May this person run that recipe on these datasets? Then there is a queued row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from catalogue.access import Person, may_process, readable_datasets
from catalogue.errors import NotPermittedError
from catalogue.models import Dataset, Guard, User
from processing.bell import ring
from processing.errors import QueueQuotaError, RecipeInputError, UnknownRecipeError
from processing.models import (
    Configuration,
    Interest,
    ProcessingRun,
    ProductRule,
    Recipe,
    RunInput,
)
from processing.recipes.manifest import InputSlot, JsonObject, Manifest
from processing.results import Inputs, find_run, key_of, scope_of

_TRIES = 5


@dataclass(frozen=True)
class Submission:
    """
    What became of a wish for a result.

    ``is_reused``: the result existed, nothing will run. ``is_joined``: the same run is
    queued or running already. Neither: a new run is queued.
    """

    processing_run: ProcessingRun
    is_reused: bool = False
    is_joined: bool = False


def list_recipes() -> list[Recipe]:
    """Return the newest version of each recipe, by name."""
    newest: dict[str, Recipe] = {}
    for recipe in Recipe.objects.order_by("id"):
        newest[recipe.name] = recipe
    return [newest[name] for name in sorted(newest)]


def get_recipe(name: str, version: str = "") -> Recipe:
    """
    Return a recipe by name, in its newest version unless one is named.

    Raises
    ------
    UnknownRecipeError
        If it is not registered.
    """
    if "\x00" in f"{name}{version}":  # which the database does not take
        raise UnknownRecipeError(name)
    recipes = Recipe.objects.filter(name=name)
    if version:
        recipes = recipes.filter(version=version)
    found = recipes.order_by("-id").first()
    if found is None:
        raise UnknownRecipeError(f"{name}@{version}" if version else name)
    return found


def read_manifest(recipe: Recipe) -> Manifest:
    return Manifest.model_validate_json(recipe.manifest)


def fitting_roles(recipe: Recipe, dataset: Dataset) -> list[str]:
    """Return the required roles of a recipe that take such a dataset."""
    slots = read_manifest(recipe).inputs
    return [
        role
        for role, slot in slots.items()
        if dataset.content in slot.contents and not slot.optional
    ]


def candidates(
    person: Person, slot: InputSlot, subject: Dataset | None = None
) -> QuerySet[Dataset]:
    """
    Select what a person may give to a role, the likeliest first.

    Likely is what comes from the subject's instrument, and what is newest.
    """
    fitting = readable_datasets(person).filter(content__in=slot.contents)
    if subject is not None and subject.instrument_id is not None:
        fitting = fitting.filter(instrument=subject.instrument_id)
    return fitting.order_by("-start_time", "-id")


def choose_inputs(person: Person, pids: Mapping[str, Sequence[str]]) -> dict[str, list[Dataset]]:
    """
    Return the datasets behind identifiers, role by role, in the order given.

    Raises
    ------
    RecipeInputError
        If one is unknown, hidden, closed or taken back; these cannot be told apart.
    """
    chosen: dict[str, list[Dataset]] = {}
    for role, wanted in pids.items():
        chosen[role] = []
        for pid in wanted:
            try:
                chosen[role].append(readable_datasets(person).get(pid=pid))
            except (Dataset.DoesNotExist, ValidationError) as error:
                reason = f"there is no dataset {pid} that you may read"
                raise RecipeInputError(role, reason) from error
    return chosen


def submit(
    person: Person,
    recipe: Recipe,
    inputs: Inputs,
    parameters: JsonObject,
) -> Submission:
    """
    Ask for a result on behalf of a person.

    Parameters
    ----------
    person : User or AnonymousUser
        Must be signed in and may read every input.
    recipe : Recipe
        In the version to run.
    inputs : mapping
        Role to datasets.
    parameters : dict
        As given; defaults are filled in.

    Returns
    -------
    Submission
        The run that has made, makes or will make the result.

    Raises
    ------
    NotPermittedError, RecipeInputError, RecipeParameterError, QueueQuotaError
        Nothing is queued then.
    """
    if not may_process(person) or not isinstance(person, User):
        raise NotPermittedError("launch recipes", "a data steward for an account, or sign in")
    pks = {dataset.pk for datasets in inputs.values() for dataset in datasets}
    if readable_datasets(person).filter(pk__in=pks).count() != len(pks):
        raise RecipeInputError("inputs", "there is a dataset among them that you may not read")
    return _submit(recipe, inputs, parameters, {"requested_by": person})


def submit_for_rule(
    rule: ProductRule,
    inputs: Inputs,
    *,
    resolution: JsonObject | None = None,
    configuration: Configuration | None = None,
) -> Submission:
    """
    Ask for a result on behalf of a product rule; rules see every dataset.

    Parameters
    ----------
    rule : ProductRule
        Its recipe and parameters.
    inputs : mapping
        Role to datasets.
    resolution : dict, optional
        Role to what picked its dataset; it stays in the record.
    configuration : Configuration, optional
        The revision that the rule stems from.
    """
    origin = {"rule": rule, "resolution": resolution or {}, "configuration": configuration}
    return _submit(rule.recipe, inputs, rule.parameters, origin)


def check_inputs(manifest: Manifest, inputs: Inputs) -> None:
    """
    Refuse datasets that do not fit the recipe's roles.

    Raises
    ------
    RecipeInputError
        Naming the role and what it takes.
    """
    for role in inputs:
        if role not in manifest.inputs:
            known = ", ".join(manifest.inputs)
            raise RecipeInputError(role, f"this recipe has no such role; it has {known}")
    for role, slot in manifest.inputs.items():
        given = list(inputs.get(role, ()))
        takes = " or ".join(slot.contents)
        if not given and not slot.optional:
            raise RecipeInputError(role, f"no dataset is given; it takes {takes}")
        if len(given) > 1 and not slot.many:
            raise RecipeInputError(role, f"takes one dataset, {len(given)} are given")
        for dataset in given:
            if dataset.content not in slot.contents:
                found = f"{dataset.title} contains {dataset.content}"
                raise RecipeInputError(role, f"{found}; it takes {takes}")


def _submit(
    recipe: Recipe, inputs: Inputs, parameters: JsonObject, origin: dict[str, Any]
) -> Submission:
    manifest = read_manifest(recipe)
    check_inputs(manifest, inputs)
    checked = manifest.validate_parameters(parameters)
    document, run_key = key_of(recipe, inputs, checked)
    # A live run may end between two looks, hence the loop; it settles at once.
    for _ in range(_TRIES):
        if run := find_run(run_key, inputs):
            if run.state == ProcessingRun.State.SUCCEEDED:
                return Submission(run, is_reused=True)
            if _join(run, origin.get("requested_by")):
                return Submission(run, is_joined=True)
            continue
        _require_room(origin.get("requested_by"))
        row = ProcessingRun(
            recipe=recipe,
            parameters=checked,
            run_key=run_key,
            key_document=document,
            scope=scope_of(inputs),
            clock=timezone.now(),
            seed=int(run_key[:12], 16),  # the same wish draws the same random numbers
            **origin,
        )
        try:
            with transaction.atomic():
                _insert(row, inputs)
        except IntegrityError:
            continue  # somebody else was quicker
        return Submission(row)
    raise RecipeInputError("inputs", "the queue is busy with this very run; try again")


def _insert(row: ProcessingRun, inputs: Inputs) -> None:
    row.proposal_id = _share_of(inputs)
    row.save(force_insert=True)
    RunInput.objects.bulk_create(
        RunInput(processing_run=row, dataset=dataset, role=role, position=position)
        for role, datasets in inputs.items()
        for position, dataset in enumerate(datasets)
    )
    if row.requested_by_id is not None:
        Interest.objects.create(processing_run=row, person_id=row.requested_by_id)
    ring()


def _share_of(inputs: Inputs) -> int | None:
    """Return the proposal whose share of the machines a run takes: its first input's."""
    first = next((datasets[0] for datasets in inputs.values() if datasets), None)
    guards = Guard.objects.filter(dataset=first, proposal__isnull=False)
    return guards.values_list("proposal_id", flat=True).first()


@transaction.atomic
def _join(run: ProcessingRun, person: User | None) -> bool:
    """Write down that a person waits for a live run too; false if it has just ended."""
    if person is None:
        return True
    held = ProcessingRun.objects.select_for_update().get(pk=run.pk)
    if held.is_final or held.cancel_requested:
        return False
    Interest.objects.get_or_create(processing_run=held, person=person)
    return True


def _require_room(person: User | None) -> None:
    limits = Configuration.objects.values_list("limits", flat=True).first() or {}
    most = limits.get("queued_per_person")
    if person is None or most is None:
        return
    queued = ProcessingRun.objects.filter(requested_by=person, state=ProcessingRun.State.QUEUED)
    if queued.order_by()[:most].count() >= most:
        raise QueueQuotaError(most)
