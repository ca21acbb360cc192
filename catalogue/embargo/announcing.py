"""Tell people of a retraction: the team of the dataset, and whose results went with it."""

from collections.abc import Iterator, Sequence

from django.db.models import Count, Max

from catalogue.embargo.teams import members_of, team_of
from catalogue.models import Dataset, Download, Guard, Notice, Proposal, Retraction, User
from catalogue.notices import tell, tell_all

_Loss = tuple[User, int, int]  # who, how many datasets, the key of one of them


def tell_of_retraction(retraction: Retraction) -> None:
    """Tell each person once, of all that is theirs."""
    title, reason = retraction.dataset.title, retraction.reason
    _tell_team(retraction, f"“{title}” was retracted: {reason}", "retracted")
    _tell_of_results(
        retraction,
        "Data that “{}” was made from were retracted, and it with them.",
        " With it went {} more of yours.",
        "retraction",
    )


def tell_of_undoing(retraction: Retraction) -> None:
    """Tell the same people that it was undone."""
    title, reason = retraction.dataset.title, retraction.undone_reason
    _tell_team(retraction, f"The retraction of “{title}” was undone: {reason}", "reinstated")
    _tell_of_results(
        retraction,
        "A retraction of data that “{}” was made from was undone.",
        " That concerns {} more of yours.",
        "undoing",
    )


def _tell_team(retraction: Retraction, text: str, occasion: str) -> None:
    dataset = retraction.dataset
    owners = User.objects.filter(datasets=dataset, is_active=True)
    told = (team_of([dataset.pk]) | owners).distinct()
    concerned = [person for person in told if person.pk != _doer(retraction)]
    once = f"{occasion} {retraction.uuid}"
    tell_all(concerned, Notice.Kind.DECISION, text, once=once, dataset=dataset)


def _tell_of_results(retraction: Retraction, text: str, more: str, occasion: str) -> None:
    """Name one of their own datasets only: they may not see what it was made from."""
    losses = [loss for loss in _losses(retraction) if loss[0].pk != _doer(retraction)]
    _tell_each(losses, text, more, f"{occasion} of an input {retraction.uuid}")
    told = {person.pk for person, _, _ in losses} | {_doer(retraction)}
    told |= set(team_of([retraction.dataset_id]).values_list("pk", flat=True))
    takings = [taking for taking in _takings(retraction) if taking[0].pk not in told]
    verb = "is good again" if retraction.undone_at else "was retracted"
    _tell_each(
        takings,
        "“{}”, which you have downloaded, " + verb + ".",
        " That concerns {} more that you have downloaded.",
        f"{occasion} of a download {retraction.uuid}",
    )


def _tell_each(losses: Sequence[_Loss], text: str, more: str, once: str) -> None:
    examples = Dataset.objects.in_bulk({pk for _, _, pk in losses})
    for person, number, pk in losses:
        dataset = examples[pk]
        words = text.format(dataset.title) + (more.format(number - 1) if number > 1 else "")
        tell(person, Notice.Kind.DECISION, words, once=once, dataset=dataset)


def _doer(retraction: Retraction) -> int | None:
    return retraction.undone_by_id if retraction.undone_at else retraction.person_id


def _takings(retraction: Retraction) -> Iterator[_Loss]:
    """Yield who has downloaded what was marked."""
    marked = Dataset.objects.filter(retraction_marks__retraction=retraction)
    rows = Download.objects.filter(dataset__in=marked, person__is_active=True).values("person")
    taken = {
        row["person"]: (row["number"], row["one"])
        for row in rows.annotate(number=Count("pk"), one=Max("dataset"))
    }
    for person in User.objects.in_bulk(taken).values():
        yield person, *taken[person.pk]


def _losses(retraction: Retraction) -> Iterator[_Loss]:
    """Yield who owns marked results, and the team of those that nobody owns."""
    marked = Dataset.objects.filter(retraction_marks__retraction=retraction)
    derived = marked.exclude(pk=retraction.dataset_id)
    owned = derived.filter(owner__is_active=True).values("owner")
    of_owners = {
        row["owner"]: (row["number"], row["one"])
        for row in owned.annotate(number=Count("pk"), one=Max("pk"))
    }
    for owner in User.objects.in_bulk(of_owners).values():
        yield owner, *of_owners[owner.pk]
    orphans = Guard.objects.filter(dataset__in=derived.filter(owner=None), proposal__isnull=False)
    told = set(of_owners)
    for row in orphans.values("proposal").annotate(number=Count("dataset"), one=Max("dataset")):
        members = members_of(Proposal.objects.get(pk=row["proposal"])).exclude(pk__in=told)
        told |= {member.pk for member in members}
        for member in members:
            yield member, row["number"], row["one"]
