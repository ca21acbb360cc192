"""
Look for bytes on which our decoder of LZ4 and the reference differ.

``python -m tests.fuzzing --seconds 3600``; the last line is one JSON object. What is found is
kept in FOLDER: ``corpus`` goes on from run to run, ``findings`` are inputs to be repaired.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzzing.seeds import MOST, seeds

_SLACK_SECONDS = 60  # to start, to end the last input, to replay


def main() -> int:
    arguments = _arguments()
    corpus, findings = arguments.folder / "corpus", arguments.folder / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    began = time.monotonic()
    executions = _search(corpus, findings, arguments.seconds)
    seconds = round(time.monotonic() - began)  # it ends with the first finding
    replayed, different = _replay(corpus)
    found = sorted(file.name for file in findings.iterdir()) + different
    answer = {
        "seconds": seconds,
        "executions": executions,
        "corpus": replayed,
        "findings": found,
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    return bool(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--folder", type=Path, default=Path("var/fuzzing"))
    return parser.parse_args()


def _search(corpus: Path, findings: Path, seconds: int) -> int:
    """Fuzz for some time; return how many inputs were tried."""
    options = (f"-max_total_time={seconds}", f"-max_len={MOST + 64}", "-print_final_stats=1")
    command = (sys.executable, "-m", "tests.fuzzing.guided", str(corpus), *options)
    child = subprocess.run(
        [*command, f"-artifact_prefix={findings}/"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},  # noqa: TID251 - the child's environment, not a setting
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=seconds + _SLACK_SECONDS,
    )
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", child.stderr)
    if tried is None or child.returncode:
        sys.stderr.write(child.stderr[-4000:])
    if tried is None:
        raise SystemExit("The fuzzer did not run to its end; what it said stands above.")
    return int(tried[1])


def _replay(corpus: Path) -> tuple[int, list[str]]:
    """Let the compiled decoder do it all again; return how many inputs, and which differ."""
    command = [sys.executable, "-m", "tests.fuzzing.replaying", str(corpus)]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode:
        raise SystemExit(f"The compiled decoder ended its process: {child.returncode}.")
    answer = json.loads(child.stdout)
    return answer["replayed"], answer["different"]


if __name__ == "__main__":
    raise SystemExit(main())
