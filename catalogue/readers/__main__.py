"""
``python -m catalogue.readers PATH``: one JSON object per line on standard output.

First ``{"progress": [done, total]}`` in bytes, at last ``{"description": {...}}`` or
``{"refused": {"code", "message", "file"}}``.
"""

import json
import resource
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from catalogue.errors import RefusedFileError
from catalogue.hdf5.findings import refused
from catalogue.readers.choice import read

STEPS = 200  # progress is told at most so often


class _Teller:
    """Tell progress when it is worth a line."""

    def __init__(self) -> None:
        self._told = -1

    def __call__(self, done: int, total: int) -> None:
        step = STEPS * done // total if total else STEPS
        if step != self._told:
            self._told = step
            _say({"progress": [done, total]})


def main(arguments: Sequence[str] | None = None) -> int:
    """Describe one file or folder; return 0 also when it is refused."""
    options = _parse(arguments)
    _limit(resource.RLIMIT_AS, options.memory)
    _limit(resource.RLIMIT_CPU, options.seconds)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        found = read(options.path, progress=_Teller(), required=tuple(options.required))
    except RefusedFileError as error:
        _say_refused(error)
    except MemoryError:
        reason = "The file needs too much memory to read."
        _say_refused(refused("file-too-complex", reason, options.path.name))
    else:
        sys.stdout.write(f'{{"description": {found.model_dump_json()}}}\n')
    return 0


def _parse(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m catalogue.readers", description=__doc__)
    parser.add_argument("path", type=Path, help="a file, or the folder of a run or of images")
    parser.add_argument("--memory", type=int, help="address space in bytes")
    parser.add_argument("--seconds", type=int, help="processor time")
    parser.add_argument("--required", action="append", default=[], help="a path a file must hold")
    return parser.parse_args(arguments)


def _limit(what: int, amount: int | None) -> None:
    if amount is None:
        return
    _, highest = resource.getrlimit(what)
    if highest != resource.RLIM_INFINITY:
        amount = min(amount, highest)
    resource.setrlimit(what, (amount, highest))


def _say_refused(error: RefusedFileError) -> None:
    _say({"refused": {"code": error.code, "message": error.reason, "file": error.file}})


def _say(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
