"""
What others wrote to judge a Workflow Run RO-Crate, without any network.

Run with the judges' own Python this file fills the cache from which the validator takes
the two JSON-LD contexts: ``.venv-judges/bin/python judges.py CACHE``.
"""

import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

JUDGES = Path(__file__).resolve().parents[3] / ".venv-judges" / "bin"
TERMS = """
ParameterConnection ContainerImage DockerImage SIFImage connection sourceParameter
targetParameter md5 sha1 sha256 sha512 environment registry tag containerImage resourceUsage
""".split()  # noqa: SIM905 - as the list of the ontology has them
WFRUN = "https://w3id.org/ro/terms/workflow-run"
CRATE = "https://w3id.org/ro/crate/1.1/context"
# Whether an address answers: without a network none does.
_AVAILABILITY = "ro-crate-1.1_28.1"


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a crate, and how many of the checks it passed."""

    required: list[str]
    recommended: list[str]
    passed: int
    total: int


def fill(cache: Path) -> None:
    """Fill the cache once; it serves all tests."""
    done = subprocess.run(
        [JUDGES / "python", __file__, str(cache)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def judge(crate: Path, cache: Path, profile: str, *, has_addresses: bool = False) -> Verdict:
    """Validate a crate by all that is required or recommended, but whether addresses answer."""
    skipped = ["--skip-checks", _AVAILABILITY] if has_addresses else []
    told_to = crate.parent / f"{crate.name}-{profile}.json"
    done = subprocess.run(
        [JUDGES / "rocrate-validator", "-y", "--disable-color", "validate", "--offline",
         "--cache-path", str(cache), "--no-paging", *skipped,
         "-p", f"{profile}-run-crate", "-l", "recommended", "-f", "json",
         "-o", str(told_to), str(crate)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    told = json.loads(told_to.read_text())
    found = [
        (row["severity"], f"{row['check']['name']}: {row['message']}") for row in told["issues"]
    ]
    numbers = told["statistics"]
    return Verdict(
        required=[text for severity, text in found if severity == "REQUIRED"],
        recommended=[text for severity, text in found if severity != "REQUIRED"],
        passed=numbers["total_passed_checks"],
        total=numbers["total_checks"],
    )


def report(crate: Path) -> str:
    """Let another reader tell what it finds in a crate."""
    done = subprocess.run(
        [JUDGES / "runcrate", "report", str(crate)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


def _fill_cache(cache: Path) -> None:
    import requests  # noqa: PLC0415, TID251 - the judges' own environment
    import requests_cache  # noqa: PLC0415 - the judges' own environment
    import rocrate  # noqa: PLC0415 - the judges' own environment
    import urllib3  # noqa: PLC0415 - the judges' own environment

    base = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    terms = {"@context": {term: f"{WFRUN}#{term}" for term in TERMS}}
    bodies = {CRATE: base.read_bytes(), f"{WFRUN}/context": json.dumps(terms).encode()}

    class Answering(requests.adapters.HTTPAdapter):
        def send(self, request, **_):  # type: ignore[no-untyped-def]  # the judges' library
            raw = urllib3.HTTPResponse(
                body=io.BytesIO(bodies[request.url]), status=200,
                headers={"Content-Type": "application/ld+json"}, preload_content=False,
            )  # fmt: skip
            return self.build_response(request, raw)

    session = requests_cache.CachedSession(str(cache), backend="sqlite", expire_after=-1)
    session.mount("https://w3id.org/", Answering())
    for address in bodies:
        session.get(
            address, headers={"Accept": "application/ld+json, application/json, */*;q=0.1"}
        ).raise_for_status()


if __name__ == "__main__":
    _fill_cache(Path(sys.argv[1]))
