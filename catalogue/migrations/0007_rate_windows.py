"""How often each caller has called; unlogged, since a crash may forget the last minute."""

from django.db import migrations

TABLE = """
CREATE UNLOGGED TABLE catalogue_rate (
  key text PRIMARY KEY,
  step float8 NOT NULL,
  due float8 NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0006_ledger_and_audit")]
    operations = [migrations.RunSQL(TABLE, "DROP TABLE catalogue_rate;")]
