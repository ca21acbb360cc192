"""Replays of processing runs, and in what two of them differ, for machines."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_body, read_query
from catalogue.models import ApiToken
from processing.access import are_results_open, get_processing_run, visible_processing_runs
from processing.api.serializers import NothingSerializer
from processing.determinism import unsteady_keys
from processing.differing import diff
from processing.models import ProcessingRun, Replay
from processing.replaying import reproduce
from processing.submission import get_recipe


class DeviationSerializer(serializers.Serializer[Any]):
    path = serializers.CharField(help_text="File and path inside it, map.nxs:/entry/intensity.")
    detail = serializers.CharField()
    deviation = serializers.FloatField(allow_null=True, help_text="The largest, in its unit.")


class ReplaySerializer(serializers.Serializer[Replay]):
    """``is_open`` in the context says whether the reader may know the files of the result."""

    uuid = serializers.UUIDField()
    verdict = serializers.CharField(
        help_text=", ".join(Replay.Verdict.values) + "; empty while it is pending."
    )
    requested_by = serializers.CharField(
        allow_null=True, help_text="A name; null for the daily sample."
    )
    requested_at = serializers.DateTimeField()
    judged_at = serializers.DateTimeField(allow_null=True)
    processing_run = serializers.UUIDField(
        source="processing_run.uuid", allow_null=True, default=None
    )
    reason = serializers.SerializerMethodField(help_text="Why it cannot be replayed.")
    differences = serializers.SerializerMethodField()

    def get_reason(self, row: Replay) -> str:
        return str(row.detail.get("reason", "")) if self.context["is_open"] else ""

    @extend_schema_field(DeviationSerializer(many=True))
    def get_differences(self, row: Replay) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = row.detail.get("differences", [])
        return found if self.context["is_open"] else []


class Replays(Resource):
    scopes = {"POST": ApiToken.Scope.PROCESS}

    @extend_schema(
        operation_id="list_replays",
        summary="How often a result was made again, and how well, the newest first",
        parameters=[PageQuery],
        responses={200: page_of(ReplaySerializer), **problems(400, 404)},
    )
    def get(self, request: Request, uuid: str) -> Response:
        asked = read_query(PageQuery, request)
        run = get_processing_run(request.user, uuid)
        replays = run.replays.select_related("processing_run", "requested_by")
        page = read_page(request, asked, replays, ("-requested_at", "uuid"))
        return page.answer(ReplaySerializer, {"is_open": are_results_open(request.user, run)})

    @extend_schema(
        operation_id="replay_processing_run",
        summary="Make a result again from its record alone, and compare",
        description="201 with a verdict at once if the record cannot be replayed.",
        request=NothingSerializer,
        responses={201: ReplaySerializer, **problems(400, 404, 409, 415, 503)},
    )
    def post(self, request: Request, uuid: str) -> Response:
        read_body(NothingSerializer, request)
        run = get_processing_run(request.user, uuid)
        replay = reproduce(request.user, run)
        replay.refresh_from_db()
        context = {"is_open": are_results_open(request.user, run)}
        return Response(ReplaySerializer(replay, context=context).data, status=201)


class LineSerializer(serializers.Serializer[Any]):
    section = serializers.CharField(
        help_text="recipe, inputs, parameters, environment, resources, usage or outputs."
    )
    name = serializers.CharField()
    one = serializers.CharField(help_text="Empty where the first has nothing.")
    other = serializers.CharField(help_text="Empty where the second has nothing.")
    reason = serializers.CharField(help_text="Why, where a rule has said so.")
    sentence = serializers.CharField()


class DiffSerializer(serializers.Serializer[Any]):
    one = serializers.UUIDField(source="one.uuid")
    other = serializers.UUIDField(source="other.uuid")
    summary = serializers.CharField()
    key_fields = serializers.ListField(
        child=serializers.CharField(), help_text="Parts of the run key that differ."
    )
    lines = LineSerializer(many=True, help_text="Differences only.")


class Difference(Resource):
    @extend_schema(
        operation_id="compare_processing_runs",
        summary="In what two processing runs differ",
        responses={200: DiffSerializer, **problems(404)},
    )
    def get(self, request: Request, uuid: str, other: str) -> Response:
        pair = get_processing_run(request.user, uuid), get_processing_run(request.user, other)
        return Response(DiffSerializer(diff(request.user, *pair)).data)


class DeterminismSerializer(serializers.Serializer[Any]):
    recipe = serializers.CharField()
    unsteady_keys = serializers.IntegerField(
        help_text="How many run keys have brought several different results."
    )
    processing_runs = serializers.ListField(
        child=serializers.UUIDField(), help_text="The newest runs of such keys that you see."
    )


class Determinism(Resource):
    @extend_schema(
        operation_id="get_determinism",
        summary="Whether a recipe has always brought the same result for the same key",
        responses={200: DeterminismSerializer, **problems(404)},
    )
    def get(self, request: Request, spec: str) -> Response:
        recipe = get_recipe(spec.partition("@")[0])
        keys = unsteady_keys(recipe.name)
        runs = visible_processing_runs(request.user).filter(
            run_key__in=keys, recipe__name=recipe.name, state=ProcessingRun.State.SUCCEEDED
        )
        newest = runs.order_by("-id").values_list("uuid", flat=True)[:_MOST]
        told = {"recipe": recipe.name, "unsteady_keys": keys.count(), "processing_runs": newest}
        return Response(DeterminismSerializer(told).data)


_MOST = 50
