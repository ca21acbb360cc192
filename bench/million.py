"""
A catalogue of any size, made by the database itself: the same rows for the same number.

It has the shape of a facility's: fifteen years of proposals of eighty datasets, twenty
instruments, a fifth of the datasets derived, the last three years closed, half of the
closed ones with public metadata, twenty parameters each, and titles whose words are as
unevenly frequent as those of a language.
"""

from django.db import connection, transaction

from catalogue.models import Dataset
from catalogue.search.ledger import recount

PER_PROPOSAL = 80
INSTRUMENTS = 20
MINE = 200  # proposals of the member
_VOCABULARY = 20_000

# Everything that depends on chance depends on the number of the row and a salt alone.
_CHANCE = """
CREATE OR REPLACE FUNCTION chance(i bigint, salt int) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (hashint8extended(i, salt) & 1048575) / 1048576.0 $$;
CREATE OR REPLACE FUNCTION word(i bigint, salt int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
-- By Zipf: the first words are in a third of all titles, the last in a handful.
$$ SELECT 'w' || floor(power(%(vocabulary)s, chance(i, salt)))::int $$;
"""

_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique
"""
_BIG = ["catalogue_parameter", "catalogue_listing", "catalogue_datafile", "catalogue_guard"]

_FACILITY = """
INSERT INTO catalogue_facility (id, slug, name, ror, timezone)
VALUES (1, 'bench', 'Bench light source', '', 'Europe/Paris');
INSERT INTO catalogue_embargopolicy (id, slug, months, starts_with, licence, metadata,
    extension_months, extension_times, extension_notice_days, early_release, products,
    proprietary, remind_days, retention_months)
VALUES (1, 'default', 36, 'dataset.end_time', 'CC-BY-4.0', 'at_release', 12, 1, 14, 'pi',
    'inherit', false, '{}', 120);
INSERT INTO catalogue_store (id, slug, kind, root, read_only)
VALUES (1, 'raw', 'posix', '/nowhere', true);
INSERT INTO catalogue_instrument (id, pid, identifier, slug, name, facility_id)
SELECT i, gen_random_uuid(), '', 'id' || i, 'ID' || i || ' beamline', 1
FROM generate_series(1, %(instruments)s) AS i;
INSERT INTO catalogue_user (id, pid, username, password, full_name, first_name, last_name, email,
    orcid, is_data_steward, is_superuser, is_staff, is_active, date_joined)
VALUES (1, gen_random_uuid(), 'member', '!', 'A Member', '', '', '', '', false, false, false,
    true, now());
"""

_PROPOSALS = """
INSERT INTO catalogue_proposal (id, pid, facility_id, number, title, abstract, keywords, policy_id)
SELECT p, gen_random_uuid(), 1, 'hg-' || lpad(p::text, 5, '0'),
    word(p, 1) || ' ' || word(p, 2) || ' ' || word(p, 3), '', '{}', 1
FROM generate_series(1, %(proposals)s) AS p;
INSERT INTO catalogue_sample (id, pid, proposal_id, name, description, chemical_formula)
SELECT 8 * (p - 1) + s, gen_random_uuid(), p, 's' || p || '-' || s, '',
    (ARRAY['LaB6', 'CeO2', 'PbCO3', 'Fe2O3', 'SiO2', 'TiO2', 'Al2O3', 'NaCl'])[s]
FROM generate_series(1, %(proposals)s) AS p, generate_series(1, 8) AS s;
-- Half of the member's proposals are of the last three years.
INSERT INTO catalogue_membership (person_id, proposal_id, role, source)
SELECT DISTINCT 1, CASE WHEN m %% 2 = 0
        THEN 1 + floor(chance(m, 4) * %(proposals)s)::int
        ELSE %(proposals)s - floor(chance(m, 4) * %(proposals)s / 5)::int END, 'member', 'hand'
FROM generate_series(1, %(mine)s) AS m;
"""

_DATASETS = """
CREATE TEMPORARY TABLE plan AS
SELECT d.*, timestamptz '2012-01-01 00:00+00'
        + ((proposal - 1) * (interval '5430 days' / %(proposals)s)) + d.nth * interval '2 hours'
        AS start_time
FROM (SELECT i AS id, 1 + (i - 1) / %(each)s AS proposal, (i - 1) %% %(each)s AS nth,
        1 + ((i - 1) / %(each)s) %% %(instruments)s AS instrument,
        CASE WHEN chance(i, 5) < 0.2 THEN 'derived' ELSE 'raw' END AS kind
    FROM generate_series(1, %(datasets)s) AS i) AS d;
