"""Who has taken which data home, so that they hear of it if the data turn out wrong."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection

from catalogue.access import Person
from catalogue.models import User

# A browser asks for the parts of a file one by one: once an hour is enough.
_NOTE = """
INSERT INTO catalogue_download AS d (dataset_id, person_id)
SELECT id, %s FROM catalogue_dataset WHERE pid = ANY(%s)
ON CONFLICT (dataset_id, person_id) DO UPDATE SET latest_at = statement_timestamp()
 WHERE d.latest_at < statement_timestamp() - interval '1 hour'
"""


def note_taken(person: Person, datasets: Collection[UUID]) -> None:
    """
    Write down that a person takes data home; of somebody anonymous nothing is kept.

    Parameters
    ----------
    person : User or AnonymousUser
        Who takes them.
    datasets : collection of UUID
        By their identifiers.
    """
    if isinstance(person, User) and datasets:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [person.pk, sorted(set(datasets))])
