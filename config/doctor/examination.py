"""All checks, in the order in which a cause comes before what follows from it."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from django.db import Error, connection

from config.doctor import deployment, services, stores, truth
from config.doctor.finding import Check, Finding, Level, fail

CHECKS = [
    Check("secrets", deployment.look_at_secrets),
    Check("settings", deployment.look_at_settings),
    Check("database", deployment.look_at_database),
    Check("migrations", deployment.look_at_migrations),
    Check("clock", deployment.look_at_clock),
    Check("stores", stores.look_at_stores),
    Check("room", stores.look_at_room),
    Check("missing-bytes", stores.look_for_missing),
    Check("leftover-bytes", stores.look_for_leftovers, stores.remove_leftovers),
    Check("dates", truth.compare_dates, truth.settle_dates),
    Check("listings", truth.compare_listings, truth.relist),
    Check("ledger", truth.compare_ledger, truth.recount),
    Check("workers", services.look_at_workers),
    Check("steward", services.look_at_steward),
]


def examine(facility: Path | None = None) -> Iterator[Finding]:
    """
    Look at everything.

    Parameters
    ----------
    facility : Path, optional
        A facility.toml that should have been applied.

    Yields
    ------
    Finding
        At least one for each check; without a database only those that need none.
    """
    checks = [*CHECKS]
    if facility:
        checks.append(Check("facility", partial(services.compare_declaration, facility)))
    for check in checks:
        findings = list(look(check))
        yield from findings
        if check.name == "database" and findings[-1].level == Level.FAIL:
            return


def look(check: Check) -> Iterator[Finding]:
    """Yield what one check finds; a database that cannot answer is a finding too."""
    try:
        for finding in check.look():
            yield replace(finding, check=check.name)
    except Error as error:
        connection.close()
        first = str(error).strip().partition("\n")[0]
        if check.name == "database":
            problem = fail("The database does not answer.", "Start it, or correct DATABASE_URL.")
        else:
            problem = fail(f"The database refuses the question: {first}.", "manage.py migrate")
        yield replace(problem, check=check.name)


def mend(findings: list[Finding]) -> Iterator[str]:
    """Mend what can be mended without loss; yield what was done."""
    ill = {finding.check for finding in findings if finding.level != Level.OK}
    for check in CHECKS:
        if check.mend and check.name in ill:
            yield check.mend()
