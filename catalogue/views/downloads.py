"""Bytes that people take home."""

from pathlib import PurePosixPath
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from catalogue.access import get_dataset, get_file
from catalogue.models import Activity
from catalogue.places import open_file, picture_path
from catalogue.views.replies import personal


@require_safe
@personal
def send_file(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Send one file of a dataset, whole and under its own name."""
    file = get_file(request.user, uuid)
    etag = f'"{file.sha256}"'
    if unchanged := get_conditional_response(request, etag=etag):
        return unchanged
    reader = open_file(file)
    response = FileResponse(
        reader,
        as_attachment=True,
        filename=PurePosixPath(file.path).name,
        content_type=file.media_type,
        headers={"ETag": etag},
    )
    return _without_body(response) if request.method == "HEAD" else response


def _without_body(response: FileResponse) -> HttpResponse:
    """Answer HEAD: not every server drops the body of its own accord."""
    response.close()
    return HttpResponse(headers=response.headers)


@require_safe
@personal
def send_thumbnail(request: HttpRequest, pid: UUID) -> HttpResponseBase:
    """Send the picture of a dataset that lists show."""
    sha256 = get_dataset(request.user, pid).thumbnail
    if not sha256:
        raise Http404("This dataset has no picture.")
    etag = f'"{sha256}"'
    if unchanged := get_conditional_response(request, etag=etag):
        return unchanged
    path = picture_path(sha256)
    if not path.is_file():
        raise Http404("The picture of this dataset is not in the store.")
    response = FileResponse(path.open("rb"), content_type="image/png", headers={"ETag": etag})
    return _without_body(response) if request.method == "HEAD" else response


@require_safe
@personal
def send_key_document(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Send the document whose sha256 is the run key of a derived dataset."""
    dataset = get_dataset(request.user, pid)
    activity = Activity.objects.filter(generated__dataset=dataset).first()
    if activity is None or not activity.key_document:
        raise Http404("No key document was recorded for this dataset.")
    # Byte for byte as recorded: another spelling would have another sha256.
    return HttpResponse(
        activity.key_document,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{activity.run_key[:12]}.json"'},
    )
