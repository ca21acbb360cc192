"""What occurs in the data that a person sees: names, values and texts to suggest."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from catalogue.search.evidence import Evidence
from catalogue.search.statement import Statement

_STEPS = 100  # different values that are looked at, from the first that fits
_ENOUGH = 20  # of them that may be shown
_HOLDERS = 60  # datasets for each of them, one of which must be visible
_LINKS = 10  # of these that one sample or proposal may lead to
_MOST_KEYS = 20_000
_MOST_NAMES = 40  # of parameters that fit
_MOST_COMBINATIONS = 5_000
_MOST_FRESH = 500


@dataclass(frozen=True)
class Source:
    """
    A table of values, an index on them, and how they lead to datasets.

    Attributes
    ----------
    table : str
        Of which ``v`` is a row.
    text : str
        The value, of ``v``.
    folded : str
        The same as the index has it.
    order : str
        The operator of the index's order.
    where : str
        What else holds of ``v``.
    link, joined, dataset : str
        A query of ``dataset_id`` for one ``v``, with a limit; the way back, from ``h``
        that names a dataset; and its column. By default ``v`` names it itself.
    """

    table: str
    text: str
    folded: str
    order: str = "~<~"
    where: str = "TRUE"
    link: str = "SELECT v.dataset_id"
    joined: str = ""
    dataset: str = "v.dataset_id"

    @property
    def rows(self) -> str:
        """The values; a condition on ``folded`` is yet to be written behind it."""
        return f"FROM {self.table} AS v WHERE {self.where} AND {self.folded}"

    @property
    def least(self) -> str:
        return self.order.replace("<", ">=")

    @property
    def after(self) -> str:
        return self.order.replace("<", ">")

    @property
    def sorted(self) -> str:
        """The order that only the index has: nobody should think of reading the table."""
        return f"ORDER BY {self.folded} USING {self.order}"

    def equal(self, value: str) -> str:
        """Compare by the index, where an equality may be thought frequent enough for a scan."""
        return f"{self.least} {value} AND {self.folded} {self.order.replace('<', '<=')} {value}"


_SAMPLES = Source(
    "catalogue_sample",
    "v.name",
    "lower(v.name)",
    link=(
        "SELECT h.dataset_id FROM catalogue_dataset_samples AS h WHERE h.sample_id = v.id "
        f"LIMIT {_LINKS}"
    ),
    joined="catalogue_dataset_samples AS h JOIN catalogue_sample AS v ON v.id = h.sample_id",
    dataset="h.dataset_id",
)
SOURCES = {
    "sample": _SAMPLES,
    "formula": replace(_SAMPLES, text="v.chemical_formula", folded="lower(v.chemical_formula)"),
    "proposal": Source(
        "catalogue_proposal",
        "v.number",
        "lower(v.number)",
        link=(
            "SELECT h.dataset_id FROM catalogue_guard AS h WHERE h.proposal_id = v.id "
            f"ORDER BY h.listed_on LIMIT {_LINKS}"
        ),
        joined="catalogue_guard AS h JOIN catalogue_proposal AS v ON v.id = h.proposal_id",
        dataset="h.dataset_id",
    ),
    "tag": Source("catalogue_tag", "v.name", "v.name", order="<"),
}
_TEXTS = Source("catalogue_parameter", "v.text", "lower(v.text)")


def texts_of(key: int) -> Source:
    """Return where the texts of a parameter are, by the primary key of its name."""
    return replace(_TEXTS, where=f"v.key_id = {key:d} AND v.text <> ''")


def find_values(evidence: Evidence, source: Source, prefix: str) -> list[str]:
    """
    Find values that begin so in what a person sees, their own ones first.

    Parameters
    ----------
    evidence : Evidence
        Of what they see.
    source : Source
        Of the values.
    prefix : str
        Folded as the index is.
    """
    return [*_own_values(evidence, source, prefix), *_all_values(evidence, source, prefix)]


def _own_values(evidence: Evidence, source: Source, prefix: str) -> list[str]:
    if not evidence.own:
        return []
    # First the datasets, then the text: of a common one an index would find too many.
    statement = Statement().add(
        f"WITH own AS MATERIALIZED (SELECT {source.text} AS text, {source.folded} AS folded "
        f"FROM {source.joined or f'{source.table} AS v'} "
        f"WHERE {source.dataset} = ANY(%s) AND {source.where}) "
        f"SELECT DISTINCT text FROM own WHERE starts_with(folded, %s) ORDER BY 1 LIMIT {_ENOUGH}",
        [evidence.own, prefix],
    )
    return [text for (text,) in statement.rows()]


def _all_values(evidence: Evidence, source: Source, prefix: str) -> list[str]:
    """Step from value to value by the index: a million rows that say the same are one step."""
    value, order = source.folded, f"{source.sorted} LIMIT 1"
    first, values = evidence.first(
        f"SELECT {source.text} AS text, h.dataset_id FROM (SELECT v.* {source.rows} "
        f"{source.equal('s.value')} {source.sorted} LIMIT {_HOLDERS}) AS v "
        f"CROSS JOIN LATERAL ({source.link}) AS h LIMIT {_HOLDERS}"
    )
    # Without an order it stops at the last one that is wanted.
    statement = Statement().add(
        "WITH RECURSIVE steps(value, nth) AS ("
        f"SELECT (SELECT {value} {source.rows} {source.least} %s {order}), 1 UNION ALL "
        f"SELECT (SELECT {value} {source.rows} {source.after} s.value {order}), s.nth + 1 "
        f"FROM steps AS s WHERE s.nth < {_STEPS} AND starts_with(s.value, %s)) "
        "SELECT s.nth, f.text FROM (SELECT * FROM steps WHERE starts_with(value, %s)) AS s "
        f"CROSS JOIN LATERAL ({first}) AS f LIMIT {_ENOUGH}",
        [prefix, prefix, prefix, *values],
    )
    return [text for _, text in sorted(statement.rows())]


def find_keys(evidence: Evidence, prefix: str) -> list[tuple[str, str]]:
    """
    Find names of parameters, with their SI units, in what a person sees.

    Parameters
    ----------
    evidence : Evidence
        Of what they see.
    prefix : str
        In lower case, of the name or a part of it: "temp" finds "sample.temperature".
    """
    holders = " UNION ALL ".join(
        "(SELECT k.name AS text, p.dataset_id FROM catalogue_parameter AS p "
        f"WHERE p.key_id = k.id AND {kind} LIMIT {_HOLDERS})"
        # What is neither a number in SI nor a text cannot be searched for.
        for kind in (
            "p.si_number IS NOT NULL ORDER BY p.si_number",
            "p.text <> '' ORDER BY lower(p.text) USING ~<~",
        )
    )
    first, values = evidence.first(holders)
    statement = Statement().add(
        "WITH own AS MATERIALIZED (SELECT DISTINCT p.key_id FROM catalogue_parameter AS p "
        "WHERE p.dataset_id = ANY(%s)), k AS MATERIALIZED (SELECT k.id, k.name, k.si_unit "
        f"FROM (SELECT * FROM catalogue_parameterkey ORDER BY id LIMIT {_MOST_KEYS}) AS k "
        "WHERE position(%s IN translate('.' || lower(k.name), '_', '.')) > 0 "
        f"ORDER BY NOT starts_with(lower(k.name), %s), k.name LIMIT {_MOST_NAMES}) "
        "SELECT k.name, k.si_unit FROM k "
        f"WHERE k.id IN (SELECT key_id FROM own) OR EXISTS ({first})",
        [evidence.own, f".{prefix.replace('_', '.')}", prefix, *values],
    )
    return [(name, unit) for name, unit in statement.rows()]


class Choice(NamedTuple):
    """One of few values; ``words`` are other names of it."""

    value: str
    label: str
    words: list[str]


@dataclass(frozen=True)
class _Facet:
    """A column of combinations ``c``, and what its keys ``k`` are called."""

    key: str
    named: str


def _plain(column: str, order: str = "") -> _Facet:
    named = "SELECT k.key::text, '', ARRAY[]::text[] FROM k WHERE k.key IS NOT NULL ORDER BY k.key"
    return _Facet(column, f"{named} {order}")


def _slugged(table: str) -> _Facet:
    named = (
        f"SELECT n.slug, n.name, ARRAY[n.name::text] FROM k "
        f"JOIN catalogue_{table} AS n ON n.id = k.key ORDER BY n.slug"
    )
    return _Facet(f"c.{table}_id", named)


_FACETS = {
    "facility": _slugged("facility"),
    "instrument": _slugged("instrument"),
    "kind": _plain("c.kind"),
    "content": _plain("c.content"),
    "year": _plain("c.year", "DESC"),
    # Broader terms too: whoever asks for them finds the narrower ones.
    "technique": _Facet(
        "unnest(c.techniques)",
        "SELECT n.name, n.pid, n.pid::text || n.synonyms::text[] FROM catalogue_technique AS n "
        "WHERE NOT n.is_concept AND n.id IN (SELECT k.key FROM k UNION SELECT a.to_technique_id "
        "FROM k JOIN catalogue_technique_ancestors AS a ON a.from_technique_id = k.key) "
        "ORDER BY n.name",
    ),
}
FACETS = frozenset(_FACETS)


def find_choices(evidence: Evidence, name: str) -> list[Choice]:
    """
    Find the values of a facet that occur in what a person sees.

    Parameters
    ----------
    evidence : Evidence
        Of what they see.
    name : str
        One of ``FACETS``.
    """
    facet = _FACETS[name]
    listed = f"SELECT l.combination_id FROM catalogue_listing AS l WHERE {evidence.listed}"
    statement = Statement().add(
        f"WITH c AS MATERIALIZED (SELECT c.id, {facet.key} AS key FROM (SELECT * FROM "
        f"catalogue_combination ORDER BY id DESC LIMIT {_MOST_COMBINATIONS}) AS c ORDER BY c.id), "
        # What is listed since the steward last looked, and what is closed to others.
        f"others AS MATERIALIZED (({listed} AND NOT l.is_listed LIMIT {_MOST_FRESH}) UNION "
        "SELECT l.combination_id FROM catalogue_listing AS l WHERE l.dataset_id = ANY(%s)), "
        # One combination is enough for each value; the oldest go first, which are listed.
        "k AS MATERIALIZED (SELECT k.key FROM (SELECT DISTINCT c.key FROM c) AS k WHERE ("
        "SELECT TRUE FROM c WHERE c.key = k.key AND (c.id IN (SELECT combination_id FROM others) "
        f"OR EXISTS ({listed} AND l.is_listed AND l.combination_id = c.id)) LIMIT 1))",
        [evidence.own],
    )
    return [Choice(*row) for row in statement.add(facet.named).rows()]
