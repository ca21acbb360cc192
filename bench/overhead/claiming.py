"""How long a claim takes while very many runs of many proposals wait."""

import statistics
import time
from typing import Any

from django.db import connection

from catalogue.models import Proposal
from processing import leases
from processing.models import ProcessingRun

QUEUED = 100_000
PROPOSALS = 200

_COPY = """
INSERT INTO processing_processingrun (uuid, recipe_id, parameters, run_key, key_document, scope,
  proposal_id, priority, clock, seed, owner, progress_done, progress_total, stage,
  result_digest, content_digest, resolution)
SELECT gen_random_uuid(), recipe_id, parameters, run_key, key_document, md5(i::text),
  %(first)s + (random() * random() * (%(proposals)s - 1))::int, (i %% 50 = 0)::int, clock, seed,
  '', 0, 0, '', '', '', '{}'
  FROM processing_processingrun, generate_series(1, %(queued)s) AS i WHERE id = %(id)s
"""


def measure(run: ProcessingRun) -> dict[str, Any]:
    """Queue copies of a run, most of them of few proposals, and claim some."""
    facility, policy = run.proposal.facility, run.proposal.policy  # type: ignore[union-attr]  # it has one
    rows = Proposal.objects.bulk_create(
        Proposal(facility=facility, number=f"many-{number}", title="Many", policy=policy)
        for number in range(PROPOSALS)
    )
    with connection.cursor() as cursor:
        values = {"first": rows[0].pk, "proposals": PROPOSALS, "queued": QUEUED, "id": run.pk}
        cursor.execute(_COPY, values)
        cursor.execute(
            "VACUUM ANALYZE processing_processingrun"
        )  # as autovacuum would, a little later
    seconds, claimed = [], []
    for _ in range(PROPOSALS):
        begun = time.perf_counter()
        held = leases.claim("bench", 60)
        seconds.append(time.perf_counter() - begun)
        claimed.append(held.run_id if held else None)
    shares = ProcessingRun.objects.filter(pk__in=claimed).values("priority", "proposal")
    return {
        "queued": QUEUED,
        "proposals": PROPOSALS,
        "claim_ms": round(1000 * statistics.median(seconds), 1),
        "claim_p95_ms": round(1000 * sorted(seconds)[int(0.95 * len(seconds))], 1),
        "proposals_served": shares.distinct().count(),
    }
