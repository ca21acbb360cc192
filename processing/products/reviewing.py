"""
Compare what a rule wants with what there is, for all of its subjects: the heart of it.

Desired run key against recorded run key, nothing else: no cursor, no "since last time".
A review asks and tells; who writes and who launches are others.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from processing.models import ProcessingRun, Product, ProductRule
from processing.products.gathering import (
    Row,
    bindings_of,
    read_rows,
    retracted_activities,
    shelves_of,
    values_of,
)
from processing.products.judging import Facts, Policy, Verdict, differing, judge
from processing.products.keys import KeyWriter
from processing.products.picking import Asking, Candidate, Shelf
from processing.results import known_runs, scope_of_pids, taken_back
from processing.submission import read_manifest

Condition = Product.Condition
State = ProcessingRun.State

_CHUNK = 2_000
_FRESH = Verdict(Condition.FRESH)
_UNDER_WAY = frozenset({State.QUEUED.value, State.RUNNING.value})


@dataclass(slots=True)
class Finding:
    """What a review finds of one product; ``document`` is the desired key document."""

    row: Row
    picked: dict[str, Candidate]
    document: str
    desired: str
    verdict: Verdict = field(default_factory=lambda: Verdict(Condition.ABSENT))
    processing_run: int | None = None
    wanted_run: int | None = None
    is_reused: bool = False  # a known result was found, nothing has to run
    is_taken_back: bool = False  # every result of this key was retracted
    is_due: bool = False  # may be launched without anybody asking

    @property
    def is_changed(self) -> bool:
        """Whether the product's row says anything else."""
        row = self.row
        if self.verdict is _FRESH:
            return False
        then = (row.condition, row.desired_key, row.processing_run, row.wanted_run, row.detail)
        now = (
            self.verdict.condition,
            self.desired,
            self.processing_run,
            self.wanted_run,
            self.verdict.detail[:500],
        )
        return then != now or tuple(_reasons(row)) != self.verdict.reasons


def _reasons(row: Row) -> list[str]:
    return json.loads(row.reasons) if isinstance(row.reasons, str) else list(row.reasons or ())


