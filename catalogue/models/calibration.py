from django.db import models
from django.db.models import F, Q

from catalogue.models.dataset import Dataset


class CalibrationConstant(models.Model):
    """
    A dataset that tells how to read other ones: a geometry, a dark image, a gain map.

    Two times count: from when to when it holds (``valid_from``, ``valid_to``), and since
    when we know it (``Dataset.registered_at``). Its bytes are a dataset like any other,
    so that lineage points at datasets only.
    """

    dataset = models.OneToOneField(
        Dataset, models.CASCADE, primary_key=True, related_name="calibration"
    )
    kind = models.CharField(max_length=40)  # poni, dark, flat: what rules ask for
    detector = models.CharField(max_length=100, blank=True)
    module = models.CharField(max_length=100, blank=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)  # null: until a newer one
    # Name -> number or text, "energy_kev": 12.4; rules compare them with the subject's.
    conditions = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="valid_for_some_time",
            )
        ]
        indexes = [
            models.Index(F("kind"), F("valid_from").desc(), name="constant_by_validity"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} from {self.valid_from:%Y-%m-%d %H:%M}"
