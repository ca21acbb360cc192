"""One check at a time: what it finds, and what its mending says."""

from datetime import timedelta

from django.db import connection

from config.doctor.examination import CHECKS, look
from config.doctor.finding import Finding, Level

LONG_AGO = timedelta(hours=2)


def found(name: str) -> list[Finding]:
    check = next(check for check in CHECKS if check.name == name)
    return [finding for finding in look(check) if finding.level != Level.OK]


def mend(name: str) -> str:
    check = next(check for check in CHECKS if check.name == name)
    assert check.mend is not None
    return check.mend()


def execute(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
