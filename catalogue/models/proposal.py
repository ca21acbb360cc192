import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Lower

from catalogue.models.facility import EmbargoPolicy, Facility
from catalogue.models.people import User


class Proposal(models.Model):
    """A granted request for beamtime: the unit of membership and embargo."""

    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="proposals")
    number = models.CharField(max_length=60)
    title = models.CharField(max_length=500)
    abstract = models.TextField(blank=True)
    keywords = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    start_date = models.DateField(null=True, blank=True)
    end_date = models.DateField(null=True, blank=True)
    policy = models.ForeignKey(EmbargoPolicy, models.PROTECT, null=True, blank=True)
    members = models.ManyToManyField(User, through="Membership", related_name="proposals")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["facility", "number"], name="one_number_per_facility")
        ]
        indexes = [
            models.Index(OpClass(Lower("number"), name="text_pattern_ops"), name="proposal_number")
        ]

    def __str__(self) -> str:
        return self.number


class Membership(models.Model):
    """
    A person on the team of a proposal, as one source says.

    Each source keeps its own row, so that an import which no longer names a person does
    not take away what a data steward gave by hand.
    """

    class Role(models.TextChoices):
        PI = "pi", "principal investigator"
        CO_PROPOSER = "co_proposer", "co-proposer"
        LOCAL_CONTACT = "local_contact", "local contact"
        MEMBER = "member", "member"

    class Source(models.TextChoices):
        USER_OFFICE = "user_office", "user office"
        ENTITLEMENT = "entitlement", "sign-in"
        HAND = "hand", "by hand"

    person = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.MEMBER)
    source = models.CharField(max_length=20, choices=Source.choices, default=Source.HAND)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)  # the last day

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "proposal", "source"], name="one_role_per_source"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} in {self.proposal}"


class Sample(models.Model):
    pid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    proposal = models.ForeignKey(
        Proposal, models.CASCADE, null=True, blank=True, related_name="samples"
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    chemical_formula = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["proposal", "name"], name="one_sample_name", nulls_distinct=False
            )
        ]
        indexes = [
            # By pattern: suggestions look for beginnings.
            models.Index(OpClass(Lower("name"), name="text_pattern_ops"), name="sample_name"),
            models.Index(
                OpClass(Lower("chemical_formula"), name="text_pattern_ops"), name="sample_formula"
            ),
        ]

    def __str__(self) -> str:
        return self.name
