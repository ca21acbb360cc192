"""Write proposals and their samples."""

from collections.abc import Mapping
from typing import Any

from catalogue.models import Proposal, Sample
from catalogue.user_office.changes import BATCH, Change, Differences, Written, differing, tell
from catalogue.user_office.checking import DEFAULT_POLICY, Known, Wanted
from catalogue.user_office.rows import ProposalRow

_WORDS = {"title", "abstract", "keywords"}  # searches find datasets by them
_EMBARGO = {"end_date", "policy"}  # embargoes follow them


def write_proposals(wanted: Wanted, known: Known) -> tuple[dict[str, Proposal], Written]:
    """
    Create and change proposals.

    Returns
    -------
    tuple
        All proposals that the delivery names, by number, and what was done.
    """
    written = Written()
    created: dict[str, Proposal] = {}
    changed: list[tuple[Proposal, Differences]] = []
    for number, placed in wanted.proposals.items():
        proposal = known.proposals.get(number)
        values = _values(placed.row, known)
        if proposal is None:
            values.setdefault("policy", known.policies.get(DEFAULT_POLICY))
            created[number] = Proposal(facility=known.facility, number=number, **values)
            written.changes.append(Change("create", f"proposal {number}", values["title"]))
        elif found := differing(proposal, values):
            written.changes.append(Change("change", f"proposal {number}", tell(found)))
            changed.append((proposal, found))
    Proposal.objects.bulk_create(created.values(), batch_size=BATCH)
    Proposal.objects.bulk_create(
        [proposal for proposal, _ in changed],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["facility", "number"],
        update_fields=["title", "abstract", "keywords", "start_date", "end_date", "policy"],
    )
    written.reworded = {proposal.pk for proposal, found in changed if _WORDS & found.keys()}
    written.redated = {proposal.pk for proposal, found in changed if _EMBARGO & found.keys()}
    written.events["proposal.edited"] = [
        (proposal, *_as_json(found)) for proposal, found in changed
    ]
    return known.proposals | created, written


def _values(row: ProposalRow, known: Known) -> dict[str, Any]:
    values = row.model_dump(
        include={"title", "abstract", "start_date", "end_date"}, exclude_none=True
    )
    if row.keywords is not None:
        values["keywords"] = list(dict.fromkeys(row.keywords))
    if row.embargo:
        values["policy"] = known.policies[row.embargo]
    return values


def _as_json(found: Differences) -> tuple[dict[str, Any], dict[str, Any]]:
    old = {name: _plain(value) for name, (value, _) in found.items()}
    return old, {name: _plain(value) for name, (_, value) in found.items()}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else str(value)


def write_samples(wanted: Wanted, proposals: Mapping[str, Proposal]) -> Written:
    """Create and change samples."""
    of = {proposals[number].pk for number, _ in wanted.samples}
    known = {(row.proposal_id, row.name): row for row in Sample.objects.filter(proposal__in=of)}
    written = Written()
    created, changed = [], []
    for (number, name), placed in wanted.samples.items():
        values = placed.row.model_dump(
            include={"description", "chemical_formula"}, exclude_none=True
        )
        sample = known.get((proposals[number].pk, name))
        what = f"sample {name} of {number}"
        if sample is None:
            created.append(Sample(proposal=proposals[number], name=name, **values))
            written.changes.append(Change("create", what))
        elif found := differing(sample, values):
            changed.append(sample)
            written.changes.append(Change("change", what, tell(found)))
    Sample.objects.bulk_create(created, batch_size=BATCH)
    Sample.objects.bulk_create(
        changed,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["proposal", "name"],
        update_fields=["description", "chemical_formula"],
    )
    of_changed = Sample.objects.filter(pk__in=[row.pk for row in changed], datasets__isnull=False)
    written.datasets = set(of_changed.values_list("datasets", flat=True))
    return written
