import getpass
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalogue import audit
from catalogue.models import User


class Command(BaseCommand):
    help = "Add or change a local account; the password is read from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="full name")
        parser.add_argument(
            "--data-steward", action=BooleanOptionalAction, help="may see all data, or no longer"
        )

    def handle(
        self, *_: Any, username: str, name: str, data_steward: bool | None, **__: Any
    ) -> None:
        person = User.objects.filter(username=username).first() or User(username=username)
        is_new = person.pk is None
        person.full_name = name or person.full_name
        was_steward = person.is_data_steward
        if data_steward is not None:
            person.is_data_steward = data_steward
        password = self._read_password()
        if is_new and not password:
            raise CommandError("A new account needs a password: give it on standard input.")
        if password and not person.check_password(password):
            person.set_password(password)
        try:
            person.full_clean()
        except ValidationError as error:
            faults = [f"{key}: {' '.join(texts)}" for key, texts in error.message_dict.items()]
            raise CommandError("\n".join(faults)) from error
        with transaction.atomic():
            person.save()
            if person.is_data_steward != was_steward:
                act = "steward.appointed" if person.is_data_steward else "steward.dismissed"
                audit.record(act, person, person=None, reason="manage.py add_person")
        self.stdout.write(f"{'added' if is_new else 'known'}  {person.username}  {person}")

    def _read_password(self) -> str:
        if sys.stdin.isatty():
            return getpass.getpass("Password: ")
        return sys.stdin.readline().rstrip("\n")
