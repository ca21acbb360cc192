"""Times as files write them."""

from datetime import UTC, datetime

from catalogue.hdf5.findings import shown


def parse_time(text: str, name: str, warnings: list[str]) -> datetime | None:
    """
    Read an ISO 8601 time.

    Parameters
    ----------
    text : str
        "2021-03-16T15:06:05+01:00"; without a zone it is taken as UTC.
    name : str
        What it is, for the warning.
    warnings : list of str
        A sentence is added if there is doubt.

    Returns
    -------
    datetime or None
        Aware, in UTC; None if the text is blank or not understood.
    """
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        warnings.append(f"{name} “{shown(text)}” is not an ISO 8601 time; it is left out.")
        return None
    if time.tzinfo is None:
        warnings.append(f"{name} {text} names no time zone; it is taken as UTC.")
        return time.replace(tzinfo=UTC)
    return time.astimezone(UTC)
