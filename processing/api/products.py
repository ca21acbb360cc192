"""Products and what people say of them, for machines."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue.access import visible_datasets
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, StrictSerializer, problems, read_body, read_query
from catalogue.models import ApiToken
from processing.access import visible_processing_runs
from processing.api.seeing import results_of, seen_of
from processing.models import Product
from processing.products import ordering
from processing.products.explaining import Explanation, explain, find_product


class ProductSerializer(serializers.Serializer[Any]):
    """``runs`` and ``visible`` in the context hold the keys of what the reader may see."""

    rule = serializers.CharField(source="rule.slug")
    subject = serializers.UUIDField(source="subject.pid")
    processing_run = serializers.SerializerMethodField()
    outputs = serializers.SerializerMethodField()
    condition = serializers.CharField(help_text=" or ".join(Product.Condition.values))
    reasons = serializers.ListField(
        child=serializers.CharField(),
        help_text="What makes a stale one stale: input, constant, parameters, recipe, environment.",
    )
    detail = serializers.CharField(help_text="Why, as a sentence; empty while all is well.")
    wanted_run = serializers.SerializerMethodField(help_text="What was asked for since.")
    pinned_at = serializers.DateTimeField(allow_null=True)
    explanation = serializers.SerializerMethodField(help_text="Where all of it is explained.")

    def get_wanted_run(self, row: Product) -> UUID | None:
        is_visible = row.wanted_run_id in self.context["runs"]
        return row.wanted_run.uuid if row.wanted_run and is_visible else None

    def get_explanation(self, row: Product) -> str:
        return reverse("api-product", [row.rule.slug, str(row.subject.pid)])

    def get_processing_run(self, row: Product) -> UUID | None:
        is_visible = row.processing_run_id in self.context["runs"]
        return row.processing_run.uuid if row.processing_run and is_visible else None

    def get_outputs(self, row: Product) -> list[UUID]:
        run = row.processing_run
        made = run.activity.generated.all() if run and run.activity else ()
        return [g.dataset.pid for g in made if g.dataset_id in self.context["visible"]]


class BoundSerializer(serializers.Serializer[Any]):
    role = serializers.CharField()
    rule = serializers.CharField(help_text="How it is picked.")
    then = serializers.CharField(help_text="What the result was made with; empty if there is none.")
    now = serializers.CharField(help_text="What would be picked now; empty if nothing fits.")
    then_dataset = serializers.CharField(source="then_pid")
    now_dataset = serializers.CharField(source="now_pid")


class DifferenceSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Where in the key document, with dots.")
    then = serializers.CharField()
    now = serializers.CharField()


class ExplanationSerializer(serializers.Serializer[Explanation]):
    rule = serializers.CharField(source="product.rule.slug")
    subject = serializers.UUIDField(source="product.subject.pid")
    origin = serializers.CharField(help_text="Which line of which text makes it exist.")
    condition = serializers.CharField(source="verdict.condition")
    reasons = serializers.ListField(child=serializers.CharField(), source="verdict.reasons")
    detail = serializers.CharField(source="verdict.detail")
    inputs = BoundSerializer(many=True)
    differences = DifferenceSerializer(many=True)
    next_step = serializers.CharField()
    text = serializers.SerializerMethodField(help_text="All of it in sentences.")

    def get_text(self, row: Explanation) -> str:
        return "\n".join(row.lines())


class ProductQuery(PageQuery):
    rule = serializers.CharField(required=False, max_length=50)
    condition = serializers.ChoiceField(Product.Condition.choices, required=False)


class ProductDecisionSerializer(StrictSerializer):
    act = serializers.ChoiceField(["order", "pin", "unpin"])
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class Products(Resource):
    @extend_schema(
        operation_id="list_products",
        summary="What product rules want for each dataset, and what became of it",
        parameters=[ProductQuery],
        responses={200: page_of(ProductSerializer), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(ProductQuery, request)
        products = Product.objects.filter(subject__in=visible_datasets(request.user))
        if rule := asked.get("rule"):
            products = products.filter(rule__slug=rule)
        if condition := asked.get("condition"):
            products = products.filter(condition=condition)
        products = products.select_related(
            "rule", "subject", "processing_run__activity", "wanted_run"
        )
        products = products.prefetch_related("processing_run__activity__generated__dataset")
        page = read_page(request, asked, products, ("rule__slug", "subject__pid"))
        runs = {pk for row in page.rows for pk in (row.processing_run_id, row.wanted_run_id) if pk}
        results = {pk for row in page.rows for pk in results_of(row.processing_run)}
        context = {
            "runs": set(
                visible_processing_runs(request.user)
                .filter(pk__in=runs)
                .values_list("pk", flat=True)
            ),
            "visible": seen_of(request.user, results),
        }
        return page.answer(ProductSerializer, context)


class OneProduct(Resource):
    scopes = {"POST": ApiToken.Scope.PROCESS}

    @extend_schema(
        operation_id="explain_product",
        summary="Why a product exists, from what, and why it is stale",
        responses={200: ExplanationSerializer, **problems(404)},
    )
    def get(self, request: Request, rule: str, pid: str) -> Response:
        product = find_product(request.user, f"{rule}/{pid}")
        return Response(ExplanationSerializer(explain(request.user, product)).data)

    @extend_schema(
        operation_id="decide_on_product",
        summary="Order a product, keep it as it is, or let it follow its rule again",
        request=ProductDecisionSerializer,
        responses={200: ExplanationSerializer, **problems(400, 404, 415, 422)},
    )
    def post(self, request: Request, rule: str, pid: str) -> Response:
        product = find_product(request.user, f"{rule}/{pid}")
        asked = read_body(ProductDecisionSerializer, request)
        if asked["act"] == "order":
            ordering.order(request.user, product)
        elif asked["act"] == "pin":
            ordering.pin(request.user, product, asked["reason"])
        else:
            ordering.unpin(request.user, product, asked["reason"])
        product = find_product(request.user, f"{rule}/{pid}")
        return Response(ExplanationSerializer(explain(request.user, product)).data)
