"""Pages of what is done to datasets: recipes, the launch form, processing runs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalogue.access import (
    Person,
    get_dataset,
    get_readable,
    may_process,
    may_read,
    visible_datasets,
)
from catalogue.digests import sha256_of_text
from catalogue.models import Dataset
from catalogue.views.replies import personal, wants_fragment
from processing.access import (
    are_results_open,
    get_processing_run,
    may_cancel,
    visible_processing_runs,
)
from processing.determinism import spread_of, unsteady_keys
from processing.errors import (
    ProcessingRunEndedError,
    UnknownProcessingRunError,
)
from processing.exports.prov import Notation
from processing.forms.launch import LaunchForm
from processing.forms.parameters import ParameterText, list_parameters, value_of, write_value
from processing.forms.presets import list_presets
from processing.lifecycle import cancel
from processing.models import ProcessingRun, Product, Recipe, Replay, RunInput, Statement
from processing.operations import (
    ask_copies,
    ask_holdings,
    ask_runs,
    ask_watch,
    require_operator,
)
from processing.results import find_result, key_of
from processing.submission import (
    Submission,
    fitting_roles,
    get_recipe,
    list_recipes,
    read_manifest,
    submit,
)

RUNS_PER_PAGE = 50
LOG_TAIL = 500
_RECENT_RUNS = 20

State = ProcessingRun.State

_NEXT_STEPS = {
    "input": "Mend the data or choose others, then launch again.",
    "recipe": "Launch again with other parameters, or show this page to the recipe's author.",
    "output": "The recipe wrote files that it did not promise: show this page to its author.",
    "memory": "Launch again with fewer bins or a smaller scan, or ask the operator for memory.",
    "time": "Launch again on a smaller scan, or ask the operator for more time.",
    "disk": "It goes on by itself once the operator has made room.",
    "environment": "It goes on by itself once the operator has installed the recipe's packages.",
    "lost": "Its worker went away, which is nobody's fault: launch it again.",
}


@require_safe
@personal
def show_recipes(request: HttpRequest) -> HttpResponse:
    """List what can be done."""
    recipes = []
    for recipe in list_recipes():
        manifest = read_manifest(recipe)
        takes = [" or ".join(s.contents) for s in manifest.inputs.values() if not s.optional]
        recipes.append((recipe, manifest, takes))
    return render(request, "processing/recipe_list.html", {"recipes": recipes})


@require_safe
@personal
def show_recipe(request: HttpRequest, name: str) -> HttpResponse:
    """Explain one version of a recipe."""
    recipe = get_recipe(name, request.GET.get("version", "").replace("\x00", ""))
    manifest = read_manifest(recipe)
    context = {
        "recipe": recipe,
        "manifest": manifest,
        "inputs": sorted(manifest.inputs.items(), key=lambda item: item[1].optional),
        "parameters": [(text, write_value(text.default)) for text in list_parameters(manifest)],
        "presets": list_presets(manifest),
        "unsteady": unsteady_keys(name).count(),
        "versions": Recipe.objects.filter(name=name).order_by("-id"),
    }
    return render(request, "processing/recipe.html", context)


@require_safe
@personal
def show_dataset_processing(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Show what can be done with a dataset, and what has been; a part of its page."""
    dataset = get_dataset(request.user, pid)
    visible = visible_processing_runs(request.user)
    products = Product.objects.filter(subject=dataset).select_related("rule__recipe")
    products = products.order_by("rule__slug")
    latest = {p.pk: p.wanted_run_id or p.processing_run_id for p in products}
    fulfilling = visible.in_bulk([pk for pk in latest.values() if pk])
    is_readable = may_read(request.user, dataset)
    recipes = list_recipes() if is_readable else []
    context = {
        "dataset": dataset,
        "may_process": may_process(request.user),
        "is_readable": is_readable,
        "recipes": [recipe for recipe in recipes if fitting_roles(recipe, dataset)],
        "maker": visible.filter(activity__generated__dataset=dataset).first(),
        "runs": visible.filter(inputs__dataset=dataset).distinct().order_by("-id")[:_RECENT_RUNS],
        "products": [(product, fulfilling.get(latest[product.pk] or 0)) for product in products],
        "notations": list(Notation),
        "is_signed": Statement.objects.filter(activity__generated__dataset=dataset).exists(),
        "copies": dataset.archive_copies.select_related("store").order_by("store__slug"),
    }
    template = "processing/dataset_processing.html"
    return render(
        request, f"{template}#processing" if wants_fragment(request) else template, context
    )


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def launch(request: HttpRequest, pid: UUID, name: str) -> HttpResponse:
    """Choose inputs and parameters, and ask for a result."""
    dataset = get_dataset(request.user, pid)
    recipe = get_recipe(name)
    if not may_process(request.user):
        return redirect_to_login(request.get_full_path())
    get_readable(request.user, pid)
    origin = _origin_of(request, recipe)
    data = request.POST if request.method == "POST" else None
    preset = request.GET.get("preset", "")
    form = LaunchForm(request.user, recipe, dataset, data, origin=origin, preset=preset)
    if form.is_valid():
        submission = submit(request.user, recipe, form.inputs, form.parameters)
        _tell(request, submission)
        return redirect("processing-run", submission.processing_run.uuid)
    form.point_at_first_error()
    context = {
        "dataset": dataset,
        "recipe": recipe,
        "form": form,
        "origin": origin,
        "summary": [
            (text, _with_unit(form.initial[f"parameter-{text.name}"], text))
            for text in form.texts.values()
        ],
        "known": None if form.is_bound else _known_result(recipe, form),
    }
    status = 422 if form.is_bound else 200
    return render(request, "processing/launch.html", context, status=status)


