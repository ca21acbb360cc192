"""People, proposals and memberships as a user office delivers them."""

from catalogue.user_office.changes import Change
from catalogue.user_office.faults import UserOfficeError, UserOfficeFault
from catalogue.user_office.importing import import_documents, plan_import
from catalogue.user_office.reading import Document, parse

__all__ = [
    "Change",
    "Document",
    "UserOfficeError",
    "UserOfficeFault",
    "import_documents",
    "parse",
    "plan_import",
]
