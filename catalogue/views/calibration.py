"""The page on which people say what a dataset calibrates."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalogue.access import get_dataset
from catalogue.calibration import Validity, declare
from catalogue.errors import DescriptionError, MisshapenError
from catalogue.models import CalibrationConstant
from catalogue.permissions import Act, require
from catalogue.statements import read_said
from catalogue.views.annotating import refuse
from catalogue.views.replies import personal

_INSTANT = {"type": "datetime-local", "step": "1"}


class ValidityForm(forms.Form):
    """When and for what a dataset calibrates others; times are UTC."""

    kind = forms.CharField(
        label="Kind", max_length=40, help_text="What product rules ask for: poni, dark, flat."
    )
    detector = forms.CharField(label="Detector", max_length=100, required=False)
    module = forms.CharField(label="Module", max_length=100, required=False)
    valid_from = forms.DateTimeField(
        label="Valid from (UTC)", widget=forms.DateTimeInput(_INSTANT, "%Y-%m-%dT%H:%M:%S")
    )
    valid_to = forms.DateTimeField(
        label="Valid until (UTC)",
        required=False,
        widget=forms.DateTimeInput(_INSTANT, "%Y-%m-%dT%H:%M:%S"),
        help_text="Until there is a newer one, if you leave it empty.",
    )
    conditions = forms.CharField(
        label="Conditions",
        required=False,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        help_text="One per line, name = value: energy_kev = 12.4",
    )
    reason = forms.CharField(
        label="Why",
        required=False,
        max_length=2000,
        help_text="It goes into the audit log beside the change.",
    )

    def said(self) -> dict[str, Any]:
        """Return it as REST takes it."""
        values = dict(self.cleaned_data)
        for name in ("valid_from", "valid_to"):
            at: datetime | None = values[name]
            values[name] = at.isoformat() if at else None
        values["conditions"] = _read_conditions(values["conditions"])
        return values


def _read_conditions(text: str) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for line in text.splitlines():
        name, _, value = (part.strip() for part in line.partition("="))
        if name:
            try:
                found[name] = float(value)
            except ValueError:
                found[name] = value
    return found


def _initial(constant: CalibrationConstant | None) -> dict[str, Any]:
    if constant is None:
        return {}
    names = set(ValidityForm.base_fields) - {"reason"}
    values = {name: getattr(constant, name) for name in names}
    lines = [
        f"{name} = {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in constant.conditions.items()
    ]
    return values | {"conditions": "\n".join(lines)}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def edit_calibration(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Say what a dataset calibrates."""
    dataset = get_dataset(request.user, pid)
    require(request.user, Act.EDIT, dataset)
    constant = CalibrationConstant.objects.filter(dataset=dataset).first()
    form = ValidityForm(request.POST or None, initial=_initial(constant))
    if request.method == "POST" and form.is_valid():
        try:
            declare(request.user, dataset, read_said(Validity, form.said()))
        except (DescriptionError, MisshapenError) as error:
            refuse(form, error)
        else:
            messages.success(request, "Saved. Products that this concerns are looked at again.")
            return redirect("dataset", dataset.pid)
    context = {"dataset": dataset, "form": form, "constant": constant}
    status = 422 if form.is_bound else 200
    return render(request, "catalogue/calibration.html", context, status=status)
