"""The pages of data stewards: what lacks, what ends, what is asked, what was done."""

from datetime import datetime

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalogue.embargo.reminders import endings
from catalogue.embargo.wishes import RequestState, visible_requests
from catalogue.history import Wanted, find_events
from catalogue.incomplete import LACKS, MOST, count_incomplete, incomplete_datasets
from catalogue.models import Arrival
from catalogue.permissions import require_steward
from catalogue.views.replies import personal, wants_fragment
from catalogue.views.requests import rows_of

_PER_PAGE = 50
_MOST_REQUESTS = 20
_SOON, _LATER = 30, 90  # days


@require_safe
@personal
def show_steward(request: HttpRequest) -> HttpResponse:
    """Show a data steward what waits for them."""
    person = require_steward(request.user, "see the page of data stewards")
    waiting = visible_requests(person).filter(state=RequestState.OPEN).order_by("filed_at", "uuid")
    ending = endings(_LATER)
    context = {
        "rows": rows_of(person, waiting[:_MOST_REQUESTS]),
        "waiting": waiting.count(),
        "soon": [each for each in ending if each.days <= _SOON],
        "later": [each for each in ending if each.days > _SOON],
        "quarantined": Arrival.objects.filter(state=Arrival.State.QUARANTINED).count(),
        "events": find_events(person, Wanted())[:10],
    }
    return render(request, "catalogue/steward.html", context)


@require_safe
@personal
def show_incomplete(request: HttpRequest) -> HttpResponse:
    """List the datasets that lack something; a part of the steward's page counts them."""
    person = require_steward(request.user, "see what lacks metadata")
    template = "catalogue/incomplete.html"
    counts = [
        (lack, LACKS[lack][0], min(count, MOST), count > MOST)
        for lack, count in count_incomplete(person).items()
    ]
    if wants_fragment(request):
        return render(request, f"{template}#counts", {"counts": counts})
    lack = request.GET.get("lacks", "")
    lack = lack if lack in LACKS else "proposal"
    page = Paginator(incomplete_datasets(person, lack)[:MOST], _PER_PAGE)
    shown = page.get_page(request.GET.get("page"))
    context = {
        "counts": counts,
        "lack": lack,
        "page": shown,
        "pages": page.get_elided_page_range(shown.number, on_each_side=1, on_ends=1),
    }
    return render(request, template, context)


class AuditForm(forms.Form):
    """What to look for in the audit log."""

    act = forms.CharField(
        required=False, max_length=40, label="What happened", help_text="Or how it begins: embargo."
    )
    subject = forms.CharField(
        required=False, max_length=200, help_text="Identifier of what it happened to."
    )
    who = forms.CharField(required=False, max_length=200, help_text="A part of the name.")
    since = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="In UTC, like the times below.",
    )
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    before = forms.DateTimeField(required=False, widget=forms.HiddenInput)


@require_safe
@personal
def show_audit(request: HttpRequest) -> HttpResponse:
    """Show the audit log, the latest first."""
    person = require_steward(request.user, "read the audit log")
    form = AuditForm(request.GET)
    wanted = Wanted(**form.cleaned_data) if form.is_valid() else Wanted()
    found = list(find_events(person, wanted)[: _PER_PAGE + 1])
    older: datetime | None = found[_PER_PAGE - 1].at if len(found) > _PER_PAGE else None
    context = {
        "form": form,
        "events": found[:_PER_PAGE],
        "older": older.isoformat() if older else None,
        "is_filtered": any(form.cleaned_data.values()),
    }
    return render(request, "catalogue/audit.html", context, status=422 if form.errors else 200)
