"""A product names its result, and beside it the run that is to replace it."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q


def part(apps, _):
    """What has not succeeded is wanted; what has is the result."""
    product = apps.get_model("processing", "Product")
    unmade = product.objects.filter(~Q(processing_run__state="succeeded"))
    unmade.update(wanted_run=F("processing_run"), processing_run=None)


def join(apps, _):
    product = apps.get_model("processing", "Product")
    product.objects.filter(processing_run=None).update(processing_run=F("wanted_run"))


class Migration(migrations.Migration):
    dependencies = [("processing", "0005_final_and_immutable")]
    operations = [
        migrations.AddField(
            "product",
            "wanted_run",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="wanted_for",
                to="processing.processingrun",
            ),
        ),
        migrations.RunPython(part, join),
    ]
