"""The maps of a proposal, for machines."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_query
from processing.models import Product
from processing.products.maps import MapRow, find_proposal, select_maps, tell_maps


class ProposalMapSerializer(serializers.Serializer[MapRow]):
    """One map that a rule wants; null is what there is not, or the reader may not see."""

    rule = serializers.CharField(source="product.rule.slug")
    subject = serializers.UUIDField(source="product.subject.pid")
    title = serializers.CharField(source="product.subject.title")
    condition = serializers.CharField(
        source="product.condition", help_text=" or ".join(Product.Condition.values)
    )
    reasons = serializers.ListField(child=serializers.CharField(), source="product.reasons")
    detail = serializers.CharField(source="product.detail", help_text="Why, as a sentence.")
    recipe = serializers.CharField(source="version", help_text="name@version; empty without map.")
    parameters = serializers.DictField(
        source="changed", help_text="Those that are not the recipe's defaults, without phases."
    )
    phases = serializers.ListField(child=serializers.CharField())
    geometry = serializers.UUIDField(source="product.geometry", allow_null=True)
    made_at = serializers.DateTimeField(allow_null=True)
    processing_run = serializers.UUIDField(source="run", allow_null=True)
    result = serializers.UUIDField(source="product.result", allow_null=True)


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
        page = read_page(request, asked, maps, ("rule__slug", "subject__pid"))
        rows: Any = tell_maps(page.rows)
        results = ProposalMapSerializer(rows, many=True).data
        return Response({"next": page.next, "previous": page.previous, "results": results})
