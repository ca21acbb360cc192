"""Find out whose data a path holds, have it read, and register it."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from django.db import transaction

from catalogue.access import Person, registrable_instruments, require_may_register
from catalogue.description import Description, Progress
from catalogue.errors import BusyError, NotPermittedError, RegistrationError, StoreError
from catalogue.models import EmbargoPolicy, IngestRule, Instrument, Proposal, Store, Technique, User
from catalogue.places import keep_picture, raw_stores
from catalogue.readers.child import read_in_child
from catalogue.registration import RawOrigin, Registered, register_raw

_PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")


_MOST_READERS = 2
_turns = threading.BoundedSemaphore(_MOST_READERS)


@dataclass(frozen=True)
class _Place:
    """A path inside a declared store, and the ingest rule that speaks of it."""

    path: Path
    store: Store
    relative: str
    rule: IngestRule | None
    named: dict[str, str]  # what the rule's pattern reads out of the path


def register_path(
    path: Path,
    *,
    person: Person | None,
    instrument: str = "",
    proposal: str = "",
    progress: Progress | None = None,
) -> Registered:
    """
    Register the file or folder at a path of a declared store.

    Parameters
    ----------
    path : Path
        Absolute; a NeXus/HDF5 file, a EuXFEL run folder, a PONI file or images.
    person : User, AnonymousUser or None
        Who registers; None is the operator at the command line, who may everything.
    instrument, proposal : str
        Slug and number. Where empty, the ingest rule that matches the path decides,
        then what the file itself says.
    progress : callable, optional
        Called with bytes done and bytes in all.

    Raises
    ------
    RegistrationError, NotPermittedError, RefusedFileError, ContentChangedError, StoreError
        Nothing is registered then.
    """
    _refuse_outsiders(person)
    place = _find_place(path)
    chosen = _choose_instrument(place, instrument)
    # Before anything is read: naming one's own instrument opens no other's data.
    _require_staff(person, chosen, place.rule.instrument if place.rule else None)
    with _turn_of(person):
        description = read_in_child(
            place.path,
            progress=progress,
            required=tuple(place.rule.required_fields) if place.rule else (),
        )
    named = _instrument_named_by(description)
    _require_staff(person, named)
    chosen = chosen or named or _refuse_unnamed(description)
    granted, warnings = _choose_proposal(place, chosen, proposal, description)
    picture = description.thumbnail
    description = description.model_copy(
        update={"warnings": (*description.warnings, *warnings)},
    )
    origin = RawOrigin(
        instrument=chosen,
        store=place.store,
        key_prefix=_prefix(place, description),
        policy=_choose_policy(place, granted),
        proposal=granted,
        owner=person if isinstance(person, User) else None,
        techniques=_techniques(place, chosen, description),
        thumbnail=hashlib.sha256(picture).hexdigest() if picture else "",
    )
    with transaction.atomic():
        registered = register_raw(description, origin)
        if registered.is_new and picture:
            keep_picture(picture, origin.thumbnail)
    return registered


@contextmanager
def _turn_of(person: Person | None) -> Iterator[None]:
    """Let few web requests read at once: a reader takes a core, the pages need the rest."""
    if person is None:
        yield
        return
    if not _turns.acquire(blocking=False):
        raise BusyError("read more files at once")
    try:
        yield
    finally:
        _turns.release()


def _refuse_outsiders(person: Person | None) -> None:
    """Tell nothing of what lies in the stores to people who may register nothing."""
    if person is None:
        return
    if not person.is_authenticated:
        raise NotPermittedError("register data", "a data steward for an account, or sign in")
    if not registrable_instruments(person).exists():
        raise NotPermittedError("register data", "the staff of its instrument, or a data steward")


def _require_staff(person: Person | None, *instruments: Instrument | None) -> None:
    for instrument in instruments:
        if person is not None and instrument is not None:
            require_may_register(person, instrument)


def _find_place(path: Path) -> _Place:
    resolved = _resolve(path)
    store = _innermost_store(resolved)
    if store is None or not store.read_only:
        known = ", ".join(raw_stores().values_list("slug", flat=True))
        raise RegistrationError(
            "path",
            f"{path.name} lies in no store for raw data (declared: {known or 'none yet'}). "
            "Move it into one, or declare its folder as a read_only store in facility.toml.",
        )
    root = Path(store.root).resolve()
    if not root.is_dir():
        raise StoreError(store.slug, "its folder is not there. Ask the operator to mount it.")
    if not resolved.exists() or resolved == root:
        raise RegistrationError("path", f"There is nothing at {path.name}. Check the path.")
    relative = resolved.relative_to(root).as_posix()
    rule, named = _match_rule(store, relative)
    return _Place(resolved, store, relative, rule, named)


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


def _innermost_store(path: Path) -> Store | None:
    """Return the store that holds a path; a store may lie in a folder of another."""
    holding = [row for row in Store.objects.all() if path.is_relative_to(Path(row.root).resolve())]
    return max(holding, key=lambda row: len(Path(row.root).resolve().parts), default=None)


def _match_rule(store: Store, relative: str) -> tuple[IngestRule | None, dict[str, str]]:
    rules = IngestRule.objects.filter(store=store).order_by("slug")
    for rule in rules.select_related("instrument", "policy", "technique"):
        if found := watch_expression(rule.watch).fullmatch(relative):
            return rule, found.groupdict()
    return None, {}


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


def _choose_instrument(place: _Place, slug: str) -> Instrument | None:
    if slug:
        row = Instrument.objects.filter(slug=slug).first()
        if row is None:
            known = ", ".join(Instrument.objects.values_list("slug", flat=True))
            raise RegistrationError(
                "instrument", f"There is no instrument {slug}. Declared are: {known}."
            )
        return row
    return place.rule.instrument if place.rule else None


def _instrument_named_by(description: Description) -> Instrument | None:
    """Recognise the instrument by the name in the file: its slug or its full name."""
    name = (description.instrument or "").strip().lower()
    rows = Instrument.objects.all()
    return next((it for it in rows if name and name in {it.slug.lower(), it.name.lower()}), None)


def _refuse_unnamed(description: Description) -> NoReturn:
    name = (description.instrument or "").strip()
    said = f"The file names {name!r}, which is not declared." if name else "The file names none."
    raise RegistrationError("instrument", f"Name the instrument. {said}")


def _choose_proposal(
    place: _Place, instrument: Instrument, number: str, description: Description
) -> tuple[Proposal | None, list[str]]:
    """Return the proposal, and what the curator should know if there is none."""
    proposals = Proposal.objects.filter(facility=instrument.facility)
    decided = number or place.named.get("proposal", "")
    if decided:
        row = proposals.filter(number=decided).first()
        if row is None:
            raise RegistrationError(
                "proposal",
                f"Proposal {decided} is not known. Add it by manage.py add_proposal, or name "
                "another.",
            )
        return row, []
    if not description.proposal:
        return None, ["No proposal is named: only the instrument's staff see this dataset."]
    row = proposals.filter(number=description.proposal).first()
    unknown = f"The file names proposal {description.proposal}, which is not known here."
    return row, [] if row else [unknown]


def _choose_policy(place: _Place, proposal: Proposal | None) -> EmbargoPolicy:
    if proposal and proposal.policy:
        return proposal.policy
    if place.rule:
        return place.rule.policy
    policy = EmbargoPolicy.objects.filter(slug="default").first()
    if policy is None:
        raise RegistrationError(
            "policy", "No embargo policy is declared. Add [embargo.default] to facility.toml."
        )
    return policy


def _techniques(place: _Place, instrument: Instrument, description: Description) -> list[Technique]:
    if place.rule and place.rule.technique:
        return [place.rule.technique]
    is_data = description.content not in {"poni", "image"}
    return list(instrument.techniques.all()) if is_data and not description.techniques else []


def _prefix(place: _Place, description: Description) -> str:
    root = Path(description.root).resolve()
    relative = root.relative_to(Path(place.store.root).resolve()).as_posix()
    return "" if relative == "." else f"{relative}/"
