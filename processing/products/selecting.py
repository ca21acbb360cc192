"""For which datasets a rule wants a product."""

from django.db.models import OuterRef, QuerySet, Subquery

from catalogue.models import Dataset, QualityFlag
from processing.models import ProductRule
from processing.recipes.manifest import Manifest


def matching_datasets(rule: ProductRule) -> QuerySet[Dataset]:
    """
    Select the datasets for which a rule wants a product, retracted ones too.

    Every key of its selection must fit. A technique includes those below it; a quality
    is the latest verdict that people gave.
    """
    slot = Manifest.model_validate_json(rule.recipe.manifest).inputs[rule.subject]
    wanted = Dataset.objects.filter(content__in=slot.contents)
    fields = {
        "kind": "kind",
        "instrument": "instrument__slug",
        "technique": "techniques__ancestors__pid",
        "content": "content",
        "proposal": "proposal__number",
        "sample": "samples__name",
    }
    for name, value in rule.selection.items():
        if name == "quality":
            flags = QualityFlag.objects.filter(dataset=OuterRef("pk")).order_by("-given_at")
            wanted = wanted.filter(pk__in=_judged(flags, value))
        elif name == "proposal":
            wanted = wanted.filter(guards__proposal__number=value)
        else:
            wanted = wanted.filter(**{fields[name]: value})
    return wanted.order_by()


def _judged(flags: QuerySet[QualityFlag], verdict: str) -> QuerySet[Dataset, int]:
    latest = Dataset.objects.annotate(latest=Subquery(flags.values("verdict")[:1]))
    return latest.filter(latest=verdict).values_list("pk", flat=True)
