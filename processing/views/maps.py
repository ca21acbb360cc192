"""The page of a proposal's maps: which are processed, how, and which are stale."""

from collections.abc import Mapping
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalogue.views.replies import personal
from processing.forms.parameters import write_value
from processing.products.maps import ORDER, find_proposal, select_maps, tell_maps

MAPS_PER_PAGE = 100


@require_safe
@personal
def show_maps(request: HttpRequest, proposal: str) -> HttpResponse:
    """List the maps of a proposal's data: those that rules want, and those made by hand."""
    found = find_proposal(request.user, proposal)
    shown = select_maps(request.user, found).order_by(*ORDER)
    page = Paginator(shown, MAPS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "proposal": found,
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "rows": [(row, _write(row.changed)) for row in tell_maps(page.object_list)],
    }
    return render(request, "processing/proposal_maps.html", context)


def _write(changed: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {write_value(value)}" for name, value in changed.items())
