"""What no row names may go; what any row names never does."""

import hashlib
import os

from django.apps import apps

from catalogue.leftovers import clear_store, find_leftovers
from catalogue.models import Attachment, DataFile, Dataset
from catalogue.places import content_folder
from catalogue.storage.content import content_key, keep_bytes
from tests.builders import World, a_dataset


def keep(body: bytes) -> str:
    sha256 = hashlib.sha256(body).hexdigest()
    keep_bytes(content_folder(), body, sha256)
    return sha256


def name_by_each_kind_of_row(world: World) -> list[str]:
    dataset = a_dataset(world)
    names = [keep(word) for word in (b"result", b"thumbnail", b"attachment")]
    DataFile.objects.create(
        dataset=dataset, store=world.products, key=content_key(names[0]), sha256=names[0],
        path="map.nxs", size=6, position=1, media_type="application/x-hdf5",
    )  # fmt: skip
    Dataset.objects.filter(pk=dataset.pk).update(thumbnail=names[1])
    Attachment.objects.create(
        dataset=dataset, sha256=names[2], name="notes.txt", size=10, media_type="text/plain"
    )
    return names


def test_only_what_no_row_names_is_removed(world: World) -> None:
    named, left = name_by_each_kind_of_row(world), keep(b"left by a killed attempt")
    assert clear_store(older_than_s=-1) == 1
    present = {path.name for path in content_folder().glob("store/??/*")}
    assert present == set(named)
    assert left not in present


def test_every_column_that_may_name_bytes_is_thought_of() -> None:
    # Whoever adds another one has to think of it in catalogue.leftovers.
    found = {
        f"{model._meta.db_table}.{field.name}"
        for model in apps.get_app_config("catalogue").get_models()
        for field in model._meta.fields
        if "sha256" in field.name or "thumbnail" in field.name
    }
    assert found == {
        "catalogue_datafile.sha256",
        "catalogue_attachment.sha256",
        "catalogue_dataset.thumbnail",
    }


def test_a_new_file_stays_until_its_row_has_had_time_to_come(world: World) -> None:
    path = content_folder() / content_key(keep(b"about to be published"))
    os.utime(path, (0, 0))  # its bytes may be old: when it came here counts
    assert clear_store() == 0
    assert path.is_file()
    assert find_leftovers(older_than_s=-1) == [path]
