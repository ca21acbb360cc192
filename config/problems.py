"""
One table from errors to problems, for pages and REST alike (RFC 9457).

The nearest ancestor of an error decides; the error's public attributes become members
of the problem. What the framework refuses is ``about:blank``.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseServerError,
    JsonResponse,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.defaults import page_not_found
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from catalogue import errors as catalogue
from config.logs import request_id
from processing import errors as processing

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem: ``slug`` ends its address, /problems/#slug."""

    slug: str
    status: int
    title: str


TYPES: dict[type[Exception], ProblemType] = {
    catalogue.CatalogueError: ProblemType("catalogue", 400, "The catalogue refuses this"),
    catalogue.UnknownDatasetError: ProblemType("no-dataset", 404, "No such dataset"),
    catalogue.UnknownFileError: ProblemType("no-file", 404, "No such file"),
    catalogue.UnknownMemberError: ProblemType("no-member", 404, "No such member"),
    catalogue.NoPictureError: ProblemType("no-picture", 404, "No picture"),
    catalogue.UnknownTokenError: ProblemType("no-token", 404, "No such token"),
    catalogue.UnknownConstantError: ProblemType("no-constant", 404, "No calibration constant"),
    catalogue.UnknownRequestError: ProblemType("no-request", 404, "No such request"),
    # "no-proposal" is what a file is refused with that names an unknown one.
    catalogue.UnknownProposalError: ProblemType("no-team", 404, "No such proposal"),
    catalogue.UnknownMembershipError: ProblemType("no-membership", 404, "No such member"),
    catalogue.EmbargoError: ProblemType("under-embargo", 403, "Under embargo"),
    catalogue.RetractedError: ProblemType("retracted", 410, "Taken back"),
    catalogue.TransitionError: ProblemType("transition", 409, "Not possible in this state"),
    catalogue.NotPermittedError: ProblemType("not-permitted", 403, "Not permitted"),
    catalogue.ScopeError: ProblemType("scope", 403, "The token may not do this"),
    catalogue.TokenError: ProblemType("token", 422, "No such token can be made"),
    catalogue.RateLimitError: ProblemType("too-many-calls", 429, "Too many calls"),
    catalogue.PreconditionError: ProblemType("precondition", 412, "Another version"),
    catalogue.RangeError: ProblemType("range", 416, "Beyond the end of the file"),
    catalogue.RefusedFileError: ProblemType("file-refused", 422, "A file was refused"),
    catalogue.ContentChangedError: ProblemType("content-changed", 409, "Other content"),
    catalogue.RegistrationError: ProblemType("registration", 422, "Cannot be registered"),
    catalogue.DescriptionError: ProblemType("description", 422, "What is said has faults"),
    catalogue.MisshapenError: ProblemType("misshapen", 400, "Fields are missing or wrong"),
    catalogue.OtherContentError: ProblemType("other-content", 409, "Registered otherwise"),
    catalogue.UnknownCollectionError: ProblemType("no-collection", 404, "No such collection"),
    catalogue.UnknownAttachmentError: ProblemType("no-attachment", 404, "No such attachment"),
    catalogue.UnknownPublicationError: ProblemType("no-publication", 404, "No such publication"),
    catalogue.RepeatedKeyError: ProblemType("repeated-key", 422, "The key has another body"),
    catalogue.DeclarationError: ProblemType("declaration", 422, "facility.toml has faults"),
    catalogue.BusyError: ProblemType("busy", 503, "Too many at once"),
    catalogue.StoreError: ProblemType("no-storage", 503, "A store is not available"),
    catalogue.ChecksumError: ProblemType("checksum", 409, "The bytes have changed"),
    processing.ProcessingError: ProblemType("processing", 400, "Processing refuses this"),
    processing.UnknownRecipeError: ProblemType("no-recipe", 404, "No such recipe"),
    processing.UnknownProductError: ProblemType("no-product", 404, "No such product"),
    processing.UnknownMapsError: ProblemType("no-maps", 404, "No such proposal"),
    processing.UnknownProcessingRunError: ProblemType(
        "no-processing-run", 404, "No such processing run"
    ),
    processing.RecipeDefinitionError: ProblemType("recipe-definition", 422, "Not a valid recipe"),
    processing.RecipeParameterError: ProblemType("parameters", 422, "Parameters out of bounds"),
    processing.RecipeInputError: ProblemType("inputs", 422, "Datasets do not fit the recipe"),
    processing.TooMuchChangeError: ProblemType("max-change", 409, "More change than is allowed"),
    processing.QueueQuotaError: ProblemType("queue-quota", 429, "Too many runs in the queue"),
    processing.ProcessingRunEndedError: ProblemType("ended", 409, "The processing run has ended"),
    processing.NothingToReplayError: ProblemType("no-replay", 409, "Nothing to replay"),
    processing.LeaseLostError: ProblemType("lease-lost", 409, "The attempt was taken over"),
    processing.ExportError: ProblemType("export", 409, "There is no such export"),
    processing.UnsignedError: ProblemType("unsigned", 404, "Unsigned"),
    processing.SigningKeyError: ProblemType("signing-key", 500, "The signing key is wrong"),
    processing.EngineError: ProblemType("no-engine", 503, "The engine is not available"),
}

