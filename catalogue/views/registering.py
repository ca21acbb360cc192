"""The page on which raw data are registered by hand."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from catalogue.access import registrable_instruments
from catalogue.errors import (
    BusyError,
    ContentChangedError,
    NotPermittedError,
    RefusedFileError,
    RegistrationError,
    StoreError,
)
from catalogue.forms import RegistrationForm
from catalogue.ingest import register_path
from catalogue.places import locate
from catalogue.views.replies import personal

_REFUSALS = (RefusedFileError, RegistrationError, ContentChangedError, StoreError, BusyError)


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def register_dataset(request: HttpRequest) -> HttpResponse:
    """Register raw data that lie in a declared store."""
    if not registrable_instruments(request.user).exists():
        raise NotPermittedError("register data", "the staff of its instrument, or a data steward")
    form = RegistrationForm(request.user, request.POST or None)
    if form.is_valid():
        wish = form.cleaned_data
        try:
            registered = register_path(
                locate(wish["path"], wish["store"]),
                person=request.user,
                instrument=wish["instrument"],
                proposal=wish["proposal"],
            )
        except _REFUSALS as error:
            form.refuse(error)
        else:
            said = "Registered." if registered.is_new else "These files were registered already."
            messages.success(request, said)
            return redirect("dataset", registered.dataset.pid)
    return render(
        request, "catalogue/register.html", {"form": form}, status=422 if form.errors else 200
    )