INSERT INTO catalogue_dataset (id, pid, kind, content, title, description, source_id, facility_id,
    instrument_id, policy_id, licence, start_time, end_time, registered_at, revision, listed_at,
    opens_at, opening_noted, size, file_count, digest, thumbnail, warnings)
SELECT id, md5('dataset ' || id)::uuid, kind,
    CASE WHEN kind = 'derived' THEN 'xrd-map'
         ELSE (ARRAY['nexus-scan', 'nexus-scan', 'image', 'euxfel-run'])[1 + instrument %% 4] END,
    word(id, 11) || ' ' || word(id, 12) || ' ' || word(id, 13) || ' ' || word(id, 14) || ' scan '
        || nth, '', '', 1, instrument, 1, 'CC-BY-4.0', start_time,
    start_time + interval '1 hour', start_time + interval '2 hours', 1,
    (start_time + interval '3 years' * (instrument %% 2))::date::timestamp
        AT TIME ZONE 'Europe/Paris',
    (start_time + interval '3 years')::date::timestamp AT TIME ZONE 'Europe/Paris',
    start_time < now() - interval '3 years', 1000000 + id, 1, md5(id::text) || md5(id::text), '',
    '[]'
FROM plan;
INSERT INTO catalogue_guard (dataset_id, proposal_id, instrument_id, opens_on, listed_on, ruling,
    extensions, is_proprietary)
SELECT id, proposal, instrument, (start_time + interval '3 years')::date,
    (start_time + interval '3 years' * (instrument %% 2))::date, 'policy', 0, false
FROM plan;
INSERT INTO catalogue_dataset_samples (dataset_id, sample_id)
SELECT id, 8 * (proposal - 1) + 1 + nth %% 8 FROM plan;
INSERT INTO catalogue_dataset_techniques (dataset_id, technique_id)
SELECT p.id, t.id FROM plan AS p JOIN techniques AS t ON t.nth = p.instrument %% t.techniques
UNION SELECT p.id, t.id FROM plan AS p
    JOIN techniques AS t ON t.nth = (p.instrument + 3) %% t.techniques AND p.nth %% 3 = 0;
INSERT INTO catalogue_datafile (uuid, dataset_id, position, path, size, sha256, media_type,
    store_id, key)
SELECT md5('file ' || id)::uuid, id, 0, 'scan_' || id || '.h5', 1000000 + id,
    md5(id::text) || md5(id::text), 'application/x-hdf5', 1,
    'p' || proposal || '/scan_' || id || '.h5' FROM plan;
INSERT INTO catalogue_activity (id, pid, kind, title, recipe, version, run_key, key_document,
    parameters, environment, resolution, configuration)
SELECT id, md5('activity ' || id)::uuid, 'acquisition', 'Measured', '', '', '', '',
    '{}', '{}', '{}', '' FROM plan;
INSERT INTO catalogue_generated (activity_id, dataset_id, role) SELECT id, id, 'data' FROM plan;
"""

# Twelve quantities that every instrument has, eight of its own group.
_KEYS = """
INSERT INTO catalogue_parameterkey (id, name, si_unit) VALUES
    (1, 'photon_energy', 'kg*m**2/s**2'), (2, 'wavelength', 'm'),
    (3, 'sample.temperature', 'K'), (4, 'sample.pressure', 'kg/m/s**2'),
    (5, 'exposure_time', 's'), (6, 'detector.distance', 'm'), (7, 'beam_size', 'm'),
    (8, 'frames', ''), (9, 'ring_current', 'A'), (10, 'sample.rotation', ''),
    (11, 'flux', '1/s'), (12, 'transmission', '');
INSERT INTO catalogue_parameterkey (id, name, si_unit)
SELECT 20 + k, 'motor.m' || k, 'm' FROM generate_series(1, 40) AS k;
"""

_PARAMETERS = """
INSERT INTO catalogue_parameter (dataset_id, key_id, number, text, unit, si_number)
SELECT p.id, k, CASE k WHEN 1 THEN 5 + 20 * c WHEN 2 THEN 12.398419843 / (5 + 20 * c)
        WHEN 3 THEN 4 + 400 * c ELSE 1000 * c END, '',
    CASE k WHEN 1 THEN 'keV' WHEN 2 THEN 'angstrom' WHEN 3 THEN 'K' ELSE '' END,
    CASE k WHEN 1 THEN (5 + 20 * c) * 1.602176634e-16 WHEN 2 THEN 12.398419843e-10 / (5 + 20 * c)
        WHEN 3 THEN 4 + 400 * c ELSE 1000 * c END
