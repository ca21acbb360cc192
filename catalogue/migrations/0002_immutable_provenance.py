"""Activities and their edges are written once: the database itself refuses a change."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION catalogue_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Deleting a person takes the name from a record; nothing else may change.
  IF TG_TABLE_NAME = 'catalogue_activity'
     AND to_jsonb(NEW) - 'person_id' = to_jsonb(OLD) - 'person_id'
     AND NEW.person_id IS NULL THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'provenance is immutable: % may not be changed', TG_TABLE_NAME;
END $$;
"""


def trigger(table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_immutable BEFORE UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION catalogue_refuse_change();"
    )


def untrigger(table: str) -> str:
    return f"DROP TRIGGER {table}_immutable ON {table};"


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_initial")]
    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION catalogue_refuse_change();"),
        *(
            migrations.RunSQL(trigger(table), untrigger(table))
            for table in ("catalogue_activity", "catalogue_used", "catalogue_generated")
        ),
    ]
