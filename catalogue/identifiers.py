"""Identifiers that others give out: their form, and the check digit where there is one."""

import re

from django.core.exceptions import ValidationError

_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_ROR = re.compile(r"https://ror\.org/0[0-9a-hj-km-np-tv-z]{6}[0-9]{2}")
_DOI = re.compile(r"10\.\d{4,9}/\S{1,200}")


def check_orcid(orcid: str) -> None:
    """
    Refuse what is no ORCID iD.

    Raises
    ------
    ValidationError
        If its form or its check digit (ISO 7064, mod 11-2) is wrong.
    """
    if not _ORCID.fullmatch(orcid) or _check_digit(orcid[:-1]) != orcid[-1]:
        raise ValidationError(
            f"{orcid} is no ORCID iD. It has the form 0000-0002-1825-0097; look for a typing error."
        )


def _check_digit(digits: str) -> str:
    total = 0
    for digit in digits.replace("-", ""):
        total = (total + int(digit)) * 2
    value = (12 - total % 11) % 11
    return "X" if value == 10 else str(value)


def check_ror(ror: str) -> None:
    """
    Refuse what is no ROR identifier of an organisation.

    Raises
    ------
    ValidationError
        If its form is wrong.
    """
    if not _ROR.fullmatch(ror):
        raise ValidationError(f"{ror} is no ROR id. It has the form https://ror.org/02550n020.")


def check_doi(doi: str) -> None:
    """
    Refuse what is no bare DOI.

    Raises
    ------
    ValidationError
        If its form is wrong, or it is written as an address.
    """
    if not _DOI.fullmatch(doi):
        raise ValidationError(
            f"{doi} is no DOI. Write it without an address, such as 10.1107/S1600577524001234."
        )