def _origin_of(request: HttpRequest, recipe: Recipe) -> ProcessingRun | None:
    """Return the run whose choices are to be changed, if it ran this recipe."""
    uuid = request.GET.get("from")
    if not uuid:
        return None
    origin = get_processing_run(request.user, uuid)
    return origin if origin.recipe.name == recipe.name else None


def _with_unit(value: Any, text: ParameterText) -> str:
    words = write_value(value)
    return words if value is None else f"{words} {text.unit}".strip()


def _known_result(recipe: Recipe, form: LaunchForm) -> ProcessingRun | None:
    """Return the run that has made already what Launch would make."""
    proposal = form.proposal()
    if proposal is None:
        return None
    inputs, parameters = proposal
    return find_result(key_of(recipe, inputs, parameters)[1], inputs)


def _tell(request: HttpRequest, submission: Submission) -> None:
    if submission.is_reused:
        messages.info(request, "This result existed already: nothing had to run.")
    elif submission.is_joined:
        messages.info(request, "The same processing run was asked for already: this is it.")


@require_safe
@personal
def show_processing_runs(request: HttpRequest) -> HttpResponse:
    """List the processing runs that the person may see, newest first."""
    runs = visible_processing_runs(request.user).order_by("-id")
    state = request.GET.get("state", "")
    if state in State.values:
        runs = runs.filter(state=state)
    # By id: the subject was written first.
    inputs = RunInput.objects.select_related("dataset").order_by("id")
    runs = runs.prefetch_related(Prefetch("inputs", inputs))
    page = Paginator(runs, RUNS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "states": State.choices,
        "state": state if state in State.values else "",
    }
    return render(request, "processing/processing_run_list.html", context)


