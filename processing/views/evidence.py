"""Pages that prove a result: its replays, and in what it differs from another."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from catalogue.views.replies import personal
from processing.access import are_results_open, get_processing_run, visible_processing_runs
from processing.differing import diff
from processing.errors import NothingToReplayError
from processing.replaying import reproduce


@require_POST
@login_required
def replay(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask for the replay of a processing run."""
    run = get_processing_run(request.user, uuid)
    try:
        asked = reproduce(request.user, run)
    except NothingToReplayError as error:
        messages.error(request, str(error))
    else:
        text = "Queued: the verdict will stand here."
        if asked.verdict:
            is_open = are_results_open(request.user, run)
            text = asked.detail["reason"] if is_open else f"It {asked.get_verdict_display()}."
        messages.info(request, text)
    return redirect("processing-run", run.uuid)


@require_safe
@personal
def choose_two(request: HttpRequest) -> HttpResponse:
    """Go from two runs that are chosen in the list to what they differ in."""
    chosen = request.GET.getlist("run")
    try:
        seen = visible_processing_runs(request.user).filter(uuid__in=chosen).order_by("id")
        uuids = list(seen.values_list("uuid", flat=True)[:3])
    except ValidationError:
        uuids = []
    if len(uuids) != 2:
        messages.info(request, "Choose two processing runs to compare.")
        return redirect("processing-run-list")
    return redirect("processing-run-diff", *uuids)


@require_safe
@personal
def show_difference(request: HttpRequest, uuid: UUID, other: UUID) -> HttpResponse:
    """Say in what two processing runs differ."""
    pair = get_processing_run(request.user, uuid), get_processing_run(request.user, other)
    found = diff(request.user, *pair)
    sections: dict[str, list[str]] = {}
    for line in found.lines:
        sections.setdefault(line.section, []).append(line.sentence)
    context = {"diff": found, "runs": pair, "sections": sections}
    return render(request, "processing/difference.html", context)
