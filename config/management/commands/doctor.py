import dataclasses
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from config.doctor.examination import examine, mend
from config.doctor.finding import Level


class Command(BaseCommand):
    help = "Look at this deployment and say how to mend what is wrong; exit 1 if something is."
    requires_system_checks: list[str] = []  # what they find is a finding

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--facility", type=Path, help="a facility.toml that should be applied")
        parser.add_argument("--json", action="store_true", help="findings as one JSON object")
        parser.add_argument(
            "--mend",
            action="store_true",
            help="count, list and date anew what differs from its rows; remove leftover files",
        )

    def handle(self, *_: Any, facility: Path | None, **options: Any) -> None:
        findings = list(examine(facility))
        done = list(mend(findings)) if options["mend"] else []
        if done:
            findings = list(examine(facility))
        is_ill = any(finding.level == Level.FAIL for finding in findings)
        if options["json"]:
            rows = [dataclasses.asdict(finding) for finding in findings]
            answer = {"healthy": not is_ill, "done": done, "findings": rows}
            self.stdout.write(json.dumps(answer, indent=1))
        else:
            for sentence in done:
                self.stdout.write(f"mended  {sentence}")
            for finding in findings:
                self.stdout.write(f"{finding.level:5} {finding.check:15} {finding.what}")
                if finding.how_to_mend:
                    self.stdout.write(f"{'':21} mend it: {finding.how_to_mend}")
        if is_ill:
            sys.exit(1)
