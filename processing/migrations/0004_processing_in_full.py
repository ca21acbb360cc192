import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0010_calibration_and_retraction"),
        ("processing", "0003_rename_blocked"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Configuration",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(unique=True)),
                ("text", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                (
                    "source",
                    models.CharField(
                        choices=[("file", "a file"), ("page", "a page")],
                        default="file",
                        max_length=10,
                    ),
                ),
                ("applied_at", models.DateTimeField(auto_now_add=True)),
                ("changes", models.JSONField(default=list)),
                ("recipes", models.JSONField(default=dict)),
                ("steward", models.JSONField(default=dict)),
                ("limits", models.JSONField(default=dict)),
                ("notifications", models.JSONField(default=dict)),
            ],
            options={
                "ordering": ["-number"],
            },
        ),
        migrations.CreateModel(
            name="Interest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Replay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("requested_at", models.DateTimeField(auto_now_add=True)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("identical-bytes", "identical bytes"),
                            ("identical-content", "identical content"),
                            ("equal-within-tolerance", "equal within tolerance"),
                            ("different", "different"),
                            ("not-replayable", "cannot be replayed"),
                        ],
                        max_length=25,
                    ),
                ),
                ("detail", models.JSONField(blank=True, default=dict)),
                ("judged_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("envelope", models.TextField()),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("previous", models.CharField(blank=True, max_length=64, unique=True)),
                ("signed_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="processingrun",
            name="one_live_run_per_key",
        ),
        migrations.AddField(
            model_name="processingrun",
            name="content_digest",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="processingrun",
            name="proposal",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="processing_runs",
                to="catalogue.proposal",
            ),
        ),
        migrations.AddField(
            model_name="processingrun",
            name="purpose",
            field=models.CharField(
                choices=[("produce", "produce"), ("replay", "replay")],
                db_default="produce",
                default="produce",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="processingrun",
            name="resolution",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="product",
            name="changed_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.AddField(
            model_name="product",
            name="condition",
            field=models.CharField(
                choices=[
                    ("fresh", "fresh"),
                    ("queued", "queued"),
                    ("running", "running"),
                    ("stale", "stale"),
                    ("absent", "absent"),
                    ("blocked", "blocked"),
                    ("failed", "failed"),
                    ("pinned", "pinned"),
                    ("retracted", "retracted"),
                    ("orphaned", "orphaned"),
                ],
                default="absent",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="desired_key",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="product",
            name="ordered_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="product",
            name="ordered_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="pin_reason",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="product",
            name="pinned_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="product",
            name="pinned_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="reasons",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="productrule",
            name="backfill_days",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="productrule",
            name="core_hours_per_day",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="productrule",
            name="owner",
            field=models.CharField(
                choices=[("file", "facility.toml"), ("page", "the page of rules")],
                default="file",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="productrule",
            name="per_hour",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="productrule",
            name="pinned_version",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AlterField(
            model_name="productrule",
            name="keep",
            field=models.CharField(
                choices=[
                    ("fresh", "made again whenever anything differs"),
                    ("latest-compatible", "made again for new inputs, not for new recipes"),
                    ("once", "made once"),
                    ("manual", "made when a person asks"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(fields=["rule", "condition", "id"], name="product_by_condition"),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(
                condition=models.Q(("ordered_at__isnull", False)),
                fields=["rule", "ordered_at"],
                name="product_ordered",
            ),
        ),
        migrations.AddField(
            model_name="configuration",
            name="applied_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="processingrun",
            name="configuration",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="processing_runs",
                to="processing.configuration",
            ),
        ),
        migrations.AddIndex(
            model_name="processingrun",
            index=models.Index(
                condition=models.Q(("state", "running")), fields=["proposal"], name="run_fair_share"
            ),
        ),
        migrations.AddConstraint(
            model_name="processingrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("purpose", "produce"), ("state__in", ["queued", "running"])),
                fields=("run_key", "scope"),
                name="one_live_run_per_key",
            ),
        ),
        migrations.AddField(
            model_name="interest",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="interest",
            name="processing_run",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="interests",
                to="processing.processingrun",
            ),
        ),
        migrations.AddField(
            model_name="replay",
            name="original",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="replays",
                to="processing.processingrun",
            ),
        ),
        migrations.AddField(
            model_name="replay",
            name="processing_run",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="replay",
                to="processing.processingrun",
            ),
        ),
        migrations.AddField(
            model_name="replay",
            name="requested_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="statement",
            name="activity",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="statements",
                to="catalogue.activity",
            ),
        ),
        migrations.AddField(
            model_name="statement",
            name="replay",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="statements",
                to="processing.replay",
            ),
        ),
        migrations.AddConstraint(
            model_name="interest",
            constraint=models.UniqueConstraint(
                fields=("processing_run", "person"), name="one_interest_per_person"
            ),
        ),
    ]
