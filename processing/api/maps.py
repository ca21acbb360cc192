"""The maps of a proposal, for machines."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_query
from processing.models import Product
from processing.products.judging import BY_HAND
from processing.products.maps import (
    ORDER,
    Given,
    MapRow,
    find_proposal,
    select_maps,
    tell_maps,
)


class GivenSerializer(serializers.Serializer[Given]):
    pid = serializers.UUIDField()
    title = serializers.CharField()


class ProposalMapSerializer(serializers.Serializer[MapRow]):
    """One map of a proposal; null is what there is not, or the reader may not see."""

    rule = serializers.CharField(
        source="map.rule", allow_null=True, help_text="Null where no rule keeps the map."
    )
    subject = serializers.UUIDField(
        allow_null=True, help_text="The scan; null for a map of several datasets."
    )
    sources = GivenSerializer(
        many=True, help_text="The scan, or the maps that were combined, in their order."
    )
    title = serializers.CharField(help_text="Of the subject; of the result if there is none.")
    condition = serializers.CharField(
        source="verdict.condition", help_text=" or ".join([*Product.Condition.values, BY_HAND])
    )
    reasons = serializers.ListField(child=serializers.CharField(), source="verdict.reasons")
    detail = serializers.CharField(source="verdict.detail", help_text="Why, as a sentence.")
    recipe = serializers.CharField(source="version", help_text="name@version; empty without map.")
    parameters = serializers.DictField(
        source="changed", help_text="Those that are not the recipe's defaults, without phases."
    )
    phases = serializers.ListField(child=serializers.CharField())
    geometry = serializers.UUIDField(source="geometry.pid", allow_null=True)
    made_at = serializers.DateTimeField(allow_null=True)
    requested_by = serializers.CharField(
        allow_null=True, help_text="Name of who launched it by hand."
    )
    processing_run = serializers.UUIDField(source="run", allow_null=True)
    result = serializers.UUIDField(source="map.result", allow_null=True)


class ProposalMaps(Resource):
    @extend_schema(
        operation_id="list_proposal_maps",
        summary="Which maps of a proposal are processed, how, and which are stale",
        parameters=[PageQuery],
        responses={200: page_of(ProposalMapSerializer), **problems(400, 404)},
    )
    def get(self, request: Request, proposal: str) -> Response:
        asked = read_query(PageQuery, request)
        maps = select_maps(request.user, find_proposal(request.user, proposal))
        page = read_page(request, asked, maps, ORDER)
        rows: Any = tell_maps(page.rows)
        results = ProposalMapSerializer(rows, many=True).data
        return Response({"next": page.next, "previous": page.previous, "results": results})
