"""Bytes for machines: files and parts of them, archives, checksums, pictures."""

import json
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.reverse import reverse

from catalogue import delivery
from catalogue.access import get_file, get_readable
from catalogue.api.resource import Resource, StrictSerializer, problems, read_query
from catalogue.api.throttling import BytesThrottle
from catalogue.delivery import Bundle

_MOST_DATASETS = 100


def _header(name: str, text: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=text)


_CONDITIONS = [
    _header("If-None-Match", "The ETag that you have; 304 if it is still that of the file."),
    _header("If-Match", "The ETag that you want; 412 if the file has another."),
]
_RANGE = [
    _header("Range", "bytes=0-99, bytes=500- or bytes=-500; anything else gives the whole file."),
    _header("If-Range", "The ETag of the part that you have; else you get the whole file."),
]
_BINARY = {(200, "application/octet-stream"): OpenApiTypes.BINARY}
_PART = {(206, "application/octet-stream"): OpenApiTypes.BINARY}
_UNCHANGED = {304: OpenApiResponse(description="You have it already.")}
_ZIP = {(200, "application/zip"): OpenApiTypes.BINARY}


class _AnythingRenderer(JSONRenderer):
    """Lets a client ask for the type of the bytes; problems are JSON all the same."""

    media_type = "*/*"


class _Bytes(Resource):
    renderer_classes = [JSONRenderer, _AnythingRenderer]
    throttle_classes = [BytesThrottle]


class Thumbnail(_Bytes):
    @extend_schema(
        operation_id="get_thumbnail",
        summary="A small picture of a dataset",
        parameters=_CONDITIONS,
        responses={
            (200, "image/png"): OpenApiTypes.BINARY,
            **_UNCHANGED,
            **problems(404, 410, 412),
        },
    )
    def get(self, request: Request, pid: str) -> HttpResponseBase:
        return delivery.answer_picture(request, get_readable(request.user, pid))


class FileContent(_Bytes):
    @extend_schema(
        operation_id="download_file",
        summary="The bytes of a file, or a part of them",
        description="ETag and Repr-Digest hold the SHA-256 of the whole file.",
        parameters=[*_RANGE, *_CONDITIONS],
        responses={
            **_BINARY,
            **_PART,
            **_UNCHANGED,
            **problems(404, 409, 410, 412, 416, 503),
        },
    )
    def get(self, request: Request, uuid: str) -> HttpResponseBase:
        return delivery.answer_file(request, get_file(request.user, uuid))


class Checksums(_Bytes):
    @extend_schema(
        operation_id="get_checksums",
        summary="The SHA-256 of every file, as sha256sum --check reads them",
        responses={(200, "text/plain"): OpenApiTypes.STR, **problems(404, 410)},
    )
    def get(self, request: Request, pid: str) -> HttpResponseBase:
        return delivery.answer_checksums(get_readable(request.user, pid))


class ArchiveQuery(StrictSerializer):
    after = serializers.CharField(
        default="",
        max_length=1500,
        trim_whitespace=False,
        help_text="The last member that came whole; the archive begins with the next one.",
    )


class _Selected(StrictSerializer):
    dataset = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=_MOST_DATASETS,
        help_text=f"Repeat it, up to {_MOST_DATASETS} times, in the order of the archive.",
    )


class SelectionQuery(_Selected, ArchiveQuery):
    pass


class MemberSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="In the archive; what ``after`` takes.")
    dataset = serializers.UUIDField()
    url = serializers.URLField(help_text="Its bytes, which can be fetched in ranges.")
    size = serializers.IntegerField(help_text="In bytes.")
    sha256 = serializers.CharField()
    problem = serializers.CharField(
        help_text="Why it cannot be sent now, and with it the archive; empty if it can."
    )


class ManifestSerializer(serializers.Serializer[Any]):
    """What an archive holds, in its order."""

    name = serializers.CharField(help_text="Under which the archive is saved.")
    url = serializers.URLField(help_text="The archive.")
    length = serializers.IntegerField(help_text="Of the archive, in bytes.")
    size = serializers.IntegerField(help_text="Of all members together, in bytes.")
    members = MemberSerializer(many=True)


class DatasetArchive(_Bytes):
    @extend_schema(
        operation_id="download_dataset",
        summary="All files of a dataset as one ZIP, made while it is sent",
        description="What breaks off is no valid ZIP; continue after its last whole member.",
        parameters=[ArchiveQuery],
        responses={**_ZIP, **problems(400, 404, 409, 410, 503)},
    )
    def get(self, request: Request, pid: str) -> HttpResponseBase:
        asked = read_query(ArchiveQuery, request)
        wanted = delivery.bundle([get_readable(request.user, pid)])
        return delivery.answer_archive(request, wanted.after(asked["after"]))


class DatasetManifest(Resource):
    @extend_schema(
        operation_id="list_archive",
        summary="What the ZIP of a dataset will hold, and what is wrong with it today",
        responses={200: ManifestSerializer, **problems(404, 410)},
    )
    def get(self, request: Request, pid: str) -> HttpResponseBase:
        wanted = delivery.bundle([get_readable(request.user, pid)])
        address = reverse("api-dataset-zip", [pid], request=request)
        return _answer_manifest(request, wanted, address)


class SelectionArchive(_Bytes):
    @extend_schema(
        operation_id="download_selection",
        summary="All files of several datasets as one ZIP",
        parameters=[SelectionQuery],
        responses={**_ZIP, **problems(400, 404, 409, 410, 503)},
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = read_query(SelectionQuery, request)
        wanted = delivery.bundle(delivery.select(request.user, asked["dataset"]))
        return delivery.answer_archive(request, wanted.after(asked["after"]))


class SelectionManifest(Resource):
    @extend_schema(
        operation_id="list_selection",
        summary="What the ZIP of several datasets will hold",
        parameters=[_Selected],
        responses={200: ManifestSerializer, **problems(400, 404, 410)},
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = read_query(_Selected, request)
        wanted = delivery.bundle(delivery.select(request.user, asked["dataset"]))
        address = reverse("api-selection-zip", request=request)
        query = request.META.get("QUERY_STRING", "")
        return _answer_manifest(request, wanted, f"{address}?{query}")


def _answer_manifest(request: Request, wanted: Bundle, address: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        delivery.pack(piece.encode() for piece in _write_manifest(request, wanted, address)),
        content_type="application/json",
        headers=delivery.PRIVATE,
    )


def _write_manifest(request: Request, wanted: Bundle, address: str) -> Iterator[str]:
    """Write the manifest while its members are looked at: there may be many."""
    head = {
        "name": wanted.name,
        "url": address,
        "length": wanted.length,
        "size": wanted.size,
    }
    yield json.dumps(head)[:-1] + ', "members": ['
    for place, member in enumerate(wanted.members):
        entry = {
            "name": member.name,
            "dataset": str(member.dataset),
            "url": reverse("api-file-content", [member.uuid], request=request),
            "size": member.size,
            "sha256": member.sha256,
            "problem": delivery.trouble(member),
        }
        yield (", " if place else "") + json.dumps(entry)
    yield "]}"
