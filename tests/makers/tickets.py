"""Tickets for any manifest, so that a recipe runs as it would for a person."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from catalogue.digests import sha256_of_text
from processing.engine.supervisor import supervise
from processing.recipes.manifest import Manifest
from processing.ticket import (
    Event,
    Outcome,
    Ticket,
    TicketFile,
    TicketInput,
    write_key_document,
)


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
    given = {role: tuple(map(_describe, paths)) for role, paths in inputs.items()}
    complete = manifest.validate_parameters(parameters)
    document = write_key_document(
        recipe=manifest.name,
        version=manifest.version,
        inputs={role: [one.digest for one in datasets] for role, datasets in given.items()},
        parameters=complete,
        environment=manifest.environment.digest,
    )
    return Ticket(
        uuid="7b1f4f3e-0000-4000-8000-000000000001",
        fence=fence,
        recipe=manifest.name,
        version=manifest.version,
        entry=manifest.entry,
        environment=manifest.environment.digest,
        run_key=sha256_of_text(document),
        key_document=document,
        inputs=given,
        parameters=complete,
        outputs={role: slot.content for role, slot in manifest.outputs.items()},
        clock="2026-11-21T12:00:00+00:00",
        seed=1,
        limits=manifest.resources,
        content_store=store,
        interpreter=manifest.place.interpreter,
        manifest_file=manifest.place.manifest_file,
        manifest_digest=manifest.digest if manifest.place.manifest_file else "",
    )


def _describe(path: Path) -> TicketInput:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    file = TicketFile(path=path.name, location=path, size=len(body), sha256=digest)
    return TicketInput(pid="p", digest=digest, title=path.stem, files=(file,))


def run(ticket: Ticket) -> tuple[Outcome, list[Event]]:
    """Execute a ticket under the real supervisor."""
    events: list[Event] = []
    return supervise(ticket, events.append, lambda: False), events


def bodies(ticket: Ticket, outcome: Outcome) -> dict[str, bytes]:
    """Return the bytes of the outputs by role."""
    assert outcome.failure is None, outcome.failure
    store = ticket.content_store / "store"
    return {
        file.role: (store / file.sha256[:2] / file.sha256).read_bytes() for file in outcome.outputs
    }
