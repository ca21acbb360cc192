"""
``python -m catalogue.readers PATH``: one JSON object per line on standard output.

First ``{"progress": [done, total]}`` in bytes, at last ``{"description": {...}}`` or
``{"refused": {"code", "message", "file"}}``. With ``--serve`` it reads wishes, an object
per line, from standard input, and answers one after the other.
"""

import gc
import json
import os
import resource
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from catalogue.errors import RefusedFileError
from catalogue.hdf5.findings import refused
from catalogue.readers.choice import read

STEPS = 200  # progress is told at most so often


class _Teller:
    """Say what is to be known, an object per line; progress only when it is worth a line."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._told = -1

    def __call__(self, done: int, total: int) -> None:
        step = STEPS * done // total if total else STEPS
        if step != self._told:
            self._told = step
            self.say(json.dumps({"progress": [done, total]}))

    def say(self, line: str) -> None:
        self._output.write(f"{line}\n")
        self._output.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Describe files or folders; return 0 also when they are refused."""
    options = _parse(arguments)
    _limit(resource.RLIMIT_AS, options.memory)
    _limit(resource.RLIMIT_CORE, 0)
    # What libraries print goes to the other channel: it is no answer.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if options.serve:
        gc.collect()
        gc.freeze()  # the libraries stay: looking through them after each file is of no use
        for line in sys.stdin:
            if not _answer(_parse_wish(line), options.seconds, _Teller(output)):
                break
    else:
        _answer(options, options.seconds, _Teller(output))
    return 0


def _answer(wish: Namespace, seconds: int | None, teller: _Teller) -> bool:
    """Describe one file or folder; say whether this process may read another one."""
    if seconds is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds)
    try:
        found = read(wish.path, progress=teller, required=tuple(wish.required), whole=wish.whole)
    except RefusedFileError as error:
        teller.say(json.dumps(_refusal(error)))
    except MemoryError:
        reason = "The file needs too much memory to read."
        refusal = _refusal(refused("file-too-complex", reason, wish.path.name))
        teller.say(json.dumps(refusal | {"last": True}))
        return False
    else:
        teller.say(f'{{"description": {found.model_dump_json()}}}')
    return True


def _refusal(error: RefusedFileError) -> dict[str, object]:
    return {"refused": {"code": error.code, "message": error.reason, "file": error.file}}


def _parse_wish(line: str) -> Namespace:
    wish = Namespace(**json.loads(line))
    wish.path = Path(wish.path)
    return wish


def _parse(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m catalogue.readers", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, help="a file, or a folder of a run or images")
    parser.add_argument("--serve", action="store_true", help="read wishes from standard input")
    parser.add_argument("--memory", type=int, help="address space in bytes")
    parser.add_argument("--seconds", type=int, help="processor time for each path")
    parser.add_argument("--required", action="append", default=[], help="a path a file must hold")
    parser.add_argument("--whole", action="store_true", help="what it links to must be there")
    options = parser.parse_args(arguments)
    if options.serve == bool(options.path):
        parser.error("give either a path or --serve")
    return options


def _limit(what: int, amount: int | None) -> None:
    if amount is None:
        return
    _, highest = resource.getrlimit(what)
    if highest != resource.RLIM_INFINITY:
        amount = min(amount, highest)
    resource.setrlimit(what, (amount, highest))


if __name__ == "__main__":
    sys.exit(main())
