"""Since when a publication stands on a dataset; until now it was when it was entered."""

import django.db.models.deletion
from django.db import migrations, models

ADD = """
ALTER TABLE catalogue_publication_datasets ADD COLUMN linked_at timestamptz;
UPDATE catalogue_publication_datasets AS d SET linked_at = p.added_at
FROM catalogue_publication AS p WHERE p.id = d.publication_id;
ALTER TABLE catalogue_publication_datasets ALTER COLUMN linked_at SET NOT NULL;
"""
REMOVE = "ALTER TABLE catalogue_publication_datasets DROP COLUMN linked_at;"


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0008_listings_by_access")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(ADD, REMOVE)],
            state_operations=[
                migrations.CreateModel(
                    name="PublicationLink",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("linked_at", models.DateTimeField(auto_now_add=True)),
                        (
                            "dataset",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="publication_links",
                                to="catalogue.dataset",
                            ),
                        ),
                        (
                            "publication",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                to="catalogue.publication",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "catalogue_publication_datasets",
                        "unique_together": {("publication", "dataset")},
                    },
                ),
                migrations.AlterField(
                    model_name="publication",
                    name="datasets",
                    field=models.ManyToManyField(
                        blank=True,
                        related_name="publications",
                        through="catalogue.PublicationLink",
                        to="catalogue.dataset",
                    ),
                ),
            ],
        )
    ]
