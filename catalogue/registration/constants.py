"""Calibration constants: what files declare themselves to be, and what recipes have made."""

from collections.abc import Iterable

from catalogue.description import Description
from catalogue.models import CalibrationConstant, Dataset
from catalogue.registration.records import ConstantRecord
from catalogue.units import convert

# Content of which every dataset is a constant, and the parameters that become conditions.
_KINDS = frozenset({"poni"})
_CONDITIONS = {"photon_energy": ("energy_kev", "keV")}


def add_constants(pairs: Iterable[tuple[Dataset, Description]]) -> None:
    """
    Note of datasets that are calibration constants from when they hold, and for what.

    A geometry holds from the time at which it was calibrated until there is a newer one.
    """
    CalibrationConstant.objects.bulk_create(
        _constant(row, description) for row, description in pairs if description.content in _KINDS
    )


def add_made_constant(row: Dataset, made: ConstantRecord) -> None:
    """Note of a derived dataset what it calibrates, as the recipe has stated it."""
    CalibrationConstant.objects.create(
        dataset=row,
        kind=made.kind,
        detector=made.detector,
        module=made.module,
        valid_from=made.valid_from,
        conditions=dict(made.conditions),
    )


def _constant(row: Dataset, description: Description) -> CalibrationConstant:
    found = {parameter.name: parameter for parameter in description.parameters}
    conditions: dict[str, float] = {}
    for name, (condition, unit) in _CONDITIONS.items():
        stated = found.get(name)
        if stated and isinstance(stated.value, int | float):
            value = convert(float(stated.value), stated.unit or "", unit)
            if value is not None:
                conditions[condition] = value
    detector = found.get("detector.name")
    return CalibrationConstant(
        dataset=row,
        kind=description.content,
        detector=str(detector.value)[:100] if detector else "",
        valid_from=row.start_time or row.registered_at,
        conditions=conditions,
    )
