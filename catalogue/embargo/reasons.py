"""Why a person can see a dataset, in one sentence."""

from django.db.models import Q
from django.utils import timezone

from catalogue.access import AccessState, Person, memberships, visits
from catalogue.models import Dataset, Guard, User


def why_visible(person: Person, dataset: Dataset, state: AccessState) -> str:
    """
    Say why a person can see the page of a dataset, and whether its data too.

    Parameters
    ----------
    person : User or AnonymousUser
        Who sees it.
    dataset : Dataset
        That they see.
    state : AccessState
        Of the dataset today.
    """
    is_listed = dataset.listed_at is not None and dataset.listed_at <= timezone.now()
    if state.is_open and is_listed:
        return "Everybody can: the data are open."
    if isinstance(person, User):
        if person.is_data_steward:
            return "You see it as a data steward."
        if own := _own_reason(person, dataset):
            return own
    return "Everybody can see this page. The data themselves are closed."


def _own_reason(person: User, dataset: Dataset) -> str:
    if visit := visits(person, dataset).first():
        by = f", let in by {visit.granted_by}" if visit.granted_by else ""
        return f"You are a guest until {visit.valid_to:%-d %B %Y}{by}."
    guards = Guard.objects.filter(dataset=dataset)
    teams = memberships(person).filter(proposal__in=guards.values("proposal"))
    parts = [
        f"as {row.get_role_display()} of {row.proposal.number}"
        for row in teams.select_related("proposal").order_by("proposal__number")
    ]
    staffed = person.instruments.filter(pk__in=guards.values("instrument"))
    parts += [f"as staff of {instrument.name}" for instrument in staffed]
    if not parts and guards.filter(Q(proposal__isnull=True, dataset__owner=person)).exists():
        parts.append("as the one who registered it")
    return f"You see it {' and '.join(dict.fromkeys(parts))}." if parts else ""
