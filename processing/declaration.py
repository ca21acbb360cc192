"""The whole facility.toml: read it, say what would change, make the database agree."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.db import transaction
from pydantic import Field, ValidationError

from catalogue.declaration.comparing import Change, Locator, Section, remove_undeclared, sync
from catalogue.declaration.sections import CatalogueSections, apply_sections, check, make_folders
from catalogue.errors import DeclarationError, DeclarationFault
from catalogue.models import Store
from processing.errors import RecipeParameterError
from processing.models import ProductRule, Recipe
from processing.recipes.manifest import InputSlot, Manifest
from processing.recipes.registry import Discovery, discover
from processing.submission import list_recipes, read_manifest

_AT_LINE = re.compile(r"\(at line (\d+)")


class Selection(Section):
    """Which datasets a product is wanted for; every given key must fit."""

    kind: Literal["raw", "derived"] | None = None
    instrument: str | None = None
    technique: str | None = None
    content: str | None = None


class LateBound(Section):
    """How the dataset for another role is picked, anew for every subject."""

    content: str
    pick: Literal["closest_before"] = "closest_before"


class ProductSection(Section):
    recipe: str
    selection: Selection = Field(alias="for")
    subject: str
    keep: Literal["fresh", "manual"] = "fresh"
    archive: str | None = None
    inputs: dict[str, LateBound] = {}
    parameters: dict[str, Any] = {}


class Declaration(CatalogueSections):
    """A whole facility.toml."""

    schema_version: Literal[1] = Field(alias="schema")
    product: dict[str, ProductSection] = {}


@dataclass(frozen=True)
class Read:
    """A declaration that is well-formed, and where it stands."""

    declaration: Declaration
    locator: Locator
    base: Path


def read_declaration(path: Path) -> Read:
    """
    Read a facility.toml and check its form.

    Raises
    ------
    DeclarationError
        With every fault, each with its line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        fault = DeclarationFault("file", 0, f"cannot be read: {error.strerror}")
        raise DeclarationError([fault]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        found = _AT_LINE.search(str(error))
        fault = DeclarationFault("syntax", int(found.group(1)) if found else 1, str(error))
        raise DeclarationError([fault]) from error
    locator = Locator(text)
    try:
        declaration = Declaration.model_validate(document)
    except ValidationError as error:
        raise DeclarationError([_fault(locator, item) for item in error.errors()]) from error
    return Read(declaration, locator, path.resolve().parent)


def apply(read: Read) -> list[Change]:
    """
    Make the database agree with a declaration, all of it or nothing.

    Returns
    -------
    list of Change
        Empty if they agreed already.

    Raises
    ------
    DeclarationError
        If it speaks of recipes, people or stores that do not exist; nothing is stored.
    """
    found = discover()
    with transaction.atomic():
        known = set(Store.objects.values_list("slug", flat=True))
        changes = _apply(read, found)
        make_folders(Store.objects.exclude(slug__in=known))
    return changes


def plan(read: Read) -> list[Change]:
    """Return what ``apply`` would change: it is done, and taken back."""
    found = discover()
    with transaction.atomic():
        changes = _apply(read, found)
        transaction.set_rollback(True)
    return changes


def _apply(read: Read, found: Discovery) -> list[Change]:
    faults = check(read.declaration, read.locator)
    changes = _register_recipes(found, faults)
    faults += [
        DeclarationFault(".".join(path), read.locator.line_of(path), reason)
        for path, reason in _check_products(read.declaration)
    ]
    if faults:
        raise DeclarationError(sorted(faults, key=lambda fault: fault.line))
    changes += apply_sections(read.declaration, read.base)
    for slug, product in read.declaration.product.items():
        changes += sync(ProductRule, "product", slug, _rule_values(product))
    changes += remove_undeclared(ProductRule, "product", read.declaration.product)
    return changes


def _register_recipes(found: Discovery, faults: list[DeclarationFault]) -> list[Change]:
    """Store manifests; the same version with another manifest is refused."""
    changes = [Change("keep", f"recipe {item.name}", item.reason) for item in found.faulty]
    for manifest in found.manifests:
        what = f"recipe {manifest.name} {manifest.version}"
        document = manifest.model_dump_json()
        row = Recipe.objects.filter(name=manifest.name, version=manifest.version).first()
        if row is None:
            Recipe.objects.create(
                name=manifest.name,
                version=manifest.version,
                title=manifest.title,
                manifest=document,
                digest=manifest.digest,
            )
            changes.append(Change("create", what))
        elif row.digest != manifest.digest:
            reason = "is registered with another manifest: its author must raise the version"
            faults.append(DeclarationFault(what, 0, reason))
        elif read_manifest(row).environment != manifest.environment:
            row.manifest = document
            row.save(update_fields=["manifest"])
            changes.append(Change("change", what, "its packages have other versions"))
    return changes


def _check_products(declaration: Declaration) -> Iterator[tuple[tuple[str, ...], str]]:
    manifests = {recipe.name: read_manifest(recipe) for recipe in list_recipes()}
    for slug, product in declaration.product.items():
        table = ("product", slug)
        if product.archive and product.archive not in declaration.storage:
            yield (*table, "archive"), f"store {product.archive} is not declared"
        manifest = manifests.get(product.recipe)
        if manifest is None:
            known = ", ".join(manifests) or "none"
            yield (*table, "recipe"), f"{product.recipe} is not installed; installed are: {known}"
            continue
        yield from _check_roles(table, product, manifest)
        try:
            manifest.validate_parameters(product.parameters)
        except RecipeParameterError as error:
            for fault in error.faults:
                yield (*table, "parameters", fault.name), fault.detail


def _check_roles(
    table: tuple[str, ...], product: ProductSection, manifest: Manifest
) -> Iterator[tuple[tuple[str, ...], str]]:
    if product.subject not in manifest.inputs:
        roles = ", ".join(manifest.inputs)
        yield (*table, "subject"), f"{manifest.name} has no role {product.subject}; it has {roles}"
    for role, bound in product.inputs.items():
        slot = manifest.inputs.get(role, InputSlot(contents=()))
        if bound.content not in slot.contents:
            takes = " or ".join(slot.contents) or "nothing: there is no such role"
            yield (*table, "inputs", role), f"{manifest.name} takes {takes}"
    needed = {role for role, slot in manifest.inputs.items() if not slot.optional}
    for role in sorted(needed - {product.subject} - set(product.inputs)):
        yield (*table, "inputs"), f"says nothing of the role {role}, which {manifest.name} needs"


def _rule_values(product: ProductSection) -> dict[str, Any]:
    recipe = next(r for r in list_recipes() if r.name == product.recipe)
    archive = Store.objects.get(slug=product.archive) if product.archive else None
    return {
        "recipe": recipe,
        "selection": product.selection.model_dump(exclude_none=True),
        "subject": product.subject,
        "inputs": {role: bound.model_dump() for role, bound in product.inputs.items()},
        "parameters": read_manifest(recipe).validate_parameters(product.parameters),
        "keep": product.keep,
        "archive": archive,
    }


def _fault(locator: Locator, item: Any) -> DeclarationFault:
    path = [str(part) for part in item["loc"]]
    texts = {"extra_forbidden": "is no key of facility.toml", "missing": "is missing"}
    reason = texts.get(item["type"], item["msg"])
    # Of a missing key only its table stands in the file.
    where = path[:-1] if item["type"] == "missing" else path
    return DeclarationFault(".".join(path), locator.line_of(where), reason)
