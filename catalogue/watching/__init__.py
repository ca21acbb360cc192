"""
New data that register themselves.

``tree`` walks over the stores, ``arrivals`` compares what it sees with what is known,
``reading`` registers what is complete, ``watcher`` does so again and again. A row of
``Arrival`` tells what became of each acquisition.
"""

from catalogue.watching.looking import Look, look_around
from catalogue.watching.reading import read_due
from catalogue.watching.watcher import NAME, Watcher, watch_once

__all__ = ["NAME", "Look", "Watcher", "look_around", "read_due", "watch_once"]
