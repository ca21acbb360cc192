"""What finding and counting have in common: tests of listings, and where these are."""

from typing import Any

from catalogue.search.asking import Asked
from catalogue.search.statement import Statement


def start(asked: Asked) -> Statement:
    """Begin a statement with the tables of what the person sees."""
    return Statement().add(asked.scope.prelude, [asked.scope.mine])


def tests_of(asked: Asked, *, are_near: bool) -> tuple[str, list[Any]]:
    """
    Return all tests on ``l`` with their values; that it is seen is not among them.

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
    return " AND ".join([*tests, access_test_of(asked)]), values


def access_test_of(asked: Asked) -> str:
    """Return the test on ``l`` that is chosen of access."""
    return " AND ".join(choice.where for choice in asked.access) or "TRUE"


def sources_of(asked: Asked) -> list[str]:
    """
    Return what the person sees in disjoint parts, each a table ``l`` with a condition.

    An index has each in the order of lists, or it is small; where open data were chosen,
    or closed ones, most of the others are not among them.
    """
    scope = asked.scope
    if asked.may_be_open and asked.may_be_closed:
        return [scope.source, *scope.others]
    return [*strata_of(asked), *rest_of(asked)]


def strata_of(asked: Asked) -> list[str]:
    """Return the parts of which an index has each combination in the order of lists."""
    opened = asked.scope.strata(is_open=True) if asked.may_be_open else []
    closed = asked.scope.strata(is_open=False) if asked.may_be_closed else []
    return [*opened, *closed]


def rest_of(asked: Asked) -> list[str]:
    """Return the parts beside ``strata_of``; they are small."""
    is_unmarked = asked.may_be_open and not asked.may_be_closed
    return [*([asked.scope.just_opened] if is_unmarked else []), *asked.scope.others]
