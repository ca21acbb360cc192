"""facility.toml for machines: what is declared, what a text would change, and to apply it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.api.resource import Resource, StrictSerializer, problems, read_body
from catalogue.models import ApiToken
from processing.declaration import apply, plan, read_text, render
from processing.models import Configuration
from processing.products.ordering import require_curator

_LONGEST = 500_000


class TextSerializer(StrictSerializer):
    text = serializers.CharField(max_length=_LONGEST, trim_whitespace=False, help_text="TOML.")


class ApplySerializer(TextSerializer):
    confirmed = serializers.BooleanField(
        default=False, help_text="Even if more products are made anew than max_change allows."
    )


class DeclaredSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField(allow_null=True, help_text="Null: nothing was applied yet.")
    applied_at = serializers.DateTimeField(allow_null=True)
    digest = serializers.CharField(help_text="SHA-256 of the text as applied; results name it.")
    text = serializers.CharField(help_text="The database as a facility.toml.")


class ChangeSerializer(serializers.Serializer[Any]):
    action = serializers.CharField()
    what = serializers.CharField()
    detail = serializers.CharField()


class PlanSerializer(serializers.Serializer[Any]):
    in_step = serializers.BooleanField(help_text="Whether there is nothing to change.")
    changes = ChangeSerializer(many=True)
    recipes = serializers.ListField(child=serializers.CharField())
    products = serializers.ListField(
        child=serializers.DictField(), help_text="By rule: conditions, what is to come, the price."
    )
    guards = serializers.ListField(child=serializers.CharField())
    needs_yes = serializers.BooleanField(help_text="Whether apply has to be confirmed.")


class Facility(Resource):
    scopes = {"POST": ApiToken.Scope.PROCESS}

    @extend_schema(
        operation_id="get_facility",
        summary="What the facility declares today, for data stewards",
        responses={200: DeclaredSerializer, **problems()},
    )
    def get(self, request: Request) -> Response:
        require_curator(request.user, "see what the facility declares")
        return Response(_document())

    @extend_schema(
        operation_id="apply_facility",
        summary="Apply a facility.toml, all of it or nothing",
        request=ApplySerializer,
        responses={200: DeclaredSerializer, **problems(400, 409, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        person = require_curator(request.user, "apply a facility.toml")
        asked = read_body(ApplySerializer, request)
        read = read_text(asked["text"])
        apply(read, person=person, is_confirmed=asked["confirmed"], source="page")
        return Response(_document())


class FacilityPlan(Resource):
    scopes = {"POST": ApiToken.Scope.PROCESS}

    @extend_schema(
        operation_id="plan_facility",
        summary="What a facility.toml would change and cost; nothing is changed or started",
        request=TextSerializer,
        responses={200: PlanSerializer, **problems(400, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        require_curator(request.user, "plan a facility.toml")
        asked = read_body(TextSerializer, request)
        return Response(plan(read_text(asked["text"])).as_document())


def _document() -> dict[str, Any]:
    latest = Configuration.objects.first()
    return DeclaredSerializer(
        {
            "revision": latest.number if latest else None,
            "applied_at": latest.applied_at if latest else None,
            "digest": latest.digest if latest else "",
            "text": render(),
        }
    ).data
