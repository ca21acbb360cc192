"""What watch rules have found, for machines; the twin of the page of quarantine."""

from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue.access import Person, visible_datasets
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, StrictSerializer, problems, read_body, read_query
from catalogue.models import ApiToken, Arrival, User
from catalogue.watching.quarantine import dismiss, get_arrival, try_again, visible_arrivals

_ORDER = ("-seen_at", "rule__slug", "key")


class ArrivalSerializer(serializers.Serializer[Any]):
    """One acquisition: rule and key together name it."""

    rule = serializers.CharField(source="rule.slug")
    key = serializers.CharField(help_text="Of its file or folder, inside the store of the rule.")
    instrument = serializers.CharField(source="rule.instrument.slug")
    state = serializers.ChoiceField(Arrival.State.choices)
    code = serializers.CharField(help_text="Explained on /problems/; empty if nothing is wrong.")
    reason = serializers.CharField()
    attempts = serializers.IntegerField()
    quiet_since = serializers.DateTimeField(help_text="Its files are unchanged since then.")
    seen_at = serializers.DateTimeField(help_text="When its state was last decided.")
    dataset = serializers.SerializerMethodField(help_text="What it is registered as, if seen.")

    def get_dataset(self, row: Arrival) -> str | None:
        pids: dict[int, str] = self.context["pids"]
        return pids.get(row.dataset_id or 0)


class ArrivalQuery(PageQuery):
    state = serializers.ChoiceField(Arrival.State.choices, required=False)
    rule = serializers.SlugField(required=False)
    code = serializers.CharField(required=False, max_length=60)


class NamedSerializer(StrictSerializer):
    """Which acquisition is meant."""

    rule = serializers.SlugField()
    key = serializers.CharField(max_length=1200, trim_whitespace=False)


class RetrySerializer(NamedSerializer):
    proposal = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=60,
        help_text="Its number, if the data belong to another than their path says.",
    )


class DismissSerializer(NamedSerializer):
    reason = serializers.CharField(max_length=1000)


class Arrivals(Resource):
    @extend_schema(
        operation_id="list_arrivals",
        summary="What watch rules have found, what was decided last first",
        parameters=[ArrivalQuery],
        responses={200: page_of(ArrivalSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(ArrivalQuery, request)
        page = read_page(request, asked, _select(request.user, asked), _ORDER)
        return page.answer(ArrivalSerializer, {"pids": _pids(request.user, page.rows)})


class RetryArrival(Resource):
    scopes = {"POST": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="retry_arrival",
        summary="Let an acquisition be tried again at once",
        request=RetrySerializer,
        responses={200: ArrivalSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    def post(self, request: Request) -> Response:
        asked = read_body(RetrySerializer, request)
        arrival = _get(request.user, asked)
        try_again(cast("User", request.user), arrival, proposal=asked["proposal"])
        return _answer(request.user, arrival)


class DismissArrival(Resource):
    scopes = {"POST": ApiToken.Scope.INGEST}

    @extend_schema(
        operation_id="dismiss_arrival",
        summary="Set an acquisition aside until its files change",
        request=DismissSerializer,
        responses={200: ArrivalSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    def post(self, request: Request) -> Response:
        asked = read_body(DismissSerializer, request)
        arrival = _get(request.user, asked)
        dismiss(cast("User", request.user), arrival, asked["reason"])
        return _answer(request.user, arrival)


def _select(person: Person, asked: dict[str, Any]) -> QuerySet[Arrival]:
    rows = visible_arrivals(person).select_related("rule__instrument")
    if state := asked.get("state"):
        rows = rows.filter(state=state)
    if rule := asked.get("rule"):
        rows = rows.filter(rule__slug=rule)
    if code := asked.get("code"):
        rows = rows.filter(code=code)
    return rows


def _get(person: Person, asked: dict[str, Any]) -> Arrival:
    arrival = get_arrival(person, asked["rule"], asked["key"])
    if arrival is None:
        raise NotFound("There is no such acquisition that you may see.")
    return arrival


def _answer(person: Person, arrival: Arrival) -> Response:
    row = Arrival.objects.select_related("rule__instrument").get(pk=arrival.pk)
    return Response(ArrivalSerializer(row, context={"pids": _pids(person, [row])}).data)


def _pids(person: Person, rows: list[Arrival]) -> dict[int, str]:
    """Name the datasets that this person may see: an instrument's staff need not see all."""
    seen = visible_datasets(person).filter(pk__in=[row.dataset_id for row in rows])
    return {pk: str(pid) for pk, pid in seen.values_list("pk", "pid")}
