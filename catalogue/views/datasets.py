"""The page of one dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalogue.access import Person, get_dataset, may_process
from catalogue.embargo.banner import describe_access
from catalogue.lineage import origin, uses
from catalogue.models import Dataset, Guard, Parameter
from catalogue.permissions import Act
from catalogue.query import write_term
from catalogue.team import visible_proposals
from catalogue.views.annotating import show_panel
from catalogue.views.files import list_folder
from catalogue.views.replies import personal

_BEAM = {"photon_energy", "wavelength", "beam_size", "flux", "ring_current", "incident_energy"}


@require_safe
@personal
def show_dataset(request: HttpRequest, pid: UUID) -> HttpResponse:
    """Show one dataset: access, picture, facts, files and provenance."""
    dataset = get_dataset(request.user, pid)
    banner = describe_access(request.user, dataset)
    pictures = dataset.files.filter(media_type="image/png")
    may_edit = Act.EDIT in banner.permitted and not banner.stone
    context = {
        "dataset": dataset,
        "banner": banner,
        "access": banner.state,
        "picture": pictures.first() if banner.is_readable else None,
        "thumbnail": banner.is_readable and dataset.thumbnail,
        "warnings": dataset.warnings if banner.is_readable else [],  # they may name files
        "guards": _guards(request.user, dataset),
        "samples": dataset.samples.all(),
        "techniques": dataset.techniques.all(),
        "tags": [(tag.name, write_term("tag", tag.name)) for tag in dataset.tags.all()],
        "may_edit": may_edit,
        "constant": getattr(dataset, "calibration", None),
        "groups": _group(dataset.parameters.select_related("key").order_by("key__name")),
        "folder": list_folder(dataset, request.GET, is_readable=banner.is_readable),
        "origin": origin(request.user, dataset),
        "uses": uses(request.user, dataset),
        "may_process": may_process(request.user),
        "panel": show_panel(
            request.user, dataset, is_readable=banner.is_readable, may_edit=may_edit
        ),
    }
    return render(request, "catalogue/dataset.html", context)


def _guards(person: Person, dataset: Dataset) -> QuerySet[Guard]:
    """Select the guards with a proposal, and whether the person may see its team."""
    of_team = visible_proposals(person).filter(pk=OuterRef("proposal"))
    guards = Guard.objects.filter(dataset=dataset, proposal__isnull=False).order_by("id")
    return guards.select_related("proposal").annotate(shows_team=Exists(of_team))


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
