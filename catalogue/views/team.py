"""The page of a proposal's team."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from catalogue import team
from catalogue.embargo.deeds import ReasonForm
from catalogue.errors import DescriptionError, TransitionError
from catalogue.models import Membership, Proposal
from catalogue.views.annotating import refuse
from catalogue.views.replies import personal


class MemberForm(ReasonForm):
    """Who is to be on the team, as what, on which days, and why."""

    person = forms.CharField(
        label="Account name or ORCID iD",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.MEMBER)
    valid_from = forms.DateField(
        label="First day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="From now on, if you leave it empty.",
    )
    valid_to = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Without end, if you leave it empty.",
    )
    field_order = ["person", "role", "valid_from", "valid_to", "reason"]


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def show_members(request: HttpRequest, pid: UUID) -> HttpResponse:
    """List who is on a team; whoever leads it adds people here."""
    proposal = team.get_proposal(request.user, pid)
    form = MemberForm(request.POST or None)
    if request.method != "POST":
        return _page(request, proposal, form)
    if not form.is_valid():
        return _page(request, proposal, form, status=422)
    stay = {name: value for name, value in form.cleaned_data.items() if name != "reason"}
    try:
        added = team.add_member(
            request.user, proposal, team.Stay(**stay), form.cleaned_data["reason"]
        )
    except DescriptionError as error:
        refuse(form, error)
        return _page(request, proposal, form, status=422)
    except TransitionError as error:
        form.add_error(None, str(error))
        return _page(request, proposal, form, status=409)
    messages.success(request, f"{added.person} is on the team.")
    return redirect("proposal-members", pid)


@require_POST
@personal
def end_membership(request: HttpRequest, pid: UUID, person: UUID) -> HttpResponse:
    """End what was given by hand to somebody."""
    proposal = team.get_proposal(request.user, pid)
    row = team.get_membership(request.user, proposal, person)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        text = f"Say why the membership of {row.person} ends."
        return _page(request, proposal, MemberForm(), status=422, refusal=text)
    try:
        team.end_membership(request.user, row, form.cleaned_data["reason"])
    except TransitionError as error:
        return _page(request, proposal, MemberForm(), status=409, refusal=str(error))
    messages.success(request, f"The membership of {row.person} has ended.")
    # Whoever has ended their own sees the team no more.
    is_still_on = team.visible_proposals(request.user).filter(pk=proposal.pk).exists()
    return redirect("proposal-members", pid) if is_still_on else redirect("dataset-list")


def _page(
    request: HttpRequest,
    proposal: Proposal,
    form: MemberForm,
    *,
    status: int = 200,
    refusal: str = "",
) -> HttpResponse:
    context = {
        "proposal": proposal,
        "members": team.list_members(request.user, proposal),
        "form": form if team.may_change_team(request.user, proposal) else None,
        "refusal": refusal,
        "by_hand": Membership.Source.HAND,
    }
    return render(request, "catalogue/members.html", context, status=status)
