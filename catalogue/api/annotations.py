"""Notes, judgements and attachments of datasets, for machines."""

from django.http import FileResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue import annotations
from catalogue.access import get_dataset
from catalogue.api import annotation_shapes as shapes
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_body, read_query
from catalogue.delivery.names import attachment as saved_as
from catalogue.models import ApiToken
from catalogue.places import picture_path

_MAY = {"POST": ApiToken.Scope.INGEST}


class Notes(Resource):
    scopes = _MAY

    @extend_schema(
        operation_id="list_notes",
        summary="The logbook of a dataset, the latest first",
        parameters=[PageQuery],
        responses={200: page_of(shapes.NoteSerializer), **problems(400, 404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        notes = annotations.get_annotated(request.user, pid).notes.select_related("person")
        page = read_page(request, asked, notes, ("-written_at", "uuid"))
        return page.answer(shapes.NoteSerializer, {"request": request})

    @extend_schema(
        operation_id="write_note",
        summary="Write into the logbook of a dataset; what is written stays",
        request=shapes.NewNoteSerializer,
        responses={201: shapes.NoteSerializer, **problems(400, 404, 415, 422)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.NewNoteSerializer, request)
        note = annotations.add_note(request.user, get_dataset(request.user, pid), asked["text"])
        return Response(shapes.NoteSerializer(note).data, 201)


class Quality(Resource):
    scopes = _MAY

    @extend_schema(
        operation_id="list_quality_flags",
        summary="Judgements on the data, the latest first: that one counts",
        parameters=[PageQuery],
        responses={200: page_of(shapes.QualityFlagSerializer), **problems(400, 404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        dataset = annotations.get_annotated(request.user, pid)
        flags = dataset.quality_flags.select_related("person")
        page = read_page(request, asked, flags, ("-given_at", "verdict"))
        return page.answer(shapes.QualityFlagSerializer, {"request": request})

    @extend_schema(
        operation_id="flag_quality",
        summary="Judge the data of a dataset",
        request=shapes.NewQualityFlagSerializer,
        responses={201: shapes.QualityFlagSerializer, **problems(400, 404, 415, 422)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.NewQualityFlagSerializer, request)
        dataset = get_dataset(request.user, pid)
        flag = annotations.flag_quality(request.user, dataset, asked["verdict"], asked["reason"])
        return Response(shapes.QualityFlagSerializer(flag).data, 201)


class Attachments(Resource):
    scopes = _MAY
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="list_attachments",
        summary="Pictures, plots and documents beside a dataset",
        parameters=[PageQuery],
        responses={200: page_of(shapes.AttachmentSerializer), **problems(400, 404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        dataset = annotations.get_annotated(request.user, pid)
        rows = dataset.attachments.select_related("dataset", "person")
        page = read_page(request, asked, rows, ("added_at", "uuid"))
        return page.answer(shapes.AttachmentSerializer, {"request": request})

    @extend_schema(
        operation_id="attach_file",
        summary="Put a picture, a PDF or a text beside a dataset",
        request={"multipart/form-data": shapes.NewAttachmentSerializer},
        responses={201: shapes.AttachmentSerializer, **problems(400, 404, 415, 422, 503)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.NewAttachmentSerializer, request)
        dataset, file = get_dataset(request.user, pid), asked["file"]
        kept = annotations.attach(request.user, dataset, file, file.name, asked["caption"])
        body = shapes.AttachmentSerializer(kept, context={"request": request}).data
        address = reverse("api-attachment", [kept.uuid], request=request)
        return Response(body, 201, headers={"Location": address})


class OneAttachment(Resource):
    scopes = {"DELETE": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="get_attachment",
        summary="One attachment of a dataset",
        responses={200: shapes.AttachmentSerializer, **problems(404)},
    )
    def get(self, request: Request, uuid: str) -> Response:
        kept = annotations.get_attachment(request.user, uuid)
        return Response(shapes.AttachmentSerializer(kept, context={"request": request}).data)

    @extend_schema(
        operation_id="remove_attachment",
        summary="Take an attachment away",
        responses={204: None, **problems(404)},
    )
    def delete(self, request: Request, uuid: str) -> Response:
        annotations.detach(request.user, uuid)
        return Response(status=204)


class _AnythingRenderer(JSONRenderer):
    """Lets a client ask for the type of the bytes; problems are JSON all the same."""

    media_type = "*/*"


class AttachmentContent(Resource):
    renderer_classes = [JSONRenderer, _AnythingRenderer]

    @extend_schema(
        operation_id="download_attachment",
        summary="The bytes of an attachment",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **problems(404)},
    )
    def get(self, request: Request, uuid: str) -> HttpResponseBase:
        kept = annotations.get_attachment(request.user, uuid)
        path = picture_path(kept.sha256)
        if not path.is_file():
            raise NotFound("This attachment is not in the store. Ask the operator to restore it.")
        return FileResponse(
            path.open("rb"),
            content_type=kept.media_type,
            headers={"ETag": f'"{kept.sha256}"', "Content-Disposition": saved_as(kept.name)},
        )
