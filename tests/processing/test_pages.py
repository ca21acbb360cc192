"""Pages of processing, as a browser without JavaScript receives them."""

import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalogue.models import Dataset
from catalogue.registration import ActivityRecord, DerivedDataset, DerivedFile, register_derived
from processing.models import ArchiveCopy, LogEntry, ProcessingRun, Product, ProductRule
from processing.recipes.manifest import Preset
from tests.builders import World, a_dataset, a_manifest, a_recipe, a_run
from tests.catalogue.closing import guarded

ClientOf = Callable[[str | None], Client]
HTMX = {"HX-Request": "true"}


def text_of(response: Any) -> str:
    """The words of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def succeed(run: ProcessingRun, world: World) -> Dataset:
    """End a run as the engine would, with one derived dataset."""
    used = {row.role: [row.dataset] for row in run.inputs.order_by("id")}
    file = DerivedFile("map.nxs", 18_000_000, "a" * 64, "application/x-hdf5", "store/aa/a")
    place = Path(world.products.root, file.key)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    os.truncate(place, file.size)  # a result is one whose bytes are there
    activity = register_derived(
        ActivityRecord(
            title="Integrate",
            used=used,
            generated=[DerivedDataset("result", "xrd-map", "The map", [file], "d" * 64)],
            store=world.products,
            recipe=run.recipe.name,
            version=run.recipe.version,
            run_key=run.run_key,
            key_document=run.key_document,
        )
    )
    set_state(
        run,
        "succeeded",
        activity=activity,
        started_at=datetime(2026, 5, 3, 12, 0, tzinfo=UTC),
        finished_at=datetime(2026, 5, 3, 12, 1, 13, tzinfo=UTC),
        usage={"seconds": 73.0, "cpu_seconds": 128.0, "peak_memory_bytes": 812_000_000},
    )
    return Dataset.objects.get(generated_by__activity=activity)


def set_state(run: ProcessingRun, state: str, **fields: Any) -> None:
    lease = timezone.now() + timedelta(minutes=1) if state == "running" else None
    ProcessingRun.objects.filter(pk=run.pk).update(state=state, lease_until=lease, **fields)


def subject_of(run: ProcessingRun) -> Dataset:
    return run.inputs.get(role="scan").dataset


def test_recipes_are_listed_and_explained(client_of: ClientOf, world: World) -> None:
    a_recipe()
    client = client_of(None)
    listed, shown = text_of(client.get("/recipes/")), text_of(client.get("/recipes/xrd-map/"))
    assert "xrd-map" in listed
    assert "takes nexus-scan, poni makes xrd-map" in listed
    assert "at least 10, at most 100000" in shown
    assert "Bins along q" in shown
    assert "numpy 2" in shown
    assert client.get("/recipes/unknown/").status_code == 404


def test_an_older_version_of_a_recipe_can_be_read(client_of: ClientOf, world: World) -> None:
    a_recipe()
    a_recipe(a_manifest(version="1.1.0", title="Newer"))
    client = client_of(None)
    assert "version 1.1.0" in text_of(client.get("/recipes/xrd-map/"))
    older = text_of(client.get("/recipes/xrd-map/?version=1.0.0"))
    assert "Recipe, version 1.0.0" in older
    assert client.get("/recipes/xrd-map/?version=9.9.9").status_code == 404


def test_a_dataset_offers_the_recipes_that_fit(client_of: ClientOf, world: World) -> None:
    recipe = a_recipe()
    scan, other = a_dataset(world), a_dataset(world, content="euxfel-run")
    client = client_of("ines")
    fitting = client.get(f"/datasets/{scan.pid}/processing/")
    assert f"/datasets/{scan.pid}/process/{recipe.name}/" in fitting.content.decode()
    assert "No recipe takes euxfel-run" in text_of(client.get(f"/datasets/{other.pid}/processing/"))


def test_processing_of_a_dataset_is_a_page_and_a_part_of_one(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world)
    address = f"/datasets/{subject_of(run).pid}/processing/"
    client = client_of("ines")
    part = client.get(address, headers=HTMX)
    assert b"<body" in client.get(address).content
    assert b"<body" not in part.content
    assert b'id="processing"' in part.content
    assert str(run.uuid) in part.content.decode()
    assert client_of("sten").get(address).status_code == 404


def test_a_derived_dataset_names_the_run_that_made_it_and_its_copies(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world)
    derived = succeed(run, world)
    ArchiveCopy.objects.create(
        dataset=derived, store=world.archive, state="archived", archived_at=timezone.now()
    )
    response = client_of("carlo").get(f"/datasets/{derived.pid}/processing/")
    assert f'href="/processing-runs/{run.uuid}/"' in response.content.decode()
    assert "archived archive checked and complete" in text_of(response)


def test_a_product_that_cannot_be_made_says_why(client_of: ClientOf, world: World) -> None:
    run = a_run(world)
    rule = ProductRule.objects.create(slug="maps", recipe=run.recipe, subject="scan", keep="all")
    scan = subject_of(run)
    product = Product.objects.create(
        rule=rule, subject=scan, condition="blocked", detail="no geometry is registered"
    )
    client = client_of("ines")
    address = f"/datasets/{scan.pid}/processing/"
    assert "maps blocked no geometry is registered" in text_of(client.get(address))
    Product.objects.filter(pk=product.pk).update(condition="queued", detail="", wanted_run=run)
    assert "maps queued xrd-map@1.0.0" in text_of(client.get(address))


def test_launching_asks_a_stranger_to_sign_in(client_of: ClientOf, world: World) -> None:
    scan = a_dataset(world, is_open=True)
    a_recipe()
    address = f"/datasets/{scan.pid}/process/xrd-map/"
    response = client_of(None).get(address)
    assert response.headers["Location"] == f"/sign-in/?next={address}"
    assert client_of(None).post(address).headers["Location"].startswith("/sign-in/")
    assert ProcessingRun.objects.count() == 0


def test_nobody_launches_on_a_hidden_dataset(client_of: ClientOf, world: World) -> None:
    scan = a_dataset(world)
    a_recipe()
    assert client_of("sten").get(f"/datasets/{scan.pid}/process/xrd-map/").status_code == 404


def test_launch_with_the_defaults_queues_one_run(client_of: ClientOf, world: World) -> None:
    scan, poni = a_dataset(world), a_dataset(world, content="poni")
    a_recipe()
    client = client_of("carlo")
    address = f"/datasets/{scan.pid}/process/xrd-map/"
    form = client.get(address)
    sent = {
        "input-geometry": str(poni.pid),
        "parameter-bins": "1000",
        "parameter-polarization": "0.95",
        "parameter-unit": "q_nm^-1",
    }

    first, second = client.post(address, sent), client.post(address, sent, follow=True)

    run = ProcessingRun.objects.get()
    assert f'value="{poni.pid}" selected' in form.content.decode()
    assert first.headers["Location"] == f"/processing-runs/{run.uuid}/"
    assert run.parameters["bins"] == 1000
    assert run.requested_by == world.carlo
    assert "asked for already: this is it" in text_of(second)


def test_a_bad_value_is_answered_beside_its_field(client_of: ClientOf, world: World) -> None:
    scan, poni = a_dataset(world), a_dataset(world, content="poni")
    a_recipe()
    response = client_of("ines").post(
        f"/datasets/{scan.pid}/process/xrd-map/",
        {
            "input-geometry": str(poni.pid),
            "parameter-bins": "5",
            "parameter-polarization": "",
            "parameter-unit": "q_nm^-1",
        },
    )
    html = response.content.decode()
    assert response.status_code == 422
    assert '<ul class="errorlist" id="id_parameter-bins_error">' in html
    assert "Must be at least 10." in html
    assert re.search(r'name="parameter-bins"[^>]*value="5"[^>]*autofocus', html)
    assert re.search(r"<details class=\"summary\"\s+open", html)
    assert ProcessingRun.objects.count() == 0


def test_what_exists_already_is_shown_instead_of_made_again(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world)
    succeed(run, world)
    client = client_of("carlo")
    address = f"/datasets/{subject_of(run).pid}/process/xrd-map/"
    poni = run.inputs.get(role="geometry").dataset

    form = client.get(address)
    sent = client.post(
        address,
        {
            "input-geometry": str(poni.pid),
            "parameter-bins": "1000",
            "parameter-polarization": "0.95",
            "parameter-unit": "q_nm^-1",
        },
        follow=True,
    )

    assert "Made on 3 May 2026 by Ines" in text_of(form)
    assert "nothing had to run" in text_of(sent)
    assert sent.redirect_chain[0][0] == f"/processing-runs/{run.uuid}/"
    assert ProcessingRun.objects.count() == 1


def test_a_result_made_from_hidden_datasets_is_not_mentioned(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world)
    succeed(run, world)
    hidden = run.inputs.get(role="geometry").dataset
    scan = subject_of(run)
    guarded(scan, opens_on=date(2020, 1, 1), listed_on=date(2020, 1, 1))
    # The same bytes again, this time open: an equal digest gives an equal run key.
    copy = a_dataset(world, content="poni", is_open=True)
    Dataset.objects.filter(pk=copy.pk).update(digest=hidden.digest)
    page = client_of("sten").get(f"/datasets/{scan.pid}/process/xrd-map/")
    assert page.status_code == 200
    assert str(run.uuid) not in page.content.decode()


def test_launching_again_starts_from_the_choices_of_the_run(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world, bins=512, polarization=None)
    page = client_of("ines").get(
        f"/datasets/{subject_of(run).pid}/process/xrd-map/?from={run.uuid}"
    )
    html = page.content.decode()
    assert re.search(r'name="parameter-bins"[^>]*value="512"', html)
    assert not re.search(r'name="parameter-polarization"[^>]*value=', html)
    assert f'value="{run.inputs.get(role="geometry").dataset.pid}" selected' in html


@pytest.mark.parametrize("origin", ["x", "00000000-0000-0000-0000-000000000000"])
def test_a_run_that_is_not_there_fills_no_form(
    client_of: ClientOf, world: World, origin: str
) -> None:
    scan = a_dataset(world)
    a_recipe()
    page = client_of("ines").get(f"/datasets/{scan.pid}/process/xrd-map/?from={origin}")
    assert page.status_code == 404


def test_the_list_of_runs_is_filtered_by_state(client_of: ClientOf, world: World) -> None:
    queued, failed = a_run(world), a_run(world, bins=20)
    set_state(failed, "failed", started_at=timezone.now(), finished_at=timezone.now())
    client = client_of("ines")
    everything, some = (
        client.get(f"/processing-runs/{q}").content.decode() for q in ("", "?state=failed")
    )
    assert str(queued.uuid) in everything
    assert str(queued.uuid) not in some
    assert str(failed.uuid) in some
    assert "2 processing runs" in text_of(client.get("/processing-runs/?state=nonsense"))
    assert "No processing run is running" in text_of(client.get("/processing-runs/?state=running"))
    assert "No processing run" in text_of(client_of("sten").get("/processing-runs/"))


def test_the_list_of_runs_costs_the_same_for_one_and_many(
    client_of: ClientOf, world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for bins in range(10, 30):
        a_run(world, bins=bins)
    client = client_of("ines")
    with django_assert_max_num_queries(6):
        client.get("/processing-runs/")


def test_a_queued_run_names_its_place_and_offers_to_cancel(
    client_of: ClientOf, world: World
) -> None:
    a_run(world)
    run = a_run(world, bins=20)
    mine = client_of("ines").get(f"/processing-runs/{run.uuid}/")
    theirs = client_of("carlo").get(f"/processing-runs/{run.uuid}/")
    assert "queued Place 2 in the queue." in text_of(mine)
    assert "Refresh" in text_of(mine)
    assert ">Cancel</button>" in mine.content.decode()
    assert ">Cancel</button>" not in theirs.content.decode()
    assert client_of("sten").get(f"/processing-runs/{run.uuid}/").status_code == 404


def test_cancelling_is_for_whoever_asked_for_the_run(client_of: ClientOf, world: World) -> None:
    run = a_run(world)
    address = f"/processing-runs/{run.uuid}/cancel/"
    assert client_of("carlo").post(address).status_code == 403
    assert client_of("sten").post(address).status_code == 404
    assert client_of("ines").get(address).status_code == 405
    page = client_of("ines").post(address, follow=True)
    assert "cancelled" in text_of(page)
    again = client_of("ines").post(address, follow=True)
    assert again.status_code == 200
    assert "changes no more" in text_of(again)


@pytest.mark.parametrize(
    ("age", "interval"),
    [(timedelta(0), "2s"), (timedelta(minutes=5), "5s"), (timedelta(hours=1), "15s")],
)
def test_a_page_looks_again_more_rarely_the_longer_a_run_takes(
    client_of: ClientOf, world: World, age: timedelta, interval: str
) -> None:
    run = a_run(world)
    set_state(run, "running", started_at=timezone.now() - age, progress_done=1, progress_total=4)
    part = client_of("ines").get(f"/processing-runs/{run.uuid}/", headers=HTMX)
    assert f'hx-trigger="every {interval}"' in part.content.decode()
    assert "1 of 4" in text_of(part)


def test_a_final_state_ends_the_polling_and_shows_the_outputs(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world, bins=500)
    derived = succeed(run, world)
    client = client_of("carlo")
    address = f"/processing-runs/{run.uuid}/"
    part, page = client.get(address, headers=HTMX), client.get(address)
    assert part.status_code == 200
    assert "hx-trigger" not in part.content.decode()
    assert f'href="/datasets/{derived.pid}/"' in part.content.decode()
    assert "succeeded Finished 3 May 2026, 12:01:13 UTC after 1 min 13 s" in text_of(part)
    assert "Bins 500 changed; default 1000" in text_of(page)
    assert "Most memory 812 MB" in text_of(page)
    assert f"/process/xrd-map/?from={run.uuid}" in page.content.decode()


def test_changed_parameters_come_first(client_of: ClientOf, world: World) -> None:
    run = a_run(world, polarization=0.5)
    words = text_of(client_of("ines").get(f"/processing-runs/{run.uuid}/"))
    assert words.index("Polarization 0.5") < words.index("Bins 1000")


def test_nothing_new_is_told_in_a_few_bytes(client_of: ClientOf, world: World) -> None:
    run = a_run(world)
    client = client_of("ines")
    address = f"/processing-runs/{run.uuid}/"
    seen = {"If-None-Match": client.get(address, headers=HTMX).headers["ETag"]}
    assert client.get(address, headers=HTMX | seen).status_code == 304
    # Another person has other rights, and gets another answer.
    assert client_of("carlo").get(address, headers=HTMX | seen).status_code == 200
    set_state(run, "running", started_at=timezone.now())
    assert client.get(address, headers=HTMX | seen).status_code == 200


def test_a_screen_reader_hears_of_states_and_quarters_only(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world)
    set_state(run, "running", started_at=timezone.now(), progress_done=30, progress_total=100)
    client = client_of("ines")
    address = f"/processing-runs/{run.uuid}/"
    heard = client.get(f"{address}?said=running-1", headers=HTMX).content.decode()
    unheard = client.get(f"{address}?said=running-0", headers=HTMX).content.decode()
    assert 'announcement"' not in heard.replace("#announcement:", "")
    assert "Running, 30 % done" in unheard


def test_the_log_grows_by_what_is_new(client_of: ClientOf, world: World) -> None:
    run = a_run(world)
    for line in range(3):
        LogEntry.objects.create(processing_run=run, fence=1, level="info", text=f"line {line}")
    client = client_of("ines")
    address = f"/processing-runs/{run.uuid}/"
    new = client.get(f"{address}?after=2", headers=HTMX)
    assert "line 2" in text_of(new)
    assert "line 1" not in text_of(new)
    assert f"{address}?after=3" in new.content.decode()
    assert "line 0" in text_of(client.get(f"{address}?after=-1", headers=HTMX))
    set_state(run, "failed", finished_at=timezone.now())
    assert "hx-trigger" not in client.get(f"{address}?after=3", headers=HTMX).content.decode()


def test_a_long_log_shows_its_end(client_of: ClientOf, world: World) -> None:
    run = a_run(world)
    LogEntry.objects.bulk_create(
        LogEntry(processing_run=run, fence=1, level="info", text=f"line {n:04}") for n in range(600)
    )
    words = text_of(client_of("ines").get(f"/processing-runs/{run.uuid}/"))
    assert "The first 100 lines are left out." in words
    assert "line 0599" in words
    assert "line 0099" not in words


def test_a_failure_says_why_and_what_to_do_but_not_where(client_of: ClientOf, world: World) -> None:
    run = a_run(world)
    set_state(
        run,
        "failed",
        finished_at=timezone.now(),
        attempt=1,
        problem={
            "reason": "input",
            "code": "xrd-no-wavelength",
            "message": "The geometry names no wavelength.",
            "traceback": f"File {Path(world.folder)}/geometry.poni",
        },
    )
    response = client_of("ines").get(f"/processing-runs/{run.uuid}/")
    assert "The geometry names no wavelength. Mend the data or choose others" in text_of(response)
    assert str(world.folder) not in response.content.decode()


def test_an_expired_sign_in_reloads_the_page_instead_of_a_part(
    client_of: ClientOf, world: World
) -> None:
    run = a_run(world)
    part = client_of(None).get(f"/processing-runs/{run.uuid}/", headers=HTMX)
    assert part.status_code == 401
    assert part.headers["HX-Refresh"] == "true"


def test_a_preset_fills_the_form_and_its_values_are_to_be_seen(
    client_of: ClientOf, world: World
) -> None:
    coarse = Preset(description="A quick look", parameters={"bins": 20, "zigzag": True})
    a_recipe(a_manifest(presets={"coarse": coarse}))
    scan = a_dataset(world)
    geometry = a_dataset(world, content="poni", title="Geometry")
    client = client_of("ines")
    address = f"/datasets/{scan.pid}/process/xrd-map/"
    plain = client.get(address)
    assert "coarse A quick look: Bins 20, Zigzag yes" in text_of(plain)
    assert b'value="1000"' in plain.content
    filled = client.get(f"{address}?preset=coarse")
    assert b'value="20"' in filled.content
    assert b'href="?preset=coarse"' in filled.content
    assert b'aria-current="true"' in filled.content
    sent = {
        "input-geometry": str(geometry.pid),
        "parameter-bins": "20",
        "parameter-polarization": "0.95",
        "parameter-unit": "q_nm^-1",
        "parameter-zigzag": "on",
    }
    client.post(f"{address}?preset=coarse", sent)
    run = ProcessingRun.objects.get()
    assert run.parameters == {"bins": 20, "polarization": 0.95, "unit": "q_nm^-1", "zigzag": True}
    assert b'value="1000"' in client.get(f"{address}?preset=none-such").content
    assert "coarse A quick look: Bins 20, Zigzag yes" in text_of(client.get("/recipes/xrd-map/"))
