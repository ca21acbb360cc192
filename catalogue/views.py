"""Pages of what exists: find it, look at it, take it home."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import PurePosixPath
from typing import Concatenate, ParamSpec
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.middleware import HtmxDetails

from catalogue.access import (
    access_state,
    access_states,
    get_dataset,
    get_file,
    may_process,
    registrable_instruments,
)
from catalogue.errors import (
    BusyError,
    ContentChangedError,
    NotPermittedError,
    RefusedFileError,
    RegistrationError,
    StoreError,
)
from catalogue.forms import Chip, RegistrationForm, list_chips, read_lists
from catalogue.ingest import register_path
from catalogue.lineage import origin, uses
from catalogue.models import Activity, Parameter
from catalogue.places import locate, open_file, picture_path
from catalogue.search import Query, count_facets, find, read_query

PAGE = 20
_REFUSALS = (RefusedFileError, RegistrationError, ContentChangedError, StoreError, BusyError)
FILES_PER_PAGE = 100
_MOST_WAYS_OUT = 5

_BEAM = {"photon_energy", "wavelength", "beam_size", "flux", "ring_current", "incident_energy"}

Arguments = ParamSpec("Arguments")
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponseBase]


def personal(view: View[Arguments]) -> View[Arguments]:
    """Keep replies that depend on the person, and on htmx, out of shared caches."""

    @wraps(view)
    def reply(
        request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, ["Cookie", "HX-Request"])
        return response

    return reply


def wants_fragment(request: HttpRequest) -> bool:
    """Say whether htmx asks for a part of the page; Back asks for the whole."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


@require_safe
@personal
def list_datasets(request: HttpRequest) -> HttpResponse:
    """Find datasets by words and facets."""
    query = read_query(read_lists(request.GET))
    facets = count_facets(request.user, query)
    found = find(request.user, query).select_related("instrument", "facility")
    found = found.prefetch_related("samples", "techniques")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    states = access_states(page.object_list)
    chips = list_chips(request.GET, facets)
    context = {
        "query": query,
        "facets": facets,
        "chips": chips,
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "cards": [(dataset, states[dataset.pk]) for dataset in page.object_list],
        "may_register": registrable_instruments(request.user).exists(),
        "ways_out": [] if page.paginator.count else list(_ways_out(request, chips)),
    }
    template = "catalogue/dataset_list.html"
    return render(request, f"{template}#answer" if wants_fragment(request) else template, context)


def _ways_out(request: HttpRequest, chips: list[Chip]) -> Iterable[tuple[Chip, int]]:
    """Count what would be found without each of the filters that found nothing."""
    for chip in chips[:_MOST_WAYS_OUT]:
        query: Query = read_query(read_lists(chip.remaining))
        if count := find(request.user, query).count():
            yield chip, count


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


@require_safe
@personal
def show_dataset(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Show one dataset: access, picture, facts, files and provenance."""
    dataset = get_dataset(request.user, pid)
    files = Paginator(dataset.files.all(), FILES_PER_PAGE).get_page(request.GET.get("files"))
    context = {
        "dataset": dataset,
        "access": access_state(dataset),
        "picture": dataset.files.filter(media_type="image/png").first(),
        "proposals": [
            guard.proposal
            for guard in dataset.guards.select_related("proposal").order_by("id")
            if guard.proposal
        ],
        "samples": dataset.samples.all(),
        "techniques": dataset.techniques.all(),
        "groups": _group(dataset.parameters.select_related("key").order_by("key__name")),
        "files": files,
        "origin": origin(request.user, dataset),
        "uses": uses(request.user, dataset),
        "may_process": may_process(request.user),
    }
    return render(request, "catalogue/dataset.html", context)


@dataclass(frozen=True)
class Fact:
    """A parameter under the name that a page gives it."""

    label: str
    parameter: Parameter


def _group(parameters: QuerySet[Parameter]) -> Mapping[str, list[Fact]]:
    """Put parameters under headings, by the first word of their dotted names."""
    groups: dict[str, list[Fact]] = {}
    for parameter in parameters:
        head, _, rest = parameter.name.rpartition(".")
        if not head:
            head = "beam" if parameter.name in _BEAM else "measurement"
        groups.setdefault(_words(head), []).append(Fact(_words(rest), parameter))
    return groups


def _words(name: str) -> str:
    text = name.replace("_", " ").replace(".", ", ")
    return text[:1].upper() + text[1:]


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
