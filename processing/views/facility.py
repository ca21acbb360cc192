"""Pages on which data stewards read, plan and apply what the facility declares."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from catalogue.errors import DeclarationError
from catalogue.views.replies import personal
from processing.declaration import apply, plan, read_text
from processing.declaration import render as render_facility
from processing.declaration.applying import apply_rules
from processing.declaration.rendering import render_rules
from processing.errors import RecipeDefinitionError, TooMuchChangeError
from processing.models import Configuration, ProductRule
from processing.products.ordering import require_curator

_LONGEST = 500_000
_ACT = "see what the facility declares"


class TextForm(forms.Form):
    """A facility.toml, or a part of one."""

    text = forms.CharField(
        label="facility.toml",
        max_length=_LONGEST,
        strip=False,
        widget=forms.Textarea({"rows": 30, "spellcheck": "false", "class": "code"}),
    )


class ApplyForm(TextForm):
    confirmed = forms.BooleanField(
        label="Even if more products are made anew than max_change allows", required=False
    )


@require_safe
@personal
def show_facility(request: HttpRequest) -> HttpResponse:
    """Show what is declared today, and the revisions before."""
    require_curator(request.user, _ACT)
    revisions = Configuration.objects.select_related("applied_by")
    context = {
        "revision": revisions.first(),
        "revisions": revisions[:50],
        "rules": ProductRule.objects.select_related("recipe").order_by("slug"),
    }
    return render(request, "processing/facility.html", context)


@require_safe
@personal
def show_revision(request: HttpRequest, number: int) -> HttpResponse:
    """Show one revision: who applied it when, what it changed, its text."""
    require_curator(request.user, _ACT)
    revision = get_object_or_404(Configuration.objects.select_related("applied_by"), number=number)
    return render(request, "processing/revision.html", {"revision": revision})


@require_safe
@personal
def send_facility(request: HttpRequest) -> HttpResponse:
    """Send the configuration of the database as a facility.toml."""
    require_curator(request.user, _ACT)
    headers = {"Content-Disposition": 'attachment; filename="facility.toml"'}
    return HttpResponse(render_facility(), content_type="application/toml", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def plan_facility(request: HttpRequest) -> HttpResponse:
    """Say what a text would change and cost; nothing runs before it is applied."""
    person = require_curator(request.user, "plan and apply a facility.toml")
    latest = Configuration.objects.first()
    text = latest.text if latest else render_facility()
    form = ApplyForm(request.POST or None, initial={"text": text})
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        said = form.cleaned_data["text"].replace("\r\n", "\n")
        try:
            read = read_text(said)
            if request.POST.get("act") == "apply":
                apply(
                    read, person=person, is_confirmed=form.cleaned_data["confirmed"], source="page"
                )
                messages.success(request, "Applied. The steward follows at its next pass.")
                return redirect("facility")
            context["plan"] = plan(read)
        except DeclarationError as error:
            context["faults"] = error.faults
        except (TooMuchChangeError, RecipeDefinitionError) as error:
            context["refusal"] = str(error)
    is_refused = form.is_bound and "plan" not in context
    return render(request, "processing/plan.html", context, status=422 if is_refused else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def edit_rules(request: HttpRequest) -> HttpResponse:
    """Edit the product rules that no file declares; those of the file are read-only here."""
    person = require_curator(request.user, "edit product rules")
    form = ApplyForm(request.POST or None, initial={"text": render_rules()})
    form.fields["text"].required = False
    form.fields["text"].label = "Rules of this page"
    context: dict[str, Any] = {
        "form": form,
        "of_file": ProductRule.objects.filter(owner=ProductRule.Owner.FILE).order_by("slug"),
    }
    if form.is_valid():
        try:
            changes = apply_rules(
                form.cleaned_data["text"].replace("\r\n", "\n"),
                person=person,
                is_confirmed=form.cleaned_data["confirmed"],
            )
        except DeclarationError as error:
            context["faults"] = error.faults
        except TooMuchChangeError as error:
            context["refusal"] = str(error)
        else:
            said = "; ".join(map(str, changes)) or "Nothing has changed."
            messages.success(request, said)
            return redirect("facility")
    return render(request, "processing/rules.html", context, status=422 if form.is_bound else 200)
