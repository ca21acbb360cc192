"""
The same questions in slow, plain SQL: over the tables that people write, by the letter of
the rules, without listings, ledger or anything precomputed.
"""

from collections import Counter
from typing import Any

from django.db import connection

from bench.questions import Asking
from catalogue.access import Person, visible_datasets
from catalogue.query import Search
from catalogue.search import Query
from catalogue.techniques import descendants, resolve

# All that the words of the loader's listings are made of.
_TEXT = """
translate(' ' || d.title || ' ' || s.name || ' ' || s.chemical_formula || ' ' || d.content
    || ' ' || r.number || ' ' || r.title || ' id' || d.instrument_id || ' beamline '
    || ' scan ' || d.id || ' h5 ', '-', ' ')
"""
_FROM = """
FROM catalogue_dataset AS d
LEFT JOIN catalogue_guard AS g ON g.dataset_id = d.id
LEFT JOIN catalogue_proposal AS r ON r.id = g.proposal_id
LEFT JOIN catalogue_dataset_samples AS ds ON ds.dataset_id = d.id
LEFT JOIN catalogue_sample AS s ON s.id = ds.sample_id
"""


def answer(person: Person, asking: Asking) -> dict[str, Any]:
    """
    Return total, the newest twenty and the counts of five facets.

    Parameters
    ----------
    person : User or AnonymousUser
        Who asks.
    asking : Asking
        What for; facets are counted under all choices but their own.
    """
    chosen: dict[str, list[str]] = {}
    for name, value in asking.chosen:
        chosen.setdefault(name, []).append(value)
    rows = _rows(person, Query(asking.text).search)
    fits = {name: _test(name, values) for name, values in chosen.items()}
    matching = [row for row in rows if all(test(row) for test in fits.values())]
    matching.sort(key=lambda row: (-row["newest"].timestamp(), row["pid"]))
    facets = {
        name: Counter(
            row[name]
            for row in rows
            if all(test(row) for other, test in fits.items() if other != name)
        )
        for name in ("instrument", "kind", "content", "year", "access")
    }
    return {
        "total": len(matching),
        "newest": [row["pid"] for row in matching[:20]],
        "facets": {name: dict(counted) for name, counted in facets.items()},
    }


def _rows(person: Person, search: Search) -> list[dict[str, Any]]:
    seen, values = visible_datasets(person).values("pk").query.sql_with_params()
    tests, values = [f"d.id IN ({seen})"], list(values)
    for words in search.words:
        for place, word in enumerate(words.words):
            end = "" if words.is_prefix and place == len(words.words) - 1 else r"\y"
            tests.append(rf"{_TEXT} ~* %s")
            values.append(rf"\y{word}{end}")
    for condition in search.ranges:
        parts = []
        for interval in condition.alternatives:
            parts.append(
                "EXISTS (SELECT FROM catalogue_parameter AS p JOIN catalogue_parameterkey AS k "
                "ON k.id = p.key_id WHERE p.dataset_id = d.id AND lower(regexp_replace(k.name, "
                "'^sample\\.', '')) = ANY(%s) AND k.si_unit = %s AND p.si_number >= %s "
                "AND p.si_number <= %s)"
            )
            low = -1e300 if interval.low is None else interval.low
            high = 1e300 if interval.high is None else interval.high
            values += [list(interval.names), interval.si_unit, low, high]
        tests.append(f"({' OR '.join(parts)})")
    for dates in search.dates:
        (span,) = dates.spans
        tests.append("d.start_time >= %s::timestamp AT TIME ZONE 'Europe/Paris'")
        tests.append("d.start_time < %s::timestamp AT TIME ZONE 'Europe/Paris'")
        values += [span.start, span.end]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.pid, d.start_time, 'id' || d.instrument_id, d.kind, d.content, "
            "extract(year FROM d.start_time AT TIME ZONE 'Europe/Paris')::int::text, "
            "CASE WHEN d.opens_at <= now() THEN 'open' ELSE 'closed' END, "
            "ARRAY(SELECT technique_id FROM catalogue_dataset_techniques AS t "
            f"WHERE t.dataset_id = d.id) {_FROM} WHERE {' AND '.join(tests)}",
            values,
        )
        names = ("pid", "newest", "instrument", "kind", "content", "year", "access", "technique")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _test(name: str, values: list[str]) -> Any:
    if name == "technique":
        wanted = descendants(term for value in values for term in resolve(value))
        return lambda row: bool(wanted & set(row["technique"]))
    return lambda row: row[name] in values
