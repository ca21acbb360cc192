"""Take in raw datasets, or derived ones with the activity that made them."""

from catalogue.registration.derived import register_derived
from catalogue.registration.raw import RawDataset, register_many, register_raw
from catalogue.registration.records import (
    ActivityRecord,
    DerivedDataset,
    DerivedFile,
    RawOrigin,
    Registered,
)

__all__ = [
    "ActivityRecord",
    "DerivedDataset",
    "DerivedFile",
    "RawDataset",
    "RawOrigin",
    "Registered",
    "register_derived",
    "register_many",
    "register_raw",
]
