"""Days of the facility, in which people think of dates."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from django.utils import timezone

from catalogue.models import Facility


def facility_zone() -> ZoneInfo:
    """Return the time zone of the facility; UTC before one is declared."""
    name = Facility.objects.values_list("timezone", flat=True).first()
    return ZoneInfo(name or "UTC")


def facility_today() -> date:
    """Return the day it is at the facility."""
    return timezone.now().astimezone(facility_zone()).date()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day begins."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
