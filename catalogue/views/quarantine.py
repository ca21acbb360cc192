"""What did not register itself, and what a person does about it."""

from dataclasses import dataclass
from typing import cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalogue.access import visible_datasets
from catalogue.errors import CatalogueError, RegistrationError, TransitionError
from catalogue.models import Arrival, User
from catalogue.views.replies import personal
from catalogue.watching.quarantine import dismiss, get_arrival, try_again, visible_arrivals

_PER_PAGE = 50
_SHOWN = [State for State in Arrival.State if State != Arrival.State.REGISTERED]


@dataclass(frozen=True)
class _Refusal:
    """Why an act was refused, and beside which row and field that belongs."""

    row: int
    field: str
    reason: str


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def show_quarantine(request: HttpRequest) -> HttpResponse:
    """List what did not register itself; decide about one of it."""
    refusal = None
    if request.method == "POST":
        arrival = _chosen(request)
        try:
            messages.success(request, _act(request, arrival))
        except (RegistrationError, TransitionError) as error:
            refusal = _refusal(arrival, error)
        else:
            return redirect(request.get_full_path())
    return _list(request, refusal)


def _chosen(request: HttpRequest) -> Arrival:
    given = {name: request.POST.get(name, "").replace("\x00", "") for name in ("rule", "key")}
    arrival = get_arrival(request.user, given["rule"], given["key"])
    if arrival is None:
        raise Http404("There is no such acquisition that you may see.")
    return arrival


def _act(request: HttpRequest, arrival: Arrival) -> str:
    """Do what a person has pressed; return what to tell them."""
    person = cast("User", request.user)  # nobody else has an instrument
    if request.POST.get("act") == "dismiss":
        dismiss(person, arrival, request.POST.get("reason", "").replace("\x00", ""))
        return f"{arrival.key} is set aside until its files change."
    if request.POST.get("act") == "choose":
        number = request.POST.get("proposal", "").replace("\x00", "").strip()
        if not number:
            raise RegistrationError("proposal", "Name the proposal by its number.")
        try_again(person, arrival, proposal=number)
        return f"{arrival.key} will be registered with proposal {number}."
    try_again(person, arrival)
    return f"{arrival.key} is tried again in some seconds."


def _refusal(arrival: Arrival, error: CatalogueError) -> _Refusal:
    return _Refusal(arrival.pk, getattr(error, "field", ""), str(error))


def _list(request: HttpRequest, refusal: _Refusal | None) -> HttpResponse:
    asked = request.GET.get("state", "")
    state = asked if asked in _SHOWN else Arrival.State.QUARANTINED
    rows = visible_arrivals(request.user).filter(state=state)
    rows = rows.select_related("rule__instrument", "dataset").order_by("-seen_at", "-pk")
    page = Paginator(rows, _PER_PAGE).get_page(request.GET.get("page"))
    shown = [row.dataset_id for row in page.object_list if row.dataset_id]
    seen = visible_datasets(request.user).filter(pk__in=shown)
    context = {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "states": [(value, value.label) for value in _SHOWN],
        "state": state,
        "visible": set(seen.values_list("pk", flat=True)),
        "refusal": refusal,
    }  # fmt: skip
    return render(request, "catalogue/quarantine.html", context, status=422 if refusal else 200)
