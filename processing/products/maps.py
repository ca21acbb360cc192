"""The maps of a proposal: which are processed, how, and which are stale, in one query."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from catalogue.access import Person, readable_datasets, visible_datasets
from catalogue.models import Generated, Guard, Proposal
from catalogue.team import visible_proposals
from processing.access import visible_processing_runs
from processing.errors import UnknownMapsError
from processing.models import Product, Recipe, RunInput
from processing.submission import read_manifest

# Manifests are compact JSON; of roles for inputs only "contents" speaks.
_MAKES_MAPS = '"content":"xrd-map"'
_PHASES = "phases"


@dataclass(frozen=True)
class MapRow:
    """
    One map that a rule wants, as the reader may see it.

    ``product`` carries the annotations of ``select_maps``. ``changed`` are parameters that
    are not the recipe's defaults, without the phases; both are empty if there is no map
    yet, or the reader may not see the run.
    """

    product: Product
    changed: Mapping[str, Any]
    phases: tuple[str, ...]

    @property
    def version(self) -> str:
        run = self.product.processing_run
        return str(run.recipe) if run and _is_run_seen(self.product) else ""

    @property
    def made_at(self) -> Any:
        run = self.product.processing_run
        return run.finished_at if run and _is_run_seen(self.product) else None

    @property
    def run(self) -> UUID | None:
        run = self.product.processing_run
        return run.uuid if run and _is_run_seen(self.product) else None


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


def select_maps(person: Person, proposal: Proposal) -> QuerySet[Product]:
    """
    Select the maps that rules want of a proposal's data, with all that a table tells of them.

    Parameters
    ----------
    person : User or AnonymousUser
        Sees the products of datasets whose page they see; result, geometry, picture and
        run are null where these are hidden.
    proposal : Proposal
        Of the subjects.

    Returns
    -------
    QuerySet
        Of products, without order: one statement however many there are.
    """
    of_proposal = Guard.objects.filter(proposal=proposal, dataset=OuterRef("subject"))
    seen = visible_datasets(person)
    made = Generated.objects.filter(
        activity=OuterRef("processing_run__activity"), dataset__content="xrd-map"
    ).order_by("role")
    picture = made.filter(dataset__in=readable_datasets(person)).exclude(dataset__thumbnail="")
    geometry = RunInput.objects.filter(
        processing_run=OuterRef("processing_run"), role="geometry", dataset__in=seen
    )
    is_run_seen = visible_processing_runs(person).filter(pk=OuterRef("processing_run"))
    rows = Product.objects.filter(
        Exists(of_proposal), subject__in=seen, rule__recipe__manifest__contains=_MAKES_MAPS
    )
    rows = rows.annotate(
        result=Subquery(made.filter(dataset__in=seen).values("dataset__pid")[:1]),
        picture=Subquery(picture.values("dataset__pid")[:1]),
        geometry=Subquery(geometry.values("dataset__pid")[:1]),
        geometry_title=Subquery(geometry.values("dataset__title")[:1]),
        is_run_seen=Exists(is_run_seen),
    )
    rows = rows.select_related("rule", "subject", "processing_run__recipe")
    return rows.defer("processing_run__recipe__manifest", "processing_run__key_document")


def tell_maps(products: Iterable[Product]) -> list[MapRow]:
    """
    Say how each map was made, with one query more for the defaults of all recipes.

    Parameters
    ----------
    products : iterable of Product
        As of ``select_maps``.
    """
    rows = list(products)
    defaults = _defaults_of({p.processing_run.recipe_id for p in rows if p.processing_run})
    return [_tell(product, defaults) for product in rows]


def _defaults_of(recipes: Iterable[int]) -> dict[int, dict[str, Any]]:
    found = Recipe.objects.filter(pk__in=list(recipes))
    return {recipe.pk: _defaults(read_manifest(recipe).parameters) for recipe in found}


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of parameters; those that must be stated have none."""
    stated = schema.get("properties", {}).items()
    return {name: each["default"] for name, each in stated if "default" in each}


def _tell(product: Product, defaults: Mapping[int, Mapping[str, Any]]) -> MapRow:
    run = product.processing_run
    if run is None or not _is_run_seen(product):
        return MapRow(product, {}, ())
    usual = defaults[run.recipe_id]
    others = dict(run.parameters)
    phases = others.pop(_PHASES) if isinstance(others.get(_PHASES), list) else []
    changed = {
        name: value for name, value in others.items() if name not in usual or usual[name] != value
    }
    return MapRow(product, changed, tuple(map(str, phases)))


def _is_run_seen(product: Product) -> bool:
    return bool(getattr(product, "is_run_seen", False))
