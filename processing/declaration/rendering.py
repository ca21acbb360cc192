"""The database as a facility.toml: what it declares today, whoever said it."""

from typing import Any

import tomli_w

from catalogue.declaration.rendering import render_sections
from processing.models import Configuration, ProductRule
from processing.products.gathering import bindings_of
from processing.products.picking import Binding


def render() -> str:
    """
    Write the whole configuration; reading it back changes nothing.

    Rules that a page holds come last, as comments: they are not the file's.
    """
    latest = Configuration.objects.first()
    document: dict[str, Any] = {"schema": 1, **render_sections()}
    document |= {"product": _rules(ProductRule.Owner.FILE)}
    if latest is not None:
        document["steward"] = _without_none(latest.steward)
        document["limits"] = _without_none(latest.limits)
        document["notifications"] = latest.notifications
        sources = {name: value for name, value in latest.recipes.items() if name != "frozen"}
        document["recipes"] = {name: value for name, value in sources.items() if value}
    text = tomli_w.dumps(
        {name: part for name, part in document.items() if part or name == "schema"}
    )
    of_pages = _rules(ProductRule.Owner.PAGE)
    if not of_pages:
        return text
    lines = tomli_w.dumps({"product": of_pages}).splitlines()
    return text + "\n# These belong to the page of rules:\n" + "".join(f"# {x}\n" for x in lines)


def render_rules() -> str:
    """Write the rules that the page holds, as it edits them."""
    return tomli_w.dumps({"product": _rules(ProductRule.Owner.PAGE)})


def _rules(owner: ProductRule.Owner) -> dict[str, Any]:
    rules = ProductRule.objects.filter(owner=owner).select_related("recipe", "archive")
    return {rule.slug: _rule(rule) for rule in rules.order_by("slug")}


def _rule(rule: ProductRule) -> dict[str, Any]:
    pinned = f"@{rule.pinned_version}" if rule.pinned_version else ""
    limits = {
        "per_hour": rule.per_hour,
        "backfill": f"P{rule.backfill_days}D" if rule.backfill_days is not None else None,
        "core_hours_per_day": rule.core_hours_per_day,
    }
    return _without_none(
        {
            "recipe": f"{rule.recipe.name}{pinned}",
            "for": rule.selection,
            "subject": rule.subject,
            "keep": rule.keep,
            "archive": rule.archive.slug if rule.archive else None,
            "inputs": {role: _binding(how) for role, how in bindings_of(rule).items()},
            # TOML knows no null: what a parameter leaves open is left out.
            "parameters": _without_none(rule.parameters),
            "limits": _without_none(limits) or None,
        }
    )


def _binding(how: Binding) -> dict[str, Any]:
    is_constant = how.source == "calibration"
    match = {
        name: same if same == "equal" else {"within": same.within}
        for name, same in how.match.items()
    }
    return _without_none(
        {
            "kind": how.source,
            "type" if is_constant else "content": how.content,
            "match": match or None,
            "pick": how.pick,
            "max_age": f"PT{how.max_age_s:.0f}S" if how.max_age_s is not None else None,
        }
    )


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}