# What a file, or a recipe about its input, can be refused with; pages link here by code.
CODES: dict[str, str] = {
    "file-unreadable": "The file cannot be opened: not HDF5, empty or cut off",
    "file-incomplete": "The file opens but was not written to its end",
    "file-changing": "The file is still being written",
    "file-no-entry": "The file holds no NXentry",
    "file-external-link": "The file links to one outside its dataset",
    "file-external-storage": "The file keeps its data in a raw file outside HDF5",
    "file-virtual-source": "A source of a virtual dataset is absent or outside",
    "file-link-loop": "The file's links lead in a circle",
    "file-too-complex": "The file holds too many or too deeply nested objects",
    "file-too-large": "A part of the file is too large to be read at once",
    "file-filter-missing": "The file is compressed in a way that is not installed",
    "file-unsafe": "A name in the dataset is no plain file inside it",
    "no-proposal": "The proposal of these data is not known",
    "euxfel-not-a-run": "The folder holds no files of a European XFEL run",
    "euxfel-empty": "The run holds no trains",
    "euxfel-mixed": "The folder mixes several runs or proposals",
    "euxfel-index": "The index of the run does not fit its data",
    "euxfel-no-common-trains": "The sources of the run share no train",
    "euxfel-source": "The run lacks a source that is needed",
    "euxfel-source-empty": "A source of the run has no data",
    "dark-corrected-input": "The dark run is corrected, not raw",
    "dark-interleaved": "The dark run has the layout of before 2017",
    "dark-too-few": "The dark run has too few trains",
    "dark-mixed-cells": "The memory cells of the dark run change",
    "dark-conditions": "The dark runs were not taken alike",
    "dark-gain-order": "A dark run is not of the gain it was given for",
    "dark-same-run": "One run was given for two gains",
    "dark-clock": "The dark runs are of the future",
    "dark-beam": "The dark run was taken with beam",
    "dark-bad-pixels": "The dark runs have too many bad pixels",
    "dark-empty": "The dark runs give no constants",
    "dark-data": "The dark runs cannot be understood",
    "corr-already-corrected": "The frames are corrected already",
    "corr-conditions": "The constants were taken under other conditions",
    "corr-other-module": "A file of constants is another module's",
    "corr-cells": "The run uses memory cells that the constants do not have",
    "corr-no-gain": "The unit needs gains that were not given",
    "corr-no-module": "No module of the run can be corrected",
    "corr-data": "The frames cannot be corrected",
    "xrd-shape": "Frame, mask or detector differ in shape",
    "xrd-no-shape": "Nothing says how the frames lie on the map",
    "xrd-too-many-frames": "There are more frames than positions",
    "xrd-no-wavelength": "The geometry states no wavelength",
    "xrd-poni": "The geometry cannot be understood",
    "xrd-poni-path": "The geometry names a file of the server",
    "xrd-monitor": "The monitor does not fit the frames",
    "xrd-no-field": "The scan lacks a field that was named",
    "xrd-cake": "Frames would be cut into too many sectors and bins",
    "xrd-range": "The low edge of a range is not below the high one",
    "xrd-roi": "A region of interest does not fit the map",
    "xrd-phases": "A reference pattern does not fit the map",
    "xrd-combine-axes": "The maps do not fit together",
    "xrd-unreadable": "Too many frames cannot be read",
    "xrd-deviation": "The map differs from what pyFAI makes of its frames",
    "xrd-data": "The scan cannot be integrated",
    "input-changed": "An input has changed since it was registered",
    "output-missing": "The recipe did not write what it declared",
    "output-undeclared": "The recipe wrote what it did not declare",
    "output-unsafe": "The recipe's output is no plain file",
    "recipe-failed": "The recipe stopped with an error of its own",
    "command-failed": "The recipe's command ended with an error",
    "notebook-failed": "A cell of the recipe's notebook failed",
    "poison-item": "One item of the data fails whenever it is tried",
    "runner-died": "The recipe's process ended without a report",
    "memory": "The run needed more memory than it may have",
    "walltime": "The run took longer than it may",
    "out-of-memory": "The machine of the run ran out of memory",
    "crashed": "The recipe's process crashed",
    "disk-full": "The disk of the results is full",
    "two-disks": "Staging and store of the results lie on two file systems",
    "no-interpreter": "The Python of the recipe does not start",
    "input-retracted": "An input was taken back while the run was under way",
    "environment-changed": "The worker has other packages than the run asks for",
    "lease-expired": "The worker of the run did not answer any more",
    "worker-stopped": "The worker of the run was stopped",
    "killed": "The recipe's process was killed",
    "engine-lost": "The engine lost the run",
    "cancelled": "The run was cancelled on request",
}

