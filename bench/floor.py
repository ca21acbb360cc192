"""The same questions as raw SQL, without pages, permissions of a person, or checks."""

from django.contrib.auth.models import AnonymousUser

from bench.questions import Asking
from catalogue.search import Query
from catalogue.search.choices import access_choices, allowed_combinations, choices_of
from catalogue.search.clauses import clauses_of
from catalogue.search.statement import Statement

_SEEN = "l.listed_at <= now()"


def _where(asking: Asking) -> tuple[str, list[object]]:
    chosen: dict[str, list[str]] = {}
    for name, value in asking.chosen:
        chosen.setdefault(name, []).append(value)
    search = Query(asking.text, chosen).search
    tests, values = [_SEEN], []
    for clause in clauses_of(search, AnonymousUser()):
        tests.append(clause.far)
        values += clause.values
    tests += [choice.where for choice in access_choices(search.fields)]
    combinations = allowed_combinations(choices_of(search.fields))
    if combinations is not None:
        tests.append("l.combination_id = ANY(%s)")
        values.append(combinations)
    return " AND ".join(tests), values


class Floor:
    """One statement for each kind of question; ``prepare`` is not timed."""

    def __init__(self, kind: str, asking: Asking) -> None:
        where, values = _where(asking)
        page = (
            "SELECT d.pid, d.title FROM catalogue_listing AS l "
            f"JOIN catalogue_dataset AS d ON d.id = l.dataset_id WHERE {where} "
            "ORDER BY l.newest DESC, l.pid LIMIT 20"
        )
        self.statements = [Statement().add(page, values)]
        if kind == "facet_page":
            count = (
                "SELECT c.instrument_id, c.kind, c.content, c.year, c.techniques, "
                "l.opens_at <= now() AS is_open, count(*) FROM catalogue_listing AS l "
                f"JOIN catalogue_combination AS c ON c.id = l.combination_id WHERE {where} "
                "GROUP BY GROUPING SETS ((), (c.instrument_id), (c.kind), (c.content), (c.year), "
                "(c.techniques), (l.opens_at <= now()))"
            )
            self.statements.append(Statement().add(count, values))

    def run(self) -> None:
        for statement in self.statements:
            statement.rows()


class DatasetFloor:
    """All rows of one dataset."""

    def __init__(self, pid: str) -> None:
        self.statements = [
            Statement().add(
                f"SELECT t.* FROM {table} AS t JOIN catalogue_dataset AS d ON d.id = t.{column} "
                "WHERE d.pid = %s",
                [pid],
            )
            for table, column in (
                ("catalogue_dataset", "id"),
                ("catalogue_guard", "dataset_id"),
                ("catalogue_datafile", "dataset_id"),
                ("catalogue_parameter", "dataset_id"),
                ("catalogue_dataset_samples", "dataset_id"),
                ("catalogue_dataset_techniques", "dataset_id"),
                ("catalogue_generated", "dataset_id"),
            )
        ]

    def run(self) -> None:
        for statement in self.statements:
            statement.rows()


class SuggestFloor:
    """Keys and samples that begin so."""

    def __init__(self, text: str) -> None:
        beginning = text.replace(":", " : ").rpartition(" ")[2].lower() + "%"
        self.statements = [
            Statement().add(
                "SELECT k.name FROM catalogue_parameterkey AS k WHERE lower(k.name) LIKE %s "
                "AND EXISTS (SELECT FROM catalogue_parameter AS p JOIN catalogue_listing AS l "
                "ON l.dataset_id = p.dataset_id WHERE p.key_id = k.id AND l.listed_at <= now()) "
                "LIMIT 10",
                [beginning],
            ),
            Statement().add(
                "SELECT DISTINCT s.name FROM catalogue_sample AS s WHERE lower(s.name) LIKE %s "
                "ORDER BY 1 LIMIT 10",
                [beginning],
            ),
        ]

    def run(self) -> None:
        for statement in self.statements:
            statement.rows()
