"""Make the database agree with a declaration, whole or not at all, as a new revision."""

import re
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from catalogue.declaration.comparing import Change, Locator, sync
from catalogue.declaration.sections import apply_sections, check, make_folders
from catalogue.digests import sha256_of_text
from catalogue.errors import DeclarationError, DeclarationFault
from catalogue.models import Store, User
from processing.declaration.checking import check_products, find_recipe, known_instruments
from processing.declaration.counting import RulePlan, plan_rules
from processing.declaration.installed import discover_declared
from processing.declaration.reading import Read, read_rules
from processing.declaration.sections import (
    Declaration,
    PageRules,
    ProductSection,
    SettingsSections,
    StewardSection,
    read_duration,
)
from processing.errors import TooMuchChangeError
from processing.models import Configuration, ProductRule, Recipe
from processing.recipes.registry import Discovery
from processing.submission import read_manifest

_TURN = 0x70616C69  # one apply at a time: revisions have no gaps
_DAY_S = 86400


def apply(
    read: Read, *, person: User | None = None, is_confirmed: bool = False, source: str = "file"
) -> list[Change]:
    """
    Make the database agree with a declaration, all of it or nothing.

    Parameters
    ----------
    read : Read
        What is declared.
    person : User, optional
        Who applies it on a page; None on the command line.
    is_confirmed : bool
        Whether more products than ``max_change`` may be made anew.
    source : {"file", "page"}
        Where the text came from.

    Returns
    -------
    list of Change
        Empty if they agreed already; then there is no new revision either.

    Raises
    ------
    DeclarationError
        If it speaks of recipes, people or stores that do not exist; nothing is stored.
    TooMuchChangeError
        If it would change more than it allows itself.
    """
    found = discover_declared(read)
    with transaction.atomic():
        known = set(Store.objects.values_list("slug", flat=True))
        changes = make_true(read, found)
        if _is_said_already(read, changes):
            return []
        most = read.declaration.steward.max_change
        _refuse_too_much(most, plan_rules(), is_confirmed=is_confirmed)
        _write_revision(read, changes, person, source)
        make_folders(Store.objects.exclude(slug__in=known))
    return changes


def make_true(read: Read, found: Discovery) -> list[Change]:
    """
    Write a declaration into the rows, inside the caller's transaction.

    Raises
    ------
    DeclarationError
        With every fault; the caller rolls back.
    """
    _take_turn()
    declaration = read.declaration
    faults = check(declaration, read.locator)
    changes = _register_recipes(found, faults)
    faults += check_products(
        declaration.product,
        read.locator,
        stores=declaration.storage,
        instruments={*declaration.instrument, *known_instruments()},
    )
    if faults:
        raise DeclarationError(sorted(faults, key=lambda fault: fault.line))
    changes += apply_sections(declaration, read.base)
    changes += _sync_rules(declaration.product, ProductRule.Owner.FILE)
    return changes + _compare_settings(declaration)


def apply_rules(text: str, *, person: User, is_confirmed: bool = False) -> list[Change]:
    """
    Make the rules that a page holds agree with a text of [product.<id>] tables.

    Raises
    ------
    DeclarationError
        With every fault; also where a rule belongs to facility.toml.
    TooMuchChangeError
        If more products would be made anew than the latest revision allows.
    """
    rules, locator = read_rules(text)
    with transaction.atomic():
        _take_turn()
        faults = check_page_rules(rules, locator)
        if faults:
            raise DeclarationError(faults)
        changes = _sync_rules(rules.product, ProductRule.Owner.PAGE)
        latest = Configuration.objects.first()
        if changes and latest is not None:
            most = latest.steward.get("max_change", StewardSection().max_change)
            _refuse_too_much(most, plan_rules(), is_confirmed=is_confirmed)
            _add_revision(
                latest.text, changes, person, Configuration.Source.PAGE, _settings_of(latest)
            )
    return changes


def _take_turn() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def check_page_rules(rules: PageRules, locator: Locator) -> list[DeclarationFault]:
    return check_products(
        rules.product,
        locator,
        stores=set(Store.objects.values_list("slug", flat=True)),
        instruments=known_instruments(),
        owner=ProductRule.Owner.PAGE,
    )


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
        elif (known := read_manifest(row)) != manifest:
            row.manifest = document
            row.save(update_fields=["manifest"])
            is_moved = known.environment == manifest.environment
            detail = "it has moved" if is_moved else "its packages have other versions"
            changes.append(Change("change", what, detail))
    return changes


