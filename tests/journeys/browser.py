"""
Make sure that there is a Chromium for the journeys: ``python -m tests.journeys.browser``.

Debian's own is used. As root it is installed, otherwise one line says what is missing.
"""

import os
import shutil
import subprocess
import sys

_NAMES = ("chromium", "chromium-browser", "google-chrome")

# A test makes no calls of its own to anybody's servers.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
]


def find_chromium() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def _install() -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    sys.stdout.write("Installing Debian's Chromium for the browser tests ...\n")
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
    )
    # What apt needs to know of this machine, a proxy for instance, is in the environment.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}  # noqa: TID251
    return all(
        subprocess.run(command, check=False, env=quiet, stdout=subprocess.DEVNULL).returncode == 0
        for command in commands
    )


if __name__ == "__main__" and not (find_chromium() or (_install() and find_chromium())):
    sys.exit(
        "The browser tests need Chromium. Install it (Debian: apt-get install chromium) and "
        "run `make journeys` again."
    )
