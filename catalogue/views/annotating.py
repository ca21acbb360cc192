"""What people put beside a dataset, by forms of their own that work without JavaScript."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalogue import annotations, collecting, publications
from catalogue.access import Person, get_dataset
from catalogue.delivery.names import attachment as saved_as
from catalogue.errors import DescriptionError
from catalogue.models import Attachment, Dataset, Note, Publication, QualityFlag
from catalogue.permissions import Act, require
from catalogue.places import picture_path
from catalogue.views.replies import personal

_MOST_NOTES = 50


class NoteForm(forms.Form):
    text = forms.CharField(
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Note",
        help_text="It stays as written, with your name and the time.",
    )


class QualityForm(forms.Form):
    verdict = forms.ChoiceField(choices=QualityFlag.Verdict.choices)
    reason = forms.CharField(max_length=1000, help_text="What is good or wrong about the data.")


class AttachmentForm(forms.Form):
    file = forms.FileField(help_text="A picture, a PDF or plain text.", allow_empty_file=True)
    caption = forms.CharField(max_length=500, required=False, help_text="What it shows.")


class PublicationForm(forms.Form):
    doi = forms.CharField(max_length=230, label="DOI")
    title = forms.CharField(max_length=1000)
    authors = forms.CharField(
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One in a line.",
    )
    year = forms.IntegerField(required=False, min_value=1900, max_value=2199)


class CollectForm(forms.Form):
    """Into which of one's collections; a new one if it has a title."""

    collection = forms.ChoiceField(required=False)
    title = forms.CharField(max_length=500, required=False, label="Or a new one, titled")

    def __init__(self, person: Person, data: Any = None) -> None:
        super().__init__(data)
        own = collecting.own_collections(person).values_list("pid", "title")
        self.fields["collection"].choices = [("", "none"), *own]  # type: ignore[attr-defined]  # a choice field


Form = forms.Form


@dataclass(frozen=True)
class Way:
    """One way to add something: its form, its words, and what it does."""

    slug: str
    title: str
    button: str
    form: Callable[..., Form]
    do: Callable[[Person, Dataset, dict[str, Any]], object]
    said: str
    anchor: str


def _attach(person: Person, dataset: Dataset, wish: dict[str, Any]) -> Attachment:
    file = wish["file"]
    return annotations.attach(person, dataset, file, file.name, wish["caption"])


def _link(person: Person, dataset: Dataset, wish: dict[str, Any]) -> Publication:
    authors = [author for line in wish["authors"].splitlines() if (author := line.strip())]
    said = publications.Reference(wish["doi"], wish["title"], authors, wish["year"])
    return publications.link_publication(person, dataset, said)


_WAYS = {
    way.slug: way
    for way in (
        Way(
            "note",
            "Write a note",
            "Add note",
            NoteForm,
            lambda person, dataset, wish: annotations.add_note(person, dataset, wish["text"]),
            "The note is in the logbook.",
            "quality",
        ),
        Way(
            "quality",
            "Judge the quality",
            "Give verdict",
            QualityForm,
            lambda person, dataset, wish: annotations.flag_quality(
                person, dataset, wish["verdict"], wish["reason"]
            ),
            "Your verdict counts from now on.",
            "quality",
        ),
        Way("attachment", "Attach a file", "Attach", AttachmentForm, _attach, "Attached.",
            "attachments"),
        Way("publication", "Link a publication", "Link", PublicationForm, _link,
            "The publication is linked.", "publications"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Offer:
    """A way that is open to a person, with an empty form for it."""

    way: Way
    form: Form
    address: str


@dataclass(frozen=True)
class Panel:
    """What a page shows beside a dataset; notes and attachments only to readers."""

    is_readable: bool
    may_edit: bool
    notes: Sequence[Note]
    flags: Sequence[QualityFlag]
    attachments: Sequence[Attachment]
    publications: Sequence[Publication]
    offers: dict[str, Offer]
    collect: CollectForm | None


def show_panel(person: Person, dataset: Dataset, *, is_readable: bool, may_edit: bool) -> Panel:
    """Gather what people have put beside a dataset, as far as a person may see it."""
    offers = {
        way.slug: Offer(way, way.form(), reverse("annotate", args=[dataset.pid, way.slug]))
        for way in _WAYS.values()
    }
    return Panel(
        is_readable=is_readable,
        may_edit=may_edit,
        notes=list(dataset.notes.select_related("person")[:_MOST_NOTES]) if is_readable else [],
        flags=list(dataset.quality_flags.select_related("person")) if is_readable else [],
        attachments=list(dataset.attachments.select_related("person")) if is_readable else [],
        publications=list(dataset.publications.order_by("-year", "title")),
        offers=offers if may_edit else {},
        collect=CollectForm(person) if person.is_authenticated else None,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def annotate(request: HttpRequest, pid: UUID, slug: str) -> HttpResponse:
    """Add one thing to a dataset; the form stands alone where it is to be mended."""
    if slug not in _WAYS:
        raise Http404("There is no such way to add something.")
    way, dataset = _WAYS[slug], get_dataset(request.user, pid)
    require(request.user, Act.EDIT, dataset)
    form = way.form(request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            way.do(request.user, dataset, form.cleaned_data)
        except DescriptionError as error:
            refuse(form, error)
        else:
            messages.success(request, way.said)
            return redirect(f"{reverse('dataset', args=[dataset.pid])}#{way.anchor}")
    context = {"dataset": dataset, "way": way, "form": form, "address": request.path}
    status = 422 if form.errors else 200
    return render(request, "catalogue/annotate.html", context, status=status)


def refuse(form: Form, error: DescriptionError) -> None:
    """Put each fault beside the field that it is about, else above the form."""
    for fault in error.errors:
        name = fault.pointer.removeprefix("#/").partition("/")[0]
        known = name in form.fields
        form.add_error(name if known else None, fault.detail if known else str(error))


@require_safe
@personal
def send_attachment(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Send an attachment: a picture to look at, all else to take home."""
    kept = annotations.get_attachment(request.user, uuid)
    etag = f'"{kept.sha256}"'
    if unchanged := get_conditional_response(request, etag):
        return unchanged
    path = picture_path(kept.sha256)
    if not path.is_file():
        raise Http404("This attachment is not in the store.")
    headers = {"ETag": etag}
    if kept.media_type not in annotations.PICTURES:
        headers["Content-Disposition"] = saved_as(kept.name)
    return FileResponse(path.open("rb"), content_type=kept.media_type, headers=headers)


@require_POST
@login_required
def remove_attachment(request: HttpRequest, uuid: UUID) -> HttpResponse:
    kept = annotations.get_attachment(request.user, uuid)
    annotations.detach(request.user, uuid)
    messages.success(request, f"{kept.name} is not attached any more.")
    return redirect(f"{reverse('dataset', args=[kept.dataset.pid])}#attachments")


@require_POST
@login_required
def unlink(request: HttpRequest, pid: UUID, publication: UUID) -> HttpResponse:
    dataset = get_dataset(request.user, pid)
    publications.unlink_publication(request.user, dataset, publication)
    messages.success(request, "The publication is not linked any more.")
    return redirect(f"{reverse('dataset', args=[dataset.pid])}#publications")
