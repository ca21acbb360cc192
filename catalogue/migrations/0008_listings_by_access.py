"""Mark the listings of open data, so that an index has them in the order of lists."""

from django.db import migrations, models

MARK = "UPDATE catalogue_listing SET is_open = TRUE WHERE opens_at <= now();"


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0007_rate_windows")]
    operations = [
        migrations.RemoveIndex(model_name="listing", name="listing_combination"),
        migrations.RemoveIndex(model_name="listing", name="listing_counting"),
        migrations.AddField(
            model_name="listing", name="is_open", field=models.BooleanField(default=False)
        ),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["is_open", "-newest", "pid"],
                name="listing_access",
                condition=models.Q(is_listed=True),
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["combination", "is_listed", "is_open", "-newest", "pid"],
                name="listing_combined",
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["dataset"],
                include=["combination", "listed_at", "opens_at", "newest", "pid"],
                name="listing_named",
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["opens_at"], name="listing_to_open", condition=models.Q(is_open=False)
            ),
        ),
    ]
