"""Lists in pages by position, so that nothing is skipped or repeated while rows come in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import OrderBy
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from catalogue.api.resource import StrictSerializer

Row = TypeVar("Row", bound=Model)

_USUAL, _MOST = 50, 500


class PageQuery(StrictSerializer):
    """Query parameters that every list takes."""

    page_size = serializers.IntegerField(min_value=1, max_value=_MOST, default=_USUAL)
    cursor = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Opaque; follow next and previous instead of making one.",
    )


@dataclass(frozen=True)
class _Position:
    """The row beside a page, by its values in the columns of the order."""

    is_before: bool  # the page wanted ends before this row, else it begins after it
    values: Sequence[Any]


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, and the addresses of the pages beside them."""

    rows: list[Row]
    next: str | None
    previous: str | None

    def answer(
        self, item: type[serializers.BaseSerializer[Any]], context: Mapping[str, Any]
    ) -> Response:
        """Write the rows with a serializer."""
        results = item(self.rows, many=True, context=dict(context)).data
        return Response({"next": self.next, "previous": self.previous, "results": results})


def page_of(item: type[serializers.BaseSerializer[Any]]) -> serializers.Serializer[Any]:
    """Describe a page of items in the schema."""
    return inline_serializer(
        item.__name__.removesuffix("Serializer") + "Page",
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": item(many=True),
        },
    )


def read_page(
    request: Request, asked: Mapping[str, Any], rows: QuerySet[Row], order: Sequence[str]
) -> Page[Row]:
    """
    Return the page that a request asks for.

    Parameters
    ----------
    request : Request
        Its address is that of the neighbouring pages, but for the cursor.
    asked : mapping
        Validated by ``PageQuery``.
    rows : QuerySet
        The whole list, in any order.
    order : sequence of str
        Columns that together are unique, "-" before one that descends; nulls come
        last. No primary key: who has a cursor can read it.

    Raises
    ------
    ValidationError
        If the cursor is not one that this list has given out.
    """
    size = asked["page_size"]
    # Signed, so that values which come back have the types in which they went out.
    signer = signing.Signer(salt="cursor " + " ".join(order))
    position = _read_cursor(signer, asked.get("cursor", ""))
    is_backward = position is not None and position.is_before
    if position:
        rows = rows.filter(_beyond(order, position))
    found = list(rows.order_by(*(_sort(column, is_backward) for column in order))[: size + 1])
    page, has_more = found[:size], len(found) > size
    if is_backward:
        page.reverse()

    def link(row: Row, *, is_before: bool) -> str:
        cursor = signer.sign_object([is_before, [_value(row, column) for column in order]])
        return replace_query_param(request.build_absolute_uri(), "cursor", cursor)

    has_next = has_more or is_backward
    has_previous = has_more if is_backward else position is not None
    return Page(
        page,
        next=link(page[-1], is_before=False) if page and has_next else None,
        previous=link(page[0], is_before=True) if page and has_previous else None,
    )


def _read_cursor(signer: signing.Signer, cursor: str) -> _Position | None:
    if not cursor:
        return None
    try:
        is_before, values = signer.unsign_object(cursor)
    except signing.BadSignature as error:
        text = "This is no cursor of this list. Follow next and previous from its first page."
        raise serializers.ValidationError({"cursor": [text]}) from error
    return _Position(is_before, values)


def _beyond(order: Sequence[str], position: _Position) -> Q:
    """Select what lies beyond a position: further in one column, equal in those before it."""
    beyond, equal = Q(pk__in=[]), Q()
    for column, value in zip(order, position.values, strict=True):
        name = column.removeprefix("-")
        beyond |= equal & _further(column, value, is_before=position.is_before)
        equal &= Q(**{f"{name}__isnull": True} if value is None else {name: value})
    return beyond


def _further(column: str, value: Any, *, is_before: bool) -> Q:
    name = column.removeprefix("-")
    if value is None:  # nulls are last
        return Q(**{f"{name}__isnull": False}) if is_before else Q(pk__in=[])
    is_lower = column.startswith("-") != is_before
    further = Q(**{f"{name}__lt" if is_lower else f"{name}__gt": value})
    return further if is_before else further | Q(**{f"{name}__isnull": True})


def _sort(column: str, is_backward: bool) -> OrderBy:  # noqa: FBT001 - private, read at its one call
    nulls = {"nulls_first": True} if is_backward else {"nulls_last": True}
    place = F(column.removeprefix("-"))
    return place.desc(**nulls) if column.startswith("-") != is_backward else place.asc(**nulls)


def _value(row: Model, column: str) -> Any:
    value: Any = row
    for name in column.removeprefix("-").split("__"):
        value = getattr(value, name)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if isinstance(value, int | str | None) else str(value)
