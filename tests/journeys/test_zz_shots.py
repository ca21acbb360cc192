import hashlib
import io
import os
from datetime import timedelta
from pathlib import Path

import numpy as np
from django.utils import timezone
from PIL import Image

from catalogue.models import *
from catalogue.registration import *
from catalogue.storage.content import content_key, keep_bytes
from processing.models import *
from processing.submission import *
from tests.builders import *
from tests.journeys.conftest import sign_in

OUT = Path(os.environ.get("SHOTS", "/tmp/lab/shots"))


def picture(world, seed, size=(320, 240)):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    r = np.hypot(x - 100 - seed * 10, y - 150)
    a = (
        (np.exp(-(((r % 60) - 30) ** 2) / 20) * 200 + rng.poisson(12, r.shape))
        .clip(0, 255)
        .astype("u1")
    )
    out = io.BytesIO()
    Image.fromarray(a).save(out, "PNG")
    body = out.getvalue()
    sha = hashlib.sha256(body).hexdigest()
    keep_bytes(Path(world.products.root), body, sha)
    return sha, len(body)


def fill(world):
    t = a_technique()
    from processing.recipes.xrd_map import xrd_map

    recipe = a_recipe(xrd_map.manifest)
    scans = []
    for n, title in enumerate(
        [
            "Blue pigment, upper left corner",
            "Lead white, ground layer",
            "Fragment of a painting",
            "Vermilion over red lake, cross-section 7",
            "LaB6 calibrant, 300 mm",
        ]
    ):
        d = a_dataset(
            world,
            title=title,
            is_open=n % 2 == 0,
            sample=["Lapis fragment", "Lead white", "Lapis fragment", "Section 7", "LaB6"][n],
            technique=t.pid,
            parameters={
                "photon_energy": (12.7, "keV"),
                "sample.temperature": (295.15, "K"),
                "detector.distance": (0.3021, "m"),
                "detector.name": ("eiger4m", ""),
                "flux": (3.2e11, "1/s"),
                "scan_shape": ("40 60", ""),
            },
        )
        sha, _ = picture(world, n)
        Dataset.objects.filter(pk=d.pk).update(thumbnail=sha)
        scans.append(d)
    poni = a_dataset(world, title="Geometry of LaB6, 300 mm", content="poni", is_open=True)
    sub = submit(world.ines, recipe, {"scan": [scans[0]], "geometry": [poni]}, {"bins": 500})
    run = sub.processing_run
    now = timezone.now()
    for i in range(30):
        LogEntry.objects.create(
            processing_run=run,
            fence=1,
            level="warning" if i == 4 else "info",
            text=f"frame {i * 80}: integrated 80 frames in 0.4 s with (full, csr, cython)",
        )
    sha, size = picture(world, 3, (900, 600))
    f = [
        DerivedFile(
            "map.nxs",
            18_345_223,
            hashlib.sha256(b"x").hexdigest(),
            "application/x-hdf5",
            "k/map.nxs",
        ),
        DerivedFile("preview.png", size, sha, "image/png", content_key(sha)),
    ]
    act = register_derived(
        ActivityRecord(
            title=f"{recipe.title}: {scans[0].title}",
            used={"scan": [scans[0]], "geometry": [poni]},
            generated=[
                DerivedDataset(
                    "result", "xrd-map", f"xrd-map of {scans[0].title}", f, "d" * 64, thumbnail=sha
                )
            ],
            store=world.products,
            recipe="xrd-map",
            version="1.0.0",
            run_key=run.run_key,
            key_document=run.key_document,
            person=world.ines,
            ended_at=now,
        )
    )
    ProcessingRun.objects.filter(pk=run.pk).update(
        state="succeeded",
        attempt=1,
        started_at=now - timedelta(seconds=73),
        finished_at=now,
        activity=act,
        progress_done=2400,
        progress_total=2400,
        usage={"seconds": 73, "cpu_seconds": 128.4, "peak_memory_bytes": 812_000_000},
    )
    derived = Dataset.objects.get(generated_by__activity=act)
    ArchiveCopy.objects.create(
        dataset=derived, store=world.archive, state="archived", archived_at=now
    )
    running = submit(
        world.ines,
        recipe,
        {"scan": [scans[1]], "geometry": [poni]},
        {"bins": 500, "unit": "q_A^-1"},
    ).processing_run
    ProcessingRun.objects.filter(pk=running.pk).update(
        state="running",
        attempt=1,
        lease_until=now + timedelta(seconds=60),
        started_at=now,
        progress_done=700,
        progress_total=2400,
        stage="integrating",
    )
    failed = submit(world.ines, recipe, {"scan": [scans[2]], "geometry": [poni]}, {}).processing_run
    ProcessingRun.objects.filter(pk=failed.pk).update(
        state="failed",
        attempt=1,
        started_at=now,
        finished_at=now,
        problem={
            "reason": "input",
            "code": "xrd-no-wavelength",
            "message": "Geometry of LaB6 names no wavelength, which unit q_nm^-1 needs. Add Wavelength to the PONI file, or choose 2th_deg.",
        },
    )
    queued = submit(world.ines, recipe, {"scan": [scans[3]], "geometry": [poni]}, {}).processing_run
    return dict(
        list="/",
        listnone="/?q=quartz&kind=raw",
        dataset=f"/datasets/{scans[0].pid}/",
        derived=f"/datasets/{derived.pid}/",
        dproc=f"/datasets/{scans[0].pid}/processing/",
        launch=f"/datasets/{scans[1].pid}/process/xrd-map/",
        relaunch=f"/datasets/{scans[0].pid}/process/xrd-map/?from={run.uuid}",
        known=f"/datasets/{scans[0].pid}/process/xrd-map/",
        runs="/processing-runs/",
        run=f"/processing-runs/{run.uuid}/",
        running=f"/processing-runs/{running.uuid}/",
        failed=f"/processing-runs/{failed.uuid}/",
        queued=f"/processing-runs/{queued.uuid}/",
        recipes="/recipes/",
        recipe="/recipes/xrd-map/",
        problems="/problems/",
        nopage="/nowhere/",
        nodata=f"/datasets/{run.uuid}/",
    )


def test_shots(browse, world):
    OUT.mkdir(exist_ok=True)
    urls = fill(world)
    only = os.environ.get("ONLY", "").split()
    for width, dark in [(1280, False), (1280, True), (390, False)]:
        page = browse(width=width, dark=dark)
        if not only or "signin" in only:
            page.goto("/sign-in/?next=/recipes/")
            page.screenshot(path=OUT / f"signin-{width}-{'d' if dark else 'l'}.png")
        sign_in(page)
        for name, url in urls.items():
            if only and name not in only:
                continue
            page.goto(url)
            page.wait_for_timeout(350)
            page.screenshot(path=OUT / f"{name}-{width}-{'d' if dark else 'l'}.png", full_page=True)
            w = page.evaluate("document.documentElement.scrollWidth")
            if w > width:
                print("SIDEWAYS", name, width, w)
        page.context.close()
