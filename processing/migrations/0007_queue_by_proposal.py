"""Claims hop from proposal to proposal; whoever has asked for a live run waits for it."""

from django.db import migrations, models
from django.db.models.functions import Coalesce

WAIT = """
INSERT INTO processing_interest (processing_run_id, person_id)
SELECT id, requested_by_id FROM processing_processingrun
 WHERE state IN ('queued', 'running') AND requested_by_id IS NOT NULL
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("processing", "0006_wanted_runs")]
    operations = [
        migrations.AddIndex(
            model_name="processingrun",
            index=models.Index(
                models.F("priority"),
                Coalesce("proposal_id", 0),
                models.F("id"),
                condition=models.Q(("state", "queued")),
                name="run_shares",
            ),
        ),
        migrations.RunSQL(WAIT, migrations.RunSQL.noop),
    ]
