"""Searches that a person keeps, for machines."""

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue import saved_searches
from catalogue.api.resource import Resource, StrictSerializer, problems, read_body
from catalogue.models import SavedSearch


class SavedSearchSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    url = serializers.HyperlinkedIdentityField(view_name="api-saved-search", lookup_field="uuid")
    name = serializers.CharField()
    query = serializers.CharField(help_text="What stands after the question mark of its address.")
    datasets = serializers.SerializerMethodField(help_text="The address at which it is run.")
    wants_mail = serializers.BooleanField(help_text="Whether news also go out by mail.")
    paused = serializers.CharField(help_text="Why it does not run; empty if it does.")
    made_at = serializers.DateTimeField()

    def get_datasets(self, row: SavedSearch) -> str:
        return f"{reverse('api-datasets', request=self.context['request'])}?{row.query}"


class SavedSearchListSerializer(serializers.Serializer[Any]):
    results = SavedSearchSerializer(many=True, help_text=f"By name, at most {saved_searches.MOST}.")


class SavedSearchWishSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200, help_text="By which you know it again.")
    query = serializers.CharField(
        allow_blank=True,
        max_length=4000,
        help_text="Parameters as of /datasets/: q=energy:9..12keV&technique=diffraction.",
    )
    wants_mail = serializers.BooleanField(default=True, help_text="Mail what is new.")


class SavedSearches(Resource):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="list_saved_searches",
        summary="The searches that you keep",
        responses={200: SavedSearchListSerializer, **problems()},
    )
    def get(self, request: Request) -> Response:
        rows = {"results": saved_searches.saved_searches_of(request.user)}
        return Response(SavedSearchListSerializer(rows, context={"request": request}).data)

    @extend_schema(
        operation_id="save_search",
        summary="Keep a search, and hear what is new",
        description="200 if you keep it already; it is called by the new name then.",
        request=SavedSearchWishSerializer,
        responses={
            200: SavedSearchSerializer,
            201: SavedSearchSerializer,
            **problems(400, 415),
        },
    )
    def post(self, request: Request) -> Response:
        asked = read_body(SavedSearchWishSerializer, request)
        if reason := saved_searches.why_not(request.user, asked["query"]):
            raise serializers.ValidationError({"query": [reason]})
        search, is_new = saved_searches.save(request.user, **asked)
        return Response(
            SavedSearchSerializer(search, context={"request": request}).data,
            status=201 if is_new else 200,
            headers={"Location": reverse("api-saved-search", [search.uuid], request=request)},
        )


class OneSavedSearch(Resource):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="delete_saved_search",
        summary="Forget a search",
        request=None,
        responses={204: None, **problems(404)},
    )
    def delete(self, request: Request, uuid: str) -> Response:
        try:
            saved_searches.saved_searches_of(request.user).get(uuid=uuid).delete()
        except (SavedSearch.DoesNotExist, ValidationError) as error:
            raise NotFound(f"You keep no search {uuid}.") from error
        return Response(status=204)
