import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0004_fill_the_new_tables")]
    operations = [
        migrations.RemoveField(
            model_name="dataset",
            name="search",
        ),
        migrations.RemoveField(
            model_name="parameter",
            name="name",
        ),
        migrations.RemoveField(
            model_name="parameter",
            name="si_unit",
        ),
        migrations.AddConstraint(
            model_name="parameter",
            constraint=models.UniqueConstraint(fields=("dataset", "key"), name="one_value_per_key"),
        ),
        migrations.AlterField(
            model_name="parameter",
            name="key",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalogue.parameterkey",
            ),
        ),
        migrations.AlterField(
            model_name="proposalparameter",
            name="key",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalogue.parameterkey",
            ),
        ),
    ]
