"""A page of what a search finds, in the shape of every other list."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from catalogue.api.paging import Page
from catalogue.models import Dataset
from catalogue.search import Query, find, in_order, neighbours, read_cursor


def read_found(request: Request, asked: Mapping[str, Any], query: Query) -> Page[Dataset]:
    """
    Return the page of datasets that a request asks for.

    Raises
    ------
    ValidationError
        If a term of the query cannot be used, or the cursor is not of this list.
    """
    refuse_faults(query)
    try:
        at = read_cursor(asked.get("cursor", ""))
    except ValueError as error:
        text = "This is no cursor of this list. Follow next and previous from its first page."
        raise serializers.ValidationError({"cursor": [text]}) from error
    found = find(
        request.user, query, asked["page_size"], beside=at.beside, is_backward=at.is_backward
    )

    def link(cursor: str) -> str | None:
        address = request.build_absolute_uri()
        return replace_query_param(address, "cursor", cursor) if cursor else None

    previous, following = neighbours(found, at)
    return Page(in_order(request.user, found), next=link(following), previous=link(previous))


def refuse_faults(query: Query) -> None:
    """
    Refuse a query of which a part is not understood: a machine would not see a hint.

    Raises
    ------
    ValidationError
        Naming each such part.
    """
    faults = [
        f"{fault.text}: {fault.reason}" for fault in query.search.faults if not fault.is_mended
    ]
    if faults:
        raise serializers.ValidationError({"q": faults})
