"""A revision of the configuration is written once; a run that has ended may lose its proposal."""

from django.db import migrations

FINAL = """
CREATE OR REPLACE FUNCTION processing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  -- Removing a person, a rule or a proposal takes their name from the row; no more may change.
  names text[] := ARRAY[{names}];
BEGIN
  IF to_jsonb(NEW) - names = to_jsonb(OLD) - names THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'processing run % has ended (%) and changes no more', OLD.uuid, OLD.state;
END $$;
"""
BEFORE = FINAL.format(names="'requested_by_id', 'rule_id'")
AFTER = FINAL.format(names="'requested_by_id', 'rule_id', 'proposal_id'")

CREATE = """
CREATE FUNCTION processing_refuse_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_jsonb(NEW) - 'applied_by_id' = to_jsonb(OLD) - 'applied_by_id'
     AND NEW.applied_by_id IS NULL THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'revision % of the configuration changes no more: apply a new one', OLD.number;
END $$;
CREATE TRIGGER processing_configuration_immutable BEFORE UPDATE ON processing_configuration
  FOR EACH ROW EXECUTE FUNCTION processing_refuse_revision();
"""
DROP = """
DROP TRIGGER processing_configuration_immutable ON processing_configuration;
DROP FUNCTION processing_refuse_revision();
"""


class Migration(migrations.Migration):
    dependencies = [("processing", "0004_processing_in_full")]
    operations = [migrations.RunSQL(AFTER, BEFORE), migrations.RunSQL(CREATE, DROP)]
