"""What people can do about access with a form: its fields, its words, and what it does."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.http import QueryDict

from catalogue.embargo.decisions import ACTS, grant, object_to, refuse
from catalogue.embargo.retraction import retract, undo
from catalogue.embargo.rulings import rule
from catalogue.embargo.wishes import (
    Kind,
    RequestState,
    ask_access,
    ask_extension,
    ask_release,
    take_back,
)
from catalogue.embargo.withdrawal import withdraw
from catalogue.models import Dataset, Request, User
from catalogue.permissions import Act, permitted_acts


class ReasonForm(forms.Form):
    """Why; it goes into the audit log."""

    reason = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class DayForm(ReasonForm):
    """A day, and why."""

    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    field_order = ["day", "reason"]


class AnswerForm(forms.Form):
    """What to say to whoever asks."""

    answer = forms.CharField(
        max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class DayAnswerForm(AnswerForm):
    """A day, and what to say."""

    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    field_order = ["day", "answer"]


class RefusalForm(forms.Form):
    """Why not."""

    answer = forms.CharField(label="Why", max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


class NoForm(forms.Form):
    """A press of the button says it all."""


@dataclass(frozen=True)
class Deed:
    """
    Something that a person can do with a form.

    Attributes
    ----------
    slug : str
        By which the address names it.
    title, explanation, button : str
        In the words of the page.
    form : type of Form
        Its fields.
    do : callable
        Does it with the person, the subject and the checked fields; returns what to say.
    preview : str
        The name of a page that shows first what it would mean, if there is one.
    """

    slug: str
    title: str
    explanation: str
    button: str
    form: type[forms.Form]
    do: Callable[[User, Any, dict[str, Any]], str]
    preview: str = ""


def _ask_access(person: User, dataset: Dataset, said: dict[str, Any]) -> str:
    ask_access(person, dataset, said["reason"])
    return "Asked. You get a notice when it is decided."


def _ask_extension(person: User, dataset: Dataset, said: dict[str, Any]) -> str:
    ask_extension(person, dataset, said["reason"])
    return "Asked. A data steward decides before the embargo ends."


def _release(person: User, dataset: Dataset, said: dict[str, Any]) -> str:
    request = ask_release(person, dataset, said["reason"])
    if request is None:
        return "The data are open to all now."
    if request.due_on:
        return f"They open on {request.due_on:%-d %B %Y}, unless a member of the team objects."
    return "Asked. The others who decide about it have been told."


def _set_day(person: User, dataset: Dataset, said: dict[str, Any]) -> str:
    day: date = said["day"]
    rule(person, dataset, day, said["reason"])
    return f"The data open on {day:%-d %B %Y}."


def _retract(person: User, dataset: Dataset, said: dict[str, Any]) -> str:
    derived = retract(person, dataset, said["reason"]).marks.count() - 1
    if derived:
        return f"Retracted, with {derived} made from it. The pages stay, and say why."
    return "Retracted. The page stays, and says why."


def _undo(person: User, dataset: Dataset, said: dict[str, Any]) -> str:
    undo(person, dataset, said["reason"])
    return "Undone: what no other retraction stands on is there again."


def _withdraw(person: User, dataset: Dataset, said: dict[str, Any]) -> str:
    withdraw(person, dataset, said["reason"])
    return "Withdrawn. Others are told the reason, and no more."


_OF_A_DATASET: dict[Act, Deed] = {
    Act.ASK_ACCESS: Deed(
        "ask-access",
        "Ask for access",
        "The principal investigator decides. What you write is shown to them.",
        "Ask",
        ReasonForm,
        _ask_access,
    ),
    Act.ASK_EXTENSION: Deed(
        "ask-extension",
        "Ask for a longer embargo",
        "A data steward decides before it ends; what is not decided by then is refused.",
        "Ask",
        ReasonForm,
        _ask_extension,
    ),
    Act.RELEASE: Deed(
        "release",
        "Open the data early",
        "Open data never close again. Where others have a say, they are asked first.",
        "Open the data",
        ReasonForm,
        _release,
    ),
    Act.RULE: Deed(
        "set-day",
        "Set the opening day",
        "It stands above the policy. Data that stem from these follow; open data never close.",
        "Set the day",
        DayForm,
        _set_day,
    ),
    Act.RETRACT: Deed(
        "retract",
        "Retract",
        "Because the data are wrong. The page stays with your reason, for everybody who could "
        "see it; nobody reads the data any more, nor what was made from them.",
        "Retract",
        ReasonForm,
        _retract,
        preview="retraction-preview",
    ),
    Act.REINSTATE: Deed(
        "reinstate",
        "Undo the retraction",
        "What was retracted with these data is there again, but where another retraction "
        "stands on it. Everybody who was told of the one is told of the other.",
        "Undo it",
        ReasonForm,
        _undo,
    ),
    Act.WITHDRAW: Deed(
        "withdraw",
        "Withdraw",
        "For legal reasons only. Of the page nothing stays for others but your reason.",
        "Withdraw",
        ReasonForm,
        _withdraw,
    ),
}


def _grant(person: User, request: Request, said: dict[str, Any]) -> str:
    grant(person, request, said["answer"], said.get("day"))
    return "Granted."


def _refuse(person: User, request: Request, said: dict[str, Any]) -> str:
    refuse(person, request, said["answer"])
    return "Refused."


def _object(person: User, request: Request, said: dict[str, Any]) -> str:
    object_to(person, request, said["answer"])
    return "You have objected: the data stay closed."


def _take_back(person: User, request: Request, _: dict[str, Any]) -> str:
    take_back(person, request)
    return "Taken back."


_GRANT = Deed("grant", "Grant", "", "Grant", AnswerForm, _grant)
_GRANT_UNTIL = Deed("grant", "Grant until a day", "", "Grant", DayAnswerForm, _grant)
_GRANT_ON = Deed("grant", "Let the data open on a day", "", "Grant", DayAnswerForm, _grant)
_REFUSE = Deed("refuse", "Refuse", "", "Refuse", RefusalForm, _refuse)
_OBJECT = Deed(
    "object", "Object", "One objection keeps the data closed.", "Object", RefusalForm, _object
)
_TAKE_BACK = Deed("take-back", "Take back", "", "Take back", NoForm, _take_back)

_GRANTS = {Kind.ACCESS: _GRANT_UNTIL, Kind.EXTENSION: _GRANT, Kind.RELEASE: _GRANT_ON}


def deed_on_dataset(slug: str) -> Deed | None:
    """Return a deed by the name in its address; whether it may be done shows in doing it."""
    return next((deed for deed in _OF_A_DATASET.values() if deed.slug == slug), None)


def deed_on_request(slug: str, request: Request) -> Deed | None:
    """Return the same for a request."""
    known = {deed.slug: deed for deed in (_REFUSE, _OBJECT, _TAKE_BACK)}
    return (known | {"grant": _GRANTS[Kind(request.kind)]}).get(slug)


def deeds_on_dataset(offered: Collection[Act]) -> list[Deed]:
    """Return how acts that are offered are done, in the order of the page."""
    return [deed for act, deed in _OF_A_DATASET.items() if act in offered]


def deeds_on_request(person: User, request: Request) -> list[Deed]:
    """Return what a person can do about a request that they see."""
    if request.state != RequestState.OPEN:
        return []
    return list(_deeds_on_request(person, request))


def _deeds_on_request(person: User, request: Request) -> Iterator[Deed]:
    kind = Kind(request.kind)
    permitted = permitted_acts(person, request.dataset)
    waits_for_team = (
        kind == Kind.RELEASE and not request.dataset.guards.filter(is_proprietary=True).exists()
    )
    if ACTS[kind] in permitted and not waits_for_team:
        yield _GRANTS[kind]
        yield _REFUSE
    elif waits_for_team and Act.OBJECT in permitted and request.person_id != person.pk:
        yield _OBJECT
    if request.person_id == person.pk:
        yield _TAKE_BACK


def fill(deed: Deed, subject: str, data: QueryDict | None = None) -> forms.Form:
    """Return the form of a deed; ``subject`` keeps its fields apart from others on the page."""
    return deed.form(data, auto_id=f"{deed.slug}-{subject}-%s")
