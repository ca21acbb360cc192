"""Collections of datasets, for machines."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue import collecting
from catalogue.api import annotation_shapes as shapes
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_body, read_query
from catalogue.models import ApiToken, Collection

_INGEST = ApiToken.Scope.INGEST


class Collections(Resource):
    scopes = {"POST": _INGEST}

    @extend_schema(
        operation_id="list_collections",
        summary="Your collections, and those that others share; the newest first",
        parameters=[PageQuery],
        responses={200: page_of(shapes.CollectionSerializer), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(PageQuery, request)
        rows = collecting.visible_collections(request.user)
        page = read_page(request, asked, rows, ("-made_at", "pid"))
        return page.answer(shapes.CollectionSerializer, {"request": request})

    @extend_schema(
        operation_id="make_collection",
        summary="Make an empty collection",
        request=shapes.NewCollectionSerializer,
        responses={201: shapes.OneCollectionSerializer, **problems(400, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        asked = read_body(shapes.NewCollectionSerializer, request)
        made = collecting.make_collection(
            request.user, asked["title"], asked["description"], is_shared=asked["is_shared"]
        )
        address = reverse("api-collection", [made.pid], request=request)
        return _answer(request, made, 201, {"Location": address})


class OneCollection(Resource):
    scopes = {"PATCH": _INGEST, "DELETE": _INGEST}

    @extend_schema(
        operation_id="get_collection",
        summary="One collection",
        responses={200: shapes.OneCollectionSerializer, **problems(404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        return _answer(request, collecting.get_collection(request.user, pid))

    @extend_schema(
        operation_id="edit_collection",
        summary="Change title, description, or whether everybody sees the list",
        request=shapes.CollectionChangesSerializer,
        responses={200: shapes.OneCollectionSerializer, **problems(400, 404, 415, 422)},
    )
    def patch(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.CollectionChangesSerializer, request)
        return _answer(request, collecting.edit_collection(request.user, pid, **asked))

    @extend_schema(
        operation_id="remove_collection",
        summary="Take a collection apart; its datasets stay what they are",
        responses={204: None, **problems(404)},
    )
    def delete(self, request: Request, pid: str) -> Response:
        collecting.remove_collection(request.user, pid)
        return Response(status=204)


class CollectionDatasets(Resource):
    scopes = {"POST": _INGEST}

    @extend_schema(
        operation_id="list_collected_datasets",
        summary="What you see of a collection, in its order",
        parameters=[PageQuery],
        responses={200: page_of(shapes.CollectedSerializer), **problems(400, 404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        collection = collecting.get_collection(request.user, pid)
        items = collecting.visible_items(request.user, collection)
        page = read_page(request, asked, items, ("position", "dataset__pid"))
        return page.answer(shapes.CollectedSerializer, {"request": request})

    @extend_schema(
        operation_id="collect_dataset",
        summary="Put a dataset at the end of a collection",
        description="Once it is in, it stays where it is.",
        request=shapes.CollectSerializer,
        responses={201: shapes.OneCollectionSerializer, **problems(400, 404, 415, 422)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.CollectSerializer, request)
        collecting.add_dataset(request.user, pid, asked["dataset"])
        return _answer(request, collecting.get_collection(request.user, pid), 201)


class CollectedDataset(Resource):
    scopes = {"PATCH": _INGEST, "DELETE": _INGEST}

    @extend_schema(
        operation_id="move_collected_dataset",
        summary="Move a dataset within a collection",
        request=shapes.PlaceSerializer,
        responses={204: None, **problems(400, 404, 415)},
    )
    def patch(self, request: Request, pid: str, dataset: str) -> Response:
        asked = read_body(shapes.PlaceSerializer, request)
        if "place" in asked:
            collecting.move_dataset(request.user, pid, dataset, asked["place"])
        return Response(status=204)

    @extend_schema(
        operation_id="take_collected_dataset",
        summary="Take a dataset out of a collection",
        responses={204: None, **problems(404)},
    )
    def delete(self, request: Request, pid: str, dataset: str) -> Response:
        collecting.remove_dataset(request.user, pid, dataset)
        return Response(status=204)


def _answer(
    request: Request,
    collection: Collection,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    hidden = collecting.count_hidden(request.user, collection)
    context = {"request": request, "hidden": hidden}
    body = shapes.OneCollectionSerializer(collection, context=context).data
    return Response(body, status, headers=headers)
