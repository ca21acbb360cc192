"""One dataset: read, and changed by whoever has seen its latest version."""

from collections.abc import Collection

from django.http import HttpResponseBase
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.access import get_dataset
from catalogue.api import serializers as shapes
from catalogue.api.resource import ProblemSerializer, Resource, problems
from catalogue.curation import Changes, edit, etag_of
from catalogue.models import ApiToken, Dataset
from catalogue.permissions import Act, require
from catalogue.statements import read_said


class PreconditionRequired(APIException):
    status_code = 428
    default_detail = (
        "Say which version you have seen: send If-Match with the ETag of the dataset, or *."
    )


def _header(name: str, text: str, *, is_needed: bool = False) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=text, required=is_needed
    )


_NO_VERSION = {
    (428, "application/problem+json"): OpenApiResponse(
        ProblemSerializer, "If-Match is missing: say which version you have seen."
    )
}


class OneDataset(Resource):
    scopes = {"PATCH": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="get_dataset",
        summary="One dataset with all that is known about it",
        responses={200: shapes.DatasetSerializer, **problems(404)},
    )
    def get(self, request: Request, pid: str) -> HttpResponseBase:
        # Never 304: the version names what people said, and access changes by the clock.
        return _answer(request, get_dataset(request.user, pid))

    @extend_schema(
        operation_id="edit_dataset",
        summary="Change what is said of a dataset",
        description=(
            "What is left out stays as it is; lists are replaced as a whole. The ETag of the "
            "answer is the new version."
        ),
        parameters=[_header("If-Match", "The ETag of the version seen, or *.", is_needed=True)],
        request=Changes,
        responses={
            200: shapes.DatasetSerializer,
            **_NO_VERSION,
            **problems(400, 404, 409, 412, 415, 422),
        },
    )
    def patch(self, request: Request, pid: str) -> HttpResponseBase:
        # Whoever may not edit it learns that first, whatever else is wrong.
        require(request.user, Act.EDIT, get_dataset(request.user, pid))
        etags = _read_versions(request)
        changes = read_said(Changes, request.data)
        return _answer(request, edit(request.user, pid, changes, etags=etags))


def _read_versions(request: Request) -> Collection[str]:
    header = request.headers.get("If-Match")
    if header is None:
        raise PreconditionRequired
    return parse_etags(header)


def _answer(request: Request, dataset: Dataset) -> Response:
    body = shapes.DatasetSerializer(dataset, context={"request": request}).data
    return Response(body, headers={"ETag": etag_of(dataset)})
