"""Tokens, for whoever may make them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue import tokens
from catalogue.api.resource import Resource, StrictSerializer, problems, read_body
from catalogue.models import ApiToken


class TokenSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    url = serializers.HyperlinkedIdentityField(view_name="api-token", lookup_field="uuid")
    name = serializers.CharField()
    beginning = serializers.CharField(
        source="token_key", help_text="Its first letters, by which it is told from others."
    )
    scopes = serializers.ListField(child=serializers.ChoiceField(ApiToken.Scope.choices))
    created = serializers.DateTimeField()
    expires = serializers.DateTimeField(source="expiry", allow_null=True)
    last_used_at = serializers.DateTimeField(
        allow_null=True, help_text="To the minute; null if it was never used."
    )


class NewTokenSerializer(TokenSerializer):
    """A token that was just made."""

    token = serializers.SerializerMethodField(help_text="The secret. It is shown this once.")

    def get_token(self, _: ApiToken) -> str:
        return str(self.context["secret"])


class TokenListSerializer(serializers.Serializer[Any]):
    results = TokenSerializer(many=True, help_text=f"The newest first, at most {tokens.MOST}.")


class TokenWishSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, help_text="By which you know it again.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(ApiToken.Scope.choices),
        min_length=1,
        max_length=len(ApiToken.Scope),
        help_text="What it may do, of what you may.",
    )
    days = serializers.IntegerField(
        min_value=1, max_value=36_500, default=90, help_text="Until it ends."
    )


class _OwnTokens(Resource):
    permission_classes = [IsAuthenticated]

    def check_scope(self, request: Request, token: ApiToken) -> None:
        """Leave it to ``catalogue.tokens`` what a token may do to tokens."""
        if request.method == "GET":
            super().check_scope(request, token)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.token = request.auth if isinstance(request.auth, ApiToken) else None


class Tokens(_OwnTokens):
    @extend_schema(
        operation_id="list_tokens",
        summary="Your tokens, without their secrets",
        responses={200: TokenListSerializer, **problems()},
    )
    def get(self, request: Request) -> Response:
        rows = {"results": tokens.list_tokens(request.user)}
        return Response(TokenListSerializer(rows, context={"request": request}).data)

    @extend_schema(
        operation_id="make_token",
        summary="Make a token, and read its secret this once",
        request=TokenWishSerializer,
        responses={201: NewTokenSerializer, **problems(400, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        asked = read_body(TokenWishSerializer, request)
        made = tokens.make_token(
            request.user, asked["name"], asked["scopes"], asked["days"], by=self.token
        )
        context = {"request": request, "secret": made.secret}
        return Response(
            NewTokenSerializer(made.token, context=context).data,
            status=201,
            headers={
                "Location": reverse("api-token", [made.token.uuid], request=request),
                "Cache-Control": "no-store",
            },
        )


class OneToken(_OwnTokens):
    @extend_schema(
        operation_id="revoke_token",
        summary="Take a token back",
        request=None,
        responses={204: None, **problems(404)},
    )
    def delete(self, request: Request, uuid: str) -> Response:
        tokens.revoke_token(request.user, uuid, by=self.token)
        return Response(status=204)