class Review:
    """
    One look at all products of a rule.

    Parameters
    ----------
    rule : ProductRule
        As it is declared now.
    only : int, optional
        Primary key of the one subject that is asked for.
    """

    def __init__(self, rule: ProductRule, *, only: int | None = None) -> None:
        self.rule = rule
        self.manifest = read_manifest(rule.recipe)
        self.shelves: Mapping[str, Shelf] = shelves_of(rule)
        self._only = only
        self._keys = KeyWriter(rule, self.manifest)
        self._values = values_of(rule, only=only)
        self._gone = retracted_activities()
        self._constants = {r for r, how in bindings_of(rule).items() if how.source == "calibration"}
        self._oldest: datetime | None = None
        if rule.backfill_days is not None:
            self._oldest = timezone.now() - timedelta(days=rule.backfill_days)

    def findings(self) -> Iterator[Finding]:
        """Give a finding for each subject, in the order of their keys."""
        rows = read_rows(self.rule, with_origins=self._needs_origins(), only=self._only)
        chunk: list[tuple[Finding, str]] = []
        for row in rows:
            finding, blocked = self._desire(row)
            if self._is_settled(finding):
                finding.processing_run, finding.verdict = row.processing_run, _FRESH
                yield finding
                continue
            chunk.append((finding, blocked))
            if len(chunk) == _CHUNK:
                yield from self._judge(chunk)
                chunk = []
        yield from self._judge(chunk)

    def _needs_origins(self) -> bool:
        return any(shelf.has_closed for shelf in self.shelves.values())

    def _desire(self, row: Row) -> tuple[Finding, str]:
        """Resolve the inputs of one subject; return why not, where that cannot be done."""
        asking = row.asking(self._values.get(row.pk, {}))
        picked: dict[str, Candidate] = {}
        for role, shelf in self.shelves.items():
            found = shelf.pick(asking)
            if found is None:
                return Finding(row, {}, "", ""), why_nothing(role, shelf, asking)
            picked[role] = found
        digests = {role: one.digest for role, one in picked.items()}
        digests[self.rule.subject] = row.digest
        document, key = self._keys.write(digests)
        return Finding(row, picked, document, key), ""

    def _is_settled(self, finding: Finding) -> bool:
        """Whether nothing has happened since it was fresh: so it is with nearly all."""
        row = finding.row
        return (
            row.condition == Condition.FRESH
            and row.recorded_key == finding.desired == row.desired_key
            and row.wanted_run is None
            and row.activity not in self._gone
            and row.retracted is None
            and row.pinned_at is None
            and not row.detail
        )

    def scope_of(self, finding: Finding) -> str:
        pids = {role: [one.pid] for role, one in finding.picked.items()}
        return scope_of_pids(pids | {self.rule.subject: [str(finding.row.pid)]})

    def _judge(self, chunk: list[tuple[Finding, str]]) -> Iterator[Finding]:
        known, bad = self._look_up([finding for finding, _ in chunk])
        documents = self._recorded_documents([finding for finding, _ in chunk])
        for finding, blocked in chunk:
            if finding.row.pk in bad:
                finding.is_taken_back = True
            self._judge_one(finding, blocked, known.get(finding.row.pk), documents)
            yield finding

    def _judge_one(
        self,
        finding: Finding,
        blocked: str,
        found: ProcessingRun | None,
        documents: Mapping[int, str],
    ) -> None:
        row, facts = finding.row, _facts(finding, blocked)
        facts.is_result_retracted = row.activity in self._gone
        finding.processing_run = row.processing_run
        finding.wanted_run = None if facts.recorded == facts.desired else row.wanted_run
        if (facts.retracted or blocked) and row.wanted_state not in _UNDER_WAY:
            finding.wanted_run = None  # it ended for that: once it is over, all begins anew
        if found and found.state == State.SUCCEEDED:
            finding.is_reused = True
            finding.processing_run, finding.wanted_run = found.pk, None
            facts.recorded, facts.is_result_retracted = facts.desired, False
        elif found:
            finding.wanted_run = found.pk
            facts.wanted, facts.wanted_state = facts.desired, found.state
        if facts.desired and facts.recorded not in {"", facts.desired}:
            old = documents.get(row.processing_run or 0)
            facts.differs = (
                differing(old, finding.document, self._constants) if old else tuple(_reasons(row))
            )
        if finding.is_taken_back and finding.row.ordered_at is None:
            facts.recorded, facts.is_result_retracted = facts.desired, True
        facts.held = self._policy(row).hold(facts)
        finding.verdict = judge(facts)
        is_wanting = finding.verdict.condition in {Condition.STALE, Condition.ABSENT}
        finding.is_due = is_wanting and not facts.held

    def _policy(self, row: Row) -> Policy:
        since = row.start_time or row.registered_at
        is_old = self._oldest is not None and since is not None and since < self._oldest
        return Policy(self.rule.keep, row.ordered_at is not None, is_old)

    def _look_up(self, findings: list[Finding]) -> tuple[dict[int, ProcessingRun], set[int]]:
        """Return who makes, or has made, what is wanted, and where all results were retracted."""
        asked = {
            finding.row.pk: (finding.desired, self.scope_of(finding))
            for finding in findings
            if finding.desired and _may_be_known(finding.row, finding.desired, self._gone)
        }
        runs = known_runs(asked.values())
        bad = taken_back(set(asked.values()) - runs.keys())
        known = {pk: runs[key] for pk, key in asked.items() if key in runs}
        return known, {pk for pk, key in asked.items() if key in bad}

    def _recorded_documents(self, findings: list[Finding]) -> dict[int, str]:
        """Return recorded key documents of those products that have become stale since."""
        stale = [
            f.row.processing_run or 0
            for f in findings
            if f.desired and f.row.recorded_key not in {None, f.desired} and not _is_noted(f)
        ]
        if not stale:
            return {}
        runs = ProcessingRun.objects.filter(pk__in=stale)
        return dict(runs.values_list("pk", "key_document"))


def _may_be_known(row: Row, desired: str, gone: Collection[int]) -> bool:
    """Whether to look for a run that has the desired key: not where the row knows one."""
    if row.pinned_at or row.retracted is not None:
        return False
    if row.recorded_key == desired:
        return row.activity in gone
    return row.wanted_key != desired or row.wanted_state not in _UNDER_WAY


def _is_noted(finding: Finding) -> bool:
    """Whether the row says already how the desired key differs from the recorded one."""
    row = finding.row
    return row.desired_key == finding.desired and bool(_reasons(row))


def _facts(finding: Finding, blocked: str) -> Facts:
    """Return what the database says of a product, before anything is looked up."""
    row = finding.row
    return Facts(
        desired=finding.desired,
        blocked=blocked,
        recorded=row.recorded_key or "",
        retracted=row.retracted or "",
        wanted=row.wanted_key or "",
        wanted_state=row.wanted_state or "",
        attempts=row.attempts or 0,
        pinned=_pin(row),
    )


def _pin(row: Row) -> str:
    return (row.pin_reason or "a person wanted it so.") if row.pinned_at else ""


def why_nothing(role: str, shelf: Shelf, asking: Asking) -> str:
    """Say why nothing could be picked for a role, and what to do."""
    content = shelf.binding.content
    if asking.start_time is None:
        return (
            f"The dataset does not say when it was measured, so no {content} can be picked "
            f"for the role {role}. Add its start time."
        )
    if missing := shelf.missing(asking):
        return (
            f"The dataset does not tell its {' and '.join(missing)}, by which the {content} "
            f"for the role {role} is picked. Add it to the dataset's parameters."
        )
    return (
        f"Nothing fits the role {role}: wanted is {shelf.binding}, of the same instrument, "
        f"open or of this proposal. Register a {content}, or change the rule."
    )
