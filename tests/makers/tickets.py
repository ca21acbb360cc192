"""Recipes run as they would for a person, on files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from processing.checking import write_ticket
from processing.engine.supervisor import supervise
from processing.recipes.manifest import Manifest
from processing.ticket import Event, Outcome, Ticket
from tests.makers.kernels import share_kernels


def a_ticket(
    manifest: Manifest,
    folder: Path,
    inputs: Mapping[str, Sequence[Path]],
    *,
    fence: int = 1,
    **parameters: Any,
) -> Ticket:
    """Ask for a recipe on files, each a dataset of its own."""
    store = folder / "results"
    store.mkdir(exist_ok=True)
    share_kernels(store)
    return write_ticket(manifest, store, inputs, parameters, fence=fence)


def run(ticket: Ticket) -> tuple[Outcome, list[Event]]:
    """Execute a ticket under the real supervisor."""
    events: list[Event] = []
    return supervise(ticket, events.append, lambda: False), events


def bodies(ticket: Ticket, outcome: Outcome) -> dict[str, bytes]:
    """Return the bytes of the outputs by role, of several files the last."""
    assert outcome.failure is None, outcome.failure
    store = ticket.content_store / "store"
    return {
        file.role: (store / file.sha256[:2] / file.sha256).read_bytes() for file in outcome.outputs
    }
