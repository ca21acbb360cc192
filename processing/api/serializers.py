"""How recipes, processing runs and products look to a machine, and what it may send."""

import json
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalogue.api.paging import PageQuery
from catalogue.api.resource import StrictSerializer
from processing.forms.presets import list_presets
from processing.models import ArchiveCopy, ProcessingRun, Recipe
from processing.submission import read_manifest

_LOG_LINES = 500


class PresetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()
    parameters = serializers.DictField(help_text="Complete, with the defaults of the others.")


class RecipeSummarySerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField(help_text="The newest one.")
    title = serializers.CharField()
    presets = serializers.SerializerMethodField(help_text="Parameters that belong together.")
    url = serializers.HyperlinkedIdentityField(
        view_name="api-recipe", lookup_field="name", lookup_url_kwarg="spec"
    )

    @extend_schema_field(PresetSerializer(many=True))
    def get_presets(self, row: Recipe) -> Any:
        return PresetSerializer(list_presets(read_manifest(row)), many=True).data


class RecipeSerializer(RecipeSummarySerializer):
    version = serializers.CharField()
    versions = serializers.SerializerMethodField(help_text="All that are registered, newest first.")
    registered_at = serializers.DateTimeField()
    digest = serializers.CharField(help_text="SHA-256 of the manifest without its environment.")
    manifest = serializers.SerializerMethodField(
        help_text="Inputs by role, parameters as JSON Schema 2020-12, outputs, environment."
    )

    def get_manifest(self, row: Recipe) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(row.manifest)
        manifest.pop("place", None)  # paths of the server are nobody's business
        return manifest

    def get_versions(self, _: object) -> list[str]:
        versions: list[str] = self.context["versions"]
        return versions


class LaunchSerializer(StrictSerializer):
    """A wish for a result: which recipe, on which datasets, with which parameters."""

    recipe = serializers.RegexField(
        r"^[a-z][a-z0-9-]*(@\d+\.\d+\.\d+)?$",
        max_length=105,
        help_text="xrd-map for its newest version, or xrd-map@1.0.0.",
        error_messages={"invalid": "Write a name, xrd-map, or name and version, xrd-map@1.0.0."},
    )
    inputs = serializers.DictField(
        child=serializers.ListField(child=serializers.UUIDField(), max_length=1000),
        help_text="Role to the pids of the datasets given to it.",
    )
    parameters = serializers.DictField(
        default=dict, help_text="As the manifest of the recipe describes; defaults are filled in."
    )


class NothingSerializer(StrictSerializer):
    """An empty body."""


class RunQuery(PageQuery):
    state = serializers.ChoiceField(ProcessingRun.State.choices, required=False)
    recipe = serializers.CharField(
        required=False, max_length=105, help_text="xrd-map, or xrd-map@1.0.0."
    )


class LogQuery(StrictSerializer):
    after = serializers.IntegerField(
        min_value=0, max_value=2**31, default=0, help_text="Number of the last line you have."
    )
    page_size = serializers.IntegerField(min_value=1, max_value=_LOG_LINES, default=_LOG_LINES)


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField(source="progress_done")
    total = serializers.IntegerField(source="progress_total")
    stage = serializers.CharField()


class FailureSerializer(serializers.Serializer[Any]):
    """Why the last attempt brought no result; the traceback stays on the server."""

    reason = serializers.CharField(help_text="Whose fault it is: input, recipe, memory, lost.")
    code = serializers.CharField()
    message = serializers.CharField()


class UsageSerializer(serializers.Serializer[Any]):
    seconds = serializers.FloatField()
    cpu_seconds = serializers.FloatField()
    peak_memory_bytes = serializers.IntegerField()


class CopySerializer(serializers.Serializer[Any]):
    store = serializers.CharField(source="store.slug")
    state = serializers.CharField(help_text=" or ".join(ArchiveCopy.State.values))
    files_done = serializers.IntegerField()
    bytes_done = serializers.IntegerField()
    problem = serializers.CharField()
    archived_at = serializers.DateTimeField(allow_null=True)


class OutputSerializer(serializers.Serializer[Any]):
    role = serializers.CharField()
    dataset = serializers.UUIDField(allow_null=True, help_text="Null if it is hidden from you.")
    copies = CopySerializer(many=True)


class RunSummarySerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    url = serializers.HyperlinkedIdentityField(view_name="api-run", lookup_field="uuid")
    recipe = serializers.SerializerMethodField(help_text="Name and version, xrd-map@1.0.0.")
    state = serializers.ChoiceField(ProcessingRun.State.choices)
    progress = ProgressSerializer(source="*")
    attempt = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    cancel_requested = serializers.BooleanField()
    requested_by = serializers.CharField(allow_null=True, help_text="Name of who asked for it.")
    rule = serializers.CharField(
        source="rule.slug", allow_null=True, help_text="The product rule that asked for it."
    )
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_recipe(self, row: ProcessingRun) -> str:
        return str(row.recipe)


class RunSerializer(RunSummarySerializer):
    """``visible`` in the context holds the keys of the datasets that the reader may see."""

    inputs = serializers.SerializerMethodField()
    parameters = serializers.DictField()
    run_key = serializers.CharField(help_text="SHA-256 of the key document.")
    key_document = serializers.CharField(help_text="What the result depends on, as JSON text.")
    failure = FailureSerializer(source="problem", allow_null=True)
    usage = UsageSerializer(allow_null=True)
    activity = serializers.UUIDField(source="activity.pid", allow_null=True)
    outputs = serializers.SerializerMethodField()
    log = serializers.HyperlinkedIdentityField(view_name="api-run-log", lookup_field="uuid")

    @extend_schema_field(
        serializers.DictField(child=serializers.ListField(child=serializers.UUIDField()))
    )
    def get_inputs(self, row: ProcessingRun) -> dict[str, list[UUID | None]]:
        inputs: dict[str, list[UUID | None]] = {}
        for given in row.inputs.all():
            is_visible = given.dataset_id in self.context["visible"]
            inputs.setdefault(given.role, []).append(given.dataset.pid if is_visible else None)
        return inputs

    @extend_schema_field(OutputSerializer(many=True))
    def get_outputs(self, row: ProcessingRun) -> Any:
        made = row.activity.generated.all() if row.activity else ()
        outputs = []
        for result in made:
            is_visible = result.dataset_id in self.context["visible"]
            copies = result.dataset.archive_copies.all() if is_visible else ()
            pid = result.dataset.pid if is_visible else None
            outputs.append({"role": result.role, "dataset": pid, "copies": copies})
        return OutputSerializer(outputs, many=True).data


class LaunchedSerializer(RunSerializer):
    outcome = serializers.SerializerMethodField(
        help_text="reused: the result existed. joined: the same run is under way already."
    )

    @extend_schema_field({"type": "string", "enum": ["queued", "joined", "reused"]})
    def get_outcome(self, _: object) -> str:
        return str(self.context["outcome"])


class LogEntrySerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="Counts from 1; what ``after`` takes.")
    attempt = serializers.IntegerField(source="fence")
    level = serializers.CharField()
    text = serializers.CharField()
    written_at = serializers.DateTimeField()


class LogSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True, help_text="Null once you have all lines so far.")
    results = LogEntrySerializer(many=True)