FROM plan AS p CROSS JOIN generate_series(1, 12) AS k
CROSS JOIN LATERAL (SELECT chance(p.id, CASE k WHEN 2 THEN 101 ELSE 100 + k END) AS c) AS v;
INSERT INTO catalogue_parameter (dataset_id, key_id, number, text, unit, si_number)
SELECT p.id, 20 + 8 * (p.instrument %% 5) + k, 1000 * c, '', 'mm', c
FROM plan AS p CROSS JOIN generate_series(1, 8) AS k
CROSS JOIN LATERAL (SELECT chance(p.id, 200 + k) AS c) AS v;
"""

_LISTINGS = """
CREATE TEMPORARY TABLE facets AS
SELECT d.id, d.instrument_id, d.kind, d.content,
    extract(year FROM d.start_time AT TIME ZONE 'Europe/Paris')::smallint AS year,
    (SELECT array_agg(t.technique_id ORDER BY 1) FROM catalogue_dataset_techniques AS t
     WHERE t.dataset_id = d.id) AS techniques
FROM catalogue_dataset AS d;
INSERT INTO catalogue_combination (facility_id, instrument_id, kind, content, year, techniques)
SELECT DISTINCT 1, instrument_id, kind, content, year, techniques FROM facets;
INSERT INTO catalogue_listing
    (dataset_id, pid, newest, listed_at, opens_at, is_listed, is_open, combination_id, words)
SELECT d.id, d.pid, d.start_time, d.listed_at, d.opens_at,
    coalesce(d.listed_at <= now(), false), coalesce(d.opens_at <= now(), false), c.id,
    setweight(to_tsvector('simple', d.title || ' ' || translate(s.name, '-', ' ') || ' '
        || s.chemical_formula), 'A')
    || setweight(to_tsvector('simple', translate(d.content || ' ' || r.number, '-', ' ') || ' '
        || r.title), 'B')
    || setweight(to_tsvector('simple', 'id' || d.instrument_id || ' beamline scan ' || d.id
        || ' h5'), 'C')
FROM catalogue_dataset AS d
JOIN plan AS p ON p.id = d.id JOIN catalogue_proposal AS r ON r.id = p.proposal
JOIN catalogue_sample AS s ON s.id = 8 * (p.proposal - 1) + 1 + p.nth %% 8
JOIN facets AS f ON f.id = d.id
JOIN catalogue_combination AS c ON c.instrument_id = f.instrument_id AND c.kind = f.kind
    AND c.content = f.content AND c.year = f.year AND c.techniques = f.techniques;
"""


def is_loaded(datasets: int) -> bool:
    """Say whether the database holds just that many datasets."""
    return Dataset.objects.count() == datasets


def load(datasets: int) -> None:
    """
    Fill an empty database.

    Parameters
    ----------
    datasets : int
        How many; the member has a fifth of all proposals if there are fewer than 1,000.
    """
    proposals = max(datasets // PER_PROPOSAL, 1)
    values = {
        "datasets": datasets,
        "each": PER_PROPOSAL,
        "instruments": INSTRUMENTS,
        "mine": min(MINE, max(proposals // 5, 1)),
        "proposals": proposals,
        "vocabulary": _VOCABULARY,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off; SET LOCAL work_mem = '256MB'")
        cursor.execute("SET LOCAL maintenance_work_mem = '1GB'")
        cursor.execute("SET LOCAL session_replication_role = replica")  # no key is looked up
        cursor.execute(_INDEXES, [_BIG])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute(_CHANCE % values)
        for part in (_FACILITY, _PROPOSALS):
            cursor.execute(part % values)
        cursor.execute(
            "CREATE TEMPORARY TABLE techniques AS SELECT id, row_number() OVER (ORDER BY pid) - 1 "
            "AS nth, count(*) OVER () AS techniques FROM catalogue_technique WHERE NOT is_concept "
            "AND id IN (SELECT max(id) FROM catalogue_technique GROUP BY pid)"
        )
        for part in (_DATASETS, _KEYS, _PARAMETERS, _LISTINGS):
            cursor.execute(part % values)
        cursor.execute("SET LOCAL session_replication_role = origin")
        for _, definition in indexes:
            cursor.execute(definition)
        recount()  # the trigger did not run while the rows came in
    _settle_sequences()


def _settle_sequences() -> None:
    with connection.cursor() as cursor:
        for table in (
            "facility",
            "embargopolicy",
            "store",
            "instrument",
            "user",
            "proposal",
            "sample",
            "dataset",
            "activity",
            "parameterkey",
        ):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('catalogue_{table}', 'id'), "
                f"(SELECT max(id) FROM catalogue_{table}))"
            )
        cursor.execute("VACUUM ANALYZE")
