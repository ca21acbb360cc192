"""Take in raw datasets, or derived ones with the activity that made them."""

from catalogue.registration.declared import register_declared
from catalogue.registration.derived import register_derived
from catalogue.registration.raw import register_found, register_many, register_raw
from catalogue.registration.records import (
    ActivityRecord,
    ConstantRecord,
    DerivedDataset,
    DerivedFile,
    NamedSample,
    RawDataset,
    RawOrigin,
    Registered,
)

__all__ = [
    "ActivityRecord",
    "ConstantRecord",
    "DerivedDataset",
    "DerivedFile",
    "NamedSample",
    "RawDataset",
    "RawOrigin",
    "Registered",
    "register_declared",
    "register_derived",
    "register_found",
    "register_many",
    "register_raw",
]
