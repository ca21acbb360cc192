import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from catalogue.models import Activity, Dataset, Proposal, User
from processing.models.configuration import Configuration
from processing.models.product import ProductRule
from processing.models.recipe import Recipe


class ProcessingRun(models.Model):
    """
    One execution of a recipe, and at once its place in the queue.

    The rows are the queue: there is no second truth. ``fence`` goes up with every
    claim and every later write carries it, so a worker that lost its lease can write
    nothing. Rows in a final state are immutable (a trigger holds them).
    """

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    class Purpose(models.TextChoices):
        PRODUCE = "produce", "produce"
        REPLAY = "replay", "replay"  # to compare with an old result; publishes nothing

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    purpose = models.CharField(
        max_length=10, choices=Purpose.choices, default=Purpose.PRODUCE, db_default=Purpose.PRODUCE
    )
    recipe = models.ForeignKey(Recipe, models.PROTECT, related_name="processing_runs")
    parameters = models.JSONField()
    run_key = models.CharField(max_length=64)
    key_document = models.TextField()
    # Which datasets, where the key says which bytes: equal bytes in another proposal are
    # another matter, seen by other people.
    scope = models.CharField(max_length=64)
    requested_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="processing_runs"
    )
    rule = models.ForeignKey(ProductRule, models.SET_NULL, null=True, blank=True)
    configuration = models.ForeignKey(
        Configuration, models.PROTECT, null=True, blank=True, related_name="processing_runs"
    )
    # Role -> the sentence that picked its dataset, which one, and when it was decided.
    resolution = models.JSONField(default=dict, blank=True)
    # Whose share of the machines it takes; null for data of no proposal.
    proposal = models.ForeignKey(
        Proposal, models.SET_NULL, null=True, blank=True, related_name="processing_runs"
    )
    clock = models.DateTimeField()  # what the recipe takes for now: kept over retries
    seed = models.BigIntegerField()

    state = models.CharField(
        max_length=10, choices=State.choices, default=State.QUEUED, db_default=State.QUEUED
    )
    priority = models.SmallIntegerField(default=0, db_default=0)
    not_before = models.DateTimeField(db_default=Now())
    attempt = models.SmallIntegerField(default=0, db_default=0)
    max_attempts = models.SmallIntegerField(default=3, db_default=3)
    fence = models.IntegerField(default=0, db_default=0)
    owner = models.CharField(max_length=120, blank=True)  # the worker that holds the lease
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False, db_default=False)

    queued_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    stage = models.CharField(max_length=100, blank=True)
    problem = models.JSONField(null=True, blank=True)  # ticket.Failure of the last attempt
    usage = models.JSONField(null=True, blank=True)
    result_digest = models.CharField(max_length=64, blank=True)  # of the bytes
    content_digest = models.CharField(max_length=64, blank=True)  # without what may vary
    activity = models.OneToOneField(
        Activity, models.PROTECT, null=True, blank=True, related_name="processing_run"
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Two presses of Launch give one run.
            models.UniqueConstraint(
                fields=["run_key", "scope"],
                condition=Q(state__in=["queued", "running"], purpose="produce"),
                name="one_live_run_per_key",
            ),
            models.CheckConstraint(
                condition=Q(state="running", lease_until__isnull=False)
                | (~Q(state="running") & Q(lease_until__isnull=True)),
                name="a_lease_while_running",
            ),
        ]
        indexes = [
            models.Index(F("priority").desc(), "id", condition=Q(state="queued"), name="run_queue"),
            # From proposal to proposal, and to the oldest of each: see leases.claim.
            models.Index(
                F("priority"),
                Coalesce("proposal_id", 0),
                "id",
                condition=Q(state="queued"),
                name="run_shares",
            ),
            models.Index(fields=["proposal"], condition=Q(state="running"), name="run_fair_share"),
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="run_leases"),
            models.Index(
                fields=["run_key", "id"], condition=Q(state="succeeded"), name="run_known_results"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipe} {self.uuid}"

    @property
    def is_final(self) -> bool:
        return self.state in {self.State.SUCCEEDED, self.State.FAILED, self.State.CANCELLED}


class RunInput(models.Model):
    """A dataset given to one role of a processing run."""

    processing_run = models.ForeignKey(ProcessingRun, models.CASCADE, related_name="inputs")
    dataset = models.ForeignKey(Dataset, models.PROTECT, related_name="run_inputs")
    role = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["role", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["processing_run", "role", "position"], name="one_dataset_per_place"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.dataset}"


class Interest(models.Model):
    """A person who wants a run's result: one of several may leave, the last one cancels."""

    processing_run = models.ForeignKey(ProcessingRun, models.CASCADE, related_name="interests")
    person = models.ForeignKey(User, models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["processing_run", "person"], name="one_interest_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.processing_run}"


class LogEntry(models.Model):
    """One line that a recipe, or the engine about it, has written."""

    processing_run = models.ForeignKey(ProcessingRun, models.CASCADE, related_name="log")
    fence = models.IntegerField()
    level = models.CharField(max_length=10)
    text = models.TextField()
    written_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "log entries"

    def __str__(self) -> str:
        return self.text
