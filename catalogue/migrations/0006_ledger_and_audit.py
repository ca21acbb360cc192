"""The ledger of listings is written by the database, and nobody rewrites the audit log."""

from django.db import migrations

LEDGER = """
CREATE FUNCTION catalogue_count_listings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO catalogue_listingcount (combination_id, listed_at, opens_at, datasets)
    SELECT combination_id, listed_at, opens_at, -count(*) FROM gone GROUP BY 1, 2, 3;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO catalogue_listingcount (combination_id, listed_at, opens_at, datasets)
    SELECT combination_id, listed_at, opens_at, count(*) FROM come GROUP BY 1, 2, 3;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER catalogue_listing_come AFTER INSERT ON catalogue_listing
  REFERENCING NEW TABLE AS come FOR EACH STATEMENT EXECUTE FUNCTION catalogue_count_listings();
CREATE TRIGGER catalogue_listing_change AFTER UPDATE ON catalogue_listing
  REFERENCING OLD TABLE AS gone NEW TABLE AS come
  FOR EACH STATEMENT EXECUTE FUNCTION catalogue_count_listings();
CREATE TRIGGER catalogue_listing_go AFTER DELETE ON catalogue_listing
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION catalogue_count_listings();
INSERT INTO catalogue_listingcount (combination_id, listed_at, opens_at, datasets)
SELECT combination_id, listed_at, opens_at, count(*) FROM catalogue_listing GROUP BY 1, 2, 3;
"""

NO_LEDGER = """
DROP TRIGGER catalogue_listing_come ON catalogue_listing;
DROP TRIGGER catalogue_listing_change ON catalogue_listing;
DROP TRIGGER catalogue_listing_go ON catalogue_listing;
DROP FUNCTION catalogue_count_listings();
"""

AUDIT = """
CREATE FUNCTION catalogue_keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Deleting an account takes its link from an event; the name and all else stay.
  IF TG_OP = 'UPDATE' AND NEW.person_id IS NULL
     AND to_jsonb(NEW) - 'person_id' = to_jsonb(OLD) - 'person_id' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the audit log is kept as written: no event may be changed or removed';
END $$;
CREATE TRIGGER catalogue_auditevent_kept BEFORE UPDATE OR DELETE ON catalogue_auditevent
  FOR EACH ROW EXECUTE FUNCTION catalogue_keep_audit();
"""

NO_AUDIT = """
DROP TRIGGER catalogue_auditevent_kept ON catalogue_auditevent;
DROP FUNCTION catalogue_keep_audit();
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0005_after_the_move")]
    operations = [
        migrations.RunSQL(LEDGER, NO_LEDGER),
        migrations.RunSQL(AUDIT, NO_AUDIT),
    ]
