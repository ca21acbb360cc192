"""The rows that facility.toml declares, written back as its sections."""

from typing import Any

from catalogue.models import EmbargoPolicy, Facility, IngestRule, Instrument, Store


def render_sections() -> dict[str, Any]:
    """Return the catalogue's sections of facility.toml, as TOML takes them."""
    facility = Facility.objects.order_by("pk").first()
    return {
        "facility": _facility(facility) if facility else {},
        "storage": {
            store.slug: {"kind": store.kind, "root": store.root, "read_only": store.read_only}
            for store in Store.objects.order_by("slug")
        },
        "instrument": {row.slug: _instrument(row) for row in Instrument.objects.order_by("slug")},
        "ingest": {rule.slug: _ingest(rule) for rule in IngestRule.objects.order_by("slug")},
        "embargo": {row.slug: _embargo(row) for row in EmbargoPolicy.objects.order_by("slug")},
    }


def _facility(row: Facility) -> dict[str, Any]:
    return {"id": row.slug, "name": row.name, "timezone": row.timezone, "ror": row.ror}


def _instrument(row: Instrument) -> dict[str, Any]:
    return {
        "name": row.name,
        "techniques": sorted(row.techniques.values_list("pid", flat=True)),
        "staff": sorted(row.staff.values_list("username", flat=True)),
    }


def _ingest(rule: IngestRule) -> dict[str, Any]:
    technique = {"technique": rule.technique.pid} if rule.technique else {}
    return {
        "instrument": rule.instrument.slug,
        "store": rule.store.slug,
        "watch": rule.watch,
        "watched": rule.is_watched,
        **technique,
        "embargo": rule.policy.slug,
        "quiet_for": f"{rule.quiet_for_s}s",
        "ready_when": {"has": rule.required_fields, "end_marker": rule.end_marker},
    }


def _embargo(row: EmbargoPolicy) -> dict[str, Any]:
    return {
        "period": f"P{row.months}M",
        "from": row.starts_with,
        "metadata": row.metadata,
        "extension": {
            "period": f"P{row.extension_months}M",
            "times": row.extension_times,
            "notice": f"P{row.extension_notice_days}D",
        },
        "early_release": row.early_release,
        "products": row.products,
        "proprietary": row.proprietary,
        "remind": [f"P{days}D" for days in row.remind_days],
        "after": {"access": "open", "licence": row.licence},
        "retention": f"P{row.retention_months}M",
    }
