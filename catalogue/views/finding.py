"""The page on which datasets are found."""

from collections.abc import Iterable

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalogue.access import access_states, readable_datasets, registrable_instruments
from catalogue.forms import Chip, list_chips, read_lists
from catalogue.search import (
    Asked,
    Cursor,
    count,
    count_asked,
    find_asked,
    in_order,
    neighbours,
    read_cursor,
    read_query,
)
from catalogue.views.replies import personal, wants_fragment

PAGE = 20
_MOST_WAYS_OUT = 5


@require_safe
@personal
def list_datasets(request: HttpRequest) -> HttpResponse:
    """Find datasets by words, conditions and facets."""
    query = read_query(read_lists(request.GET))
    at = _read_cursor(request)
    asked = Asked.by(request.user, query)
    found = find_asked(asked, PAGE, beside=at.beside, is_backward=at.is_backward)
    counted = count_asked(asked, query)
    datasets = in_order(request.user, found)
    prefetch_related_objects(datasets, "samples", "techniques")
    states = access_states(datasets)
    readable = set(
        readable_datasets(request.user).filter(pk__in=found.pks).values_list("pk", flat=True)
    )
    previous, following = neighbours(found, at)
    chips = list_chips(request.GET, counted.facets)
    context = {
        "query": query,
        "faults": query.search.faults,
        "facets": counted.facets,
        "total": counted.total,
        "is_ranked": found.is_ranked,
        "chips": chips,
        "previous": previous,
        "following": following,
        "cards": [(dataset, states[dataset.pk], dataset.pk in readable) for dataset in datasets],
        "may_register": registrable_instruments(request.user).exists(),
        "ways_out": [] if counted.total else list(_ways_out(request, chips)),
    }
    template = "catalogue/dataset_list.html"
    return render(request, f"{template}#answer" if wants_fragment(request) else template, context)


def _read_cursor(request: HttpRequest) -> Cursor:
    """Return the page asked for; one that nobody gave out is the first."""
    try:
        return read_cursor(request.GET.get("cursor", ""))
    except ValueError:
        return Cursor()


def _ways_out(request: HttpRequest, chips: list[Chip]) -> Iterable[tuple[Chip, int]]:
    """Count what would be found without each of the filters that found nothing."""
    for chip in chips[:_MOST_WAYS_OUT]:
        if total := count(request.user, read_query(read_lists(chip.remaining))).total:
            yield chip, total
