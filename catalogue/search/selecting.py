"""What finding and counting have in common: the tests that a listing must pass."""

from typing import Any

from catalogue.search.asking import Asked
from catalogue.search.statement import Statement


def start(asked: Asked) -> Statement:
    """Begin a statement with the tables of what the person sees."""
    return Statement().add(asked.scope.prelude, asked.scope.values)


def tests_of(asked: Asked, *, are_near: bool) -> tuple[str, list[Any]]:
    """
    Return all tests on ``l`` with their values; access to it is not among them.

    Parameters
    ----------
    asked : Asked
        A compiled query.
    are_near : bool
        In the form that is asked of one listing after the other.
    """
    tests = [clause.near if are_near else clause.far for clause in asked.clauses]
    values = [value for clause in asked.clauses for value in clause.values]
    if asked.combinations is not None:
        tests.append("l.combination_id = ANY(%s)")
        values.append(asked.combinations)
    for choice in asked.access:
        tests.append(choice.where)
        values.append(sorted(choice.states))
    return " AND ".join(tests), values
