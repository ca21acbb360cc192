import uuid

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import catalogue.identifiers


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0002_immutable_provenance"),
    ]

    operations = [
        migrations.CreateModel(
            name="Affiliation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=300)),
                ("ror", models.URLField(blank=True, validators=[catalogue.identifiers.check_ror])),
                ("address", models.CharField(blank=True, max_length=500)),
                ("city", models.CharField(blank=True, max_length=100)),
                ("country", models.CharField(blank=True, max_length=100)),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("digest", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("token_key", models.CharField(db_index=True, max_length=25)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("expiry", models.DateTimeField(blank=True, null=True)),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=100)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("read", "read what I may read"),
                                ("ingest", "register and edit datasets"),
                                ("process", "launch and cancel processing runs"),
                                ("archive", "ask for archive copies"),
                            ],
                            max_length=10,
                        ),
                        size=None,
                    ),
                ),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created"],
            },
        ),
        migrations.CreateModel(
            name="Arrival",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=1200)),
                ("fingerprint", models.CharField(max_length=64)),
                ("quiet_since", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "still arriving"),
                            ("registered", "registered"),
                            ("quarantined", "refused"),
                            ("dismissed", "set aside by a data steward"),
                            ("vanished", "gone before it was complete"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=60)),
                ("reason", models.CharField(blank=True, max_length=2000)),
                ("attempts", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["-seen_at"],
            },
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("caption", models.CharField(blank=True, max_length=500)),
                ("media_type", models.CharField(max_length=100)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("added_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["added_at"],
            },
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("who", models.CharField(max_length=200)),
                ("act", models.CharField(max_length=40)),
                ("subject_kind", models.CharField(max_length=20)),
                ("subject", models.CharField(max_length=200)),
                ("old", models.JSONField(blank=True, null=True)),
                ("new", models.JSONField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, max_length=2000)),
            ],
            options={
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="ClientCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                ("answer", models.JSONField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Collection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("title", models.CharField(max_length=500)),
                ("description", models.TextField(blank=True)),
                ("is_shared", models.BooleanField(default=False)),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["-made_at"],
            },
        ),
        migrations.CreateModel(
            name="CollectionItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField()),
            ],
            options={
                "ordering": ["position"],
            },
        ),
        migrations.CreateModel(
            name="Combination",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=10)),
                ("content", models.CharField(max_length=40)),
                ("year", models.SmallIntegerField(null=True)),
                (
                    "techniques",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Guest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("valid_to", models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name="Listing",
            fields=[
                (
                    "dataset",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="listing",
                        serialize=False,
                        to="catalogue.dataset",
                    ),
                ),
                ("pid", models.UUIDField()),
                ("newest", models.DateTimeField()),
                ("listed_at", models.DateTimeField(null=True)),
                ("opens_at", models.DateTimeField(null=True)),
                ("is_listed", models.BooleanField(default=False)),
                ("words", django.contrib.postgres.search.SearchVectorField()),
            ],
        ),
        migrations.CreateModel(
            name="ListingCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("listed_at", models.DateTimeField(null=True)),
                ("opens_at", models.DateTimeField(null=True)),
                ("datasets", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("text", models.TextField(max_length=10000)),
                ("written_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["-written_at"],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("reminder", "an embargo ends soon"),
                            ("opened", "data have opened"),
                            ("request", "somebody asks"),
                            ("decision", "a decision"),
                            ("match", "a saved search"),
                        ],
                        max_length=10,
                    ),
                ),
                ("text", models.CharField(max_length=1000)),
                ("once", models.CharField(max_length=200)),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                ("mail_wanted", models.BooleanField(default=True)),
                ("mailed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-made_at"],
            },
        ),
        migrations.CreateModel(
            name="ParameterKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("si_unit", models.CharField(blank=True, max_length=60)),
            ],
        ),
        migrations.CreateModel(
            name="ProposalParameter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.FloatField(blank=True, null=True)),
                ("text", models.CharField(blank=True, max_length=1000)),
                ("unit", models.CharField(blank=True, max_length=60)),
                ("si_number", models.FloatField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Publication",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "doi",
                    models.CharField(
                        max_length=210, unique=True, validators=[catalogue.identifiers.check_doi]
                    ),
                ),
                ("title", models.CharField(max_length=1000)),
                (
                    "authors",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), default=list, size=None
                    ),
                ),
                ("year", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("abstract", models.TextField(blank=True)),
                ("added_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["-year", "title"],
            },
        ),
        migrations.CreateModel(
            name="QualityFlag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[("good", "good"), ("suspect", "suspect"), ("bad", "bad")],
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(max_length=1000)),
                ("given_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["-given_at"],
            },
        ),
        migrations.CreateModel(
            name="Request",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("access", "access to a closed dataset"),
                            ("extension", "a longer embargo"),
                            ("release", "an early release"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reason", models.TextField(max_length=2000)),
                ("filed_at", models.DateTimeField(auto_now_add=True)),
                ("due_on", models.DateField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "waiting for a decision"),
                            ("granted", "granted"),
                            ("refused", "refused"),
                            ("lapsed", "not decided in time"),
                            ("taken_back", "taken back"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("answer", models.TextField(blank=True, max_length=2000)),
            ],
            options={
                "ordering": ["-filed_at"],
            },
        ),
        migrations.CreateModel(
            name="SavedSearch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("query", models.CharField(max_length=2000)),
                ("wants_mail", models.BooleanField(default=True)),
                ("paused", models.CharField(blank=True, max_length=500)),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                ("seen_up_to", models.DateTimeField()),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="SearchMatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("new", "new"), ("opened", "just opened")], max_length=10
                    ),
                ),
                ("found_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                (
                    "dataset",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="tombstone",
                        serialize=False,
                        to="catalogue.dataset",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("retracted", "retracted"), ("withdrawn", "withdrawn")],
                        max_length=10,
                    ),
                ),
                ("reason", models.TextField()),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Vocabulary",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                ("credit", models.CharField(max_length=300)),
                ("digest", models.CharField(max_length=64)),
                ("loaded_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "verbose_name_plural": "vocabularies",
            },
        ),
        migrations.AlterModelOptions(
            name="parameter",
            options={},
        ),
        migrations.RemoveConstraint(
            model_name="membership",
            name="one_role_per_person",
        ),
        migrations.RemoveConstraint(
            model_name="parameter",
            name="one_value_per_name",
        ),
        migrations.RemoveIndex(
            model_name="dataset",
            name="dataset_search",
        ),
        migrations.RemoveIndex(
            model_name="dataset",
            name="dataset_newest",
        ),
        migrations.RemoveIndex(
            model_name="parameter",
            name="parameter_range",
        ),
        migrations.AddField(
            model_name="dataset",
            name="description",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="dataset",
            name="listed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="dataset",
            name="opening_noted",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="dataset",
            name="opens_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="dataset",
            name="revision",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="dataset",
            name="source_id",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="early_release",
            field=models.CharField(
                choices=[
                    ("pi", "the principal investigator decides"),
                    ("team", "the team may object for two weeks"),
                ],
                default="pi",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="extension_months",
            field=models.PositiveSmallIntegerField(default=12),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="extension_notice_days",
            field=models.PositiveSmallIntegerField(default=14),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="extension_times",
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="metadata",
            field=models.CharField(
                choices=[
                    ("at_end", "public from the end of the measurement"),
                    ("at_release", "public with the data"),
                    ("never", "for the team only"),
                ],
                default="at_release",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="products",
            field=models.CharField(
                choices=[
                    ("inherit", "open with the last of their inputs"),
                    ("releasable", "may open before their inputs"),
                ],
                default="inherit",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="proprietary",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="remind_days",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="embargopolicy",
            name="retention_months",
            field=models.PositiveSmallIntegerField(default=120),
        ),
        migrations.AddField(
            model_name="guard",
            name="extensions",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="guard",
            name="is_proprietary",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="guard",
            name="listed_on",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="guard",
            name="ruling",
            field=models.CharField(
                choices=[
                    ("policy", "by policy"),
                    ("extended", "extended"),
                    ("released", "released early"),
                    ("steward", "by a data steward"),
                ],
                default="policy",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="ingestrule",
            name="end_marker",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="ingestrule",
            name="is_watched",
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name="ingestrule",
            name="quiet_for_s",
            field=models.PositiveIntegerField(default=60),
        ),
        migrations.AddField(
            model_name="instrument",
            name="identifier",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="membership",
            name="source",
            field=models.CharField(
                choices=[
                    ("user_office", "user office"),
                    ("entitlement", "sign-in"),
                    ("hand", "by hand"),
                ],
                default="hand",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="valid_from",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="membership",
            name="valid_to",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="proposal",
            name="keywords",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=100), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="technique",
            name="ancestors",
            field=models.ManyToManyField(related_name="descendants", to="catalogue.technique"),
        ),
        migrations.AddField(
            model_name="technique",
            name="is_concept",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="technique",
            name="is_obsolete",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="technique",
            name="synonyms",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=200), blank=True, default=list, size=None
            ),
        ),
        migrations.AlterField(
            model_name="facility",
            name="ror",
            field=models.URLField(blank=True, validators=[catalogue.identifiers.check_ror]),
        ),
        migrations.AlterField(
            model_name="parameter",
            name="dataset",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="parameters",
                to="catalogue.dataset",
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="orcid",
            field=models.CharField(
                blank=True, max_length=19, validators=[catalogue.identifiers.check_orcid]
            ),
        ),
        migrations.AddIndex(
            model_name="dataset",
            index=models.Index(
                models.OrderBy(models.F("start_time"), descending=True, nulls_last=True),
                models.F("pid"),
                name="dataset_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="dataset",
            index=models.Index(
                condition=models.Q(("opening_noted", False)),
                fields=["opens_at"],
                name="dataset_to_open",
            ),
        ),
        migrations.AddIndex(
            model_name="guard",
            index=models.Index(
                fields=["proposal", "listed_on", "dataset"], name="guard_of_proposal"
            ),
        ),
        migrations.AddIndex(
            model_name="guard",
            index=models.Index(
                fields=["instrument", "listed_on", "dataset"], name="guard_of_instrument"
            ),
        ),
        migrations.AddIndex(
            model_name="proposal",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("number"), name="text_pattern_ops"
                ),
                name="proposal_number",
            ),
        ),
        migrations.AlterField(
            model_name="guard",
            name="instrument",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="catalogue.instrument",
            ),
        ),
        migrations.AlterField(
            model_name="guard",
            name="proposal",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="catalogue.proposal",
            ),
        ),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("name"), name="text_pattern_ops"
                ),
                name="sample_name",
            ),
        ),
        migrations.AddIndex(
            model_name="sample",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("chemical_formula"),
                    name="text_pattern_ops",
                ),
                name="sample_formula",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataset",
            constraint=models.UniqueConstraint(
                condition=models.Q(("source_id", ""), _negated=True),
                fields=("instrument", "source_id"),
                name="one_source_id_per_instrument",
            ),
        ),
        migrations.AddConstraint(
            model_name="guard",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("opens_on__isnull", True),
                    ("listed_on__isnull", True),
                    ("listed_on__lte", models.F("opens_on")),
                    _connector="OR",
                ),
                name="listed_before_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                fields=("person", "proposal", "source"), name="one_role_per_source"
            ),
        ),
        migrations.AddConstraint(
            model_name="affiliation",
            constraint=models.UniqueConstraint(
                fields=("name", "city"), name="one_affiliation_per_city"
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="affiliations",
            field=models.ManyToManyField(
                blank=True, related_name="people", to="catalogue.affiliation"
            ),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="auth_token_set",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="arrival",
            name="dataset",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="arrivals",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="arrival",
            name="rule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="arrivals",
                to="catalogue.ingestrule",
            ),
        ),
        migrations.AddField(
            model_name="attachment",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attachments",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="attachment",
            name="person",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="person",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="clientcall",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="collection",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="collections",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="collectionitem",
            name="collection",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="items",
                to="catalogue.collection",
            ),
        ),
        migrations.AddField(
            model_name="collectionitem",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="catalogue.dataset"
            ),
        ),
        migrations.AddField(
            model_name="collection",
            name="datasets",
            field=models.ManyToManyField(
                related_name="collections",
                through="catalogue.CollectionItem",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="combination",
            name="facility",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="catalogue.facility"
            ),
        ),
        migrations.AddField(
            model_name="combination",
            name="instrument",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, to="catalogue.instrument"
            ),
        ),
        migrations.AddField(
            model_name="guest",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="guests",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="guest",
            name="granted_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="guest",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="guest_of",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="listing",
            name="combination",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="catalogue.combination",
            ),
        ),
        migrations.AddField(
            model_name="listingcount",
            name="combination",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                to="catalogue.combination",
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="notes",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="note",
            name="person",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="dataset",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="notices",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="parameterkey",
            constraint=models.UniqueConstraint(
                fields=("name", "si_unit"), name="one_key_per_dimension"
            ),
        ),
        migrations.AddField(
            model_name="parameter",
            name="key",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalogue.parameterkey",
            ),
        ),
        migrations.AddIndex(
            model_name="parameter",
            index=models.Index(fields=["key", "si_number", "dataset"], name="parameter_number"),
        ),
        migrations.AddIndex(
            model_name="parameter",
            index=models.Index(
                models.F("key"),
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("text"), name="text_pattern_ops"
                ),
                condition=models.Q(("text", ""), _negated=True),
                name="parameter_text",
            ),
        ),
        migrations.AddField(
            model_name="proposalparameter",
            name="key",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="catalogue.parameterkey",
            ),
        ),
        migrations.AddField(
            model_name="proposalparameter",
            name="proposal",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="parameters",
                to="catalogue.proposal",
            ),
        ),
        migrations.AddField(
            model_name="publication",
            name="datasets",
            field=models.ManyToManyField(
                blank=True, related_name="publications", to="catalogue.dataset"
            ),
        ),
        migrations.AddField(
            model_name="qualityflag",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="quality_flags",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="qualityflag",
            name="person",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="request",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="requests",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="request",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="request",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="requests",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="guest",
            name="request",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to="catalogue.request",
            ),
        ),
        migrations.AddField(
            model_name="savedsearch",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="saved_searches",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="searchmatch",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="searchmatch",
            name="search",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="matches",
                to="catalogue.savedsearch",
            ),
        ),
        migrations.AddField(
            model_name="tag",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="tags",
                to="catalogue.dataset",
            ),
        ),
        migrations.AddField(
            model_name="tag",
            name="person",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="tombstone",
            name="person",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="arrival",
            index=models.Index(fields=["state", "-seen_at"], name="arrival_state"),
        ),
        migrations.AddConstraint(
            model_name="arrival",
            constraint=models.UniqueConstraint(fields=("rule", "key"), name="one_arrival_per_key"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["subject", "-at"], name="audit_subject"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["-at", "-id"], name="audit_newest"),
        ),
        migrations.AddConstraint(
            model_name="clientcall",
            constraint=models.UniqueConstraint(fields=("person", "key"), name="one_answer_per_key"),
        ),
        migrations.AddConstraint(
            model_name="collectionitem",
            constraint=models.UniqueConstraint(
                fields=("collection", "dataset"), name="once_per_collection"
            ),
        ),
        migrations.AddConstraint(
            model_name="combination",
            constraint=models.UniqueConstraint(
                fields=("facility", "instrument", "kind", "content", "year", "techniques"),
                name="one_row_per_combination",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(fields=["-newest", "pid"], name="listing_newest"),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["-newest", "pid"], name="listing_public", condition=models.Q(is_listed=True)
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["combination", "-newest", "pid"],
                name="listing_combination",
                condition=models.Q(is_listed=True),
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["listed_at"], name="listing_to_list", condition=models.Q(is_listed=False)
            ),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["dataset"],
                include=["combination", "listed_at", "opens_at"],
                name="listing_counting",
            ),
        ),
        migrations.AddIndex(
            model_name="dataset",
            index=models.Index(fields=["registered_at"], name="dataset_registered"),
        ),
        migrations.AddIndex(
            model_name="listing",
            index=django.contrib.postgres.indexes.GinIndex(fields=["words"], name="listing_words"),
        ),
        migrations.AddIndex(
            model_name="listingcount",
            index=models.Index(
                fields=["listed_at", "opens_at", "combination", "datasets"],
                name="listing_count_dates",
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("mail_wanted", True), ("mailed_at__isnull", True)),
                fields=["person"],
                name="notice_to_mail",
            ),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(fields=("person", "once"), name="said_once"),
        ),
        migrations.AddConstraint(
            model_name="proposalparameter",
            constraint=models.UniqueConstraint(
                fields=("proposal", "key"), name="one_proposal_value_per_key"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("kind", "dataset", "person"),
                name="one_open_request",
            ),
        ),
        migrations.AddConstraint(
            model_name="guest",
            constraint=models.UniqueConstraint(
                fields=("dataset", "person"), name="one_visit_per_guest"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedsearch",
            constraint=models.UniqueConstraint(
                fields=("owner", "query"), name="one_saved_search_per_query"
            ),
        ),
        migrations.AddConstraint(
            model_name="searchmatch",
            constraint=models.UniqueConstraint(
                fields=("search", "dataset", "kind"), name="one_match_per_kind"
            ),
        ),
        migrations.AddIndex(
            model_name="tag",
            index=models.Index(fields=["name", "dataset"], name="tag_name"),
        ),
        migrations.AddConstraint(
            model_name="tag",
            constraint=models.UniqueConstraint(fields=("dataset", "name"), name="one_tag_per_name"),
        ),
    ]
