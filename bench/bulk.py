"""Datasets in calls of 500 through real HTTP, read back one by one and compared."""

import hashlib
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
from django.db import connection

from catalogue.models import (
    EmbargoPolicy,
    Facility,
    Instrument,
    Membership,
    Proposal,
    Store,
    Technique,
    User,
)
from catalogue.tokens import make_token
from config.settings import BASE

PER_CALL = 500
_PATIENCE_S = 60.0
_ELEMENTARY_CHARGE = 1.602176634e-19

# Name, unit, and what one of it is in SI base units.
_QUANTITIES = (
    ("photon_energy", "keV", 1e3 * _ELEMENTARY_CHARGE),
    ("sample.temperature", "K", 1.0),
    ("detector.distance", "mm", 1e-3),
    ("exposure_time", "ms", 1e-3),
)
_MODES = ("fly scan", "step scan", "time series")


def measure(folder: Path, datasets: int) -> dict[str, Any]:
    """Register datasets, and say how many a second, with what memory, and whether all is true."""
    store = folder / "raw"
    secret = _set_stage(store)
    sent = _write_files(store, datasets)
    bodies = [json.dumps(sent[at : at + PER_CALL]) for at in range(0, datasets, PER_CALL)]
    with web_server(folder) as (address, process), httpx.Client(timeout=60) as client:
        client.headers.update(
            {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        )
        seconds, memory = [], []
        for number, body in enumerate(bodies):
            begun = time.perf_counter()
            answer = client.post(
                f"{address}/api/v1/datasets/bulk/",
                content=body,
                headers={"Idempotency-Key": f"call {number}"},
            )
            seconds.append(time.perf_counter() - begun)
            assert answer.status_code == 201, answer.text  # noqa: S101 - a benchmark of nothing else
            memory.append(_resident_mib(process))
    return {
        "bulk_datasets": datasets,
        "bulk_per_s": round(datasets / sum(seconds)),
        "bulk_call_p95_ms": round(1000 * sorted(seconds)[int(0.95 * len(seconds))]),
        "bulk_first_half_per_s": round(_rate(seconds[: len(seconds) // 2])),
        "bulk_second_half_per_s": round(_rate(seconds[len(seconds) // 2 :])),
        "server_peak_mib": round(max(memory)),
        "server_growth_mib": round(memory[-1] - memory[len(memory) // 4], 1),
        "bulk_equal": _read_back() == _expect(sent),
    }


def _rate(seconds: list[float]) -> float:
    return PER_CALL * len(seconds) / sum(seconds) if seconds else 0


def _set_stage(store: Path) -> str:
    """Make a facility and somebody who registers; return the secret of their token."""
    facility = Facility.objects.create(slug="bench", name="Bench", timezone="Europe/Paris")
    policy = EmbargoPolicy.objects.create(
        slug="default", months=36, starts_with="dataset.end_time", licence="CC-BY-4.0"
    )
    instrument = Instrument.objects.create(slug="id13", name="ID13", facility=facility)
    Store.objects.create(slug="raw", kind="posix", root=str(store), read_only=True)
    products = store.parent / "products"
    products.mkdir()
    Store.objects.create(slug="products", kind="posix", root=str(products))
    for number in range(20):
        proposal = Proposal.objects.create(
            facility=facility, number=f"hg-{number}", title=f"Proposal {number}", policy=policy
        )
        leader = User.objects.create(username=f"pi-{number}", full_name=f"Leader {number}")
        Membership.objects.create(person=leader, proposal=proposal, role="pi")
    for pid, name in (("PaNET01101", "x-ray powder diffraction"), ("PaNET01188", "SAXS")):
        Technique.objects.get_or_create(pid=pid, defaults={"name": name})
    person = User.objects.create(username="ivo", full_name="Ivo")
    instrument.staff.add(person)
    return make_token(person, "bench", ["read", "ingest"], 1).secret


def _write_files(store: Path, datasets: int) -> list[dict[str, Any]]:
    """Write a small file for each dataset; return what a machine would say of them."""
    chance = random.Random(1)  # noqa: S311 - numbers, no secrets
    said = []
    for number in range(datasets):
        folder = f"hg-{number % 20}/{number // 1000:05d}"
        (store / folder).mkdir(parents=True, exist_ok=True)
        body = f"frames of scan {number}".encode()
        name = f"scan_{number:07d}.h5"
        (store / folder / name).write_bytes(body)
        said.append(_say(number, folder, name, body, chance))
    return said


def _say(number: int, folder: str, name: str, body: bytes, chance: random.Random) -> dict[str, Any]:
    start = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=7 * number)
    parameters: list[dict[str, Any]] = [
        {"name": key, "value": chance.uniform(0.1, 1000), "unit": unit}
        for key, unit, _ in _QUANTITIES
    ]
    return {
        "instrument": "id13",
        "source_id": f"acquisition {number}",
        "title": f"Scan {number} of sample {number % 97}",
        "proposal": f"hg-{number % 20}",
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(minutes=5)).isoformat(),
        "store": "raw",
        "prefix": folder,
        "files": [
            {
                "path": name,
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
                "media_type": "application/x-hdf5",
            }
        ],
        "parameters": [*parameters, {"name": "mode", "value": chance.choice(_MODES)}],
        "samples": [{"name": f"sample {number % 97}", "chemical_formula": "CeO2"}],
        "techniques": [("PaNET01101", "PaNET01188")[number % 2]],
    }


@contextmanager
def web_server(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Serve the site as a facility would, by one process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "1", "config.wsgi"),
    ]
    address = f"http://127.0.0.1:{port}"
    with (folder / "web.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=BASE, stdout=log, stderr=log)  # noqa: S603 - our own
    try:
        _wait_until_ready(address)
        yield address, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(_PATIENCE_S)


def _wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{address}/sign-in/", timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    sys.exit("The web server does not answer; web.log in the folder of the benchmark says why.")


def _resident_mib(process: psutil.Process) -> float:
    """Add up the memory of the web server's processes."""
    family = [process, *process.children(recursive=True)]
    return sum(one.memory_info().rss for one in family) / (1 << 20)


_SLOW = """
SELECT d.source_id, i.slug, d.title, p.number, d.start_time, d.end_time, s.slug, f.key, f.path,
    f.size, f.sha256, f.media_type, d.size, sample.name, t.pid,
    (SELECT json_agg(json_build_array(k.name, q.number, q.text, q.unit, q.si_number)
            ORDER BY q.id)
        FROM catalogue_parameter AS q JOIN catalogue_parameterkey AS k ON k.id = q.key_id
        WHERE q.dataset_id = d.id)
FROM catalogue_dataset AS d
JOIN catalogue_instrument AS i ON i.id = d.instrument_id
JOIN catalogue_datafile AS f ON f.dataset_id = d.id
JOIN catalogue_store AS s ON s.id = f.store_id
JOIN catalogue_guard AS g ON g.dataset_id = d.id
JOIN catalogue_proposal AS p ON p.id = g.proposal_id
JOIN catalogue_dataset_samples AS ds ON ds.dataset_id = d.id
JOIN catalogue_sample AS sample ON sample.id = ds.sample_id AND sample.proposal_id = p.id
JOIN catalogue_dataset_techniques AS dt ON dt.dataset_id = d.id
JOIN catalogue_technique AS t ON t.id = dt.technique_id
JOIN catalogue_listing AS l ON l.dataset_id = d.id AND l.words @@ plainto_tsquery('simple', %s)
"""


def _read_back() -> list[tuple[Any, ...]]:
    """Read all that is there by plain SQL, with every number as text of full precision."""
    with connection.cursor() as cursor:
        cursor.execute(_SLOW, ["scan"])
        rows = [(*row[:-1], _round(row[-1])) for row in cursor.fetchall()]
    return sorted(rows)


def _round(quantities: Any) -> list[tuple[Any, ...]]:
    """Give numbers in SI units 12 digits: the factors here are another way to them."""
    found = json.loads(quantities) if isinstance(quantities, str) else quantities
    return [(*row[:-1], None if row[-1] is None else f"{row[-1]:.11e}") for row in found]


def _expect(sent: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    factors = {name: factor for name, _, factor in _QUANTITIES}
    rows = []
    for one in sent:
        (file,) = one["files"]
        quantities: list[tuple[Any, ...]] = [
            (it["name"], it["value"], "", it["unit"], it["value"] * factors[it["name"]])
            for it in one["parameters"][:-1]
        ]
        mode = one["parameters"][-1]
        quantities.append((mode["name"], None, mode["value"], "", None))
        rows.append(
            (
                one["source_id"], one["instrument"], one["title"], one["proposal"],
                datetime.fromisoformat(one["start_time"]), datetime.fromisoformat(one["end_time"]),
                one["store"], f"{one['prefix']}/{file['path']}", file["path"], file["size"],
                file["sha256"], file["media_type"], file["size"], one["samples"][0]["name"],
                one["techniques"][0], _round(quantities),
            )
        )  # fmt: skip
    return sorted(rows)
