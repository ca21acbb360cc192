"""Find what is new to somebody who asks the same again and again."""

from dataclasses import replace
from datetime import datetime

from catalogue.models import SavedSearch, SearchMatch
from catalogue.search.asking import Asked
from catalogue.search.clauses import Clause
from catalogue.search.selecting import start, tests_of

Kind = SearchMatch.Kind

_REGISTERED = Clause("d.registered_at > %s", (), "catalogue_dataset AS d", "d.id")
# Days may be moved into the past, so no date tells what has just opened. The steward notes
# each opening once; the event names the dataset, other events name what is no dataset.
_OPENED = Clause(
    "e.act = 'embargo.opened' AND e.at > %s",
    (),
    "catalogue_auditevent AS e JOIN catalogue_dataset AS d "
    "ON d.pid = CASE WHEN e.act = 'embargo.opened' THEN e.subject::uuid END",
    "d.id",
)
_NEWS = {Kind.NEW: _REGISTERED, Kind.OPENED: _OPENED}


def find_news(
    asked: Asked, search: SavedSearch, kind: SearchMatch.Kind, since: datetime, limit: int
) -> list[int]:
    """
    Find what a saved search has yet to tell of.

    Parameters
    ----------
    asked : Asked
        The search, compiled for its owner as they are now.
    search : SavedSearch
        The same, whose matches are known.
    kind : SearchMatch.Kind
        Registered, or opened, since then.
    since : datetime
        By the database's clock.
    limit : int
        How many at most.

    Returns
    -------
    list of int
        Primary keys of datasets, in no order.
    """
    told = Clause(
        "m.search_id = %s AND m.kind = %s",
        (search.pk, kind),
        "catalogue_searchmatch AS m",
        "m.dataset_id",
        is_negated=True,
    )
    news = replace(_NEWS[kind], values=(since,))
    wanted = replace(asked, clauses=(*asked.clauses, news, told))
    tests, values = tests_of(wanted, are_near=False)
    statement = start(wanted).add(
        f"SELECT l.dataset_id FROM catalogue_listing AS l "
        f"WHERE {tests} AND {wanted.scope.where} LIMIT {limit:d}",
        values,
    )
    return [pk for (pk,) in statement.rows()]
