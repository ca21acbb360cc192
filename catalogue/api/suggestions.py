"""How to go on with a query, while it is being typed."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.api.resource import Resource, StrictSerializer, problems, read_query
from catalogue.query import LONGEST
from catalogue.search.suggestions import suggest


class SuggestionQuery(StrictSerializer):
    q = serializers.CharField(
        default="",
        allow_blank=True,
        trim_whitespace=False,
        max_length=LONGEST,
        help_text="The query as it stands.",
    )
    position = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST,
        help_text="How many characters stand before the cursor; by default all.",
    )


class SuggestionSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["key", "value"])
    text = serializers.CharField(help_text="What is to stand in the query.")
    label = serializers.CharField(help_text="How it is shown.")  # type: ignore[assignment]  # DRF moves fields away from the class
    help = serializers.CharField(help_text="A sentence or a name beside it; may be empty.")
    start = serializers.IntegerField(help_text="Where the part begins whose place it takes.")
    end = serializers.IntegerField(help_text="Where that part ends, in characters.")


class SuggestionsSerializer(serializers.Serializer[Any]):
    suggestions = SuggestionSerializer(many=True, help_text="The likeliest first, at most ten.")


class Suggestions(Resource):
    @extend_schema(
        operation_id="suggest",
        summary="Suggest names and values at the cursor of a query",
        description="Only what occurs in data that you may see; what is rare may be missed.",
        parameters=[SuggestionQuery],
        responses={200: SuggestionsSerializer, **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(SuggestionQuery, request)
        position = asked.get("position", len(asked["q"]))
        found = {"suggestions": suggest(request.user, asked["q"], position)}
        return Response(SuggestionsSerializer(found).data)
