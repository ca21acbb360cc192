"""Write the listings of datasets: what lists and searches know of them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils import timezone

from catalogue.models import (
    Combination,
    DataFile,
    Dataset,
    Guard,
    Listing,
    Membership,
    Parameter,
    Tombstone,
    User,
)
from catalogue.words import fold

_UNKNOWN_START = datetime(1, 1, 2, tzinfo=UTC)  # the last of the newest
_BATCH = 1000
_MOST_NAMES = 100  # of a dataset's files

_WRITE = """
INSERT INTO catalogue_listing
    (dataset_id, pid, newest, listed_at, opens_at, is_listed, combination_id, words)
SELECT d.id, d.pid, coalesce(d.start_time, %s), d.listed_at, d.opens_at,
    coalesce(d.listed_at <= now(), false), v.combination,
    setweight(to_tsvector('simple', v.a), 'A') || setweight(to_tsvector('simple', v.b), 'B')
    || setweight(to_tsvector('simple', v.c), 'C') || setweight(to_tsvector('simple', v.d), 'D')
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS v(id, combination, a, b, c, d)
JOIN catalogue_dataset AS d ON d.id = v.id
ON CONFLICT (dataset_id) DO UPDATE SET
    newest = excluded.newest, listed_at = excluded.listed_at, opens_at = excluded.opens_at,
    is_listed = excluded.is_listed, combination_id = excluded.combination_id, words = excluded.words
"""


# Facility, instrument, kind, content, year, techniques: what a Combination says.
_Values = tuple[int, int | None, str, str, int | None, list[int]]


@dataclass
class _Words:
    """Texts by weight: title and sample, technique and keywords, abstract, the rest."""

    a: list[str]
    b: list[str]
    c: list[str]
    d: list[str]


@transaction.atomic
def reindex(datasets: Collection[int]) -> None:
    """
    Write the listings of datasets anew; a retracted one loses its own.

    Parameters
    ----------
    datasets : collection of int
        Primary keys; the number of statements grows with their thousands only.
    """
    pks = sorted(datasets)
    for start in range(0, len(pks), _BATCH):
        _reindex_batch(pks[start : start + _BATCH])


def _reindex_batch(pks: list[int]) -> None:
    stones = set(Tombstone.objects.filter(dataset__in=pks).values_list("dataset", flat=True))
    if stones:
        Listing.objects.filter(dataset__in=stones).delete()
    rows = list(
        Dataset.objects.filter(pk__in=set(pks) - stones)
        .select_related("facility", "instrument", "owner")
        .prefetch_related("samples", "techniques", "tags")
    )
    combinations = _combinations(rows)
    words = _collect_words(rows)
    folded = [[fold(" ".join(getattr(words[row.pk], weight))) for row in rows] for weight in "abcd"]
    with connection.cursor() as cursor:
        ids = [row.pk for row in rows]
        cursor.execute(_WRITE, [_UNKNOWN_START, ids, [combinations[pk] for pk in ids], *folded])


def _combinations(rows: Iterable[Dataset]) -> dict[int, int]:
    """Return the combination of facet values of each dataset, made where it is new."""
    wanted = {row.pk: _values(row) for row in rows}
    distinct = {repr(values): values for values in wanted.values()}
    # In one order, so that no two writers wait for each other in a circle.
    known = {name: _get_combination(distinct[name]) for name in sorted(distinct)}
    return {pk: known[repr(values)] for pk, values in wanted.items()}


def _values(row: Dataset) -> _Values:
    zone = ZoneInfo(row.facility.timezone)
    year = row.start_time.astimezone(zone).year if row.start_time else None
    techniques = sorted(technique.pk for technique in row.techniques.all())
    return (row.facility_id, row.instrument_id, row.kind, row.content, year, techniques)


def _get_combination(values: _Values) -> int:
    facility, instrument, kind, content, year, techniques = values
    row, _ = Combination.objects.get_or_create(
        facility_id=facility,
        instrument_id=instrument,  # type: ignore[misc]  # null where the field allows it
        kind=kind,
        content=content,
        year=year,
        techniques=techniques,
    )
    return row.pk


def _collect_words(rows: list[Dataset]) -> dict[int, _Words]:
    found = {row.pk: _own_words(row) for row in rows}
    guards = Guard.objects.filter(dataset__in=found).select_related("proposal")
    leaders = _leaders({guard.proposal_id for guard in guards if guard.proposal_id})
    for guard in guards:
        proposal = guard.proposal
        if proposal is None:
            continue
        words = found[guard.dataset_id]
        words.b += [proposal.number, proposal.title, *proposal.keywords]
        words.c.append(proposal.abstract)
        words.d += leaders.get(proposal.pk, [])
    texts = Parameter.objects.filter(dataset__in=found).exclude(text="")
    for pk, name, text in texts.values_list("dataset", "key__name", "text"):
        found[pk].d += [name, text]
    for pk, path in _file_names(rows):
        found[pk].c.append(path)
    return found


def _file_names(rows: list[Dataset]) -> Iterable[tuple[int, str]]:
    """Return names of files, but where the page is more open than its files are."""
    now = timezone.now()
    as_open = [
        row.pk
        for row in rows
        if row.listed_at == row.opens_at or (row.opens_at and row.opens_at <= now)
    ]
    files = DataFile.objects.filter(dataset__in=as_open, position__lt=_MOST_NAMES)
    return files.values_list("dataset", "path")


def _own_words(row: Dataset) -> _Words:
    samples = [f"{sample.name} {sample.chemical_formula}" for sample in row.samples.all()]
    techniques = [technique.name for technique in row.techniques.all()]
    tags = [tag.name for tag in row.tags.all()]
    return _Words(
        a=[row.title, *samples],
        b=[*techniques, *tags, row.content],
        c=[row.description, str(row.instrument or "")],
        d=_names(row.owner),
    )


def _names(person: User | None) -> list[str]:
    return [str(person), person.orcid] if person else []


def _leaders(proposals: set[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    leading = Membership.objects.filter(proposal__in=proposals, role=Membership.Role.PI)
    for membership in leading.select_related("person"):
        found.setdefault(membership.proposal_id, []).extend(_names(membership.person))
    return found
