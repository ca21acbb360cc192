"""A processing run that has ended changes no more: late writers are refused by the database."""

from django.db import migrations

CREATE = """
CREATE FUNCTION processing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Removing a person or a rule takes their name from the row; nothing else may change.
  IF to_jsonb(NEW) - 'requested_by_id' - 'rule_id' = to_jsonb(OLD) - 'requested_by_id' - 'rule_id' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'processing run % has ended (%) and changes no more', OLD.uuid, OLD.state;
END $$;
CREATE TRIGGER processing_run_final BEFORE UPDATE ON processing_processingrun FOR EACH ROW
  WHEN (OLD.state IN ('succeeded', 'failed', 'cancelled'))
  EXECUTE FUNCTION processing_refuse_change();
"""
DROP = """
DROP TRIGGER processing_run_final ON processing_processingrun;
DROP FUNCTION processing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("processing", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
