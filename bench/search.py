"""
``make bench-search``: how long people wait; the last line is one JSON object.

For each size a catalogue of its own is loaded once into ``PALIMPSEST_DATA`` and asked by a
process of its own, through Django's handler: addresses in, pages and JSON out.
"""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_ASKED, _ASKED_OF_SMALL = 100, 20  # questions of each kind, by each of two people
_CHECKED = {10_000: 40, 100_000: 12, 1_000_000: 6}  # with the plain query, which is slow
_CHECKED_OF_SMALL = 5
_LIMITS_MS = {
    "facet_page": 300,
    "first_page": 50,
    "rare_word": 30,
    "numeric": 50,
    "dataset_page": 60,
    "suggest": 50,
}
_LARGEST = 1_000_000


def main() -> None:
    folder = Path(os.environ["PALIMPSEST_DATA"]).absolute()
    largest = int(os.environ.get("N") or _LARGEST)
    sizes = sorted({max(largest // 100, 10_000), max(largest // 10, 10_000), largest})
    answers = [_ask_in_child(folder, size, is_small=largest < _LARGEST) for size in sizes]
    _print_growth(answers)
    print(json.dumps(_summary(answers)))


def _ask_in_child(folder: Path, size: int, *, is_small: bool) -> dict[str, Any]:
    """Measure one size in a process of its own, with its own server; small takes a minute."""
    environment = {
        **os.environ,
        "PALIMPSEST_DATA": str(folder / str(size)),
        "PALIMPSEST_SECRET_KEY": "only for a benchmark",
        **{f"PALIMPSEST_RATE_{who}": "1000000000" for who in ("PERSON", "ANONYMOUS")},
    }
    command = [sys.executable, "-m", "bench.search", str(size), *["small"][:is_small]]
    child = subprocess.run(  # noqa: S603 - ourselves
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(child.stdout.splitlines()[-1]))


def measure(datasets: int, *, is_small: bool) -> dict[str, Any]:
    """Load a catalogue if it is not there, ask it, and compare with plain answers."""
    from bench import million  # noqa: PLC0415 - needs Django, set up
    from bench.asking import ask_all, check_answers  # noqa: PLC0415 - the same

    if not million.is_loaded(datasets):
        begun = time.perf_counter()
        million.load(datasets)
        _say(f"{datasets:,} datasets loaded in {time.perf_counter() - begun:.0f} s")
    figures = ask_all(datasets, _ASKED_OF_SMALL if is_small else _ASKED)
    checked = _CHECKED_OF_SMALL if is_small else _CHECKED.get(datasets, 12)
    return {"datasets": datasets, **figures, "equal": check_answers(datasets, checked)}


def _print_growth(answers: list[dict[str, Any]]) -> None:
    _say(f"{'p95, ms':22}" + "".join(f"{answer['datasets']:>12,}" for answer in answers))
    for kind, limit in _LIMITS_MS.items():
        for what in ("ours", "floor"):
            row = "".join(f"{answer[kind][what]:12.1f}" for answer in answers)
            _say(f"{kind + ', ' + what:22}{row}" + (f"   wanted {limit}" if what == "ours" else ""))
    row = "".join(f"{answer['deep_page']['ours']:12.1f}" for answer in answers)
    _say(f"{'deep page, ours':22}{row}   wanted as the first page")


def _summary(answers: list[dict[str, Any]]) -> dict[str, Any]:
    last = answers[-1]
    return {
        "datasets": last["datasets"],
        **{f"{kind}_p95_ms": round(last[kind]["ours"], 1) for kind in _LIMITS_MS},
        "deep_page_p95_ms": round(last["deep_page"]["ours"], 1),
        "floor_p95_ms": {kind: round(last[kind]["floor"], 1) for kind in _LIMITS_MS},
        "floor_ratio_max": round(
            max(last[kind]["ours"] / last[kind]["floor"] for kind in _LIMITS_MS), 2
        ),
        "growth": {
            kind: [round(answer[kind]["ours"], 1) for answer in answers] for kind in _LIMITS_MS
        },
        "equal": all(answer["equal"] for answer in answers),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _begin() -> None:
    from manage import prepare  # noqa: PLC0415 - reads the settings

    prepare()
    import django  # noqa: PLC0415 - the same
    from django.core.management import call_command  # noqa: PLC0415 - the same

    django.setup()
    logging.disable(logging.INFO)  # a line for each call is not what is measured
    call_command("migrate", verbosity=0)
    from catalogue.techniques import load_shipped  # noqa: PLC0415 - the same

    load_shipped()
    from config.wsgi import warm_up  # noqa: PLC0415 - the same

    warm_up()  # as each process of the server does


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        _begin()
        print(json.dumps(measure(int(sys.argv[1]), is_small=sys.argv[2:] == ["small"])))
