"""
Searches that people keep, and are told of when something new matches.

A dataset is news when it was registered, or has opened, since a search last looked. Both
are written by others, in transactions that may end late: a search looks back to before
the oldest one that runs, and what it has told of already it knows by its matches.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode

from django.db import connection, transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from catalogue.access import Person, visible_datasets
from catalogue.errors import NotPermittedError
from catalogue.models import Dataset, Notice, SavedSearch, SearchMatch, User
from catalogue.notices import tell
from catalogue.search import FACETS, Query, read_query
from catalogue.search.asking import Asked
from catalogue.search.news import find_news

MOST = 100
"""Searches that one person may keep; a list of them stays one page."""

Kind = SearchMatch.Kind

_LONGEST = 2000  # characters of an address
_BATCH = 200  # matches of one kind in one pass; the next pass goes on
_MOST_BATCHES = 50  # of what is known already when a search is saved
_SHOWN = 5  # matches of each search, on its owner's page
# Clocks of machines differ, and a row may be made before its transaction begins.
_OVERLAP = timedelta(minutes=10)


def saved_searches_of(person: Person) -> QuerySet[SavedSearch]:
    """Select the searches that a person keeps, by name."""
    mine = SavedSearch.objects.filter(owner=person.pk) if person.pk else SavedSearch.objects.none()
    return mine.order_by("name", "uuid")


def read_address(address: str) -> Query:
    """Read the address of a search, what stands after the question mark."""
    given = parse_qs(address.replace("%00", ""))
    return read_query(
        {name: [value.replace("\x00", "") for value in given[name]] for name in given}
    )


def write_address(query: Query) -> str:
    """Write a search so that the same one is always written alike."""
    chosen: Mapping[str, Iterable[str]] = dict(query.chosen)
    text = " ".join(query.text.split())
    parameters = {"q": [text] if text else []}
    parameters |= {name: sorted(set(chosen.get(name, ()))) for name in FACETS}
    return urlencode(parameters, doseq=True)


def why_not(person: Person, query: str) -> str:
    """Say why a search cannot be saved, and what to do; empty if it can."""
    asked = read_address(query)
    if reason := _fault(asked):
        return reason
    if len(write_address(asked)) > _LONGEST:
        return f"The address of a search has {_LONGEST} characters at most. Narrow it otherwise."
    kept = saved_searches_of(person)
    if kept.count() >= MOST and not kept.filter(query=write_address(asked)).exists():
        return f"You keep {MOST} searches. Delete one that you do not need."
    return ""


def _fault(query: Query) -> str:
    faults = (fault for fault in query.search.faults if not fault.is_mended)
    return next((f"{fault.text}: {fault.reason}" for fault in faults), "")


@transaction.atomic
def save(
    person: Person, name: str, query: str, *, wants_mail: bool = True
) -> tuple[SavedSearch, bool]:
    """
    Keep a search; what it finds today is no news.

    Parameters
    ----------
    person : User or AnonymousUser
        Whose it will be.
    name : str
        By which they know it again.
    query : str
        What stands after the question mark of its address, and ``why_not`` lets pass.
    wants_mail : bool
        Whether news also go out by mail.

    Returns
    -------
    search : SavedSearch
        The one that they keep already, under its new name, if it asks for the same.
    is_new : bool
        Whether they did not.

    Raises
    ------
    NotPermittedError
        If nobody is signed in.
    """
    if not isinstance(person, User):
        raise NotPermittedError("save a search", "somebody who has an account")
    search, is_new = SavedSearch.objects.update_or_create(
        owner=person,
        query=write_address(read_address(query)),
        defaults={"name": name, "wants_mail": wants_mail},
        create_defaults={"name": name, "wants_mail": wants_mail, "seen_up_to": _horizon()},
    )
    if is_new:
        for _ in range(_MOST_BATCHES):
            if not _match(search)[1]:
                break
        # Later matches are news.
        search.made_at = timezone.now()
        search.save(update_fields=["made_at"])
    return search, is_new


def change(search: SavedSearch, name: str, *, wants_mail: bool) -> None:
    """Call a search otherwise, and turn its mail on or off."""
    search.name, search.wants_mail = name, wants_mail
    search.save(update_fields=["name", "wants_mail"])


def latest_matches(searches: Iterable[SavedSearch], person: Person) -> dict[int, list[SearchMatch]]:
    """Return the last news of searches by primary key, as far as a person sees them now."""
    news = SearchMatch.objects.filter(search__in=searches, found_at__gt=F("search__made_at"))
    place = Window(RowNumber(), partition_by="search", order_by=("-found_at", "-pk"))
    last = [row.pk for row in news.annotate(place=place).filter(place__lte=_SHOWN)]
    seen = SearchMatch.objects.filter(pk__in=last, dataset__in=visible_datasets(person))
    found: dict[int, list[SearchMatch]] = {}
    for match in seen.select_related("dataset").order_by("-found_at", "-pk"):
        found.setdefault(match.search_id, []).append(match)
    return found


def run_due() -> int:
    """
    Run every saved search with the rights that its owner has now, and tell of news.

    Two at once tell once. It is called again and again; how often decides how soon
    people hear.

    Returns
    -------
    int
        How many owners were told something.
    """
    live = SavedSearch.objects.filter(paused="", owner__is_active=True)
    return sum(_run(pk) for pk in list(live.order_by("seen_up_to").values_list("pk", flat=True)))


@transaction.atomic
def _run(pk: int) -> bool:
    """Run one search while its row is ours; say whether its owner was told something."""
    rows = SavedSearch.objects.select_for_update(of=("self",), skip_locked=True)
    search = rows.filter(pk=pk, paused="").select_related("owner").first()
    if search is None:
        return False
    if reason := _fault(read_address(search.query)):
        _pause(search, reason)
        return True
    # First the time, then the look: what comes between is found again, and known.
    horizon = _horizon()
    matches, has_more = _match(search)
    if matches:
        _tell(search, matches)
    if not has_more and horizon > search.seen_up_to:
        search.seen_up_to = horizon
        search.save(update_fields=["seen_up_to"])
    return bool(matches)


def _horizon() -> datetime:
    """Return, by the database's clock, since when whatever is not seen yet was begun."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(statement_timestamp(), min(xact_start)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        )
        horizon: datetime = cursor.fetchone()[0]
    return horizon


