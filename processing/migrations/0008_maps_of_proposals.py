"""
Which maps a proposal has, as a view: what map rules want, and results that no rule keeps.

Each half begins at the guards of a proposal, so that the maps of others are not read. A
later migration that changes a column named here drops the view first.
"""

import django.db.models.deletion
from django.db import migrations, models

CREATE = """
CREATE VIEW processing_proposalmap AS
SELECT product.id, guard.proposal_id, product.subject_id AS dataset_id, subject.start_time,
       product.id AS product_id, product.processing_run_id
  FROM (SELECT DISTINCT proposal_id, dataset_id FROM catalogue_guard) AS guard
  JOIN processing_product AS product ON product.subject_id = guard.dataset_id
  JOIN catalogue_dataset AS subject ON subject.id = product.subject_id
  JOIN processing_productrule AS rule ON rule.id = product.rule_id
  JOIN processing_recipe AS recipe ON recipe.id = rule.recipe_id
 -- Manifests are compact JSON; of roles for inputs only "contents" speaks.
 WHERE recipe.manifest ~ '"content":"(xrd-map|map-composite)"'
UNION ALL
SELECT -map.id, guard.proposal_id, map.id, map.start_time, NULL, run.id
  FROM (SELECT DISTINCT proposal_id, dataset_id FROM catalogue_guard) AS guard
  JOIN catalogue_dataset AS map ON map.id = guard.dataset_id
  JOIN catalogue_generated AS made ON made.dataset_id = map.id
  JOIN processing_processingrun AS run ON run.activity_id = made.activity_id
 WHERE map.content IN ('xrd-map', 'map-composite')
   -- What a rule has asked for, and has replaced since, is a matter of its product.
   AND run.rule_id IS NULL
   AND NOT EXISTS (SELECT FROM processing_product AS kept WHERE kept.processing_run_id = run.id)
"""
DROP = "DROP VIEW processing_proposalmap"


def to(model, **options):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to=model, **options
    )


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0014_downloads"), ("processing", "0007_queue_by_proposal")]
    operations = [
        migrations.RunSQL(CREATE, DROP),
        migrations.CreateModel(
            name="ProposalMap",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("proposal", to("catalogue.proposal")),
                ("dataset", to("catalogue.dataset")),
                ("start_time", models.DateTimeField(null=True)),
                ("product", to("processing.product", null=True)),
                ("processing_run", to("processing.processingrun", null=True)),
            ],
            options={"managed": False},
        ),
    ]
