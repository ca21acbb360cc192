"""What a record tells, to whom, and for how many questions to the database."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.models import Dataset, Tombstone
from processing.errors import ExportError
from processing.exports.history import history_of, history_of_run, operator
from processing.exports.record import Record, RecordedParameter
from processing.models import ProcessingRun
from tests.api.results import a_result
from tests.builders import World, a_dataset, a_run
from tests.processing.exports.histories import a_chain, a_result_of


def everything(record: Record) -> str:
    return f"{record.datasets} {record.activities} {record.used} {record.generated}"


def test_a_history_goes_back_to_the_raw_data(world: World) -> None:
    chain = a_chain(world)
    record = history_of(AnonymousUser(), chain.last)
    assert record.subjects == (str(chain.last.pid),)
    assert set(record.datasets) == {
        str(row.pid) for row in (chain.last, chain.map, chain.scan, chain.geometry)
    }
    assert sorted(link.role for link in record.used) == ["geometry", "map", "scan"]
    kinds = sorted(row.kind for row in record.activities.values())
    assert kinds == ["acquisition", "acquisition", "processing", "processing"]
    assert len(record.generated) == 4
    scan = record.datasets[str(chain.scan.pid)]
    file = chain.scan.files.get()
    assert [(f.path, f.size, f.sha256) for f in scan.files] == [(file.path, file.size, file.sha256)]


def test_a_parameter_has_the_unit_that_its_manifest_says(world: World) -> None:
    record = history_of(world.ines, a_chain(world).map)
    (made,) = (row for row in record.activities.values() if row.kind == "processing")
    assert made.parameters == (RecordedParameter("bins", 1000, "pixel"),)
    assert made.packages == {"numpy": "2"}
    assert made.person
    assert made.person.name == "Ines"


def test_what_is_hidden_keeps_its_shape_and_nothing_else(world: World) -> None:
    chain = a_chain(world)
    Tombstone.objects.create(dataset=chain.scan, kind="withdrawn", reason="a patient's name")
    record = history_of(AnonymousUser(), chain.last)
    assert [row.key for row in record.datasets.values() if row.is_hidden] == ["hidden-1"]
    assert [(link.dataset, link.role) for link in record.used if link.role == "scan"] == [
        ("hidden-1", "scan")
    ]
    told, file = everything(record), chain.scan.files.get()
    for secret in (str(chain.scan.pid), chain.scan.title, chain.scan.digest, file.path,
                   str(file.uuid), "patient"):  # fmt: skip
        assert secret not in told
    assert chain.scan.title in everything(history_of(world.dana, chain.last))


def test_the_title_of_an_activity_does_not_name_a_hidden_input(world: World) -> None:
    scan = a_dataset(world, title="A secret pigment", is_open=True)
    made = a_result_of(world, {"scan": [scan]}, title="xrd-map: A secret pigment")
    Tombstone.objects.create(dataset=scan, kind="withdrawn", reason="why")
    assert "secret" not in everything(history_of(AnonymousUser(), made))


def test_who_sees_a_page_alone_learns_no_name_nor_checksum_of_a_file(world: World) -> None:
    listed = a_dataset(world, listed_on=a_dataset(world, is_open=True).opens_at.date())
    told = history_of(world.sten, listed).datasets[str(listed.pid)]
    assert (told.title, told.files, told.digest, told.is_readable) == (listed.title, (), "", False)
    assert history_of(world.ines, listed).datasets[str(listed.pid)].files


def test_an_activity_of_which_only_hidden_things_came_is_hidden(world: World) -> None:
    chain = a_chain(world)
    Tombstone.objects.create(dataset=chain.map, kind="withdrawn", reason="why")
    record = history_of(AnonymousUser(), chain.last)
    hidden = [row for row in record.activities.values() if row.is_hidden]
    assert [row.key for row in hidden] == ["hidden-activity-1"]
    assert hidden[0].parameters == ()
    assert hidden[0].person is None


def test_a_retraction_is_told_with_its_reason(world: World) -> None:
    chain = a_chain(world)
    Tombstone.objects.create(dataset=chain.map, kind="retracted", reason="wrong geometry")
    taken = history_of(AnonymousUser(), chain.last).datasets[str(chain.map.pid)].taken_back
    assert taken
    assert (taken.kind, taken.reason) == ("retracted", "wrong geometry")


def test_each_generation_costs_the_same_however_wide(world: World) -> None:
    def statements(dataset: Dataset) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            history_of(world.ines, dataset)
        return len(asked)

    narrow = a_result_of(world, {"scan": [a_dataset(world)]})
    wide = a_result_of(world, {"scan": [a_dataset(world) for _ in range(20)]})
    assert statements(narrow) == statements(wide)
    deeper = a_result_of(world, {"map": [narrow, wide]})
    assert statements(deeper) - statements(wide) == 4


def test_a_record_that_is_full_says_where_it_ends(world: World) -> None:
    chain = a_chain(world)
    record = history_of(world.ines, chain.last, most_nodes=3)
    assert record.datasets[str(chain.map.pid)].is_cut
    assert str(chain.scan.pid) not in record.datasets
    assert not history_of(world.ines, chain.last).is_cut


def test_a_record_goes_back_so_many_generations(world: World) -> None:
    chain = a_chain(world)
    record = history_of(world.ines, chain.last, most_generations=1)
    assert [row.pid for row in record.datasets.values() if row.is_cut] == [chain.map.pid]
    assert len(record.datasets) == 2


def test_a_run_is_recorded_with_its_inputs_and_outputs(world: World) -> None:
    run = a_result(world)
    record = history_of_run(world.ines, run)
    assert sorted(link.role for link in record.used) == ["geometry", "scan"]
    assert record.subjects == (str(run.activity.generated.get().dataset.pid),)


def test_a_run_that_failed_says_why_and_generates_nothing(world: World) -> None:
    run = a_run(world)
    with pytest.raises(ExportError, match="queued"):
        history_of_run(world.ines, run)
    run.state, run.problem = ProcessingRun.State.FAILED, {"message": "The frames differ in shape."}
    record = history_of_run(world.ines, run)
    (activity,) = record.activities.values()
    assert activity.error == "The frames differ in shape."
    assert (record.generated, len(record.used)) == ((), 2)


def test_the_operator_sees_everything(world: World) -> None:
    closed = a_dataset(world)
    assert history_of(operator(), closed).datasets[str(closed.pid)].files


def test_a_replay_is_no_failure_to_export(world: World) -> None:
    run = a_run(world)
    ProcessingRun.objects.filter(pk=run.pk).update(purpose="replay", state="succeeded")
    run.refresh_from_db()
    with pytest.raises(ExportError, match="Export the run that it repeats"):
        history_of_run(world.ines, run)
