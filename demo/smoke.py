"""
``python -m demo.smoke``: the demo's main job without a person.

In a fresh data folder: set the stage, start the services, wait, then look at everything
over REST as a stranger and as a member of the team would. The last line is one JSON
object; the exit status is 1 if anything is missing.
"""

import hashlib
import json
import logging
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from django.db import connection

from config.database import leave
from demo.services import Services
from demo.stage import PASSWORD, Stage

_PATIENCE_S = 240.0


class MissingError(Exception):
    """Something that a user of the demo would miss."""


def main() -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="palimpsest-smoke-") as folder:
        stage = Stage(Path(folder), _say)
        stage.set()
        port = _free_port()
        services = Services(port, Path(folder) / "services.log", _say)
        services.start()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        try:
            stage.wait_for_product(threading.Event(), _PATIENCE_S)
            report = look(f"http://127.0.0.1:{port}/api/v1/")
        except (MissingError, httpx.HTTPError) as error:
            _say(f"Missing: {error}")
            _say((Path(folder) / "services.log").read_text()[-4000:])
            return 1
        finally:
            services.stop()
            connection.close()
            has_stopped = leave(Path(folder))
    if not has_stopped:
        _say("Missing: the database did not stop.")
        return 1
    report["seconds"] = round(time.monotonic() - started, 1)
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def look(address: str) -> dict[str, Any]:
    """
    Check over REST what the demo promises.

    Raises
    ------
    MissingError
        Naming what is not there.
    """
    with (
        httpx.Client(base_url=address, timeout=30) as stranger,
        httpx.Client(base_url=address, timeout=30, auth=("ines", PASSWORD)) as ines,
    ):
        _until_answering(stranger)
        raw = _all(ines, "datasets/?kind=raw")
        maps = _all(ines, "datasets/?content=xrd-map")
        _need(len(raw) == 7, f"seven raw datasets, not {len(raw)}")
        offered = {recipe["name"] for recipe in _all(ines, "recipes/")}
        _need("detector-calibration" in offered, "the notebook of detector-calibration")
        _need(len(maps) == 1, f"one map, not {len(maps)}")
        seen = {dataset["content"] for dataset in _all(stranger, "datasets/")}
        _need(seen == {"euxfel-run"}, f"a stranger sees open data only, not {seen}")
        product = ines.get(f"datasets/{maps[0]['pid']}/").raise_for_status().json()
        _need(stranger.get(f"datasets/{product['pid']}/").status_code == 404, "a closed map")
        _check_lineage(ines, product)
        _check_bytes(ines, product)
        runs = _all(ines, "processing-runs/")
        _need([run["state"] for run in runs] == ["succeeded"], "one run that succeeded")
        run = ines.get(f"processing-runs/{runs[0]['uuid']}/").raise_for_status().json()
        copies = [copy for output in run["outputs"] for copy in output["copies"]]
        _need([copy["state"] for copy in copies] == ["archived"], "one archived dataset")
        _check_reuse(ines, run)
        return {
            "datasets": len(raw) + len(maps),
            "processing_runs": len(runs),
            "products": len(_all(ines, "products/")),
            "archived_files": sum(copy["files_done"] for copy in copies),
        }


def _check_lineage(client: httpx.Client, product: dict[str, Any]) -> None:
    lineage = client.get(f"datasets/{product['pid']}/lineage/").raise_for_status().json()
    used = {edge["role"] for edge in lineage["origin"]["used"]}
    _need(used == {"scan", "geometry"}, f"a map made of scan and geometry, not {used}")


def _check_bytes(client: httpx.Client, product: dict[str, Any]) -> None:
    for file in _all(client, f"datasets/{product['pid']}/files/"):
        body = client.get(f"files/{file['uuid']}/content/").raise_for_status().content
        found = hashlib.sha256(body).hexdigest()
        _need(found == file["sha256"], f"the bytes of {file['path']}")


def _check_reuse(client: httpx.Client, run: dict[str, Any]) -> None:
    again = client.post(
        "processing-runs/",
        json={
            "recipe": run["recipe"],
            "inputs": run["inputs"],
            "parameters": run["parameters"],
        },
    ).raise_for_status()
    _need(again.json()["outcome"] == "reused", "the known result for the same wish")


def _all(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    address: str | None = path
    while address:
        page = client.get(address).raise_for_status().json()
        rows += page["results"]
        address = page["next"]
    return rows


def _until_answering(client: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.get("datasets/").raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
        else:
            return


def _need(condition: Any, what: str) -> None:
    if not condition:
        raise MissingError(what)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
