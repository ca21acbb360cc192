"""Bytes that people take home."""

from functools import wraps
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from catalogue import delivery
from catalogue.access import cleared_datasets, get_dataset, get_file, get_readable
from catalogue.models import Activity
from catalogue.rates import BYTES, count_call
from catalogue.views.replies import Arguments, View, personal


def counted(view: View[Arguments]) -> View[Arguments]:
    """Count bytes taken here against the limit that REST counts them against."""

    @wraps(view)
    def reply(
        request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> HttpResponseBase:
        allowance = count_call(request, BYTES)
        response = view(request, *args, **kwargs)
        for name, value in allowance.headers.items() if allowance else ():
            response.headers[name] = value
        return response

    return reply


@require_safe
@counted
def send_file(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Send one file of a dataset under its own name, or the part that is asked for."""
    return delivery.answer_file(request, get_file(request.user, uuid))


@require_safe
@counted
def send_archive(request: HttpRequest, pid: UUID) -> HttpResponseBase:
    """Send all files of a dataset as one ZIP."""
    wanted = delivery.bundle([get_readable(request.user, pid)])
    return delivery.answer_archive(request, wanted.after(request.GET.get("after", "")))


@require_safe
@counted
def send_checksums(request: HttpRequest, pid: UUID) -> HttpResponseBase:
    """Send the checksums of all files of a dataset."""
    return delivery.answer_checksums(get_readable(request.user, pid))


@require_safe
@personal
def send_thumbnail(request: HttpRequest, pid: UUID) -> HttpResponseBase:
    """Send the picture of a dataset that lists show."""
    return delivery.answer_picture(request, get_readable(request.user, pid))


@require_safe
@personal
def send_key_document(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Send the document whose sha256 is the run key of a derived dataset."""
    dataset = get_dataset(request.user, pid)
    # It names checksums of inputs, as the bytes of the dataset do.
    if not cleared_datasets(request.user).filter(pk=dataset.pk).exists():
        get_readable(request.user, pid)
    activity = Activity.objects.filter(generated__dataset=dataset).first()
    if activity is None or not activity.key_document:
        raise Http404("No key document was recorded for this dataset.")
    # Byte for byte as recorded: another spelling would have another sha256.
    return HttpResponse(
        activity.key_document,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{activity.run_key[:12]}.json"'},
    )
