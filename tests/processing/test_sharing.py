"""People and proposals share the machines, and sometimes one and the same run."""

import pytest
from django.db import connection

from catalogue.errors import NotPermittedError
from catalogue.models import Membership, Proposal
from processing import leases
from processing.errors import ProcessingRunEndedError, QueueQuotaError
from processing.leases import Claim
from processing.lifecycle import cancel
from processing.models import Configuration, ProcessingRun, Product, ProductRule
from processing.submission import Submission, submit, submit_for_rule
from tests.builders import World, a_dataset, a_recipe, a_run


@pytest.fixture
def other(world: World) -> Proposal:
    """A second proposal, with Ines on it too."""
    proposal = Proposal.objects.create(
        facility=world.facility, number="ma-5", title="Battery", policy=world.policy
    )
    Membership.objects.create(person=world.ines, proposal=proposal, role="member")
    return proposal


def launch(world: World, proposal: Proposal, *, priority: int = 0) -> ProcessingRun:
    inputs = {
        "scan": [a_dataset(world, proposal=proposal)],
        "geometry": [a_dataset(world, content="poni", proposal=proposal)],
    }
    run = submit(world.ines, a_recipe(), inputs, {}).processing_run
    ProcessingRun.objects.filter(pk=run.pk).update(priority=priority)
    return run


def claim() -> Claim | None:
    return leases.claim("worker", 60)


def claimed() -> int | None:
    held = claim()
    return held.run_id if held else None


def ask_again(world: World, run: ProcessingRun, name: str) -> Submission:
    inputs = {row.role: [row.dataset] for row in run.inputs.all()}
    return submit(getattr(world, name), a_recipe(), inputs, {})


def configure(**limits: int) -> None:
    Configuration.objects.create(number=1, text="", digest="0" * 64, limits=limits)


def test_a_run_takes_its_share_from_the_proposal_of_its_first_input(world: World) -> None:
    assert a_run(world).proposal == world.proposal


def test_one_run_of_a_proposal_does_not_wait_for_anothers_many(
    world: World, other: Proposal
) -> None:
    many = [launch(world, world.proposal).pk for _ in range(4)]
    single = launch(world, other).pk
    assert [claimed() for _ in range(5)] == [many[0], single, *many[1:]]


def test_priority_goes_before_fairness(world: World, other: Proposal) -> None:
    first = launch(world, world.proposal).pk
    launch(world, other)
    urgent = [launch(world, world.proposal, priority=1).pk for _ in range(2)]
    assert [claimed() for _ in range(3)][:2] == urgent
    assert claimed() == first


def test_data_of_no_proposal_have_a_share_too(world: World) -> None:
    launch(world, world.proposal)
    nobodys = launch(world, world.proposal)
    ProcessingRun.objects.filter(pk=nobodys.pk).update(proposal=None)
    last = launch(world, world.proposal)
    claim()
    assert [claimed(), claimed()] == [nobodys.pk, last.pk]


def test_a_proposal_at_its_quota_is_passed_over_until_one_of_its_runs_ends(
    world: World, other: Proposal
) -> None:
    configure(runs_per_proposal=1)
    first, second = launch(world, world.proposal), launch(world, world.proposal)
    third = launch(world, other)
    assert [claimed(), claimed(), claimed()] == [first.pk, third.pk, None]
    ProcessingRun.objects.filter(pk=first.pk).update(state="succeeded", lease_until=None)
    assert claimed() == second.pk


def test_a_claim_reads_no_more_of_the_queue_than_its_proposals(world: World) -> None:
    run = a_run(world)
    _multiply(run, 3000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_processingrun")
        _, _, sql = leases._CLAIM.partition(";")  # noqa: SLF001 - its plan, not its effect
        values = {"owner": "worker", "ttl": 60, "turn": 1}
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        (plan,) = cursor.fetchone()[0]
    read = [node["Actual Rows"] * node["Actual Loops"] for node in _nodes(plan["Plan"])]
    assert max(read) < 50, "of 3,000 rows that wait"


def _multiply(run: ProcessingRun, count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO processing_processingrun (uuid, recipe_id, parameters, run_key,
                 key_document, scope, proposal_id, clock, seed, owner, progress_done,
                 progress_total, stage, result_digest, content_digest, resolution)
               SELECT gen_random_uuid(), recipe_id, parameters, run_key, key_document,
                 md5(i::text), proposal_id, clock, seed, '', 0, 0, '', '', '', '{}'
                 FROM processing_processingrun, generate_series(1, %s) AS i WHERE id = %s""",
            [count, run.pk],
        )


def _nodes(plan: dict) -> list[dict]:  # type: ignore[type-arg]  # as EXPLAIN writes it
    return [plan, *(node for below in plan.get("Plans", []) for node in _nodes(below))]


def test_a_person_with_too_many_queued_runs_is_told_what_to_do(world: World) -> None:
    configure(queued_per_person=2)
    runs = [a_run(world), a_run(world)]
    with pytest.raises(QueueQuotaError, match="cancel those you no longer need") as refused:
        a_run(world)
    assert refused.value.most == 2
    assert ask_again(world, runs[0], "ines").is_joined, "that adds nothing to the queue"
    claim()
    assert a_run(world).state == "queued"


def test_of_two_who_wait_for_a_run_the_first_to_leave_stops_nothing(world: World) -> None:
    run = a_run(world)
    assert ask_again(world, run, "carlo").is_joined
    assert not cancel(world.ines, run)
    run.refresh_from_db()
    assert run.state == "queued"
    with pytest.raises(NotPermittedError):
        cancel(world.ines, run)
    assert cancel(world.carlo, run)
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_a_data_steward_stops_a_run_whoever_waits(world: World) -> None:
    run = a_run(world)
    ask_again(world, run, "carlo")
    assert cancel(world.dana, run)
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_who_asks_twice_waits_once(world: World) -> None:
    run = a_run(world)
    ask_again(world, run, "ines")
    assert cancel(world.ines, run)


def test_a_run_that_a_product_waits_for_outlives_a_persons_wish(world: World) -> None:
    run = a_run(world)
    rule = ProductRule.objects.create(slug="maps", recipe=a_recipe(), subject="scan", keep="fresh")
    inputs = {row.role: [row.dataset] for row in run.inputs.all()}
    assert submit_for_rule(rule, inputs).is_joined
    Product.objects.create(rule=rule, subject=inputs["scan"][0], wanted_run=run)
    assert not cancel(world.ines, run)


def test_a_cancelled_run_that_still_works_is_joined_by_nobody(world: World) -> None:
    run = a_run(world)
    claim()
    cancel(world.ines, run)
    ProcessingRun.objects.filter(pk=run.pk).update(state="cancelled", lease_until=None)
    again = ask_again(world, run, "carlo")
    assert again.processing_run.pk != run.pk
    with pytest.raises(ProcessingRunEndedError):
        cancel(world.dana, ProcessingRun.objects.get(pk=run.pk))
