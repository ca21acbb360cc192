"""Whether one key has always brought the same result; where it has not, it is flagged."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from catalogue.digests import canonical_json, sha256_of_text
from processing.models import ProcessingRun
from processing.ticket import Outcome


@dataclass(frozen=True)
class Spread:
    """
    How many different results one key has brought, replays included.

    Attributes
    ----------
    runs : int
        That have succeeded with this key.
    contents : int
        Different contents among them: more than one is a fault.
    results : int
        Different bytes: more than one content-equal result is worth a note.
    """

    runs: int
    contents: int
    results: int

    @property
    def is_flagged(self) -> bool:
        return self.contents > 1

    @property
    def sentence(self) -> str:
        if self.is_flagged:
            return (
                f"The recipe is not deterministic: {self.runs} runs with this key have brought "
                f"{self.contents} different results. Show this to the recipe's author."
            )
        if self.results > 1:
            return (
                f"{self.runs} runs with this key have brought the same content in "
                f"{self.results} different files; only what may vary differs."
            )
        return ""


def digests_of(outcome: Outcome) -> tuple[str, str]:
    """Return the digest of all output bytes, and that of their content, where it is known."""
    outputs = sorted(outcome.outputs, key=lambda file: (file.role, file.path))
    results = sorted([file.role, file.sha256] for file in outputs)
    contents = [[file.role, file.path, file.content_digest] for file in outputs]
    is_known = all(file.content_digest for file in outputs)
    result = sha256_of_text(canonical_json(results))
    return result, sha256_of_text(canonical_json(contents)) if is_known else ""


def spread_of(run: ProcessingRun) -> Spread:
    """Count the different results of a run's key."""
    found = _succeeded().filter(run_key=run.run_key).aggregate(**_COUNTS)
    return Spread(**found)


def unsteady_keys(recipe: str) -> QuerySet[ProcessingRun, str]:
    """Select the keys of a recipe, by its name, that have brought several contents."""
    runs = _succeeded().filter(recipe__name=recipe).exclude(content_digest="")
    keys = (
        runs.order_by().values("run_key").annotate(contents=Count("content_digest", distinct=True))
    )
    return keys.filter(contents__gt=1).values_list("run_key", flat=True)


_COUNTS = {
    "runs": Count("pk"),
    "contents": Count("content_digest", distinct=True, filter=~Q(content_digest="")),
    "results": Count("result_digest", distinct=True, filter=~Q(result_digest="")),
}


def _succeeded() -> QuerySet[ProcessingRun]:
    return ProcessingRun.objects.filter(state=ProcessingRun.State.SUCCEEDED)
