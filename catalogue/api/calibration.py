"""What a dataset calibrates, for machines."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.access import get_dataset
from catalogue.api.resource import Resource, StrictSerializer, problems, read_query
from catalogue.calibration import Validity, declare, forget
from catalogue.errors import UnknownConstantError
from catalogue.models import ApiToken, CalibrationConstant
from catalogue.permissions import Act, require
from catalogue.statements import read_said


class ConstantSerializer(serializers.Serializer[CalibrationConstant]):
    dataset = serializers.UUIDField(source="dataset.pid")
    kind = serializers.CharField(help_text="What product rules ask for: poni, dark, flat.")
    detector = serializers.CharField()
    module = serializers.CharField()
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True, help_text="Null: until a newer one.")
    conditions = serializers.DictField(help_text="What product rules compare.")


class ForgottenQuery(StrictSerializer):
    reason = serializers.CharField(max_length=2000, default="")


class Calibration(Resource):
    scopes = {"PUT": ApiToken.Scope.INGEST, "DELETE": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="get_calibration",
        summary="What a dataset calibrates, and from when to when",
        responses={200: ConstantSerializer, **problems(404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        dataset = get_dataset(request.user, pid)
        constant = CalibrationConstant.objects.filter(dataset=dataset).first()
        if constant is None:
            raise UnknownConstantError(str(dataset.pid))
        return Response(ConstantSerializer(constant).data)

    @extend_schema(
        operation_id="declare_calibration",
        summary="Say what a dataset calibrates",
        description="Products that this concerns become stale at the steward's next pass.",
        request=Validity,
        responses={200: ConstantSerializer, **problems(400, 404, 415, 422)},
    )
    def put(self, request: Request, pid: str) -> Response:
        dataset = get_dataset(request.user, pid)
        require(request.user, Act.EDIT, dataset)
        said: Any = read_said(Validity, request.data)
        return Response(ConstantSerializer(declare(request.user, dataset, said)).data)

    @extend_schema(
        operation_id="forget_calibration",
        summary="Say that a dataset calibrates nothing",
        parameters=[ForgottenQuery],
        responses={204: None, **problems(400, 404)},
    )
    def delete(self, request: Request, pid: str) -> Response:
        dataset = get_dataset(request.user, pid)
        require(request.user, Act.EDIT, dataset)
        forget(request.user, dataset, read_query(ForgottenQuery, request)["reason"])
        return Response(status=204)
