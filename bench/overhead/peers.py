"""
The same trivial step in AiiDA and Dagster, each as fast as it can be told to be.

Runs in an environment of its own, which knows nothing of Palimpsest. The last line is one
JSON object: medians in milliseconds and the sums found.
"""
# ruff: noqa: PLC0415 - each is imported only when it is its turn

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMES = 15


def median_ms(act: Callable[[int], Any]) -> tuple[float, list[int]]:
    """Return the median of some calls after a first one that warms up, and their answers."""
    seconds, answers = [], []
    for number in range(TIMES + 1):
        begun = time.perf_counter()
        answer = act(number)
        seconds.append(time.perf_counter() - begun)
        answers.append(int(answer))
    return 1000 * statistics.median(seconds[1:]), answers


def ask_aiida(folder: Path) -> dict[str, Any]:
    os.environ["AIIDA_PATH"] = str(folder)
    from aiida import engine, load_profile, orm
    from aiida.manage.caching import enable_caching
    from aiida.plugins import CalculationFactory

    load_profile()
    from aiida_step import add

    computer = _localhost(orm, folder)
    code = orm.InstalledCode(
        label=f"bash-{time.time_ns()}", computer=computer, filepath_executable="/bin/bash",
        default_calc_job_plugin="core.arithmetic.add",
    ).store()  # fmt: skip

    def call(number: int) -> int:
        return add(orm.Int(number), orm.Int(1000)).value

    def cached(_: int) -> int:
        with enable_caching():
            return add(orm.Int(0), orm.Int(1000)).value

    def job(number: int) -> int:
        inputs = {"x": orm.Int(number), "y": orm.Int(1000), "code": code}
        inputs["metadata"] = {"options": {"resources": {"num_machines": 1}}}
        return engine.run(CalculationFactory("core.arithmetic.add"), **inputs)["sum"].value

    found: dict[str, Any] = {}
    found["calcfunction_ms"], found["sums"] = median_ms(call)
    found["cached_ms"], found["cached_sums"] = median_ms(cached)
    found["calcjob_ms"], found["job_sums"] = median_ms(job)
    return found


def _localhost(orm: Any, folder: Path) -> Any:
    """Return this machine as AiiDA sees it, told never to wait between two looks."""
    from aiida.common.exceptions import NotExistent

    try:
        computer = orm.load_computer("localhost")
    except NotExistent:
        computer = orm.Computer(
            label="localhost", hostname="localhost", transport_type="core.local",
            scheduler_type="core.direct", workdir=str(folder / "work"),
        ).store()  # fmt: skip
        computer.configure()
    computer.set_minimum_job_poll_interval(0.0)
    computer.configure(safe_interval=0.0)
    return computer


def ask_dagster(folder: Path) -> dict[str, Any]:
    import dagster

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    instance = dagster.DagsterInstance.from_config(str(folder))

    @dagster.op(config_schema={"a": int, "b": int})
    def add(context) -> int:  # type: ignore[no-untyped-def]  # Dagster reads the signature
        return context.op_config["a"] + context.op_config["b"]

    @dagster.job
    def adding() -> None:
        add()

    def call(number: int) -> int:
        config = {
            "ops": {"add": {"config": {"a": number, "b": 1000}}},
            "loggers": {"console": {"config": {"log_level": "ERROR"}}},
        }
        result = adding.execute_in_process(run_config=config, instance=instance)
        return int(result.output_for_node("add"))

    found: dict[str, Any] = {}
    found["in_process_ms"], found["sums"] = median_ms(call)
    return found


if __name__ == "__main__":
    here = Path(sys.argv[1])
    if sys.argv[2] == "aiida":
        print(json.dumps(ask_aiida(here / "aiida")))
    else:
        print(json.dumps(ask_dagster(here / "dagster")))
