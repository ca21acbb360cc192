"""How data came to be, for other people's programs: PROV, signed statements, crates."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from catalogue.access import get_dataset
from catalogue.api.resource import Resource, StrictSerializer, problems, read_query
from catalogue.api.throttling import BytesThrottle
from processing.access import get_processing_run
from processing.exports.history import history_of, history_of_run
from processing.exports.keys import public_keys
from processing.exports.packing import Profile, answer_crate, pack_crate
from processing.exports.prov import Notation, write_prov
from processing.exports.record import Record
from processing.exports.statements import find_statement

_STATEMENT = "statement"
_NOTATIONS = {
    **{notation.value: notation.media_type for notation in Notation},
    _STATEMENT: "application/vnd.dsse.envelope.v1+json",
}


def _shape(media_type: str) -> OpenApiTypes:
    return OpenApiTypes.OBJECT if "json" in media_type else OpenApiTypes.STR


class ProvenanceQuery(StrictSerializer):
    # "as" is a word of Python's own.
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        text = "PROV in one of its notations, or what the facility has signed."
        choice = serializers.ChoiceField(
            list(_NOTATIONS), default=Notation.JSON.value, help_text=text
        )
        return {"as": choice}


class CrateQuery(StrictSerializer):
    data = serializers.ChoiceField(  # type: ignore[assignment]  # DRF moves fields away from the class
        ["true", "false"],
        default="false",
        help_text="Whether the files travel along, those that you may read.",
    )
    profile = serializers.ChoiceField(
        [profile.value for profile in Profile],
        default=Profile.PROVENANCE.value,
        help_text="Process Run Crate, or Provenance Run Crate with the steps as a workflow.",
    )


class _AnythingRenderer(JSONRenderer):
    """Lets a client ask for the type of what comes; problems are JSON all the same."""

    media_type = "*/*"


class _Export(Resource):
    renderer_classes = [JSONRenderer, _AnythingRenderer]
    throttle_classes = [BytesThrottle]


class DatasetProvenance(_Export):
    @extend_schema(
        operation_id="get_provenance",
        summary="How a dataset came to be, back to its raw data",
        description="What is hidden from you keeps its shape and a number of this answer. A "
        "signed statement cannot be cut: it is for those to whom all data in it are open.",
        parameters=[ProvenanceQuery],
        responses={
            **{(200, kind): _shape(kind) for kind in dict.fromkeys(_NOTATIONS.values())},
            **problems(400, 404, 410),
        },
    )
    def get(self, request: Request, pid: str) -> HttpResponseBase:
        asked = read_query(ProvenanceQuery, request)["as"]
        dataset = get_dataset(request.user, pid)
        if asked == _STATEMENT:
            text = find_statement(request.user, dataset).envelope
        else:
            text = write_prov(history_of(request.user, dataset), Notation(asked))
        return HttpResponse(text, content_type=f"{_NOTATIONS[asked]}; charset=utf-8")


_ZIP = {(200, "application/zip"): OpenApiTypes.BINARY}


class DatasetCrate(_Export):
    @extend_schema(
        operation_id="download_dataset_crate",
        summary="The history of a dataset as a Workflow Run RO-Crate",
        parameters=[CrateQuery],
        responses={**_ZIP, **problems(400, 404, 409, 410, 503)},
    )
    def get(self, request: Request, pid: str) -> HttpResponseBase:
        asked = read_query(CrateQuery, request)
        return _answer(request, history_of(request.user, get_dataset(request.user, pid)), asked)


class RunCrate(_Export):
    @extend_schema(
        operation_id="download_run_crate",
        summary="A processing run that has ended as a Workflow Run RO-Crate",
        parameters=[CrateQuery],
        responses={**_ZIP, **problems(400, 404, 409, 503)},
    )
    def get(self, request: Request, uuid: str) -> HttpResponseBase:
        asked = read_query(CrateQuery, request)
        run = get_processing_run(request.user, uuid)
        return _answer(request, history_of_run(request.user, run), asked)


def _answer(request: Request, record: Record, asked: dict[str, Any]) -> HttpResponseBase:
    profile, with_data = Profile(asked["profile"]), asked["data"] == "true"
    packed = pack_crate(request.user, record, profile=profile, with_data=with_data)
    return answer_crate(request, packed)


@require_safe
def list_keys(_request: HttpRequest) -> JsonResponse:
    """Answer with every key that has ever signed here; there is nothing secret about them."""
    keys = [
        {
            "keyid": keyid,
            "keytype": "ed25519",
            "scheme": "ed25519",
            "is_current": key.is_current,
            "public": key.pem,
        }
        for keyid, key in public_keys().items()
    ]
    return JsonResponse({"keys": keys}, headers={"Cache-Control": "public, max-age=3600"})
