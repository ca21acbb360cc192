"""Which fields of an entry were measured, and which of them are detector images."""

from collections.abc import Iterator
from dataclasses import dataclass

import h5py

from catalogue.readers.tree import Group

MEASURING = ("NXdata", "NXdetector", "NXmonitor", "NXevent_data", "NXlog")


@dataclass(frozen=True)
class Signal:
    """A measured field and the names of its axes; "." or blank where an axis has none."""

    group: Group
    field: h5py.Dataset
    axes: tuple[str, ...]

    @property
    def is_image(self) -> bool:
        """
        Whether its last two axes are the rows and columns of a detector.

        A map has two axes as well, but they are motors: their positions are named.
        """
        if self.field.ndim < 2 or min(self.field.shape[-2:]) < 2 or not self.field.size:
            return False
        motors = [name for name in self.axes[-2:] if name not in {"", "."}]
        return self.group.kind == "NXdetector" or not motors

    def axis(self) -> h5py.Dataset | None:
        """Return the field along the last axis, None if it has none that fits."""
        field = self.group.field(self.axes[-1]) if self.axes and self.axes[-1] else None
        return field if field is not None and field.shape == self.field.shape[-1:] else None


def find_signals(entry: Group) -> list[Signal]:
    """
    Find what was measured; the plot that the entry names as default stands first.

    Parameters
    ----------
    entry : Group
        An NXentry.

    Returns
    -------
    list of Signal
        One per group of a measuring class that has a numeric signal.
    """
    found = [signal for group in _measuring(entry) if (signal := _signal(group))]
    named = _follow_default(entry)
    return sorted(found, key=lambda it: (it.group.place.key != named, it.group.kind != "NXdata"))


def has_values(entry: Group) -> bool:
    """Tell whether any group that measures holds a number."""
    return any(_is_number(group.field(name)) for group in _measuring(entry) for name in group.names)


def _measuring(entry: Group) -> Iterator[Group]:
    return entry.below(*MEASURING)


def _signal(group: Group) -> Signal | None:
    names = group.attributes("signal") or [
        name
        for name in group.names
        if (field := group.field(name)) is not None and "signal" in field.attrs
    ]
    for name in (*names, "data", "event_id", "value"):
        field = group.field(name)
        if _is_number(field) and field is not None and field.size:
            return Signal(group, field, tuple(group.attributes("axes")))
    return None


def _follow_default(entry: Group) -> tuple[str, int] | None:
    name = entry.attribute("default")
    group = entry.group(name) if name else None
    return group.place.key if group else None


def _is_number(field: h5py.Dataset | None) -> bool:
    return field is not None and field.dtype.kind in "iufb" and field.shape is not None
