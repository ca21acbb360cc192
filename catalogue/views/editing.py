"""The page on which people say what a dataset is."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalogue.access import Person, get_dataset
from catalogue.curation import Changes, edit, etag_of
from catalogue.errors import DescriptionError, Fault, PreconditionError, TransitionError
from catalogue.history import history_of
from catalogue.models import Dataset, Technique
from catalogue.permissions import Act, require
from catalogue.statements import read_said
from catalogue.techniques import resolve
from catalogue.views.replies import personal

_Texts = dict[str, str]


class _Said(forms.CharField):
    """Text beside which the page keeps what it was when the page was made."""

    def __init__(self, label: str, help_text: str = "", *, rows: int = 0) -> None:
        widget = forms.Textarea(attrs={"rows": rows}) if rows else forms.TextInput()
        super().__init__(
            required=False,  # what must be there is said once, by the shape of changes
            label=label,
            help_text=help_text,
            widget=widget,
            show_hidden_initial=True,
        )

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n")  # as browsers send the ends of lines


class DescriptionForm(forms.Form):
    """What people may say of a dataset, and the version that they have seen."""

    title = _Said("Title")
    description = _Said("Description", rows=6)
    licence = _Said("Licence", "By its SPDX identifier, CC-BY-4.0; it holds once the data open.")
    techniques = _Said("Techniques", "One per line: names or identifiers of PaNET.", rows=3)
    samples = _Said("Samples", "One per line.", rows=3)
    tags = _Said("Tags", "With commas between them.")
    reason = forms.CharField(
        required=False,
        max_length=2000,
        label="Why",
        help_text="It goes into the audit log beside the change.",
    )
    version = forms.CharField(widget=forms.HiddenInput)

    @property
    def changed(self) -> list[str]:
        """Names of what differs from what the page showed."""
        return [name for name in self.changed_data if name not in {"version", "reason"}]

    def seen(self, name: str) -> str:
        """Return what the page showed."""
        shown = self.data.get(self[name].html_initial_name)
        return str(self.fields[name].to_python(shown))

    def changes(self) -> dict[str, Any]:
        """Return what was changed, as the catalogue takes it."""
        texts = {name: self.cleaned_data[name] for name in self.changed}
        said: dict[str, Any] = dict(texts)
        if "techniques" in texts:
            said["techniques"] = _split(texts["techniques"], "\n")
        if "samples" in texts:
            said["samples"] = [{"name": name} for name in _split(texts["samples"], "\n")]
        if "tags" in texts:
            said["tags"] = _split(texts["tags"], ",")
        return said | ({"reason": self.cleaned_data["reason"]} if said else {})

    def refuse(self, faults: list[Fault]) -> None:
        """Put each fault beside the field it is about."""
        for fault in faults:
            name, *below = fault.pointer.removeprefix("#/").split("/")
            number = f"number {int(below[0]) + 1} " if below else ""
            self.add_error(name if name in self.fields else None, f"{number}{fault.detail}")


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def edit_description(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Change what is said of a dataset; what others changed meanwhile is never overwritten."""
    dataset = get_dataset(request.user, pid)
    require(request.user, Act.EDIT, dataset)
    now = _write(dataset)
    form = DescriptionForm(request.POST or None, initial=now)
    context: dict[str, Any] = {"dataset": dataset, "form": form}
    status = 200
    if request.method == "POST":
        status = _save(request, dataset, form)
        if status == 200:
            return redirect("dataset", dataset.pid)
    if status == 412:
        context |= _conflict(request.user, get_dataset(request.user, pid), form)
    return render(request, "catalogue/dataset_edit.html", context, status=status)


def _write(dataset: Dataset) -> _Texts:
    """Return what is said of a dataset, as the form has it."""
    samples = dataset.samples.order_by("name").values_list("name", flat=True)
    return {
        "title": dataset.title,
        "description": dataset.description,
        "licence": dataset.licence,
        "techniques": "\n".join(map(_name, dataset.techniques.order_by("name", "pid"))),
        "samples": "\n".join(samples),
        "tags": ", ".join(dataset.tags.values_list("name", flat=True)),
        "version": etag_of(dataset),
    }


def _name(technique: Technique) -> str:
    """Name a technique so that it is found again: several may have one name."""
    return technique.name if resolve(technique.name) == [technique] else technique.pid


def _save(request: HttpRequest, dataset: Dataset, form: DescriptionForm) -> int:
    """Save what was changed; the answer's status says whether it was."""
    if not form.is_valid():
        return 422
    try:
        changes = read_said(Changes, form.changes())
        edit(request.user, dataset.pid, changes, etags=[form.cleaned_data["version"]])
    except PreconditionError:
        return 412
    except DescriptionError as error:
        form.refuse(error.errors)
        return 422
    except TransitionError as error:
        form.add_error(None, str(error))
        return 409
    messages.success(request, "What is said of this dataset has been saved.")
    return 200


def _conflict(person: Person, dataset: Dataset, form: DescriptionForm) -> dict[str, Any]:
    """Set what a person typed beside what somebody else has written meanwhile."""
    now, typed = _write(dataset), form.changed
    data = now | {form[name].html_initial_name: text for name, text in now.items()}
    data |= {name: form.cleaned_data[name] for name in typed}
    event = history_of(person, dataset).filter(act="metadata.edited").first()
    merged = DescriptionForm(data, initial=now)
    return {
        "form": merged,
        "who": event.who if event else "Somebody",
        "theirs": [
            {"field": merged[name], "text": text, "is_mine_too": name in typed}
            for name, text in now.items()
            if name != "version" and form.seen(name) != text
        ],
    }
