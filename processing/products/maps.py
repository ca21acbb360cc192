"""The maps of a proposal: which are processed, how, and which are stale, in one query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import JSONObject

from catalogue.access import Person, readable_datasets, visible_datasets
from catalogue.models import Generated, Proposal, Tombstone
from catalogue.team import visible_proposals
from processing.access import visible_processing_runs
from processing.errors import UnknownMapsError
from processing.models import ProcessingRun, Product, ProposalMap, Recipe, RunInput
from processing.products.judging import BY_HAND, Unkept, Verdict, judge_unkept
from processing.recipes.manifest import Manifest
from processing.submission import read_manifest

# Unique: a rule wants one product of a dataset, and one run has made it.
ORDER = ("start_time", "dataset__pid", "rule")

_CONTENTS = ("xrd-map", "map-composite")  # as in the view
_PHASES = "phases"
_LABELS = dict(Product.Condition.choices) | {BY_HAND: "made by hand"}


@dataclass(frozen=True)
class Given:
    """A dataset of which, or with which, a map was made."""

    pid: str
    title: str


@dataclass(frozen=True)
class MapRow:
    """
    One map that a rule wants or that was made by hand, as the reader may see it.

    ``map`` carries the annotations of ``select_maps``. ``sources`` are the scan, or the maps
    that were combined in their order; of a product it is the subject. ``changed`` are
    parameters that are not the recipe's defaults, without the phases. Where the reader may
    not see the run, all is empty but for the subject of a product.
    """

    map: ProposalMap
    verdict: Verdict
    sources: tuple[Given, ...]
    geometry: Given | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)
    phases: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.sources[0].title if self.subject else self.map.dataset.title

    @property
    def subject(self) -> str | None:
        return self.sources[0].pid if len(self.sources) == 1 else None

    @property
    def condition(self) -> str:
        """The condition in words."""
        return str(_LABELS[self.verdict.condition])

    @property
    def version(self) -> str:
        run = _seen_run(self.map)
        return str(run.recipe) if run else ""

    @property
    def made_at(self) -> datetime | None:
        run = _seen_run(self.map)
        return run.finished_at if run else None

    @property
    def run(self) -> UUID | None:
        run = _seen_run(self.map)
        return run.uuid if run else None

    @property
    def requested_by(self) -> str | None:
        run = _seen_run(self.map)
        return str(run.requested_by) if run and run.requested_by else None


def find_proposal(person: Person, name: str) -> Proposal:
    """
    Return a proposal by its number or identifier.

    Raises
    ------
    UnknownMapsError
        If there is none of which the person sees a dataset or the team; or several
        facilities have that number.
    """
    seen = visible_datasets(person).filter(guards__proposal=OuterRef("pk"))
    proposals = Proposal.objects.filter(Exists(seen) | Q(pk__in=visible_proposals(person)))
    found = list(proposals.filter(_named(name))[:2]) if "\x00" not in name else []
    if len(found) != 1:
        raise UnknownMapsError(name)
    return found[0]


def _named(name: str) -> Q:
    try:
        return Q(pid=UUID(name))
    except ValueError:
        return Q(number__iexact=name)


def select_maps(person: Person, proposal: Proposal) -> QuerySet[ProposalMap]:
    """
    Select the maps of a proposal's data, with all that a table tells of them.

    Parameters
    ----------
    person : User or AnonymousUser
        Sees the products of datasets whose page they see, and of results that no rule keeps
        those whose own page they see; result and picture are null where these are hidden.
    proposal : Proposal
        Of the subjects; or of data of which the result was made.

    Returns
    -------
    QuerySet
        Without order, for which there is ``ORDER``: one statement however many there are.
    """
    seen = visible_datasets(person)
    rows = ProposalMap.objects.filter(proposal=proposal, dataset__in=seen)
    rows = rows.annotate(
        rule=F("product__rule__slug"),
        result=Case(
            When(product=None, then=F("dataset__pid")),
            default=Subquery(
                Generated.objects.filter(
                    activity=OuterRef("processing_run__activity"),
                    dataset__content__in=_CONTENTS,
                    dataset__in=seen,
                )
                .order_by("role")
                .values("dataset__pid")[:1]
            ),
        ),
    )
    rows = _annotate_run(rows, person)
    picture = readable_datasets(person).filter(pid=OuterRef("result")).exclude(thumbnail="")
    rows = rows.annotate(picture=Subquery(picture.values("pid")[:1]))
    rows = rows.select_related("dataset", "product", "processing_run__recipe")
    rows = rows.select_related("processing_run__requested_by")
    return rows.defer("processing_run__recipe__manifest", "processing_run__key_document")


def _annotate_run(rows: QuerySet[ProposalMap], person: Person) -> QuerySet[ProposalMap]:
    """Add what is told of runs; ``is_run_seen`` says whether the person may know it."""
    inputs = RunInput.objects.filter(processing_run=OuterRef("processing_run"))
    given = JSONObject(role="role", pid="dataset__pid", title="dataset__title")
    newer = Recipe.objects.filter(
        name=OuterRef("processing_run__recipe__name"), pk__gt=OuterRef("processing_run__recipe")
    )
    return rows.annotate(
        is_run_seen=Exists(
            visible_processing_runs(person).filter(pk=OuterRef("processing_run")).order_by()
        ),
        inputs=ArraySubquery(inputs.order_by("role", "position").values(given=given)),
        is_taken_back=Exists(Tombstone.objects.filter(dataset=OuterRef("dataset"))),
        is_input_gone=Exists(inputs.filter(dataset__tombstone__isnull=False)),
        has_newer_recipe=Exists(newer),
    )


def tell_maps(maps: Iterable[ProposalMap]) -> list[MapRow]:
    """
    Say how each map was made, with one query more for the manifests of all recipes.

    Parameters
    ----------
    maps : iterable of ProposalMap
        As of ``select_maps``.
    """
    rows = list(maps)
    recipes = {row.processing_run.recipe_id for row in rows if row.processing_run}
    found = Recipe.objects.filter(pk__in=recipes)
    manifests = {recipe.pk: read_manifest(recipe) for recipe in found}
    return [_tell(row, manifests) for row in rows]


def _tell(row: ProposalMap, manifests: Mapping[int, Manifest]) -> MapRow:
    run = _seen_run(row)
    subject = (Given(str(row.dataset.pid), row.dataset.title),) if row.product else ()
    if run is None:
        return MapRow(row, _judge(row), subject)
    manifest, given = manifests[run.recipe_id], _read_inputs(row)
    # Of the first role results take their title.
    sources = next((given[role] for role in manifest.inputs if role in given), ())
    geometry = next(iter(given.get("geometry", ())), None)
    changed, phases = _read_parameters(run, manifest)
    return MapRow(row, _judge(row), subject or sources, geometry, changed, phases)


def _judge(row: ProposalMap) -> Verdict:
    """Return what the steward has written of a product; of others, what there is to say."""
    if row.product:
        return Verdict(row.product.condition, tuple(row.product.reasons), row.product.detail)
    run = _seen_run(row)
    facts: Any = row  # with the annotations
    return judge_unkept(
        Unkept(
            is_by_hand=bool(row.processing_run and row.processing_run.requested_by_id),
            by=str(run.requested_by) if run and run.requested_by else "",
            is_retracted=facts.is_taken_back,
            is_input_gone=run is not None and facts.is_input_gone,
            has_newer_recipe=run is not None and facts.has_newer_recipe,
        )
    )


def _read_inputs(row: ProposalMap) -> dict[str, tuple[Given, ...]]:
    """Return what was given to each role, in order."""
    found: dict[str, tuple[Given, ...]] = {}
    for one in row.inputs:  # type: ignore[attr-defined]  # an annotation
        mine = Given(one["pid"], one["title"])
        found[one["role"]] = (*found.get(one["role"], ()), mine)
    return found


def _read_parameters(
    run: ProcessingRun, manifest: Manifest
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parameters that are not the defaults, and apart from them the phases."""
    stated = manifest.parameters.get("properties", {}).items()
    # Those that must be stated have no default.
    usual = {name: each["default"] for name, each in stated if "default" in each}
    others = dict(run.parameters)
    phases = others.pop(_PHASES) if isinstance(others.get(_PHASES), list) else []
    changed = {
        name: value for name, value in others.items() if name not in usual or usual[name] != value
    }
    return changed, tuple(map(str, phases))


def _seen_run(row: ProposalMap) -> ProcessingRun | None:
    """Return the run if the reader of ``select_maps`` may see it."""
    return row.processing_run if getattr(row, "is_run_seen", False) else None
