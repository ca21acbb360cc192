"""Access to one dataset: its state, and what people do about it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from catalogue.access import Person, get_dataset
from catalogue.embargo.banner import Filled, describe_access
from catalogue.embargo.decisions import end_visit
from catalogue.embargo.deeds import Deed, ReasonForm, deed_on_dataset, fill
from catalogue.embargo.retraction import preview
from catalogue.embargo.wishes import visible_requests
from catalogue.errors import TransitionError
from catalogue.history import history_of
from catalogue.models import Dataset, Guest, Request, User
from catalogue.permissions import Act, require_account
from catalogue.views.replies import personal

_MOST_EVENTS = 50


@require_safe
@personal
def show_access(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Show who may read a dataset from when, what was asked, and what has happened."""
    dataset = get_dataset(request.user, pid)
    return render(request, "catalogue/access.html", _page(request.user, dataset))


def _page(person: Person, dataset: Dataset, filled: Filled | None = None) -> dict[str, Any]:
    banner = describe_access(person, dataset, filled)
    is_decider = Act.GRANT_ACCESS in banner.permitted
    guests = Guest.objects.filter(dataset=dataset).select_related("person", "granted_by")
    asked = visible_requests(person) if isinstance(person, User) else Request.objects.none()
    return {
        "dataset": dataset,
        "banner": banner,
        "asked": asked.filter(dataset=dataset)[:_MOST_EVENTS],
        "guests": guests.order_by("valid_to") if is_decider else [],
        "events": history_of(person, dataset)[:_MOST_EVENTS],
    }


@require_safe
@login_required
@personal
def preview_retraction(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Show what the retraction of a dataset would mean, and ask for the reason."""
    dataset = get_dataset(request.user, pid)
    deed = deed_on_dataset("retract")
    context = {
        "dataset": dataset,
        "preview": preview(require_account(request.user), dataset),
        "deed": deed,
        "form": fill(deed, "here") if deed else None,
    }
    return render(request, "catalogue/retraction.html", context)


@require_POST
@login_required
@personal
def do(request: HttpRequest, pid: UUID, slug: str) -> HttpResponse:
    """Do what a person has filled a form for, about a dataset that they see."""
    dataset = get_dataset(request.user, pid)
    deed = deed_on_dataset(slug)
    if deed is None:
        raise Http404("There is nothing of this name to be done.")
    form = fill(deed, "here", request.POST)
    status = carry_out(request, deed, form, dataset)
    if status is None:
        return redirect("dataset", dataset.pid)
    page = _page(request.user, dataset, (deed, form))
    return render(request, "catalogue/access.html", page, status=status)


def carry_out(request: HttpRequest, deed: Deed, form: forms.Form, subject: Any) -> int | None:
    """
    Do a deed and say that it is done.

    Returns
    -------
    int or None
        The status of an answer that shows the form again, with its faults: 422 if the
        fields are wrong, 409 if the state of things forbids it.
    """
    if not form.is_valid() or not isinstance(request.user, User):
        return 422
    try:
        messages.success(request, deed.do(request.user, subject, form.cleaned_data))
    except TransitionError as error:
        form.add_error(None, str(error))
        return 409
    return None


@require_POST
@login_required
@personal
def end_visit_of(request: HttpRequest, pid: UUID, guest: UUID) -> HttpResponse:
    """End somebody's access to a dataset that the person sees."""
    dataset = get_dataset(request.user, pid)
    form = ReasonForm(request.POST)
    visit = (
        Guest.objects.filter(dataset=dataset, person__pid=guest).select_related("person").first()
    )
    if visit is None or not form.is_valid():
        messages.error(request, "Say whose visit ends, and why.")
    else:
        end_visit(require_account(request.user), dataset, visit.person, form.cleaned_data["reason"])
        messages.success(request, f"The visit of {visit.person} has ended.")
    return redirect("dataset-access", dataset.pid)
