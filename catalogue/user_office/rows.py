"""
The rows of a delivery, each checked by itself.

An empty cell, an empty text and null all say nothing, and what is not said stays as it is.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from catalogue.identifiers import check_orcid, check_ror
from catalogue.models import Membership, User

_ORCID_ADDRESS = re.compile(r"https?://orcid\.org/")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tabs and line ends
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FIRST_YEAR, _LAST_YEAR = 1900, 2199


def _refuse_control_characters(text: str) -> str:
    """PostgreSQL holds no NUL, and no title needs a bell."""
    if found := _CONTROL.search(text):
        raise ValueError(f"holds the character U+{ord(found[0]):04X}; remove it")
    return text


def _by(check: Callable[[str], None]) -> AfterValidator:
    """Let one of Django's validators check a field."""

    def validate(text: str) -> str:
        try:
            check(text)
        except ValidationError as error:
            raise ValueError(error.messages[0]) from error
        return text

    return AfterValidator(validate)


def _check_account(account: str) -> None:
    try:
        UnicodeUsernameValidator()(account)
    except ValidationError as error:
        raise ValidationError(
            f"{account} is no name of an account: letters, digits and @ . + - _ only"
        ) from error


def _read_day(value: Any) -> date:
    """Only dates as ISO 8601 writes them: 20260331 would be read as a number of seconds."""
    if not isinstance(value, str) or not _DAY.fullmatch(value.strip()):
        raise ValueError(f"{value} is no date; write 2026-03-31")
    try:
        day = date.fromisoformat(value.strip())
    except ValueError as error:
        raise ValueError(f"{value} is no day of the calendar") from error
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(
            f"{value} is not between {_FIRST_YEAR} and {_LAST_YEAR}; leave it empty for no date"
        )
    return day


def _read_role(value: Any) -> Any:
    role = value.strip().lower() if isinstance(value, str) else value
    if role not in Membership.Role.values:
        raise ValueError(f"{value} is no role; roles are {', '.join(Membership.Role.values)}")
    return Membership.Role(role)


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    AfterValidator(_refuse_control_characters),
]
Account = Annotated[
    Text, Field(max_length=150), AfterValidator(User.normalize_username), _by(_check_account)
]
Number = Annotated[Text, Field(max_length=60)]
Keyword = Annotated[Text, Field(min_length=1, max_length=100)]
Day = Annotated[date, BeforeValidator(_read_day)]
Role = Annotated[Membership.Role, BeforeValidator(_read_role)]
Ror = Annotated[Text, _by(check_ror)]
Email = Annotated[Text, Field(max_length=254), _by(validate_email)]
Orcid = Annotated[Text, AfterValidator(lambda text: _ORCID_ADDRESS.sub("", text)), _by(check_orcid)]


class Row(BaseModel):
    """A row; a key that is not known here is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def leave_out_what_is_empty(cls, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {
            key: value
            for key, value in row.items()
            if value is not None and not (isinstance(value, str) and not value.strip())
        }


class AffiliationRow(Row):
    """Where somebody works; name and city tell affiliations apart."""

    name: Text = Field(max_length=300)
    ror: Ror | None = None
    address: Text | None = Field(default=None, max_length=500)
    city: Text = Field(default="", max_length=100)
    country: Text | None = Field(default=None, max_length=100)


class PersonRow(Row):
    """A person, told from others by the account they sign in with, never by an e-mail."""

    account: Account
    full_name: Text | None = Field(default=None, max_length=200)
    # Together no longer than a full name may be.
    given_name: Text | None = Field(default=None, max_length=99)
    family_name: Text | None = Field(default=None, max_length=99)
    email: Email | None = None
    orcid: Orcid | None = None
    affiliations: tuple[AffiliationRow, ...] = ()

    @property
    def name(self) -> str:
        """The full name as said, or put together of both its parts; else empty."""
        whole = f"{self.given_name} {self.family_name}"
        return self.full_name or (whole if self.given_name and self.family_name else "")


class ProposalRow(Row):
    """A proposal; ``embargo`` names a policy of facility.toml, ``pi`` an account."""

    number: Number
    title: Text = Field(max_length=500)
    abstract: Text | None = Field(default=None, max_length=20_000)
    keywords: tuple[Keyword, ...] | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    embargo: Text | None = Field(default=None, max_length=50)
    pi: Account | None = None


class MembershipRow(Row):
    """Somebody on the team of a proposal; both dates count as days of membership."""

    account: Account
    proposal: Number
    role: Role | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None


class SampleRow(Row):
    """A sample of a proposal, told from its others by its name."""

    proposal: Number
    name: Text = Field(max_length=200)
    description: Text | None = Field(default=None, max_length=20_000)
    chemical_formula: Text | None = Field(default=None, max_length=200)
