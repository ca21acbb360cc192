"""Pages of collections and publications: lists of datasets that people made."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalogue import collecting
from catalogue.access import access_states, get_dataset
from catalogue.errors import DescriptionError
from catalogue.publications import list_publications
from catalogue.views.annotating import CollectForm, refuse
from catalogue.views.replies import personal

_PAGE = 50


class CollectionForm(forms.Form):
    title = forms.CharField(max_length=500)
    description = forms.CharField(
        max_length=20_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    is_shared = forms.BooleanField(
        required=False,
        label="Show the list to everybody",
        help_text="Closed datasets in it stay closed, and are not listed to others.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def list_collections(request: HttpRequest) -> HttpResponse:
    """List one's own collections and those that others share, and make one."""
    is_known = request.user.is_authenticated
    form = CollectionForm(request.POST or None) if is_known else None
    if request.method == "POST" and form and form.is_valid():
        try:
            made = collecting.make_collection(request.user, **form.cleaned_data)
        except DescriptionError as error:
            refuse(form, error)
        else:
            return redirect("collection", made.pid)
    rows = collecting.visible_collections(request.user).order_by("-made_at", "pid")
    context = {"page": Paginator(rows, _PAGE).get_page(request.GET.get("page")), "form": form}
    status = 422 if form and form.errors else 200
    return render(request, "catalogue/collections.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def show_collection(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Show a collection in its order; its owner changes it here."""
    collection = collecting.get_collection(request.user, pid)
    is_mine = collection.owner_id == request.user.pk
    form = CollectionForm(request.POST or None, initial=vars(collection)) if is_mine else None
    if request.method == "POST" and form and form.is_valid():
        try:
            collecting.edit_collection(request.user, pid, **form.cleaned_data)
        except DescriptionError as error:
            refuse(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("collection", pid)
    items = collecting.visible_items(request.user, collection)
    page = Paginator(items, _PAGE).get_page(request.GET.get("page"))
    states = access_states([item.dataset for item in page.object_list])
    context = {
        "collection": collection,
        "form": form,
        "page": page,
        "items": [
            (page.start_index() + number, item, states[item.dataset_id])
            for number, item in enumerate(page.object_list)
        ],
        "hidden": collecting.count_hidden(request.user, collection),
    }
    status = 422 if form and form.errors else 200
    return render(request, "catalogue/collection.html", context, status=status)


@require_POST
@login_required
def remove_collection(request: HttpRequest, pid: UUID) -> HttpResponse:
    collecting.remove_collection(request.user, pid)
    messages.success(request, "The collection is gone; its datasets are where they were.")
    return redirect("collections")


@require_POST
@login_required
def collect(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Put a dataset into a collection, a new one if it was given a title."""
    dataset = get_dataset(request.user, pid)
    form = CollectForm(request.user, request.POST)
    wish = form.cleaned_data if form.is_valid() else {}
    target = wish.get("collection") or ""
    try:
        if title := wish.get("title", "").strip():
            target = str(collecting.make_collection(request.user, title).pid)
        if target:
            collecting.add_dataset(request.user, target, dataset.pid)
    except DescriptionError as error:
        messages.error(request, str(error))
        return redirect("dataset", dataset.pid)
    if not target:
        messages.error(request, "Choose one of your collections, or give a title for a new one.")
        return redirect("dataset", dataset.pid)
    messages.success(request, f"{dataset.title} is in the collection.")
    return redirect("collection", target)


@require_POST
@login_required
def change_item(request: HttpRequest, pid: UUID, dataset: UUID) -> HttpResponse:
    """Take a dataset out of a collection, or move it to a place in its order."""
    if "remove" in request.POST:
        collecting.remove_dataset(request.user, pid, dataset)
    else:
        place = request.POST.get("place", "")
        if place.isdecimal() and len(place) < 7:
            collecting.move_dataset(request.user, pid, dataset, int(place))
        else:
            messages.error(request, "A place in the list is a number from 1.")
    return redirect("collection", pid)


@require_safe
@personal
def show_publications(request: HttpRequest) -> HttpResponse:
    """List publications with those of their datasets that the reader may see."""
    newest = F("year").desc(nulls_last=True)
    rows = list_publications(request.user).order_by(newest, "title", "pid")
    page = Paginator(rows, _PAGE).get_page(request.GET.get("page"))
    return render(request, "catalogue/publications.html", {"page": page})
