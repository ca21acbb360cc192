import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from catalogue.models import User


class Command(BaseCommand):
    help = "Add or change a local account; the password is read from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="full name")
        parser.add_argument("--data-steward", action="store_true", help="may see all data")

    def handle(self, *_: Any, username: str, name: str, data_steward: bool, **__: Any) -> None:
        person, is_new = User.objects.get_or_create(username=username)
        person.full_name = name or person.full_name
        person.is_data_steward = data_steward
        password = sys.stdin.readline().rstrip("\n")
        if password and not person.check_password(password):
            person.set_password(password)
        person.save()
        self.stdout.write(f"{'added' if is_new else 'known'}  {person.username}  {person}")
