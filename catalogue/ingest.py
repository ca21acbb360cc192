"""Find out whose data a path holds, have it read, and register it."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from catalogue.access import Person, require_may_register
from catalogue.description import Description, Progress
from catalogue.errors import NotPermittedError, RegistrationError
from catalogue.models import EmbargoPolicy, IngestRule, Instrument, Proposal, Store, Technique, User
from catalogue.places import CONTENT, content_folder
from catalogue.readers.child import read_in_child
from catalogue.registration import RawOrigin, Registered, register_raw
from catalogue.storage.content import keep_bytes

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


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
    RegistrationError, NotPermittedError, RefusedFileError, ContentChangedError
        Nothing is registered then.
    """
    place = _find_place(path)
    chosen = _choose_instrument(place, instrument)
    if chosen is not None and person is not None:
        require_may_register(person, chosen)  # before anything is read
    elif person is not None and not person.is_authenticated:
        raise NotPermittedError("register data", "a data steward for an account, or sign in")
    description = read_in_child(
        place.path,
        progress=progress,
        required=tuple(place.rule.required_fields) if place.rule else (),
    )
    if chosen is None:
        chosen = _instrument_named_by(description)
        if person is not None:
            require_may_register(person, chosen)
    granted, warnings = _choose_proposal(place, chosen, proposal, description)
    thumbnail = _keep_thumbnail(description)
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
        thumbnail=thumbnail,
    )
    return register_raw(description, origin)


def _find_place(path: Path) -> _Place:
    if not path.exists():
        raise RegistrationError("path", f"There is nothing at {path.name}. Check the path.")
    resolved = path.resolve()
    stores = list(Store.objects.exclude(slug=CONTENT))
    for store in stores:
        root = Path(store.root).resolve()
        if resolved.is_relative_to(root) and resolved != root:
            relative = resolved.relative_to(root).as_posix()
            rule, named = _match_rule(store, relative)
            return _Place(resolved, store, relative, rule, named)
    known = ", ".join(store.slug for store in stores) or "none yet"
    raise RegistrationError(
        "path",
        f"{path.name} lies in no declared store (declared: {known}). "
        "Move it into one, or declare its folder under [storage] in facility.toml.",
    )


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


def _instrument_named_by(description: Description) -> Instrument:
    """Recognise the instrument by the name in the file: its slug or its full name."""
    name = (description.instrument or "").strip()
    for row in Instrument.objects.all():
        if name and name.lower() in {row.slug.lower(), row.name.lower()}:
            return row
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


def _keep_thumbnail(description: Description) -> str:
    if not description.thumbnail:
        return ""
    sha256 = hashlib.sha256(description.thumbnail).hexdigest()
    keep_bytes(content_folder(), description.thumbnail, sha256)
    return sha256
