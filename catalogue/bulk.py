"""Register what a machine declares: hundreds of datasets in one transaction, or none."""

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from catalogue.access import Person, registrable_instruments
from catalogue.batch import BatchDataset, find_contradictions, read_batch
from catalogue.description import Description, FoundFile, FoundParameter
from catalogue.digests import sha256_of_text
from catalogue.errors import (
    DescriptionError,
    Fault,
    MisshapenError,
    NotPermittedError,
    RegistrationError,
)
from catalogue.models import EmbargoPolicy, Instrument, Proposal, Store, Technique, User
from catalogue.origins import Territories
from catalogue.places import raw_stores
from catalogue.registration import (
    NamedSample,
    RawDataset,
    RawOrigin,
    Registered,
    register_declared,
)
from catalogue.registration.declared import instruments_at
from catalogue.statements import pointer
from catalogue.techniques import resolve
from catalogue.units import is_known

_STAFF = "the staff of its instrument, or a data steward"
_RULED = "by an ingest rule this place is another instrument's"
# One sentence for all three: whoever asks shall not learn what there is of others'.
_ABSENT = (
    "there is no such file in the store, or it lies behind a symbolic link, or is registered "
    "with another instrument"
)

_Stamps = dict[tuple[int, int], int]
"""When a file last changed, in ns, by the places of its dataset and of itself."""


def register_batch(person: Person, body: bytes) -> list[Registered]:
    """
    Register the raw datasets that a machine declares.

    Their files stay where they are and are not opened; that each is there, has its size
    and is no other instrument's is looked at.

    Parameters
    ----------
    person : User or AnonymousUser
        Who registers: staff of all instruments that are named, or a data steward.
    body : bytes
        A JSON array, as ``catalogue.batch`` describes it.

    Returns
    -------
    list of Registered
        In the same order; what was declared before is given back as it is.

    Raises
    ------
    NotPermittedError
        If one of the instruments is not theirs.
    MisshapenError, DescriptionError
        Naming every fault of every dataset; nothing is registered then.
    OtherContentError
        Naming every dataset that is registered already and was declared otherwise.
    """
    if not registrable_instruments(person).exists():
        raise NotPermittedError("register data", _STAFF)
    items, misshapen = read_batch(body)
    named = _look_up(person, items.values())
    stamps: _Stamps = {}
    faults = [
        *find_contradictions(items),
        *_unknown(items, named),
        *_misplaced(items, named, stamps),
    ]
    if misshapen:
        raise MisshapenError([*misshapen, *faults])
    if faults:
        raise DescriptionError(faults)
    owner = person if isinstance(person, User) else None
    return register_declared(
        [
            RawDataset(_describe(place, one, stamps), _say_origin(one, named, owner))
            for place, one in items.items()
        ]
    )


@dataclass(frozen=True)
class _Named:
    """What the datasets of a batch name, by the names they use."""

    instruments: Mapping[str, Instrument]
    stores: Mapping[str, Store]
    proposals: Mapping[tuple[int, str], Proposal]
    techniques: Mapping[str, list[Technique]]
    policy: EmbargoPolicy  # of those whose proposal has none


def _look_up(person: Person, items: Collection[BatchDataset]) -> _Named:
    slugs = {one.instrument for one in items}
    rows = Instrument.objects.filter(slug__in=slugs).select_related("facility")
    instruments = {row.slug: row for row in rows.prefetch_related("techniques")}
    theirs = set(registrable_instruments(person).values_list("pk", flat=True))
    for row in instruments.values():
        if row.pk not in theirs:
            raise NotPermittedError(f"register data of {row}", _STAFF)
    proposals = Proposal.objects.filter(
        number__in={one.proposal for one in items},
        facility__in={row.facility_id for row in instruments.values()},
    )
    stores = raw_stores().filter(slug__in={one.store for one in items})
    return _Named(
        instruments,
        {row.slug: row for row in stores},
        {(row.facility_id, row.number): row for row in proposals.select_related("policy")},
        _find_techniques({text for one in items for text in one.techniques}),
        _default_policy(),
    )


def _find_techniques(texts: set[str]) -> dict[str, list[Technique]]:
    """Look identifiers up at once; names, of which a batch has few, one by one."""
    pids = {text: text.rpartition("/")[2].removeprefix("PaNET:") for text in texts}
    known = {row.pid: row for row in Technique.objects.filter(pid__in=set(pids.values()))}
    return {text: [known[pid]] if pid in known else resolve(text) for text, pid in pids.items()}


def _default_policy() -> EmbargoPolicy:
    policy = EmbargoPolicy.objects.filter(slug="default").first()
    if policy is None:
        reason = "No embargo policy is declared. Add [embargo.default] to facility.toml."
        raise RegistrationError("policy", reason)
    return policy


