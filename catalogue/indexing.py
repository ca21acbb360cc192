"""Write the listings of datasets: what lists and searches know of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from catalogue.models import (
    Combination,
    DataFile,
    Dataset,
    Facility,
    Guard,
    Instrument,
    Listing,
    Membership,
    Parameter,
    Proposal,
    Tag,
    Tombstone,
    User,
)
from catalogue.words import vector

_UNKNOWN_START = datetime(1, 1, 2, tzinfo=UTC)  # the last of the newest
_BATCH = 1000
_MOST_NAMES = 100  # of a dataset's files

_WRITE = """
INSERT INTO catalogue_listing
    (dataset_id, pid, newest, listed_at, opens_at, is_listed, is_open, combination_id, words)
SELECT d.id, d.pid, coalesce(d.start_time, %s), d.listed_at, d.opens_at,
    coalesce(d.listed_at <= now(), false), coalesce(d.opens_at <= now(), false), v.combination,
    v.words::tsvector
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS v(id, combination, words)
JOIN catalogue_dataset AS d ON d.id = v.id
ON CONFLICT (dataset_id) DO UPDATE SET
    newest = excluded.newest, listed_at = excluded.listed_at, opens_at = excluded.opens_at,
    is_listed = excluded.is_listed, is_open = excluded.is_open,
    combination_id = excluded.combination_id, words = excluded.words
"""


class _Values(NamedTuple):
    """What a Combination says."""

    facility: int
    instrument: int | None
    kind: str
    content: str
    year: int | None
    techniques: tuple[int, ...]

    @classmethod
    def of(cls, row: Combination) -> Self:
        techniques = tuple(row.techniques)
        return cls(row.facility_id, row.instrument_id, row.kind, row.content, row.year, techniques)

    def row(self) -> Combination:
        return Combination(
            facility_id=self.facility,
            instrument_id=self.instrument,
            kind=self.kind,
            content=self.content,
            year=self.year,
            techniques=list(self.techniques),
        )


@dataclass
class _Words:
    """Texts by weight: title and sample, technique and keywords, abstract, the rest."""

    a: list[str]
    b: list[str]
    c: list[str]
    d: list[str]

    def vector(self) -> str:
        return vector({"A": self.a, "B": self.b, "C": self.c, "D": self.d})


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
    rows = list(Dataset.objects.filter(pk__in=set(pks) - stones))
    ids = [row.pk for row in rows]
    terms = _terms_of(ids)
    combinations = _combinations(rows, terms)
    words = _collect_words(rows, terms)
    vectors = [words[pk].vector() for pk in ids]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [_UNKNOWN_START, ids, [combinations[pk] for pk in ids], vectors])


def _terms_of(pks: Collection[int]) -> dict[int, dict[int, str]]:
    """Return the techniques of each dataset: their names by their primary keys."""
    found: dict[int, dict[int, str]] = {pk: {} for pk in pks}
    tags = Dataset.techniques.through.objects.filter(dataset__in=pks)
    for pk, technique, name in tags.values_list("dataset", "technique", "technique__name"):
        found[pk][technique] = name
    return found


def _combinations(rows: Iterable[Dataset], terms: Mapping[int, Iterable[int]]) -> dict[int, int]:
    """Return the combination of facet values of each dataset, made where it is new."""
    facilities = Facility.objects.in_bulk({row.facility_id for row in rows})
    zones = {pk: ZoneInfo(facility.timezone) for pk, facility in facilities.items()}
    wanted = {
        row.pk: _Values(
            row.facility_id,
            row.instrument_id,
            row.kind,
            row.content,
            row.start_time.astimezone(zones[row.facility_id]).year if row.start_time else None,
            tuple(sorted(terms[row.pk])),
        )
        for row in rows
    }
    distinct = set(wanted.values())
    known = _find_combinations(distinct)
    if missing := distinct - known.keys():
        # In one order, so that no two writers wait for each other in a circle.
        Combination.objects.bulk_create(
            (values.row() for values in sorted(missing, key=repr)),
            ignore_conflicts=True,
        )
        known = _find_combinations(distinct)
    return {pk: known[values] for pk, values in wanted.items()}


def _find_combinations(wanted: Collection[_Values]) -> dict[_Values, int]:
    rows = Combination.objects.filter(
        facility__in={values.facility for values in wanted},
        kind__in={values.kind for values in wanted},
        content__in={values.content for values in wanted},
        techniques__in=[list(values) for values in {values.techniques for values in wanted}],
    )
    return {_Values.of(row): row.pk for row in rows}


def _collect_words(
    rows: list[Dataset], terms: Mapping[int, Mapping[int, str]]
) -> dict[int, _Words]:
    instruments = Instrument.objects.in_bulk({row.instrument_id for row in rows})
    owners = User.objects.in_bulk({row.owner_id for row in rows})
    found = {
        row.pk: _Words(
            a=[row.title],
            b=[*terms[row.pk].values(), row.content],
            c=[row.description, str(instruments.get(row.instrument_id or 0, ""))],
            d=_names(owners.get(row.owner_id or 0)),
        )
        for row in rows
    }
    _add_team(found)
    samples = Dataset.samples.through.objects.filter(dataset__in=found)
    for pk, name, formula in samples.values_list(
        "dataset", "sample__name", "sample__chemical_formula"
    ):
        found[pk].a += [name, formula]
    for pk, name in Tag.objects.filter(dataset__in=found).values_list("dataset", "name"):
        found[pk].b.append(name)
    texts = Parameter.objects.filter(dataset__in=found).exclude(text="")
    for pk, name, text in texts.values_list("dataset", "key__name", "text"):
        found[pk].d += [name, text]
    for pk, path in _file_names(rows):
        found[pk].c.append(path)
    return found


def _add_team(found: Mapping[int, _Words]) -> None:
    """Add what the proposals of datasets say, and who leads them."""
    guards = Guard.objects.filter(dataset__in=found, proposal__isnull=False)
    pairs = set(guards.values_list("dataset", "proposal"))
    proposals = Proposal.objects.in_bulk({proposal for _, proposal in pairs})
    leaders = _leaders(set(proposals))
    for pk, number in sorted(pairs):
        proposal, words = proposals[number], found[pk]
        words.b += [proposal.number, proposal.title, *proposal.keywords]
        words.c.append(proposal.abstract)
        words.d += leaders.get(number, [])


def _file_names(rows: list[Dataset]) -> Iterable[tuple[int, str]]:
    """Return names of files, but where more people pass to the page than to its files."""
    now = timezone.now()
    closed = {row.pk for row in rows if not (row.opens_at and row.opens_at <= now)}
    # Guard by guard: a dataset has the latest dates of all, which may be equal while one
    # guard shows the page to people whom it keeps from the files.
    uneven = Guard.objects.filter(dataset__in=closed).exclude(listed_on=F("opens_on"))
    uneven = uneven.exclude(listed_on=None, opens_on=None)
    as_open = {row.pk for row in rows} - set(uneven.values_list("dataset", flat=True))
    files = DataFile.objects.filter(dataset__in=as_open, position__lt=_MOST_NAMES)
    return files.values_list("dataset", "path")


def _names(person: User | None) -> list[str]:
    return [str(person), person.orcid] if person else []


def _leaders(proposals: set[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    leading = Membership.objects.filter(proposal__in=proposals, role=Membership.Role.PI)
    for membership in leading.select_related("person"):
        found.setdefault(membership.proposal_id, []).extend(_names(membership.person))
    return found
