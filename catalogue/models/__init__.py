"""What exists, from what, and who may see it."""

from catalogue.models.dataset import DataFile, Dataset, Guard, Parameter
from catalogue.models.facility import (
    EmbargoPolicy,
    Facility,
    IngestRule,
    Instrument,
    Store,
    Technique,
)
from catalogue.models.people import User
from catalogue.models.proposal import Membership, Proposal, Sample
from catalogue.models.provenance import Activity, Generated, Used

__all__ = [
    "Activity",
    "DataFile",
    "Dataset",
    "EmbargoPolicy",
    "Facility",
    "Generated",
    "Guard",
    "IngestRule",
    "Instrument",
    "Membership",
    "Parameter",
    "Proposal",
    "Sample",
    "Store",
    "Technique",
    "Used",
    "User",
]
