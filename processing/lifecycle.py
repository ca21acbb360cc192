"""States of a processing run; success registers its outputs in one fenced transaction."""

from catalogue.access import Person
from processing.models import ProcessingRun


def cancel(person: Person, run: ProcessingRun) -> None:
    raise NotImplementedError
