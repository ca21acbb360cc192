from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalogue import audit, team
from catalogue.models import EmbargoPolicy, Facility, Membership, Proposal, User

_REASON = "manage.py add_proposal"


class Command(BaseCommand):
    help = "Add a proposal and its members, or more members to a known one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number")
        parser.add_argument("--title", default="")
        parser.add_argument("--embargo", default="default", help="a policy of facility.toml")
        parser.add_argument(
            "--member", action="append", default=[], metavar="USERNAME:ROLE", help="repeatable"
        )

    @transaction.atomic
    def handle(
        self, *_: Any, number: str, title: str, embargo: str, member: list[str], **__: Any
    ) -> None:
        facility = Facility.objects.first()
        policy = EmbargoPolicy.objects.filter(slug=embargo).first()
        if facility is None or policy is None:
            raise CommandError("Declare facility and embargo first: manage.py apply facility.toml")
        known = Proposal.objects.filter(facility=facility, number=number).first()
        proposal = known or self._add(facility, number, title or number, policy)
        for entry in member:
            username, role = [*entry.split(":", 1), ""][:2]
            self._add_member(proposal, username, role or Membership.Role.MEMBER)
        self.stdout.write(f"{'known' if known else 'added'}  {proposal.number}  {proposal.title}")

    def _add(self, facility: Facility, number: str, title: str, policy: EmbargoPolicy) -> Proposal:
        proposal = Proposal(facility=facility, number=number, title=title, policy=policy)
        try:
            proposal.full_clean()
        except ValidationError as error:
            faults = [f"{key}: {' '.join(texts)}" for key, texts in error.message_dict.items()]
            raise CommandError("\n".join(faults)) from error
        proposal.save()
        told = {"number": number, "title": title, "policy": policy.slug}
        audit.record("proposal.added", proposal, person=None, new=told, reason=_REASON)
        return proposal

    def _add_member(self, proposal: Proposal, username: str, role: str) -> None:
        person = User.objects.filter(username=username).first()
        if person is None:
            raise CommandError(f"There is no account {username}: manage.py add_person {username}")
        if role not in Membership.Role.values:
            raise CommandError(f"{role} is no role; roles are {', '.join(Membership.Role.values)}")
        given = {"person": person, "proposal": proposal, "source": Membership.Source.HAND}
        row = Membership.objects.filter(**given).first()
        old = team.facts(row) if row else None
        row = row or Membership(**given)
        row.role = role
        row.save()
        if (new := team.facts(row)) != old:
            act = "member.changed" if old else "member.added"
            team.tell(act, proposal, old, new, person=None, reason=_REASON)
