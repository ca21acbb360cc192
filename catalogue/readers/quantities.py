"""Catalogued quantities of a NeXus entry, with their units."""

import math
import re
from collections import Counter
from collections.abc import Iterator

import h5py
import numpy as np

from catalogue import units
from catalogue.description import FoundParameter
from catalogue.errors import RefusedFileError
from catalogue.hdf5 import attribute, read
from catalogue.hdf5.findings import shown
from catalogue.readers.signals import Signal
from catalogue.readers.tree import Group, text_of

KEV_ANGSTROM = 12.398419843  # h c: energy in keV times wavelength in angstrom
MOST_PARAMETERS = 200
LONGEST_SERIES = 100_000  # values of a field that is given by its smallest and largest

_FIELDS = {
    "NXsample": ("temperature", "pressure", "thickness", "mass", "density", "concentration",
                 "magnetic_field", "electric_field", "rotation_angle"),
    "NXdetector": ("distance", "count_time", "frame_time", "x_pixel_size", "y_pixel_size",
                   "beam_center_x", "beam_center_y", "threshold_energy", "sensor_material",
                   "sensor_thickness", "description", "local_name"),
    "NXmonitor": ("preset", "mode"),
    "NXsource": ("name", "probe", "type", "current", "energy"),
    "NXbeam": ("flux", "total_flux"),
    "NXattenuator": ("thickness", "attenuator_transmission"),
    "NXinsertion_device": ("gap", "k"),
    "NXpositioner": ("value",),
}  # fmt: skip

_ENERGY = {"NXbeam": "incident_energy", "NXmonochromator": "energy", "NXdata": "energy"}
# Elsewhere the energy axis of a plot may be that of a fluorescence detector.
_SCANS_ENERGY = frozenset({"NXxas", "NXstxm"})
_WAVELENGTH = {
    "NXbeam": "incident_wavelength",
    "NXmonochromator": "wavelength",
    "NXsource": "incident_wavelength",
}


def read_parameters(
    entry: Group, signals: list[Signal], warnings: list[str]
) -> tuple[FoundParameter, ...]:
    """
    Collect the quantities of an entry that people search for.

    Parameters
    ----------
    entry : Group
        An NXentry.
    signals : list of Signal
        What was measured; images give the number and shape of frames.
    warnings : list of str
        Sentences are added for units that are not understood and numbers left out.

    Returns
    -------
    tuple of FoundParameter
        At most 200, each name once; a series gives its smallest and largest value.
    """
    found: dict[str, FoundParameter] = {}
    for parameter in (*_beam(entry), *_frames(signals), *_named(entry)):
        found.setdefault(parameter.name, parameter)
    if len(found) > MOST_PARAMETERS:
        warnings.append(f"Only the first {MOST_PARAMETERS} of {len(found)} quantities are kept.")
    kept = tuple(found.values())[:MOST_PARAMETERS]
    strange = sorted({it.unit for it in kept if it.unit and not units.is_known(it.unit)})
    if strange:
        names = ", ".join(shown(unit) for unit in strange[:10])
        warnings.append(f"Units not understood, kept as text and not comparable: {names}.")
    return kept


def photon_pair(name: str, value: float, unit: str) -> list[FoundParameter]:
    """
    Give photon energy and wavelength when one of them is known.

    Parameters
    ----------
    name : {"photon_energy", "photon_wavelength"}
        Which one is known.
    value : float
        As the file states it.
    unit : str
        Its unit.

    Returns
    -------
    list of FoundParameter
        The known one as stated, and the other in angstrom or keV, to 10 digits; nothing
        if the unit does not fit.
    """
    other, stated, wanted = {
        "photon_energy": ("photon_wavelength", "keV", "angstrom"),
        "photon_wavelength": ("photon_energy", "angstrom", "keV"),
    }[name]
    known = units.convert(value, unit, stated)
    if known is None or known <= 0:
        return []
    partner = float(f"{KEV_ANGSTROM / known:.10g}")
    return [
        FoundParameter(name=name, value=value, unit=unit),
        FoundParameter(name=other, value=partner, unit=wanted),
    ]


def _beam(entry: Group) -> list[FoundParameter]:
    """Return energy and wavelength of the beam; what is stated wins over what follows."""
    probe = " ".join(source.text("probe") for source in entry.below("NXsource"))
    stated: list[FoundParameter] = []
    implied: list[FoundParameter] = []
    for name, fields in (("energy", _ENERGY), ("wavelength", _WAVELENGTH)):
        for value, unit, suffix in _beam_values(entry, fields):
            if "neutron" in probe:
                whole = f"neutron_{name}{suffix}"
                stated.append(FoundParameter(name=whole, value=value, unit=unit))
                continue
            pair = photon_pair(f"photon_{name}", value, unit)
            stated += [it.model_copy(update={"name": it.name + suffix}) for it in pair[:1]]
            implied += pair[1:] if not suffix else []
    return stated + implied


def _beam_values(entry: Group, fields: dict[str, str]) -> Iterator[tuple[float, str, str]]:
    scans_energy = entry.text("definition") in _SCANS_ENERGY
    for kind, name in fields.items():
        for group in entry.below(kind):
            field = group.field(name)
            if field is None or (kind == "NXdata" and not scans_energy):
                continue
            unit = attribute(field, "units")
            # Crystallographers write A for angstrom; an ampere is no wavelength.
            unit = "angstrom" if unit == "A" and "wavelength" in name else unit
            yield from ((value, unit, suffix) for suffix, value in _numbers(field) if unit)


def _frames(signals: list[Signal]) -> Iterator[FoundParameter]:
    image = next((signal for signal in signals if signal.is_image), None)
    if image is None:
        return
    rows, columns = image.field.shape[-2:]
    yield FoundParameter(name="frames", value=math.prod(image.field.shape[:-2]))
    yield FoundParameter(name="frame.rows", value=rows, unit="pixel")
    yield FoundParameter(name="frame.columns", value=columns, unit="pixel")


def _named(entry: Group) -> Iterator[FoundParameter]:
    groups = list(entry.below(*_FIELDS))
    alike = Counter(group.kind for group in groups)
    for group in groups:
        prefix = group.kind.removeprefix("NX")
        if alike[group.kind] > 1 or group.kind == "NXpositioner":
            prefix = group.name
        for name in _FIELDS[group.kind]:
            field = group.field(name)
            if field is not None:
                whole = prefix if name == "value" else f"{prefix}.{name}"
                yield from _parameters(_dotted(whole), field)


def _parameters(name: str, field: h5py.Dataset) -> Iterator[FoundParameter]:
    if field.dtype.kind in "OSU":
        text = text_of(field)
        if text:
            yield FoundParameter(name=name, value=text)
        return
    for suffix, value in _numbers(field):
        unit = attribute(field, "units") or None
        yield FoundParameter(name=name + suffix, value=value, unit=unit)


def _numbers(field: h5py.Dataset) -> list[tuple[str, float]]:
    """Return one value, or the smallest and largest of a series; nothing if not finite."""
    if field.dtype.kind not in "iuf" or not field.size or field.size > LONGEST_SERIES:
        return []
    try:
        values = read(field)
    except RefusedFileError:
        return []
    values = values[np.isfinite(values)].astype("f8")
    if values.size == 0:
        return []
    low, high = float(values.min()), float(values.max())
    return [("", low)] if low == high else [(".min", low), (".max", high)]


def _dotted(name: str) -> str:
    """Write CellPressure as cell_pressure, and leave dots alone."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^0-9a-zA-Z.]+", "_", snake).strip("_").lower()
