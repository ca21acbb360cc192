"""Whose data a path holds: by the rule of its place, by who registers, by the files."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from catalogue.access import Person, registrable_instruments
from catalogue.description import Description
from catalogue.errors import NotPermittedError, RegistrationError, StoreError
from catalogue.models import EmbargoPolicy, IngestRule, Instrument, Proposal, Store, Technique, User
from catalogue.registration import RawDataset, RawOrigin
from catalogue.registration.declared import instruments_at

_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")
_STAFF = "the staff of its instrument, or a data steward"


@dataclass(frozen=True)
class Place:
    """A path inside a declared store, and the ingest rule that speaks of it."""

    path: Path
    store: Store
    relative: str
    rule: IngestRule | None
    named: dict[str, str]  # what the rule's pattern reads out of the path


class Territories:
    """Whose places are by the ingest rules, which are read once for many of them."""

    def __init__(self) -> None:
        rows = IngestRule.objects.order_by("slug").values_list("store", "watch", "instrument")
        self._rules: dict[int, list[tuple[re.Pattern[str], int]]] = defaultdict(list)
        # No placeholder reads a "/", so a pattern of more parts lies further in.
        for store, watch, instrument in sorted(rows, key=lambda row: -row[1].count("/")):
            inside = re.compile(f"{watch_expression(watch).pattern}(?:/.*)?", re.DOTALL)
            self._rules[store].append((inside, instrument))

    def owner(self, store: int, key: str) -> int | None:
        """
        Return the instrument whose rule speaks of a place.

        Parameters
        ----------
        store : int
            Primary key of the store.
        key : str
            Where in the store, of a file or a folder.

        Returns
        -------
        int or None
            Of the innermost rule that matches the place or a folder around it: a run is
            watched as a folder, and each file in it is its instrument's.
        """
        rules = self._rules.get(store, ())
        return next((owner for inside, owner in rules if inside.fullmatch(key)), None)


class Origins:
    """
    What is declared about stores, rules and instruments, read once for many paths.

    Parameters
    ----------
    person : User, AnonymousUser or None
        Who registers; None is the operator at the command line, who may everything.
    instrument, proposal : str
        Slug and number. Where empty, the ingest rule that matches a path decides, then
        what the files themselves say.
    """

    def __init__(self, person: Person | None, instrument: str = "", proposal: str = "") -> None:
        self._person = person
        self._instrument = instrument
        self._proposal = proposal
        self._proposals: dict[tuple[int, str], Proposal | None] = {}

    def place(self, path: Path) -> Place:
        """
        Find the store and the rule of a path, before anything is read.

        Raises
        ------
        RegistrationError, StoreError
            If it lies in no store for raw data, or there is nothing.
        NotPermittedError
            If its data are not this person's to register: naming one's own instrument
            opens no other's data.
        """
        place = self._find(path)
        self._require_staff(self._named, *self._owners(place.store, [place.relative]))
        return place

    def settle(self, place: Place, description: Description) -> RawDataset:
        """
        Decide whose the described data are.

        Raises
        ------
        RegistrationError, NotPermittedError
            If that cannot be told, or they are not this person's to register.
        """
        by_file = self._recognise(description)
        prefix = self._prefix(place, description)
        self._require_files(place.store, [prefix + file.path for file in description.files])
        self._require_staff(by_file)
        by_rule = place.rule.instrument if place.rule else None
        instrument = self._named or by_rule or by_file or _refuse_unnamed(description)
        proposal, warnings = self._choose_proposal(place, instrument, description)
        picture = description.thumbnail
        origin = RawOrigin(
            instrument=instrument,
            store=place.store,
            key_prefix=prefix,
            policy=self._choose_policy(place, proposal),
            proposal=proposal,
            owner=self._person if isinstance(self._person, User) else None,
            techniques=_techniques(place, instrument, description),
            thumbnail=hashlib.sha256(picture).hexdigest() if picture else "",
        )
        said = {"warnings": (*description.warnings, *warnings)}
        return RawDataset(description.model_copy(update=said), origin)

    def _require_staff(self, *instruments: Instrument | None) -> None:
        for instrument in instruments:
            if instrument and self._theirs is not None and instrument.pk not in self._theirs:
                raise NotPermittedError(f"register data of {instrument}", _STAFF)

    def _require_files(self, store: Store, keys: Sequence[str]) -> None:
        """Refuse files of others that come along, in a folder that was named or by a link."""
        if self._theirs is None:
            return
        self._require_staff(*self._owners(store, keys))
        for (_, key), holders in instruments_at((store.pk, key) for key in keys).items():
            if not holders <= self._theirs:
                # Neither its pid nor its page: it may be hidden from whoever asks.
                name = key.rpartition("/")[2]
                reason = f"{name} is registered with another instrument, whose staff may do this."
                raise RegistrationError("instrument", reason)

    def _owners(self, store: Store, keys: Sequence[str]) -> Iterator[Instrument]:
        """Yield the instruments to which the ingest rules give places."""
        owners = {self._territories.owner(store.pk, key) for key in keys}
        return (self._instruments[owner] for owner in owners if owner is not None)

    @cached_property
    def _territories(self) -> Territories:
        return Territories()

    @cached_property
    def _theirs(self) -> set[int] | None:
        """The instruments whose data they may register; None if all."""
        if self._person is None:
            return None
        return set(registrable_instruments(self._person).values_list("pk", flat=True))

    @cached_property
    def _stores(self) -> list[tuple[Path, Store]]:
        """The stores by their folders; the innermost first, since one may lie in another."""
        rows = [(Path(row.root).resolve(), row) for row in Store.objects.all()]
        return sorted(rows, key=lambda row: -len(row[0].parts))

    @cached_property
    def _rules(self) -> list[tuple[re.Pattern[str], IngestRule]]:
        rows = IngestRule.objects.select_related("policy", "technique").order_by("slug")
        for rule in rows:
            rule.instrument = self._instruments[rule.instrument_id]
        return [(watch_expression(rule.watch), rule) for rule in rows]

    @cached_property
    def _instruments(self) -> dict[int, Instrument]:
        rows = Instrument.objects.select_related("facility").prefetch_related("techniques")
        return {row.pk: row for row in rows}

    @cached_property
    def _named(self) -> Instrument | None:
        """The instrument that was named together with the paths."""
        if not self._instrument:
            return None
        found = [row for row in self._instruments.values() if row.slug == self._instrument]
        if not found:
            known = ", ".join(row.slug for row in self._instruments.values())
            reason = f"There is no instrument {self._instrument}. Declared are: {known}."
            raise RegistrationError("instrument", reason)
        return found[0]

    def _find(self, path: Path) -> Place:
        resolved = _resolve(path)
        root, store = self._innermost(resolved, path.name)
        if not root.is_dir():
            raise StoreError(store.slug, "its folder is not there. Ask the operator to mount it.")
        if not resolved.exists() or resolved == root:
            raise RegistrationError("path", f"There is nothing at {path.name}. Check the path.")
        relative = resolved.relative_to(root).as_posix()
        for expression, rule in self._rules:
            if rule.store_id == store.pk and (found := expression.fullmatch(relative)):
                return Place(resolved, store, relative, rule, found.groupdict())
        return Place(resolved, store, relative, None, {})

    def _innermost(self, path: Path, name: str) -> tuple[Path, Store]:
        holding = [row for row in self._stores if path.is_relative_to(row[0])]
        if not holding or not holding[0][1].read_only:
            known = ", ".join(sorted(row.slug for _, row in self._stores if row.read_only))
            raise RegistrationError(
                "path",
                f"{name} lies in no store for raw data (declared: {known or 'none yet'}). "
                "Move it into one, or declare its folder as a read_only store in facility.toml.",
            )
        return holding[0]

    def _recognise(self, description: Description) -> Instrument | None:
        """Recognise the instrument by the name in the file: its slug or its full name."""
        name = (description.instrument or "").strip().lower()
        rows = self._instruments.values()
        known = (row for row in rows if name and name in {row.slug.lower(), row.name.lower()})
        return next(known, None)

    def _choose_proposal(
        self, place: Place, instrument: Instrument, description: Description
    ) -> tuple[Proposal | None, list[str]]:
        """Return the proposal, and what the curator should know if there is none."""
        if decided := self._proposal or place.named.get("proposal", ""):
            if row := self._get_proposal(instrument, decided):
                return row, []
            raise RegistrationError(
                "proposal",
                f"Proposal {decided} is not known. Add it by manage.py add_proposal, or name "
                "another.",
            )
        if not description.proposal:
            return None, ["No proposal is named: only the instrument's staff see this dataset."]
        row = self._get_proposal(instrument, description.proposal)
        unknown = f"The file names proposal {description.proposal}, which is not known here."
        return row, [] if row else [unknown]

    def _get_proposal(self, instrument: Instrument, number: str) -> Proposal | None:
        name = (instrument.facility_id, number)
        if name not in self._proposals:
            rows = Proposal.objects.filter(facility=instrument.facility, number=number)
            self._proposals[name] = rows.select_related("policy").first()
        return self._proposals[name]

    def _choose_policy(self, place: Place, proposal: Proposal | None) -> EmbargoPolicy:
        if proposal and proposal.policy:
            return proposal.policy
        return place.rule.policy if place.rule else self._default_policy

    @cached_property
    def _default_policy(self) -> EmbargoPolicy:
        policy = EmbargoPolicy.objects.filter(slug="default").first()
        if policy is None:
            raise RegistrationError(
                "policy", "No embargo policy is declared. Add [embargo.default] to facility.toml."
            )
        return policy

    def _prefix(self, place: Place, description: Description) -> str:
        """Return the folder from which the paths of the files count, inside the store."""
        root = next(root for root, store in self._stores if store.pk == place.store.pk)
        relative = Path(description.root).resolve().relative_to(root).as_posix()
        return "" if relative == "." else f"{relative}/"


def _resolve(path: Path) -> Path:
    try:
        resolved = path.resolve()
        resolved.exists()
        str(resolved).encode()
    except UnicodeEncodeError as error:
        reason = "A name on the path is not UTF-8. Rename it."
        raise RegistrationError("path", reason) from error
    except (OSError, RuntimeError, ValueError) as error:  # too long, a circle of links, a NUL
        raise RegistrationError("path", "No file can lie at this path. Check it.") from error
    return resolved


def watch_expression(watch: str) -> re.Pattern[str]:
    """
    Compile the pattern of an ingest rule.

    Parameters
    ----------
    watch : str
        A relative path with placeholders, "{proposal}/{sample}/{sample}_{scan}.h5"; a
        name that occurs twice must read the same both times.
    """
    seen: set[str] = set()
    expression = ""
    for index, part in enumerate(_PLACEHOLDER.split(watch)):
        if index % 2 == 0:
            expression += re.escape(part)
        elif part in seen:
            expression += f"(?P={part})"
        else:
            seen.add(part)
            expression += f"(?P<{part}>[^/]+?)"
    return re.compile(expression)


def _refuse_unnamed(description: Description) -> NoReturn:
    name = (description.instrument or "").strip()
    said = f"The file names {name!r}, which is not declared." if name else "The file names none."
    raise RegistrationError("instrument", f"Name the instrument. {said}")


def _techniques(place: Place, instrument: Instrument, description: Description) -> list[Technique]:
    if place.rule and place.rule.technique:
        return [place.rule.technique]
    is_data = description.content not in {"poni", "image"}
    return list(instrument.techniques.all()) if is_data and not description.techniques else []
