"""Carry what there is into the new tables; nothing is computed that was not there."""

from django.db import migrations

KEYS = """
INSERT INTO catalogue_parameterkey (name, si_unit)
SELECT DISTINCT name, si_unit FROM catalogue_parameter;
UPDATE catalogue_parameter AS p SET key_id = k.id
FROM catalogue_parameterkey AS k WHERE k.name = p.name AND k.si_unit = p.si_unit;
"""

DATES = """
UPDATE catalogue_guard SET listed_on = opens_on;
UPDATE catalogue_dataset AS d SET
    opens_at = g.opens_at, listed_at = g.opens_at,
    opening_noted = g.opens_at IS NOT NULL AND g.opens_at <= now()
FROM (
    SELECT g.dataset_id, CASE WHEN bool_or(g.opens_on IS NULL) THEN NULL
        ELSE max(g.opens_on)::timestamp AT TIME ZONE max(f.timezone) END AS opens_at
    FROM catalogue_guard AS g
    JOIN catalogue_dataset AS d ON d.id = g.dataset_id
    JOIN catalogue_facility AS f ON f.id = d.facility_id
    GROUP BY g.dataset_id
) AS g WHERE g.dataset_id = d.id;
"""

TECHNIQUES = """
INSERT INTO catalogue_technique_ancestors (from_technique_id, to_technique_id)
SELECT id, id FROM catalogue_technique;
"""

LISTINGS = """
CREATE TEMPORARY TABLE facets ON COMMIT DROP AS
SELECT d.id, d.facility_id, d.instrument_id, d.kind, d.content,
    extract(year FROM d.start_time AT TIME ZONE f.timezone)::smallint AS year,
    ARRAY(SELECT t.technique_id FROM catalogue_dataset_techniques AS t
          WHERE t.dataset_id = d.id ORDER BY 1) AS techniques
FROM catalogue_dataset AS d JOIN catalogue_facility AS f ON f.id = d.facility_id;
INSERT INTO catalogue_combination (facility_id, instrument_id, kind, content, year, techniques)
SELECT DISTINCT facility_id, instrument_id, kind, content, year, techniques FROM facets;
INSERT INTO catalogue_listing
    (dataset_id, pid, newest, listed_at, opens_at, is_listed, combination_id, words)
SELECT d.id, d.pid, coalesce(d.start_time, '0001-01-02 00:00:00+00'), d.listed_at, d.opens_at,
    coalesce(d.listed_at <= now(), false), c.id, coalesce(d.search, ''::tsvector)
FROM catalogue_dataset AS d JOIN facets AS v ON v.id = d.id
JOIN catalogue_combination AS c ON c.facility_id = v.facility_id AND c.kind = v.kind
    AND c.instrument_id IS NOT DISTINCT FROM v.instrument_id AND c.content = v.content
    AND c.year IS NOT DISTINCT FROM v.year AND c.techniques = v.techniques;
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0003_catalogue_in_full")]
    operations = [
        migrations.RunSQL(part, migrations.RunSQL.noop)
        for part in (KEYS, DATES, TECHNIQUES, LISTINGS)
    ]
