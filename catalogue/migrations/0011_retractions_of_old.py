"""What was retracted before stays so: each tombstone gets its record and its mark."""

from typing import Any

from django.db import migrations


def fill(apps: Any, _: Any) -> None:
    tombstone, retraction, mark = (
        apps.get_model("catalogue", name) for name in ("Tombstone", "Retraction", "RetractionMark")
    )
    for stone in tombstone.objects.filter(kind="retracted").iterator():
        made = retraction.objects.create(
            dataset_id=stone.dataset_id, reason=stone.reason, person_id=stone.person_id
        )
        retraction.objects.filter(pk=made.pk).update(made_at=stone.made_at)
        mark.objects.create(retraction=made, dataset_id=stone.dataset_id)


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0010_calibration_and_retraction")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
