"""Why a product is as it is gets a sentence in every condition, not only where it is blocked."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("processing", "0002_final_runs_are_immutable")]
    operations = [migrations.RenameField("product", "blocked", "detail")]
