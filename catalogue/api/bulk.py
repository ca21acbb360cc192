"""Hundreds of datasets in one call."""

from collections.abc import Mapping
from typing import IO, Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue.api.resource import Resource, problems
from catalogue.batch import MOST_DATASETS, Batch
from catalogue.bulk import register_batch
from catalogue.models import ApiToken
from catalogue.registration import Registered
from catalogue.repeats import answer_once

_LARGEST_BODY = 64 << 20  # bytes; 500 datasets of five files have 0.6 MB
_LONGEST_KEY = 200


class _BytesParser(BaseParser):
    """Hand JSON on as it came: the batch reads it faster, and knows where its faults are."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - as DRF calls it
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002 - the same
    ) -> dict[str, bytes]:
        body = stream.read(_LARGEST_BODY + 1)
        if len(body) > _LARGEST_BODY:
            raise ParseError("The body is larger than 64 MiB. Send fewer datasets per call.")
        return {"body": body}


class RegisteredSerializer(serializers.Serializer[Any]):
    """One dataset of a batch; "known" if the same was declared before."""

    pid = serializers.UUIDField()
    url = serializers.URLField()
    source_id = serializers.CharField()
    status = serializers.ChoiceField(["registered", "known"])
    warnings = serializers.ListField(child=serializers.CharField())


class RegisteredBatchSerializer(serializers.Serializer[Any]):
    datasets = RegisteredSerializer(many=True, help_text="In the order of the call.")


_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Made up by the client; the same key and body again give the same answer.",
)


class Bulk(Resource):
    parser_classes = [_BytesParser]
    scopes = {"POST": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="register_datasets",
        summary=f"Register up to {MOST_DATASETS} raw datasets at once, all of them or none",
        description=(
            "The files lie in a store that we only read; they are looked at, not opened. "
            "200 if all of it was registered before. Refusals name every fault by a JSON "
            "pointer into the body, and nothing is registered then."
        ),
        parameters=[_KEY],
        request=Batch,
        responses={
            200: RegisteredBatchSerializer,
            201: RegisteredBatchSerializer,
            **problems(400, 401, 403, 409, 415, 422),
        },
    )
    def post(self, request: Request) -> Response:
        body = cast("dict[str, bytes]", request.data).get("body", b"")
        answer, is_repeated = answer_once(
            request.user, _read_key(request), body, lambda: _say(register_batch(request.user, body))
        )
        is_new = any(one["status"] == "registered" for one in answer)
        for one in answer:
            one["url"] = reverse("api-dataset", [one["pid"]], request=request)
        return Response({"datasets": answer}, status=201 if is_new and not is_repeated else 200)


def _read_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > _LONGEST_KEY or not key.isprintable():
        raise ParseError("An Idempotency-Key has at most 200 printable characters.")
    return key


def _say(registered: list[Registered]) -> list[dict[str, Any]]:
    return [
        {
            "pid": str(one.dataset.pid),
            "source_id": one.dataset.source_id,
            "status": "registered" if one.is_new else "known",
            "warnings": one.dataset.warnings,
        }
        for one in registered
    ]
