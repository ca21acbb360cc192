"""
What the engine has done, signed by the facility and chained.

Level-triggered: whatever activity of ours has no statement yet gets one, when somebody
comes by; publishing waits for nothing. Each statement names the digest of the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from catalogue.access import Person, cleared_datasets
from catalogue.digests import sha256_of_text
from catalogue.errors import NotPermittedError
from catalogue.models import Activity, Dataset, Generated, Used
from processing.errors import UnsignedError
from processing.exports.envelope import EnvelopeError, seal, unseal
from processing.exports.history import history_of_activity, operator
from processing.exports.keys import PublicKey, public_keys, signing_key
from processing.exports.record import Record, RecordedActivity, RecordedDataset
from processing.models import ProcessingRun, Statement

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
PREVIOUS = "previous-statement"

_CHAIN = 0x9A11_0001  # of pg_advisory_xact_lock: one appends at a time
_AT_ONCE = 100

Descriptor = dict[str, Any]


@dataclass(frozen=True)
class ChainReport:
    """How many links hold, and what is wrong with the first that does not."""

    links: int
    broken: str = ""


def sign_due(limit: int = _AT_ONCE) -> int:
    """
    Sign what our engine has done and nobody has signed yet, the oldest first.

    Parameters
    ----------
    limit : int
        How many at most; the rest waits for the next call.

    Returns
    -------
    int
        How many were signed; 0 if the facility has no key.

    Raises
    ------
    SigningKeyError
        If the key that is set is none.
    """
    key = signing_key()
    if key is None:
        return 0
    signed = 0
    while signed < limit and _sign_next(key):
        signed += 1
    return signed


def unsigned_activities() -> QuerySet[Activity]:
    """Select what our engine has done and nobody has signed."""
    ours = ProcessingRun.objects.filter(
        activity=OuterRef("pk"), state=ProcessingRun.State.SUCCEEDED
    )
    told = Statement.objects.filter(activity=OuterRef("pk"))
    return Activity.objects.filter(Exists(ours), ~Exists(told)).order_by("pk")


@transaction.atomic
def _sign_next(key: Ed25519PrivateKey) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN])
    activity = unsigned_activities().select_related("person").first()
    if activity is None:
        return False
    last = Statement.objects.order_by("-pk").first()
    previous = last.digest if last else ""
    envelope = seal(state(history_of_activity(operator(), activity), previous), key)
    Statement.objects.create(
        activity=activity, envelope=envelope, digest=sha256_of_text(envelope), previous=previous
    )
    return True


def state(record: Record, previous: str) -> dict[str, Any]:
    """
    Put the record of one activity into the words of in-toto and SLSA.

    Parameters
    ----------
    record : Record
        Of one activity.
    previous : str
        Digest of the statement before, empty for the first.
    """
    (activity,) = record.activities.values()
    made = record.generated_by(activity.key)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [subject for row in made for subject in _subjects(record, row)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": _definition(record, activity),
            "runDetails": {
                "builder": {"id": f"{record.base}/terms#engine"},
                "metadata": _metadata(record, activity),
                "byproducts": [_descriptor(PREVIOUS, previous)] if previous else [],
            },
        },
    }


def _subjects(record: Record, row: RecordedDataset) -> list[Descriptor]:
    """Name each file; of a dataset with more than a record holds the digest of all of them."""
    if row.is_cut:
        address = f"{record.base}/datasets/{row.key}/"
        return [{**_descriptor(row.title, row.digest), "uri": address}]
    return [
        {**_descriptor(file.path, file.sha256), "uri": f"{record.base}/files/{file.uuid}/"}
        for file in row.files
    ]


def _descriptor(name: str, sha256: str) -> Descriptor:
    return {"name": name, "digest": {"sha256": sha256}}


def _definition(record: Record, activity: RecordedActivity) -> dict[str, Any]:
    given: list[tuple[str, RecordedDataset]] = [
        (link.role, record.datasets[link.dataset]) for link in record.used
    ]
    inputs = [
        {**_descriptor(role, row.digest), "uri": f"{record.base}/datasets/{row.key}/"}
        for role, row in given
    ]
    packages = [
        {"name": name, "annotations": {"version": version}}
        for name, version in activity.packages.items()
    ]
    return {
        "buildType": f"{record.base}/recipes/{activity.recipe}/",
        "externalParameters": {row.name: row.value for row in activity.parameters},
        "internalParameters": {
            "recipe": activity.recipe,
            "version": activity.version,
            "run_key": activity.run_key,
            "environment": activity.environment,
        },
        "resolvedDependencies": [*inputs, *packages],
    }


def _metadata(record: Record, activity: RecordedActivity) -> dict[str, str]:
    times = {"startedOn": activity.started_at, "finishedOn": activity.ended_at}
    return {
        "invocationId": f"{record.base}/api/v1/activities/{activity.key}/",
        **{name: when.isoformat() for name, when in times.items() if when},
    }


def find_statement(person: Person, dataset: Dataset) -> Statement:
    """
    Return the newest statement on how a dataset was made.

    Raises
    ------
    NotPermittedError
        If it names data that are closed to the person: signed, nothing can be left out.
    UnsignedError
        If there is none.
    """
    made_by = Generated.objects.filter(dataset=dataset).values("activity")
    used, made = (
        edges.objects.filter(activity__in=made_by).values_list("dataset_id", flat=True)
        for edges in (Used, Generated)
    )
    wanted = {dataset.pk, *used, *made}
    if cleared_datasets(person).filter(pk__in=wanted).count() < len(wanted):
        raise NotPermittedError("read what is signed", "those to whom all data in it are open")
    found = Statement.objects.filter(activity__in=made_by).order_by("-pk").first()
    if found is None:
        raise UnsignedError(str(dataset.pid))
    return found


def check_chain() -> ChainReport:
    """Check every statement ever signed: digest, signature, the one before, its activity."""
    keys, last, links = public_keys(), "", 0
    for row in Statement.objects.select_related("activity").order_by("pk").iterator():
        if fault := _fault(row, last, keys):
            return ChainReport(links, f"Statement {links + 1} ({row.digest[:12]}) {fault}.")
        last, links = row.digest, links + 1
    return ChainReport(links)


def _fault(row: Statement, last: str, keys: Mapping[str, PublicKey]) -> str:
    if sha256_of_text(row.envelope) != row.digest:
        return "has been changed since it was signed"
    try:
        statement = unseal(row.envelope, keys)
    except EnvelopeError as error:
        return str(error)
    if not row.previous == named_before(statement) == last:
        return "does not follow the one before: a statement was taken out or slipped in"
    if row.activity is None or _told_of(statement) != str(row.activity.pid):
        return "stands beside another activity than the one it tells of"
    return ""


def _told_of(statement: Mapping[str, Any]) -> str:
    """Return the identifier of the activity that a statement tells of."""
    address: str = statement["predicate"]["runDetails"]["metadata"]["invocationId"]
    return address.rstrip("/").rpartition("/")[2]


def named_before(statement: Mapping[str, Any]) -> str:
    """Return the digest of the statement before, as it stands in the signed text."""
    by = statement["predicate"]["runDetails"]["byproducts"]
    return next((row["digest"]["sha256"] for row in by if row["name"] == PREVIOUS), "")