def _unknown(items: Mapping[int, BatchDataset], named: _Named) -> Iterator[Fault]:
    for place, one in items.items():
        instrument = named.instruments.get(one.instrument)
        if instrument is None:
            yield Fault(pointer(place, "instrument"), f"there is no instrument {one.instrument}")
        elif one.proposal and (instrument.facility_id, one.proposal) not in named.proposals:
            detail = f"proposal {one.proposal} is not known; add it, or name another"
            yield Fault(pointer(place, "proposal"), detail)
        if one.store not in named.stores:
            detail = f"there is no store {one.store} from which raw data are registered"
            yield Fault(pointer(place, "store"), detail)
        for number, text in enumerate(one.techniques):
            if (found := len(named.techniques[text])) != 1:
                detail = f"{text} names {found or 'no'} techniques; give an identifier of PaNET"
                yield Fault(pointer(place, "techniques", number), detail)


def _misplaced(
    items: Mapping[int, BatchDataset], named: _Named, stamps: _Stamps
) -> Iterator[Fault]:
    """Look whether files are their instrument's and there, and note when they changed."""
    known = {
        place: (one, named.stores[one.store], named.instruments[one.instrument].pk)
        for place, one in items.items()
        if one.store in named.stores and one.instrument in named.instruments
    }
    holders = instruments_at(
        (store.pk, _prefix(one) + file.path)
        for one, store, _ in known.values()
        for file in one.files
    )
    territories, ground = Territories(), _Ground()
    for place, (one, store, instrument) in known.items():
        for number, file in enumerate(one.files):
            key, where = _prefix(one) + file.path, pointer(place, "files", number, "path")
            status = ground.status(store, key) if ground.reaches(store) else None
            is_free = holders.get((store.pk, key), set()) <= {instrument}
            is_there = status is not None or not ground.reaches(store)
            if territories.owner(store.pk, key) not in {None, instrument}:
                yield Fault(where, _RULED)
            elif not (is_free and is_there):
                yield Fault(where, _ABSENT)
            elif status and status.st_size != file.size:
                detail = f"the file in the store has {status.st_size} bytes"
                yield Fault(pointer(place, "files", number, "size"), detail)
            elif status:
                stamps[place, number] = status.st_mtime_ns


class _Ground:
    """What lies in the stores that are folders of this machine."""

    def __init__(self) -> None:
        rows = Store.objects.filter(kind="posix")
        self._roots = {row.pk: os.path.realpath(row.root) for row in rows}
        self._is_plain: dict[tuple[int, str], bool] = {}

    def reaches(self, store: Store) -> bool:
        return store.pk in self._roots

    def status(self, store: Store, key: str) -> os.stat_result | None:
        """Return size and times of a regular file, None if it is none of this store's."""
        root = self._roots[store.pk]
        path = f"{root}/{key}"
        folder = path.rpartition("/")[0]
        if (store.pk, folder) not in self._is_plain:
            # A link on the way would lead out of the store, now or later; and what lies in
            # a store inside this one has its own rules, and its own rows.
            is_plain = os.path.realpath(folder) == folder and self._innermost(folder) == root
            self._is_plain[store.pk, folder] = is_plain
        return _status(path) if self._is_plain[store.pk, folder] else None

    def _innermost(self, folder: str) -> str:
        holding = (root for root in self._roots.values() if f"{folder}/".startswith(f"{root}/"))
        return max(holding, key=len)


def _status(path: str) -> os.stat_result | None:
    """Return size and times of a regular file, None if it is none."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _prefix(one: BatchDataset) -> str:
    return f"{one.prefix}/" if one.prefix else ""


def _describe(place: int, one: BatchDataset, stamps: _Stamps) -> Description:
    return Description(
        content=one.content,
        root="",
        title=one.title,
        files=tuple(
            FoundFile(
                path=file.path,
                size=file.size,
                sha256=file.sha256,
                media_type=file.media_type,
                modified_ns=stamps.get((place, number)),
            )
            for number, file in enumerate(one.files)
        ),
        start_time=one.start_time,
        end_time=one.end_time,
        parameters=tuple(
            FoundParameter(name=it.name, value=it.value, unit=it.unit or None)
            for it in one.parameters
        ),
        warnings=tuple(_warnings(one)),
    )


def _say_origin(one: BatchDataset, named: _Named, owner: User | None) -> RawOrigin:
    instrument = named.instruments[one.instrument]
    proposal = named.proposals.get((instrument.facility_id, one.proposal))
    techniques = [named.techniques[text][0] for text in one.techniques]
    return RawOrigin(
        instrument=instrument,
        store=named.stores[one.store],
        key_prefix=_prefix(one),
        policy=(proposal.policy if proposal else None) or named.policy,
        proposal=proposal,
        owner=owner,
        techniques=techniques or list(instrument.techniques.all()),
        source_id=one.source_id,
        description=one.description,
        samples=[NamedSample(it.name, it.chemical_formula) for it in one.samples],
        declaration=sha256_of_text(one.model_dump_json(exclude_defaults=True)),
    )


def _warnings(one: BatchDataset) -> Iterator[str]:
    if not one.proposal:
        yield "No proposal is named: only the instrument's staff see this dataset."
    strange = sorted({it.unit for it in one.parameters if it.unit and not is_known(it.unit)})
    if strange:
        yield f"Units not understood, kept as text and not comparable: {', '.join(strange)}."