@require_safe
@personal
def show_processing_run(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """Show one processing run, or the part of its page that has changed."""
    fragment = wants_fragment(request)
    try:
        run = get_processing_run(request.user, uuid)
    except UnknownProcessingRunError:
        if not fragment:
            raise
        # The sign-in has expired: the whole page says so, a part of it could not.
        return HttpResponse(status=401, headers={"HX-Refresh": "true"})
    template = "processing/processing_run.html"
    if not fragment:
        return render(request, template, _shown(request, run))
    if "after" in request.GET:
        return render(request, f"{template}#log", _log(run, request.GET["after"]))
    status = _status(request, run)
    etag = f'"{_revision(run, status)}"'
    if unchanged := get_conditional_response(request, etag=etag):
        return unchanged
    response = render(request, f"{template}#status", status)
    response.headers["ETag"] = etag
    return response


def _shown(request: HttpRequest, run: ProcessingRun) -> dict[str, Any]:
    """Return all that the page shows."""
    return _status(request, run) | _details(request.user, run) | _log(run, None)


def _status(request: HttpRequest, run: ProcessingRun) -> dict[str, Any]:
    """Return what changes while a run is queued or running."""
    done = run.progress_done / run.progress_total if run.progress_total else 0.0
    percent = min(100, round(100 * done))
    # Screen readers hear of each state and each quarter, not of each poll.
    stage = f"{run.state}-{percent // 25}"
    return {
        "run": run,
        "percent": percent,
        "place": _place_in_queue(run) if run.state == State.QUEUED else None,
        "poll_s": None if run.is_final else _poll_s(run),
        "stage": stage,
        "announce": request.GET.get("said") != stage,
        "may_cancel": not run.is_final and may_cancel(request.user, run),
        "may_launch": may_process(request.user),
        "subject": run.inputs.select_related("dataset").order_by("id").first(),
        "next_step": _NEXT_STEPS.get((run.problem or {}).get("reason", ""), ""),
        "outputs": _outputs(request, run),
    }


def _poll_s(run: ProcessingRun) -> int:
    """Return the seconds between two looks: rarer for those who wait longer."""
    age = timezone.now() - (run.started_at or run.queued_at)
    if age < timedelta(minutes=2):
        return 2
    return 5 if age < timedelta(minutes=15) else 15


def _place_in_queue(run: ProcessingRun) -> int:
    queued = ProcessingRun.objects.filter(state=State.QUEUED)
    ahead = Q(priority__gt=run.priority) | Q(priority=run.priority, pk__lt=run.pk)
    return queued.filter(ahead).count() + 1


def _outputs(request: HttpRequest, run: ProcessingRun) -> list[Dataset]:
    if run.activity_id is None:
        return []
    made = visible_datasets(request.user).filter(generated_by__activity=run.activity_id)
    return list(made.prefetch_related("files", "archive_copies__store").order_by("id"))


def _revision(run: ProcessingRun, status: dict[str, Any]) -> str:
    """Digest all that the changing part of the page shows, the reader's rights included."""
    shown = [status[name] for name in ("percent", "place", "poll_s", "announce", "may_cancel")]
    row = [run.uuid, run.fence, run.attempt, run.state, run.stage, run.cancel_requested]
    return sha256_of_text(repr([*shown, *row, status["may_launch"]]))


def _details(person: Person, run: ProcessingRun) -> dict[str, Any]:
    """Return what a run was given: it never changes."""
    manifest = read_manifest(run.recipe)
    choices = [Choice(text, value_of(text, run.parameters)) for text in list_parameters(manifest)]
    original = Replay.objects.filter(processing_run=run).select_related("original").first()
    return {
        "manifest": manifest,
        "are_results_open": are_results_open(person, original.original if original else run),
        "inputs": run.inputs.select_related("dataset").order_by("id"),
        "replays": run.replays.select_related("processing_run"),
        "original": original,
        "spread": spread_of(run),
        "choices": sorted(choices, key=lambda choice: not choice.is_changed),
    }


@dataclass(frozen=True)
class Choice:
    """What a run was given for one parameter."""

    text: ParameterText
    value: Any

    @property
    def is_changed(self) -> bool:
        return bool(self.value != self.text.default)

    @property
    def words(self) -> str:
        return _with_unit(self.value, self.text)

    @property
    def default(self) -> str:
        return write_value(self.text.default)


def _log(run: ProcessingRun, after: str | None) -> dict[str, Any]:
    """Return the lines of the log behind an offset; without one, the end of the log."""
    if after is None:
        start = max(0, run.log.count() - LOG_TAIL)
    else:
        start = int(after) if after.isdecimal() and len(after) < 10 else 0
    lines = list(run.log.all()[start : start + LOG_TAIL])
    return {
        "run": run,
        "lines": lines,
        "skipped": start,
        "after": start + len(lines),
        "log_poll_s": None if run.is_final else _poll_s(run),
    }


@require_POST
def cancel_processing_run(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Stop a run that is queued or running."""
    run = get_processing_run(request.user, uuid)
    try:
        if not cancel(request.user, run):
            text = "You are no longer waiting for it; it goes on, since others are."
            messages.info(request, text)
    except ProcessingRunEndedError as error:
        messages.info(request, str(error))
    return redirect("processing-run", run.uuid)


@require_safe
@personal
def show_operations(request: HttpRequest) -> HttpResponse:
    """Show how the installation is doing, or the part of the page that changes."""
    require_operator(request.user)
    context = {
        "runs": ask_runs(request.user),
        "copies": ask_copies(),
        "watch": ask_watch(),
        "holdings": ask_holdings(),
        "refreshes": request.GET.get("refresh") != "off",
    }
    template = "processing/ops.html"
    return render(request, f"{template}#numbers" if wants_fragment(request) else template, context)
