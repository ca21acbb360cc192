"""A database of the first release becomes one of this release, and loses nothing."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from catalogue.models import Dataset, User
from catalogue.search import Query, count, find
from catalogue.search.ledger import count_differences

_FIRST_RELEASE = [("catalogue", "0002_immutable_provenance")]


@pytest.fixture
def first_release(transactional_db: None) -> Iterator[Any]:
    """The tables as they were, and all of today's again afterwards."""
    executor = MigrationExecutor(connection)
    everything = executor.loader.graph.leaf_nodes()
    executor.migrate(_FIRST_RELEASE)
    yield MigrationExecutor(connection).loader.project_state(_FIRST_RELEASE).apps
    MigrationExecutor(connection).migrate(everything)


def _fill(apps: Any) -> None:
    model = {name: apps.get_model("catalogue", name) for name in (
        "Facility", "Instrument", "Technique", "Store", "Proposal", "Membership", "User",
        "Dataset", "Guard", "Parameter", "Sample", "EmbargoPolicy")}  # fmt: skip
    facility = model["Facility"].objects.create(slug="demo", name="Demo", timezone="Europe/Paris")
    instrument = model["Instrument"].objects.create(slug="id13", name="ID13", facility=facility)
    proposal = model["Proposal"].objects.create(facility=facility, number="hg-1", title="Lead")
    carlo = model["User"].objects.create(username="carlo", pid=uuid.uuid4())
    model["Membership"].objects.create(person=carlo, proposal=proposal, role="member")
    powder = model["Technique"].objects.create(pid="PaNET01101", name="x-ray powder diffraction")
    for title, opens_on in (
        ("open", date(2020, 1, 1)),
        ("closed", date(2999, 1, 1)),
        ("shut", None),
    ):
        dataset = model["Dataset"].objects.create(
            kind="raw", content="nexus-scan", title=title, facility=facility,
            instrument=instrument, digest="0" * 64, pid=uuid.uuid4(),
            start_time=datetime(2019, 12, 31, 23, 30, tzinfo=UTC),
        )  # fmt: skip
        dataset.techniques.add(powder)
        model["Guard"].objects.create(
            dataset=dataset, proposal=proposal, instrument=instrument, opens_on=opens_on
        )
        model["Parameter"].objects.create(
            dataset=dataset, name="photon_energy", number=12.0, unit="keV",
            si_number=12000 * 1.602176634e-19, si_unit="kg*m**2/s**2",
        )  # fmt: skip
        model["Parameter"].objects.create(dataset=dataset, name="operator", text="Anna")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE catalogue_dataset SET search = to_tsvector('simple', title) WHERE id = %s",
                [dataset.pk],
            )


def test_what_was_registered_is_found_by_whom_and_by_what_it_was(first_release: Any) -> None:
    _fill(first_release)
    MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())

    carlo = User.objects.get(username="carlo")
    assert count(AnonymousUser(), Query("")).total == 1
    assert count(carlo, Query("")).total == 3
    for text in ("energy:11..13keV", "operator:anna", "technique:PaNET01101", "year:2020"):
        assert count(carlo, Query(text)).total == 3, text  # in Paris it was 2020 already
    (found,) = find(AnonymousUser(), Query("open"), 10).pks
    dataset = Dataset.objects.get(pk=found)
    assert dataset.title == "open"
    assert dataset.opening_noted  # nobody is told of what was open before
    assert dataset.opens_at == datetime(2019, 12, 31, 23, 0, tzinfo=UTC)
    assert Dataset.objects.get(title="shut").opens_at is None
    assert count_differences() == 0
