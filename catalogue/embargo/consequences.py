"""What the retraction of a dataset would mean, before anybody presses a button."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import Q

from catalogue.access import visible_datasets
from catalogue.embargo.marks import standing
from catalogue.lineage import DOWNWARDS
from catalogue.models import Dataset, Publication, User

_LISTED = 20
_LOOKED_AT = 500

_COUNT = f"""{DOWNWARDS}
SELECT (SELECT count(*) - 1 FROM reached),
    (SELECT count(*) FROM reached JOIN catalogue_tombstone USING (dataset_id)
     WHERE dataset_id <> %s),
    (SELECT count(DISTINCT d.owner_id) FROM reached JOIN catalogue_dataset AS d
     ON d.id = reached.dataset_id WHERE d.owner_id IS NOT NULL),
    (SELECT count(DISTINCT person_id) FROM reached JOIN catalogue_download USING (dataset_id)),
    (SELECT array_agg(DISTINCT publication_id) FROM reached
     JOIN catalogue_publication_datasets USING (dataset_id)),
    (SELECT array_agg(dataset_id) FROM
     (SELECT dataset_id FROM reached WHERE dataset_id <> %s
      ORDER BY dataset_id DESC LIMIT {_LOOKED_AT}) AS newest)
"""  # noqa: S608 - our own texts


@dataclass(frozen=True)
class Preview:
    """
    What would be retracted with a dataset.

    Attributes
    ----------
    is_retracted : bool
        Whether this very dataset was retracted already.
    derived : int
        How many datasets stem from it.
    retracted_before : int
        How many of these were taken back already.
    owners : int
        How many people own one of them; each gets one notice.
    takers : int
        How many people have downloaded one of them; each gets one notice.
    publications : int
        How many stand on it or on one of them.
    shown : list of Dataset
        The newest of those that stem from it and that the reader sees.
    cited : list of Publication
        Those linked to a dataset that the reader sees.
    """

    dataset: Dataset
    is_retracted: bool
    derived: int
    retracted_before: int
    owners: int
    takers: int
    publications: int
    shown: list[Dataset]
    cited: list[Publication]

    @property
    def unshown(self) -> int:
        return self.derived - len(self.shown)


def foresee(person: User, dataset: Dataset) -> Preview:
    """Count what stems from a dataset, in one statement for however much it is."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [dataset.pk] * 3)
        derived, before, owners, takers, publications, newest = cursor.fetchone()
    seen = visible_datasets(person)
    on_seen = Q(datasets__in=seen.filter(pk__in=[dataset.pk, *(newest or ())]))
    cited = Publication.objects.filter(on_seen, pk__in=publications or ()).distinct()
    return Preview(
        dataset=dataset,
        is_retracted=standing(dataset) is not None,
        derived=derived,
        retracted_before=before,
        owners=owners,
        takers=takers,
        publications=len(publications or ()),
        shown=list(seen.filter(pk__in=newest or ()).order_by("-pk")[:_LISTED]),
        cited=list(cited[:_LISTED]),
    )
