"""Recipes, processing runs and products, for machines."""

import re
from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.utils.urls import replace_query_param

from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_body, read_query
from catalogue.models import ApiToken
from processing import lifecycle, submission
from processing.access import get_processing_run, visible_processing_runs
from processing.api import serializers as shapes
from processing.api.seeing import results_of, seen_of
from processing.errors import UnknownRecipeError
from processing.models import ProcessingRun, Recipe

_SPEC = re.compile(r"([a-z][a-z0-9-]*)(?:@(\d+\.\d+\.\d+))?")


class Recipes(Resource):
    @extend_schema(
        operation_id="list_recipes",
        summary="Recipes in their newest versions, by name",
        parameters=[PageQuery],
        responses={200: page_of(shapes.RecipeSummarySerializer), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(PageQuery, request)
        newest = Recipe.objects.filter(pk__in=[row.pk for row in submission.list_recipes()])
        page = read_page(request, asked, newest, ("name",))
        return page.answer(shapes.RecipeSummarySerializer, {"request": request})


class OneRecipe(Resource):
    @extend_schema(
        operation_id="get_recipe",
        summary="One recipe by name, xrd-map, or by name and version, xrd-map@1.0.0",
        responses={200: shapes.RecipeSerializer, **problems(404)},
    )
    def get(self, request: Request, spec: str) -> Response:
        recipe = _find_recipe(spec)
        versions = Recipe.objects.filter(name=recipe.name).order_by("-id")
        context = {
            "request": request,
            "versions": list(versions.values_list("version", flat=True)),
        }
        return Response(shapes.RecipeSerializer(recipe, context=context).data)


def _find_recipe(spec: str) -> Recipe:
    parts = _SPEC.fullmatch(spec)
    if parts is None:
        raise UnknownRecipeError(spec)
    return submission.get_recipe(parts[1], parts[2] or "")


class ProcessingRuns(Resource):
    scopes = {"POST": ApiToken.Scope.PROCESS}

    @extend_schema(
        operation_id="list_processing_runs",
        summary="Processing runs, the newest first",
        parameters=[shapes.RunQuery],
        responses={200: page_of(shapes.RunSummarySerializer), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(shapes.RunQuery, request)
        runs = _select(visible_processing_runs(request.user), asked)
        page = read_page(request, asked, runs, ("-queued_at", "uuid"))
        return page.answer(shapes.RunSummarySerializer, {"request": request})

    @extend_schema(
        operation_id="launch_recipe",
        summary="Ask for a result",
        description="201 if a new run is queued; 200 if the result existed or is under way.",
        request=shapes.LaunchSerializer,
        responses={
            200: shapes.LaunchedSerializer,
            201: shapes.LaunchedSerializer,
            **problems(400, 404, 415, 422),
        },
    )
    def post(self, request: Request) -> Response:
        asked = read_body(shapes.LaunchSerializer, request)
        recipe = _find_recipe(asked["recipe"])
        pids = {role: [str(pid) for pid in given] for role, given in asked["inputs"].items()}
        inputs = submission.choose_inputs(request.user, pids)
        submitted = submission.submit(request.user, recipe, inputs, asked["parameters"])
        run, is_new = submitted.processing_run, False
        if submitted.is_reused:
            outcome = "reused"
        elif submitted.is_joined:
            outcome = "joined"
        else:
            outcome, is_new = "queued", True
        run.refresh_from_db()
        return Response(
            shapes.LaunchedSerializer(run, context=_context(request, run, outcome=outcome)).data,
            status=201 if is_new else 200,
            headers={"Location": reverse("api-run", [run.uuid], request=request)},
        )


def _select(runs: QuerySet[ProcessingRun], asked: dict[str, Any]) -> QuerySet[ProcessingRun]:
    if state := asked.get("state"):
        runs = runs.filter(state=state)
    if spec := asked.get("recipe"):
        name, _, version = spec.partition("@")
        runs = runs.filter(recipe__name=name)
        runs = runs.filter(recipe__version=version) if version else runs
    return runs


def _context(request: Request, run: ProcessingRun, **more: Any) -> dict[str, Any]:
    """Fetch a run's datasets at once, and say which of them the reader may see."""
    copies = "activity__generated__dataset__archive_copies__store"
    prefetch_related_objects([run], "inputs__dataset", copies)
    pks = {given.dataset_id for given in run.inputs.all()} | results_of(run)
    return {"request": request, "visible": seen_of(request.user, pks), **more}


class OneProcessingRun(Resource):
    @extend_schema(
        operation_id="get_processing_run",
        summary="One processing run: state, progress, failure and outputs",
        responses={200: shapes.RunSerializer, **problems(404)},
    )
    def get(self, request: Request, uuid: str) -> Response:
        run = get_processing_run(request.user, uuid)
        return Response(shapes.RunSerializer(run, context=_context(request, run)).data)


class Log(Resource):
    @extend_schema(
        operation_id="read_log",
        summary="What a processing run has written, line by line",
        parameters=[shapes.LogQuery],
        responses={200: shapes.LogSerializer, **problems(400, 404)},
    )
    def get(self, request: Request, uuid: str) -> Response:
        asked = read_query(shapes.LogQuery, request)
        after, size = asked["after"], asked["page_size"]
        run = get_processing_run(request.user, uuid)
        # Lines are numbered by place: a run has one writer at a time, and keeps its order.
        rows = list(run.log.all()[after : after + size + 1])
        has_more = len(rows) > size
        results = [
            {
                "line": line,
                "fence": row.fence,
                "level": row.level,
                "text": row.text,
                "written_at": row.written_at,
            }
            for line, row in enumerate(rows[:size], start=after + 1)
        ]
        address = replace_query_param(request.build_absolute_uri(), "after", after + size)
        log = {"next": address if has_more else None, "results": results}
        return Response(shapes.LogSerializer(log).data)


class Cancel(Resource):
    scopes = {"POST": ApiToken.Scope.PROCESS}

    @extend_schema(
        operation_id="cancel_processing_run",
        summary="Stop a processing run",
        request=shapes.NothingSerializer,
        responses={200: shapes.RunSerializer, **problems(400, 404, 409, 415)},
    )
    def post(self, request: Request, uuid: str) -> Response:
        read_body(shapes.NothingSerializer, request)
        run = get_processing_run(request.user, uuid)
        lifecycle.cancel(request.user, run)
        run.refresh_from_db()
        return Response(shapes.RunSerializer(run, context=_context(request, run)).data)