def _sync_rules(products: Mapping[str, ProductSection], owner: ProductRule.Owner) -> list[Change]:
    changes: list[Change] = []
    for slug, product in products.items():
        changes += sync(ProductRule, "product", slug, _rule_values(product) | {"owner": owner})
    lost = ProductRule.objects.filter(owner=owner).exclude(slug__in=list(products))
    changes += [Change("remove", f"product {rule}", _tell_loss(rule)) for rule in lost]
    lost.delete()
    return changes


def _tell_loss(rule: ProductRule) -> str:
    """Say what goes with a rule: its results do not, what people have said of them does."""
    pins = rule.products.filter(pinned_at__isnull=False).count()
    if not pins:
        return "its results stay"
    return f"its results stay; {pins} pin{'s' * (pins != 1)} of people are forgotten"


def _rule_values(product: ProductSection) -> dict[str, Any]:
    """Freeze a rule: the recipe of today, and parameters with their defaults."""
    recipe = find_recipe(product.recipe_name, product.pinned_version)
    if recipe is None:
        raise DeclarationError([DeclarationFault(product.recipe, 0, "is not installed")])
    limits = product.limits
    backfill = read_duration(limits.backfill) // _DAY_S if limits.backfill else None
    return {
        "recipe": recipe,
        "pinned_version": product.pinned_version,
        "selection": product.selection.model_dump(exclude_none=True),
        "subject": product.subject,
        "inputs": {
            role: bound.binding().model_dump(mode="json") for role, bound in product.inputs.items()
        },
        "parameters": read_manifest(recipe).validate_parameters(product.parameters),
        "keep": product.keep,
        "archive": Store.objects.get(slug=product.archive) if product.archive else None,
        "per_hour": limits.per_hour,
        "backfill_days": backfill,
        "core_hours_per_day": limits.core_hours_per_day,
    }


def _settings_in(declaration: SettingsSections) -> dict[str, dict[str, Any]]:
    return {
        "steward": declaration.steward.model_dump(),
        "limits": declaration.limits.model_dump(exclude_none=True),
        "notifications": declaration.notifications.model_dump(),
        "recipes": declaration.recipes.model_dump(),
    }


def _settings_of(row: Configuration) -> dict[str, dict[str, Any]]:
    return {
        "steward": row.steward,
        "limits": row.limits,
        "notifications": row.notifications,
        "recipes": {name: value for name, value in row.recipes.items() if name != "frozen"},
    }


def _compare_settings(declaration: Declaration) -> list[Change]:
    """Say which sections without rows of their own differ from the latest revision."""
    latest = Configuration.objects.first()
    before = _settings_of(latest) if latest else _settings_in(SettingsSections())
    changes = []
    for section, new in _settings_in(declaration).items():
        old = before[section]
        keys = sorted(key for key in {*new, *old} if old.get(key) != new.get(key))
        if keys:
            detail = ", ".join(f"{key}: {old.get(key)} -> {new.get(key)}" for key in keys)
            changes.append(Change("change", section, detail))
    return changes


def _is_said_already(read: Read, changes: list[Change]) -> bool:
    latest = Configuration.objects.first()
    if latest is None:
        return False
    is_same = latest.digest == sha256_of_text(read.text)
    return is_same and all(change.action == "keep" for change in changes)


def _refuse_too_much(most: int, rules: list[RulePlan], *, is_confirmed: bool) -> None:
    changed = sum(rule.changed for rule in rules)
    if changed > most and not is_confirmed:
        raise TooMuchChangeError(changed, most)


def _write_revision(read: Read, changes: list[Change], person: User | None, source: str) -> None:
    _add_revision(read.text, changes, person, source, _settings_in(read.declaration))


def _add_revision(
    text: str,
    changes: list[Change],
    person: User | None,
    source: str,
    settings: Mapping[str, dict[str, Any]],
) -> Configuration:
    latest = Configuration.objects.first()
    return Configuration.objects.create(
        number=latest.number + 1 if latest else 1,
        text=text,
        digest=sha256_of_text(text),
        source=source,
        applied_by=person,
        changes=[re.sub(r" +", " ", str(change)) for change in changes],
        **{**settings, "recipes": settings["recipes"] | {"frozen": _freeze()}},
    )


def _freeze() -> dict[str, dict[str, str]]:
    """State the recipe of each rule, and the packages it is run with."""
    return {
        rule.slug: {
            "recipe": str(rule.recipe),
            "environment": read_manifest(rule.recipe).environment.digest,
        }
        for rule in ProductRule.objects.select_related("recipe")
    }
