import time
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from processing.errors import NothingToReplayError
from processing.models import ProcessingRun, Replay
from processing.replaying import judge_ended, request_replay

_LOOK_S = 0.5


class Command(BaseCommand):
    help = "Make a result again from its record alone and compare; 0 if it is the same."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uuid", help="of the processing run")
        parser.add_argument(
            "--wait", type=float, default=600, help="seconds to wait for the worker (600)"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            original = ProcessingRun.objects.get(uuid=options["uuid"])
            replay = request_replay(original)
        except (ProcessingRun.DoesNotExist, ValidationError) as error:
            raise CommandError(f"There is no processing run {options['uuid']}.") from error
        except NothingToReplayError as error:
            raise CommandError(str(error)) from error
        self._wait(replay, options["wait"])
        self._tell(replay)

    def _wait(self, replay: Replay, patience_s: float) -> None:
        until = time.monotonic() + patience_s
        while not replay.verdict and time.monotonic() < until:
            time.sleep(_LOOK_S)
            judge_ended()
            replay.refresh_from_db()

    def _tell(self, replay: Replay) -> None:
        if not replay.verdict:
            raise CommandError("It is still queued or running. Is a worker there?", returncode=3)
        self.stdout.write(replay.get_verdict_display())
        for found in replay.detail.get("differences", []):
            size = f" ({found['deviation']:g})" if found.get("deviation") else ""
            self.stdout.write(f"  {found['path']}: {found['detail']}{size}")
        if replay.verdict == Replay.Verdict.NOT_REPLAYABLE:
            raise CommandError(str(replay.detail.get("reason")), returncode=2)
        if replay.verdict == Replay.Verdict.DIFFERENT:
            raise CommandError("The result cannot be reproduced.", returncode=1)
