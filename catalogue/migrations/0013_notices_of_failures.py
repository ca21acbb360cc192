from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0012_geometries_are_constants"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("reminder", "an embargo ends soon"),
                    ("opened", "data have opened"),
                    ("request", "somebody asks"),
                    ("decision", "a decision"),
                    ("match", "a saved search"),
                    ("failed", "a product failed"),
                ],
                max_length=10,
            ),
        ),
    ]