def _match(search: SavedSearch) -> tuple[list[SearchMatch], bool]:
    """Write down what is news, at most a batch of each kind; say whether there is more."""
    asked = Asked.by(search.owner, read_address(search.query))
    since = search.seen_up_to - _OVERLAP
    found: list[SearchMatch] = []
    has_more = False
    for kind in Kind:
        pks = find_news(asked, search, kind, since, _BATCH + 1)
        has_more |= len(pks) > _BATCH
        seen = visible_datasets(search.owner).filter(pk__in=pks[:_BATCH])
        found += (SearchMatch(search=search, dataset=row, kind=kind) for row in seen)
    SearchMatch.objects.bulk_create(found, ignore_conflicts=True)
    return found, has_more


def _tell(search: SavedSearch, matches: list[SearchMatch]) -> None:
    """
    Tell the owner once for all matches of a pass.

    The notice refers to one of them, to a closed one if there is any: should it be closed
    to the owner before they read on, they hear nothing of it.
    """
    now = timezone.now()

    def is_public(match: SearchMatch) -> bool:
        listed_at = match.dataset.listed_at
        return listed_at is not None and listed_at <= now

    one = min(matches, key=lambda match: (is_public(match), match.dataset_id))
    _say(search, _words(search, matches), f"{one.kind} {one.dataset.pid}", one.dataset)


def _words(search: SavedSearch, matches: list[SearchMatch]) -> str:
    kinds = {match.kind for match in matches}
    what = f"your saved search “{search.name}”"
    if len(matches) == 1:
        verb = {Kind.NEW: "is new", Kind.OPENED: "has opened"}[Kind(matches[0].kind)]
        return f"A dataset that matches {what} {verb}."
    verbs = {Kind.NEW: "are new", Kind.OPENED: "have opened"}
    verb = " or ".join(verbs[kind] for kind in Kind if kind in kinds)
    return f"Datasets that match {what} {verb}, this one among them."


def _pause(search: SavedSearch, reason: str) -> None:
    search.paused = reason[:500]
    search.save(update_fields=["paused"])
    text = f"Your saved search “{search.name}” is paused. {reason}"
    _say(search, text, "paused")


def _say(search: SavedSearch, text: str, occasion: str, dataset: Dataset | None = None) -> None:
    once = f"search {search.uuid} {occasion}"
    tell(search.owner, Notice.Kind.MATCH, text, once=once, dataset=dataset)
    if not search.wants_mail:
        Notice.objects.filter(person=search.owner, once=once).update(mail_wanted=False)
