"""
A process that computes chunks for one run, beside a Dask worker.

``python -m processing.chunks.process`` with a socket as standard input. The first message
is the chunk's place as JSON, each further one a pickled function with its items; back go
pickled answers, or a text if this is no place for them. Like a runner it dies with whoever
started it.
"""

import importlib
import os
import queue
import random
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any

from processing.chunks.place import Place
from processing.recipes.fan_out import compute_chunk
from processing.recipes.manifest import Manifest


def main() -> None:
    door = _take_door()
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    place = Place.model_validate_json(door.recv_bytes())
    threading.Thread(target=_read, args=(door, requests), daemon=True).start()
    random.seed(place.seed)
    strangeness = find_difference(place)
    while True:
        function, items = requests.get()
        if strangeness:
            door.send(strangeness)
        else:
            door.send(compute_chunk(function, items))


def _take_door() -> Connection:
    """Keep the socket away from the standard streams; what is printed goes nowhere."""
    door = Connection(os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return door


def _read(door: Connection, requests: "queue.SimpleQueue[Any]") -> None:
    """Read on while a chunk is computed, to learn at once that nobody waits any more."""
    try:
        while True:
            requests.put(door.recv())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


def find_difference(place: Place) -> str:
    """Say what is not here as it is where the run is; empty if all is."""
    module, _, name = place.entry.partition(":")
    try:
        manifest: Manifest = getattr(importlib.import_module(module), name).manifest
    except (ImportError, AttributeError) as error:
        return f"{place.entry} cannot be imported ({type(error).__name__})"
    if manifest.digest != place.manifest:
        return f"{place.entry} is another version of the recipe"
    if manifest.environment.digest != place.environment:
        return "other packages are installed"
    return ""


if __name__ == "__main__":
    main()