# What a client reads in the headers rather than in the body.
_HEADERS: dict[type[Exception], Callable[[Any], dict[str, str]]] = {
    catalogue.RateLimitError: lambda error: {
        "Retry-After": str(error.retry_after_s),
        "RateLimit-Policy": f'"{error.policy}";q={error.calls};w=60',
        "RateLimit": f'"{error.policy}";r=0;t={error.retry_after_s}',
    },
    catalogue.RangeError: lambda error: {"Content-Range": f"bytes */{error.size}"},
    catalogue.PreconditionError: lambda error: {"ETag": error.etag},
}

# Members of a problem that RFC 9457 defines: an error's attributes never overwrite them.
_OWN = {"type", "status", "title", "detail", "instance", "args"}


def problem_type(error: Exception) -> ProblemType | None:
    """Return the row of the nearest ancestor, None for errors that are not ours."""
    return next((TYPES[kind] for kind in type(error).__mro__ if kind in TYPES), None)


def describe(error: Exception) -> dict[str, Any] | None:
    """Write one of our errors as a problem; None for errors that are not ours."""
    kind = problem_type(error)
    if kind is None:
        return None
    members = {
        name: _plain(value)
        for name, value in vars(error).items()
        if not name.startswith("_") and name not in _OWN
    }
    if isinstance(error, processing.RecipeParameterError):
        members = {"errors": members["faults"]}
    slug = error.code if isinstance(error, catalogue.RefusedFileError) else kind.slug
    return members | {
        "type": f"/problems/#{slug}",
        "status": kind.status,
        "title": CODES.get(slug, kind.title),
        "detail": str(error),
    }


def _headers(error: Exception) -> dict[str, str]:
    say = next((_HEADERS[kind] for kind in type(error).__mro__ if kind in _HEADERS), None)
    return say(error) if say else {}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def respond(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer a REST call that failed; None makes it the server's own fault."""
    if problem := describe(error):
        return Response(
            problem, problem["status"], headers=_headers(error), content_type=CONTENT_TYPE
        )
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    response.data = _from_framework(error, response)
    response.content_type = CONTENT_TYPE
    return response


def _from_framework(error: Exception, response: Response) -> dict[str, Any]:
    problem: dict[str, Any] = {"type": "about:blank", "status": response.status_code}
    problem["title"] = response.status_text
    if isinstance(error, exceptions.ValidationError) and isinstance(error.detail, Mapping):
        problem["detail"] = "Some fields are missing or wrong; see errors."
        problem["errors"] = list(_faults(error.detail))
    else:
        detail = getattr(error, "detail", str(error))
        problem["detail"] = str(_first(detail))
    return problem


def _faults(detail: Any, pointer: str = "#") -> Iterator[dict[str, str]]:
    """Flatten what a serializer found, at any depth, into faults with JSON pointers."""
    if isinstance(detail, Mapping):
        for name, below in detail.items():
            part = str(name).replace("~", "~0").replace("/", "~1")
            is_whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from _faults(below, pointer if is_whole else f"{pointer}/{part}")
    elif isinstance(detail, list):
        for place, below in enumerate(detail):
            yield from _faults(below, pointer if isinstance(below, str) else f"{pointer}/{place}")
    else:
        yield {"pointer": pointer, "detail": str(detail)}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


class ProblemPageMiddleware:
    """Show a page's failure as the same problem in HTML."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        problem = describe(error)
        if problem is None:
            return None
        page = render(request, "problem.html", {"problem": problem}, status=problem["status"])
        for name, value in _headers(error).items():
            page.headers[name] = value
        return page


def answer_unknown_address(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that nobody serves, in the language of whoever asks."""
    if not request.path.startswith("/api/"):
        return page_not_found(request, exception)
    problem = {
        "type": "about:blank",
        "status": 404,
        "title": "Not Found",
        "detail": "There is nothing at this address. GET /api/v1/schema/ lists those there are.",
    }
    return JsonResponse(problem, status=404, content_type=CONTENT_TYPE)


def answer_own_fault(request: HttpRequest) -> HttpResponse:
    """Answer a bug, in the language of whoever asks, without telling of our insides."""
    if not request.path.startswith("/api/"):
        # Without the request: what every page shows may be what has failed.
        page = render_to_string("500.html", {"request_id": request_id.get()})
        return HttpResponseServerError(page)
    problem = {
        "type": "about:blank",
        "status": 500,
        "title": "Internal Server Error",
        "detail": "This is the server's fault. Tell its operator the request_id.",
        "request_id": request_id.get(),
    }
    return JsonResponse(problem, status=500, content_type=CONTENT_TYPE)


def list_problems(request: HttpRequest) -> HttpResponse:
    """Explain every kind of problem on one page."""
    types = sorted(TYPES.values(), key=lambda kind: (kind.status, kind.slug))
    return render(request, "problems.html", {"types": types, "codes": CODES})
