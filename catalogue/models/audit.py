from django.db import models

from catalogue.models.people import User


class AuditEvent(models.Model):
    """
    Who changed what, when and why; a trigger refuses any change of it.

    The subject is named by its public identifier, so that an event outlives what it
    speaks of.
    """

    at = models.DateTimeField(auto_now_add=True)
    person = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    who = models.CharField(max_length=200)  # the name at that time; "the steward process"
    act = models.CharField(max_length=40)  # embargo.extended, metadata.edited, ...
    subject_kind = models.CharField(max_length=20)  # dataset, proposal, token, ...
    subject = models.CharField(max_length=200)  # its pid
    old = models.JSONField(null=True, blank=True)
    new = models.JSONField(null=True, blank=True)
    reason = models.CharField(max_length=2000, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["subject", "-at"], name="audit_subject"),
            models.Index(fields=["-at", "-id"], name="audit_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.who}: {self.act} {self.subject}"
