"""Datasets, their files and their history, for machines."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue import lineage, search
from catalogue.access import (
    access_states,
    cleared_datasets,
    get_dataset,
    get_file,
    get_readable,
)
from catalogue.api import filters
from catalogue.api import serializers as shapes
from catalogue.api.found import read_found
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_body, read_query
from catalogue.ingest import register_path
from catalogue.models import ApiToken, Generated
from catalogue.places import locate

_DATASET = shapes.DatasetSerializer


class Datasets(Resource):
    scopes = {"POST": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="list_datasets",
        summary="Find datasets, the best first if there are words, else the newest",
        parameters=[filters.DatasetQuery],
        responses={200: page_of(shapes.DatasetSummarySerializer), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(filters.DatasetQuery, request)
        page = read_found(request, asked, filters.search_query(asked))
        states = access_states(page.rows)
        return page.answer(shapes.DatasetSummarySerializer, {"request": request, "states": states})

    @extend_schema(
        operation_id="register_dataset",
        summary="Register a raw dataset whose files lie in a declared store",
        description="200 if the same content was registered from this place before.",
        request=shapes.RegistrationSerializer,
        responses={200: _DATASET, 201: _DATASET, **problems(400, 409, 415, 422, 503)},
    )
    def post(self, request: Request) -> Response:
        asked = read_body(shapes.RegistrationSerializer, request)
        registered = register_path(
            locate(asked["path"], asked["store"]),
            person=request.user,
            instrument=asked["instrument"],
            proposal=asked["proposal"],
        )
        address = reverse("api-dataset", [registered.dataset.pid], request=request)
        return Response(
            _DATASET(registered.dataset, context={"request": request}).data,
            status=201 if registered.is_new else 200,
            headers={"Location": address},
        )


class Facets(Resource):
    @extend_schema(
        operation_id="count_facets",
        summary="Count what could be chosen under the same query",
        parameters=[filters.SearchQuery],
        responses={200: shapes.FacetsSerializer, **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(filters.SearchQuery, request)
        counted = search.count(request.user, filters.search_query(asked))
        return Response(shapes.FacetsSerializer(counted).data)


class DatasetFiles(Resource):
    @extend_schema(
        operation_id="list_files",
        summary="The files of a dataset, the one to open first",
        parameters=[PageQuery],
        responses={200: page_of(shapes.DataFileSerializer), **problems(400, 404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        # Names of files are as closed as their bytes.
        files = get_readable(request.user, pid).files.select_related("dataset", "store")
        page = read_page(request, asked, files, ("position", "uuid"))
        return page.answer(shapes.DataFileSerializer, {"request": request})


class Lineage(Resource):
    @extend_schema(
        operation_id="get_lineage",
        summary="What made a dataset, and what was made from it",
        responses={200: shapes.LineageSerializer, **problems(404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        dataset = get_dataset(request.user, pid)
        history = {
            "origin": lineage.origin(request.user, dataset),
            "uses": lineage.uses(request.user, dataset),
            "all_uses": f"{reverse('api-activities', request=request)}?used={dataset.pid}",
        }
        return Response(shapes.LineageSerializer(history, context={"request": request}).data)


class OneFile(Resource):
    @extend_schema(
        operation_id="get_file",
        summary="One file: size, checksum and place",
        responses={200: shapes.DataFileSerializer, **problems(404, 410)},
    )
    def get(self, request: Request, uuid: str) -> Response:
        file = get_file(request.user, uuid)
        return Response(shapes.DataFileSerializer(file, context={"request": request}).data)


class Activities(Resource):
    @extend_schema(
        operation_id="list_activities",
        summary="What was done, the newest first",
        parameters=[filters.ActivityQuery],
        responses={200: page_of(shapes.ActivitySummarySerializer), **problems(400, 404)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(filters.ActivityQuery, request)
        activities = filters.select_activities(request.user, asked)
        page = read_page(request, asked, activities, ("-started_at", "pid"))
        return page.answer(shapes.ActivitySummarySerializer, {"request": request})


class OneActivity(Resource):
    @extend_schema(
        operation_id="get_activity",
        summary="One activity with its inputs, parameters and results",
        responses={200: shapes.ActivitySerializer, **problems(404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        step = filters.get_step(request.user, pid)
        made = Generated.objects.filter(activity=step.activity)
        closed = made.exclude(dataset__in=cleared_datasets(request.user))
        context = {"request": request, "step": step, "is_cleared": not closed.exists()}
        return Response(shapes.ActivitySerializer(step.activity, context=context).data)
