"""The page on which datasets are found."""

from collections.abc import Iterable

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalogue.access import access_states, registrable_instruments
from catalogue.forms import Chip, list_chips, read_lists
from catalogue.search import Query, count_facets, find, read_query
from catalogue.views.replies import personal, wants_fragment

PAGE = 20
_MOST_WAYS_OUT = 5


@require_safe
@personal
def list_datasets(request: HttpRequest) -> HttpResponse:
    """Find datasets by words and facets."""
    query = read_query(read_lists(request.GET))
    facets = count_facets(request.user, query)
    found = find(request.user, query).select_related("instrument", "facility")
    found = found.prefetch_related("samples", "techniques")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    states = access_states(page.object_list)
    chips = list_chips(request.GET, facets)
    context = {
        "query": query,
        "facets": facets,
        "chips": chips,
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "cards": [(dataset, states[dataset.pk]) for dataset in page.object_list],
        "may_register": registrable_instruments(request.user).exists(),
        "ways_out": [] if page.paginator.count else list(_ways_out(request, chips)),
    }
    template = "catalogue/dataset_list.html"
    return render(request, f"{template}#answer" if wants_fragment(request) else template, context)


def _ways_out(request: HttpRequest, chips: list[Chip]) -> Iterable[tuple[Chip, int]]:
    """Count what would be found without each of the filters that found nothing."""
    for chip in chips[:_MOST_WAYS_OUT]:
        query: Query = read_query(read_lists(chip.remaining))
        if count := find(request.user, query).count():
            yield chip, count
