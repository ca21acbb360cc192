"""The checksums of a dataset, as ``sha256sum --check`` reads them."""

from django.http import HttpResponse

from catalogue.delivery.files import PRIVATE
from catalogue.delivery.names import attachment
from catalogue.models import Dataset

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})


def answer_checksums(dataset: Dataset) -> HttpResponse:
    """Answer with one line for each file of a dataset that the person may read."""
    rows = dataset.files.order_by("position", "uuid").values_list("sha256", "path")
    headers = PRIVATE | {
        "Content-Disposition": attachment("checksums.sha256"),
        "Content-Type": "text/plain; charset=utf-8",
    }
    return HttpResponse([_line(sha256, path) for sha256, path in rows], headers=headers)


def _line(sha256: str, path: str) -> str:
    name = path.translate(_ESCAPES)
    mark = "" if name == path else "\\"  # tells that the name is escaped
    return f"{mark}{sha256}  {name}\n"
