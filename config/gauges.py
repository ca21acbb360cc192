"""What is known at this moment: counts from the database, room on the disks."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import Error, connection
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from catalogue.models import Store

# name, what it says, its labels, SQL for rows of labels and value.
_Gauge = tuple[str, str, Sequence[str], str]

_GAUGES: list[_Gauge] = [
    (
        "datasets",
        "Datasets in lists, by kind; those taken back are in none.",
        ["kind"],
        """SELECT c.kind, sum(l.datasets) FROM catalogue_listingcount AS l
           JOIN catalogue_combination AS c ON c.id = l.combination_id GROUP BY 1""",
    ),
    (
        "processing_runs",
        "Processing runs, by state.",
        ["state"],
        "SELECT state, count(*) FROM processing_processingrun GROUP BY 1",
    ),
    (
        "queue_oldest_seconds",
        "For how long the oldest due processing run has waited.",
        [],
        """SELECT coalesce(max(extract(epoch FROM clock_timestamp() - not_before)), 0)
           FROM processing_processingrun
           WHERE state = 'queued' AND not_before <= clock_timestamp()""",
    ),
    (
        "leases",
        "Processing runs under way, by whether their worker still answers.",
        ["lease"],
        """SELECT CASE WHEN lease_until < clock_timestamp() THEN 'lost' ELSE 'held' END, count(*)
           FROM processing_processingrun WHERE state = 'running' GROUP BY 1""",
    ),
    (
        "workers",
        "Workers that hold at least one lease.",
        [],
        """SELECT count(DISTINCT owner) FROM processing_processingrun
           WHERE state = 'running' AND lease_until >= clock_timestamp()""",
    ),
    (
        "arrivals",
        "Acquisitions seen by watch rules and not registered, by state.",
        ["state"],
        """SELECT state, count(*) FROM catalogue_arrival
           WHERE state IN ('waiting', 'quarantined') GROUP BY 1""",
    ),
    (
        "archive_copies",
        "Archive copies, by state.",
        ["state"],
        "SELECT state, count(*) FROM processing_archivecopy GROUP BY 1",
    ),
]

# States that are always told: an alert on a value that is not there never fires.
_ALWAYS = {
    "datasets": ["raw", "derived"],
    "processing_runs": ["queued", "running", "succeeded", "failed", "cancelled"],
    "leases": ["held", "lost"],
    "arrivals": ["waiting", "quarantined"],
    "archive_copies": ["waiting", "copying", "archived", "failed"],
}


class Gauges(Collector):
    """The gauges of one scrape; without a database all but one are left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        is_up = GaugeMetricFamily("palimpsest_database_up", "Whether the database answers.")
        try:
            found = [_read(*gauge) for gauge in _GAUGES]
            found += list(_free_bytes())
        except Error:
            found = []
        is_up.add_metric([], float(bool(found)))
        yield is_up
        yield from found


def _read(name: str, text: str, labels: Sequence[str], sql: str) -> GaugeMetricFamily:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[Any] = cursor.fetchall()
    values: dict[Sequence[str], Any] = {(state,): 0 for state in _ALWAYS.get(name, ())}
    values |= {tuple(row[:-1]): row[-1] for row in rows}
    return _family(name, text, labels, values.items())


def _family(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], Any]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"palimpsest_{name}", text, labels=labels)
    for key, value in values:
        family.add_metric(key, float(value or 0))
    return family


def _free_bytes() -> Iterator[GaugeMetricFamily]:
    """Tell the room on the disk of each store; one that is away tells none."""
    free, there = [], []
    for store in Store.objects.order_by("slug"):
        try:
            free.append(([store.slug], shutil.disk_usage(store.root).free))
        except OSError:
            there.append(([store.slug], 0))
        else:
            there.append(([store.slug], 1))
    yield _family("store_free_bytes", "Room on the disk of a store.", ["store"], free)
    yield _family("store_up", "Whether the folder of a store is there.", ["store"], there)
