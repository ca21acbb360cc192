"""One look at every store in which a rule watches."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path

from django.db.models.functions import Now

from catalogue.models import Arrival, IngestRule, Store
from catalogue.watching.arrivals import Clock, Due, Seen, observe
from catalogue.watching.tree import Pattern, Unread, is_there, walk

_log = logging.getLogger(__name__)

State = Arrival.State

_BATCH = 1000
_OPEN = [State.WAITING, State.QUARANTINED]


@dataclass
class Look:
    """
    What one look has found.

    Attributes
    ----------
    seen : int
        Acquisitions of which a rule speaks.
    vanished : int
        Those that went away before they were registered.
    due : list of Due
        Those that may be read now, in the order in which they became quiet.
    away : list of str
        Stores that are not there just now; nothing of theirs was judged.
    unread : int
        Folders that cannot be read just now; nothing below them was judged.
    """

    seen: int = 0
    vanished: int = 0
    due: list[Due] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    unread: int = 0


def look_around() -> Look:
    """Look once at everything, and write down what is new, has changed or is gone."""
    rules = IngestRule.objects.select_related("store", "instrument", "policy").order_by(
        "store", "slug"
    )
    roots = {Path(row.root).resolve() for row in Store.objects.all()}
    found, clock = Look(), Clock()
    for store, group in groupby(rules, key=lambda rule: rule.store):
        asked = list(group)
        # The first rule that speaks of a path decides, as when a person registers it:
        # also one that is not watched.
        if not any(rule.is_watched for rule in asked):
            continue
        root = Path(store.root).resolve()
        if is_there(root):
            _StoreLook(root, asked, roots - {root}, clock).go(found)
        else:
            _log.warning("Store %s is not there; it is looked for again", store.slug)
            found.away.append(store.slug)
    found.due.sort(key=lambda one: one.arrival.quiet_since)
    return found


class _StoreLook:
    def __init__(
        self, root: Path, rules: Sequence[IngestRule], closed: set[Path], clock: Clock
    ) -> None:
        self._root = root
        self._rules = rules
        self._patterns = [Pattern(rule.watch) for rule in rules]
        self._closed = closed
        self._clock = clock
        watched = [rule for rule in rules if rule.is_watched]
        self._missing = set(
            Arrival.objects.filter(rule__in=watched, state__in=_OPEN).values_list("rule", "key")
        )
        self._unread: list[str] = []

    def go(self, found: Look) -> None:
        for began, batch in self._batches():
            found.seen += len(batch)
            found.due += observe(batch, began, self._clock)
        found.unread += len(self._unread)
        # The disk may have gone while we walked over it.
        if is_there(self._root):
            found.vanished += self._note_vanished()

    def _batches(self) -> Iterator[tuple[datetime, list[Seen]]]:
        began, batch = self._clock.now(), list[Seen]()
        for one in walk(self._root, self._patterns, closed=self._closed):
            if isinstance(one, Unread):
                _log.warning("Folder %s: %s", one.relative or ".", one.reason)
                self._unread.append(one.relative)
            elif (rule := self._rules[one.rule]).is_watched:
                self._missing.discard((rule.pk, one.key))
                batch.append(Seen(rule, one, self._root))
            if len(batch) == _BATCH:
                yield began, batch
                began, batch = self._clock.now(), []
        yield began, batch

    def _note_vanished(self) -> int:
        """Note what is gone; forget what is there, but of which its rule no longer speaks."""
        gone = [place for place in self._missing if self._is_judged(place[1])]
        there = {place for place in gone if os.path.lexists(f"{self._root}/{place[1]}")}
        rules = {rule.pk: rule for rule in self._rules}
        for pk, rule in rules.items():
            keys = [key for owner, key in there if owner == pk and self._rule_of(key) != rule]
            Arrival.objects.filter(rule=pk, key__in=keys, state__in=_OPEN).delete()
        return sum(
            Arrival.objects.filter(
                rule=pk,
                key__in=[key for owner, key in gone if owner == pk and (owner, key) not in there],
                state__in=_OPEN,
            ).update(state=State.VANISHED, seen_at=Now())
            for pk in rules
        )

    def _is_judged(self, key: str) -> bool:
        return not any(
            not folder or key == folder or key.startswith(f"{folder}/") for folder in self._unread
        )

    def _rule_of(self, key: str) -> IngestRule | None:
        return next(
            (
                rule
                for rule, pattern in zip(self._rules, self._patterns, strict=True)
                if pattern.read(key) is not None
            ),
            None,
        )
