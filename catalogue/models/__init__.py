"""What exists, from what, and who may see it."""

from catalogue.models.annotation import Attachment, Note, QualityFlag, Tag, Tombstone
from catalogue.models.arrival import Arrival
from catalogue.models.audit import AuditEvent
from catalogue.models.calibration import CalibrationConstant
from catalogue.models.dataset import (
    DataFile,
    Dataset,
    Guard,
    Parameter,
    ParameterKey,
    ProposalParameter,
)
from catalogue.models.downloads import Download
from catalogue.models.facility import (
    EmbargoPolicy,
    Facility,
    IngestRule,
    Instrument,
    Store,
    Technique,
    Vocabulary,
)
from catalogue.models.listing import Combination, Listing, ListingCount
from catalogue.models.notices import Notice, SavedSearch, SearchMatch
from catalogue.models.people import Affiliation, User
from catalogue.models.proposal import Membership, Proposal, Sample
from catalogue.models.provenance import Activity, Generated, Used
from catalogue.models.publication import Collection, CollectionItem, Publication, PublicationLink
from catalogue.models.requests import Guest, Request
from catalogue.models.retraction import Retraction, RetractionMark
from catalogue.models.tokens import ApiToken, ClientCall

__all__ = [
    "Activity",
    "Affiliation",
    "ApiToken",
    "Arrival",
    "Attachment",
    "AuditEvent",
    "CalibrationConstant",
    "ClientCall",
    "Collection",
    "CollectionItem",
    "Combination",
    "DataFile",
    "Dataset",
    "Download",
    "EmbargoPolicy",
    "Facility",
    "Generated",
    "Guard",
    "Guest",
    "IngestRule",
    "Instrument",
    "Listing",
    "ListingCount",
    "Membership",
    "Note",
    "Notice",
    "Parameter",
    "ParameterKey",
    "Proposal",
    "ProposalParameter",
    "Publication",
    "PublicationLink",
    "QualityFlag",
    "Request",
    "Retraction",
    "RetractionMark",
    "Sample",
    "SavedSearch",
    "SearchMatch",
    "Store",
    "Tag",
    "Technique",
    "Tombstone",
    "Used",
    "User",
    "Vocabulary",
]
