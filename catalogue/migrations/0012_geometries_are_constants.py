"""Geometries that are registered already become calibration constants, as new ones do."""

from django.db import migrations

FILL = """
INSERT INTO catalogue_calibrationconstant
       (dataset_id, kind, detector, module, valid_from, valid_to, conditions)
SELECT d.id, 'poni', left(coalesce(name.text, ''), 100), '', coalesce(d.start_time, d.registered_at),
       NULL, CASE WHEN energy.si_number IS NULL THEN '{}'::jsonb
                  ELSE jsonb_build_object('energy_kev', energy.si_number / 1.602176634e-16) END
  FROM catalogue_dataset d
  LEFT JOIN catalogue_parameter name ON name.dataset_id = d.id AND name.key_id =
       (SELECT k.id FROM catalogue_parameterkey k WHERE k.name = 'detector.name' AND k.si_unit = '')
  LEFT JOIN LATERAL (
       SELECT p.si_number FROM catalogue_parameter p
         JOIN catalogue_parameterkey k ON k.id = p.key_id AND k.name = 'photon_energy'
        WHERE p.dataset_id = d.id LIMIT 1) energy ON true
 WHERE d.content = 'poni'
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0011_retractions_of_old")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
