"""Which datasets a product rule binds today."""

from dataclasses import dataclass, field

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet

from catalogue.access import visible_datasets
from catalogue.models import Dataset, Guard
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
                "open or of this proposal, and no later than this dataset. "
                f"Register one for the role {role}."
            )
        inputs[role] = [picked]
    return Resolution(inputs)


def _closest_before(subject: Dataset, content: str) -> Dataset | None:
    """
    Pick the newest one of the same instrument that is no later than the subject.

    A product is as closed as the most closed of its inputs: what belongs to another
    proposal, and is not open, would hide the product from the subject's own team.
    """
    if subject.start_time is None:
        return None
    same = Q(proposal=OuterRef("proposal")) | Q(
        proposal__isnull=True, instrument=OuterRef("instrument")
    )
    shared = Guard.objects.filter(same, dataset=subject)
    of_others = Guard.objects.filter(~Exists(shared), dataset=OuterRef("pk"))
    fitting = Dataset.objects.filter(
        Exists(visible_datasets(AnonymousUser()).filter(pk=OuterRef("pk"))) | ~Exists(of_others),
        content=content,
        instrument=subject.instrument_id,
        start_time__lte=subject.start_time,
    )
    return fitting.order_by("-start_time", "-registered_at", "-id").first()
