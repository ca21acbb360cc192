"""Which datasets a product rule binds today."""

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from catalogue.models import Dataset
from processing.models import ProductRule
from processing.recipes.manifest import Manifest


@dataclass(frozen=True)
class Resolution:
    """Inputs by role, or a sentence that says why there are none."""

    inputs: dict[str, list[Dataset]] = field(default_factory=dict)
    blocked: str = ""


def matching_datasets(rule: ProductRule) -> QuerySet[Dataset]:
    """Select the datasets for which a rule wants a product."""
    slot = Manifest.model_validate_json(rule.recipe.manifest).inputs[rule.subject]
    wanted = Dataset.objects.filter(content__in=slot.contents)
    selection = rule.selection
    if kind := selection.get("kind"):
        wanted = wanted.filter(kind=kind)
    if instrument := selection.get("instrument"):
        wanted = wanted.filter(instrument__slug=instrument)
    if technique := selection.get("technique"):
        wanted = wanted.filter(techniques__pid=technique)
    if content := selection.get("content"):
        wanted = wanted.filter(content=content)
    return wanted.distinct().order_by("id")


def resolve(rule: ProductRule, subject: Dataset) -> Resolution:
    """
    Pick the other inputs of a product by the rule's sentences.

    Parameters
    ----------
    rule : ProductRule
        Its ``inputs`` say for each role which content to take and how to pick.
    subject : Dataset
        The dataset for which a product is wanted.

    Returns
    -------
    Resolution
        Two passes over the same catalogue pick the same: the order is total.
    """
    inputs = {rule.subject: [subject]}
    for role, how in rule.inputs.items():
        picked = _closest_before(subject, how["content"])
        if picked is None:
            return Resolution(
                blocked=f"No {how['content']} of {subject.instrument} is registered that is "
                f"valid at the start of this dataset. Register one for the role {role}."
            )
        inputs[role] = [picked]
    return Resolution(inputs)


def _closest_before(subject: Dataset, content: str) -> Dataset | None:
    """Pick the newest one of the same instrument that is no later than the subject."""
    fitting = Dataset.objects.filter(content=content, instrument=subject.instrument_id)
    if subject.start_time is None:
        return None
    in_time = Q(start_time__lte=subject.start_time)
    return fitting.filter(in_time).order_by("-start_time", "-registered_at", "-id").first()
