"""Publications that stand on datasets, for machines."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue import publications
from catalogue.access import get_dataset
from catalogue.api import annotation_shapes as shapes
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_body, read_query
from catalogue.models import ApiToken

_ORDER = ("-year", "title", "pid")
_PAGE = page_of(shapes.PublicationSerializer)


class Publications(Resource):
    @extend_schema(
        operation_id="list_publications",
        summary="Publications, the newest first, with those of their datasets that you may see",
        parameters=[PageQuery],
        responses={200: _PAGE, **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(PageQuery, request)
        rows = publications.list_publications(request.user)
        page = read_page(request, asked, rows, _ORDER)
        return page.answer(shapes.PublicationSerializer, {"request": request})


class OnePublication(Resource):
    @extend_schema(
        operation_id="get_publication",
        summary="One publication",
        responses={200: shapes.PublicationSerializer, **problems(404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        publication = publications.get_publication(request.user, pid)
        return Response(shapes.PublicationSerializer(publication).data)


class DatasetPublications(Resource):
    scopes = {"POST": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="list_publications_of_dataset",
        summary="Publications that stand on a dataset",
        parameters=[PageQuery],
        responses={200: _PAGE, **problems(400, 404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        dataset = get_dataset(request.user, pid)
        rows = publications.list_publications(request.user).filter(datasets=dataset)
        page = read_page(request, asked, rows, _ORDER)
        return page.answer(shapes.PublicationSerializer, {"request": request})

    @extend_schema(
        operation_id="link_publication",
        summary="Say that a publication stands on a dataset",
        description="What is known of a DOI already stays as it was told first.",
        request=shapes.NewPublicationSerializer,
        responses={201: shapes.PublicationSerializer, **problems(400, 404, 415, 422)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.NewPublicationSerializer, request)
        dataset = get_dataset(request.user, pid)
        linked = publications.link_publication(
            request.user, dataset, publications.Reference(**asked)
        )
        publication = publications.get_publication(request.user, linked.pid)
        address = reverse("api-publication", [publication.pid], request=request)
        body = shapes.PublicationSerializer(publication).data
        return Response(body, 201, headers={"Location": address})


class DatasetPublication(Resource):
    scopes = {"DELETE": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="unlink_publication",
        summary="Take back that a publication stands on a dataset",
        responses={204: None, **problems(404)},
    )
    def delete(self, request: Request, pid: str, publication: str) -> Response:
        dataset = get_dataset(request.user, pid)
        publications.unlink_publication(request.user, dataset, publication)
        return Response(status=204)
