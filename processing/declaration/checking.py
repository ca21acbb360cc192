"""What product rules say of recipes and stores that cannot be true."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from catalogue.declaration.comparing import Locator
from catalogue.digests import canonical_json
from catalogue.errors import DeclarationFault
from catalogue.models import Instrument
from processing.declaration.sections import ProductSection
from processing.errors import RecipeParameterError
from processing.models import ProductRule, Recipe
from processing.recipes.manifest import InputSlot, Manifest
from processing.submission import read_manifest

_Found = Iterator[tuple[tuple[str, ...], str]]


def check_products(
    products: Mapping[str, ProductSection],
    locator: Locator,
    *,
    stores: Collection[str],
    instruments: Collection[str],
    owner: str = ProductRule.Owner.FILE,
) -> list[DeclarationFault]:
    """
    Return the faults of product rules, each with its line.

    Parameters
    ----------
    products : mapping
        Rules by identifier.
    locator : Locator
        Knows the lines of their text.
    stores, instruments : collection of str
        What is declared, here or before.
    owner : str
        Who says it: what belongs to the other one is refused.
    """
    found = [
        *_check_owners(products, owner),
        *_check_twins(products, owner),
        *(
            item
            for slug, product in products.items()
            for item in _check_one(("product", slug), product, stores, instruments)
        ),
    ]
    return [
        DeclarationFault(".".join(path), locator.line_of(path), reason) for path, reason in found
    ]


def find_recipe(name: str, version: str = "") -> Recipe | None:
    """Return the newest recipe of a name whose version begins as asked, None if none does."""
    recipes = Recipe.objects.filter(name=name).order_by("-id")
    wanted = version.split(".") if version else []
    return next((r for r in recipes if r.version.split(".")[: len(wanted)] == wanted), None)


def _check_owners(products: Mapping[str, ProductSection], owner: str) -> _Found:
    others = ProductRule.objects.exclude(owner=owner).filter(slug__in=list(products))
    for rule in others:
        whose = rule.get_owner_display()
        yield (
            ("product", rule.slug),
            f"belongs to {whose}: remove it there, or give this one another name",
        )


def _check_twins(products: Mapping[str, ProductSection], owner: str) -> _Found:
    """Two rules that want the same of the same datasets would fulfil each other for ever."""
    others = ProductRule.objects.exclude(owner=owner).select_related("recipe")
    seen = {
        _write_wish(rule.recipe, rule.selection, rule.inputs, rule.parameters): rule.slug
        for rule in others
    }
    for slug, product in products.items():
        first = seen.setdefault(_wish_of(product) or slug, slug)
        if first != slug:
            yield ("product", slug), f"wants the same products as {first}: keep one of them"


def _wish_of(product: ProductSection) -> str:
    """Write what a rule wants, however it is worded; "" where that is at fault itself."""
    recipe = find_recipe(product.recipe_name, product.pinned_version)
    if recipe is None:
        return ""
    try:
        parameters = read_manifest(recipe).validate_parameters(product.parameters)
    except RecipeParameterError:
        return ""
    inputs = {role: how.binding().model_dump(mode="json") for role, how in product.inputs.items()}
    selection = product.selection.model_dump(exclude_none=True)
    return _write_wish(recipe, selection, inputs, parameters)


def _write_wish(recipe: Recipe, *what: Mapping[str, Any]) -> str:
    version = recipe.version.split(".")[:2]  # of which a patch changes no result
    return canonical_json([recipe.name, version, *what])


def _check_one(
    table: tuple[str, ...],
    product: ProductSection,
    stores: Collection[str],
    instruments: Collection[str],
) -> _Found:
    if product.archive and product.archive not in stores:
        yield (*table, "archive"), f"store {product.archive} is not declared"
    instrument = product.selection.instrument
    if instrument and instrument not in instruments:
        yield (*table, "for"), f"instrument {instrument} is not declared"
    recipe = find_recipe(product.recipe_name, product.pinned_version)
    if recipe is None:
        names = Recipe.objects.order_by("name", "id").values_list("name", "version")
        known = ", ".join(f"{name}@{version}" for name, version in names) or "none"
        yield (*table, "recipe"), f"{product.recipe} is not installed; installed are: {known}"
        return
    manifest = read_manifest(recipe)
    yield from _check_roles(table, product, manifest)
    try:
        manifest.validate_parameters(product.parameters)
    except RecipeParameterError as error:
        for fault in error.faults:
            yield (*table, "parameters", fault.name), fault.detail


def _check_roles(table: tuple[str, ...], product: ProductSection, manifest: Manifest) -> _Found:
    if product.subject not in manifest.inputs:
        roles = ", ".join(manifest.inputs)
        yield (*table, "subject"), f"{manifest.name} has no role {product.subject}; it has {roles}"
    for role, bound in product.inputs.items():
        slot = manifest.inputs.get(role, InputSlot(contents=()))
        if bound.takes not in slot.contents:
            takes = " or ".join(slot.contents) or "nothing: there is no such role"
            yield (*table, "inputs", role), f"{manifest.name} takes {takes}"
    needed = {role for role, slot in manifest.inputs.items() if not slot.optional}
    for role in sorted(needed - {product.subject} - set(product.inputs)):
        yield (*table, "inputs"), f"says nothing of the role {role}, which {manifest.name} needs"


def known_instruments() -> set[str]:
    return set(Instrument.objects.values_list("slug", flat=True))
