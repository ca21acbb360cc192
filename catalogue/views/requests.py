"""What people have asked for, and what others decide about it."""

from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from catalogue.access import memberships, visible_datasets
from catalogue.embargo.deeds import Deed, deed_on_request, deeds_on_request, fill
from catalogue.embargo.reminders import endings
from catalogue.embargo.wishes import RequestState, get_request, visible_requests
from catalogue.models import Request, User
from catalogue.permissions import require_account
from catalogue.views.embargo import carry_out
from catalogue.views.replies import personal

_PER_PAGE = 30
_YEAR = 366


@dataclass(frozen=True)
class Row:
    """A request, whether its dataset may be named, and what its reader can do about it."""

    request: Request
    is_named: bool
    deeds: list[tuple[Deed, forms.Form]]


def rows_of(
    person: User, requests: QuerySet[Request] | list[Request], filled: Row | None = None
) -> list[Row]:
    """Make rows of requests that a person sees; ``filled`` takes the place of its own."""
    found = list(requests)
    pks = {request.dataset_id for request in found}
    named = set(visible_datasets(person).filter(pk__in=pks).values_list("pk", flat=True))
    return [
        filled
        if filled and filled.request == request
        else Row(
            request,
            request.dataset_id in named,
            [
                (deed, fill(deed, str(request.uuid)))
                for deed in deeds_on_request(person, request)
                if request.dataset_id in named
            ],
        )
        for request in found
    ]


@require_safe
@login_required
@personal
def show_requests(request: HttpRequest) -> HttpResponse:
    """List what a person has asked for, and what they decide about."""
    return _list(request)


def _list(request: HttpRequest, filled: Row | None = None, status: int = 200) -> HttpResponse:
    person = require_account(request.user)
    state = request.GET.get("state", "")
    known = [value for value in RequestState.values if value == state]
    rows = visible_requests(person).filter(state__in=known or RequestState.values)
    page = Paginator(rows.order_by("-filed_at", "uuid"), _PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "rows": rows_of(person, list(page.object_list), filled),
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "states": RequestState.choices,
        "state": state if known else "",
    }
    return render(request, "catalogue/requests.html", context, status=status)


@require_POST
@login_required
@personal
def do(request: HttpRequest, uuid: UUID, slug: str) -> HttpResponse:
    """Decide about a request that the person sees, or take it back."""
    wish = get_request(request.user, str(uuid))
    deed = deed_on_request(slug, wish)
    if deed is None:
        raise Http404("There is nothing of this name to be done.")
    form = fill(deed, str(uuid), request.POST)
    status = carry_out(request, deed, form, wish)
    if status is None:
        return redirect("requests")
    return _list(request, Row(wish, True, [(deed, form)]), status)  # noqa: FBT003 - they decide about it


@require_safe
@login_required
@personal
def show_endings(request: HttpRequest) -> HttpResponse:
    """List the embargoes of a person's proposals that end within a year."""
    mine = set(memberships(require_account(request.user)).values_list("proposal", flat=True))
    found = [ending for ending in endings(_YEAR) if ending.proposal.pk in mine]
    return render(request, "catalogue/endings.html", {"endings": found})
