"""
``make bench-overhead``: what the engine adds to a trivial step; the last line is JSON.

The same step, two numbers added, in Palimpsest, AiiDA and Dagster, in one run. Ours and
AiiDA's CalcJob are a process of their own for each step; AiiDA's calcfunction and Dagster
in process are not, and are compared with ours all the same.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from bench.overhead.environment import Peers

_PEERS = ("aiida", "dagster")
_WANTED = {
    "submit_running_ms": 200,
    "submit_finished_ms": 300,
    "reuse_ms": 10,
    "reuse_rest_ms": 50,
}


def main() -> None:
    folder = Path(os.environ["PALIMPSEST_DATA"]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update({f"PALIMPSEST_RATE_{who}": "1000000000" for who in ("PERSON", "TOKEN")})
    peers = Peers(folder)
    peers.install()
    before = [peers.ask(name) for name in _PEERS]
    _begin()
    ours, dask, floor = _measure(folder)
    # Before and after ours, and the better of both: the machine may have been busy meanwhile.
    aiida, dagster = (
        _better(known, peers.ask(name)) for name, known in zip(_PEERS, before, strict=True)
    )
    _print_side_by_side(ours, dask, aiida, dagster, floor)
    print(json.dumps(_summary(ours, dask, aiida, dagster, floor)))


def _better(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return one | {name: min(one[name], other[name]) for name in one if name.endswith("_ms")}


def _measure(folder: Path) -> tuple[dict[str, Any], dict[str, Any], float]:
    from bench.overhead import claiming  # noqa: PLC0415 - needs Django, set up
    from bench.overhead.ours import Ours, clean_up, floor_ms, worker  # noqa: PLC0415 - the same

    answers = []
    for engine in ("dask", "in-process"):
        clean_up()
        ours = Ours(folder)
        with worker(engine):
            found = ours.measure_latency()
            found["per_minute"] = round(ours.measure_rate())
        answers.append(found)
    found["reuse_ms"] = ours.measure_reuse()
    found["reuse_rest_ms"] = ours.measure_reuse_by_rest(folder)
    found["claim"] = claiming.measure(ours.submit(-1))
    dask, in_process = answers
    return in_process, dask, floor_ms(folder)


def _summary(
    ours: dict[str, Any],
    dask: dict[str, Any],
    aiida: dict[str, Any],
    dagster: dict[str, Any],
    floor: float,
) -> dict[str, Any]:
    finished = ours["submit_finished_ms"]
    shared = len(aiida["sums"])
    expected = [1000 + number for number in range(shared)]
    return {
        **{name: ours[name] for name in _WANTED},
        "submit_computing_ms": ours["submit_computing_ms"],
        "per_minute": ours["per_minute"],
        "aiida_ratio": {
            "calcfunction": round(aiida["calcfunction_ms"] / finished, 2),
            "cached": round(aiida["cached_ms"] / ours["reuse_ms"], 2),
            "calcjob": round(aiida["calcjob_ms"] / finished, 2),
        },
        "dagster_ratio": {"in_process": round(dagster["in_process_ms"] / finished, 2)},
        "claim": ours["claim"],
        "dask": {name: value for name, value in dask.items() if name != "sums"},
        "floor_ms": floor,
        "floor_ratio": round(finished / floor, 2),
        "equal": all(
            found[:shared] == expected
            for found in (ours["sums"], dask["sums"], aiida["sums"], aiida["job_sums"],
                          dagster["sums"])
        )
        and set(aiida["cached_sums"]) == {1000},
    }  # fmt: skip


def _print_side_by_side(
    ours: dict[str, Any],
    dask: dict[str, Any],
    aiida: dict[str, Any],
    dagster: dict[str, Any],
    floor: float,
) -> None:
    for name, wanted in _WANTED.items():
        say(f"{name:20}{ours[name]:8.1f} ms   wanted {wanted}")
    say(f"{'through Dask':20}{dask['submit_finished_ms']:8.1f} ms   submit to finished")
    say(f"{'per minute':20}{ours['per_minute']:8d}      wanted 300, one worker, one slot")
    claim = ours["claim"]
    say(f"{'claim':20}{claim['claim_ms']:8.1f} ms   wanted 5, of {claim['queued']:,} in the queue")
    say(f"{'AiiDA calcfunction':20}{aiida['calcfunction_ms']:8.1f} ms   no process of its own")
    say(f"{'AiiDA CalcJob':20}{aiida['calcjob_ms']:8.1f} ms   polls set to 0 s")
    say(f"{'AiiDA cached':20}{aiida['cached_ms']:8.1f} ms")
    say(f"{'Dagster in process':20}{dagster['in_process_ms']:8.1f} ms   no process of its own")
    say(f"{'bare interpreter':20}{floor:8.1f} ms   the floor")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _begin() -> None:
    from manage import prepare  # noqa: PLC0415 - reads the settings

    prepare()
    import django  # noqa: PLC0415 - the same
    from django.core.management import call_command  # noqa: PLC0415 - the same

    django.setup()
    logging.disable(logging.INFO)  # a line for each call is not what is measured
    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
