"""``python -m demo``: set the stage, start the services, show the way in."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import httpx
from django.core.management import CommandError

from config.database import EmbeddedDatabaseError
from demo.services import Services
from demo.stage import PASSWORD, Stage

_PORT = 8000
_PRODUCT_S = 300.0


def say(sentence: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {sentence}\n")
    sys.stdout.flush()


def main() -> None:
    if not _is_free(_PORT):
        say(f"Port {_PORT} is in use: is another demo running? Stop it, then call make demo again.")
        sys.exit(1)
    data = Path(os.environ["PALIMPSEST_DATA"]).absolute()  # noqa: TID251 - set by the Makefile
    data.mkdir(parents=True, exist_ok=True)
    stage = Stage(data, say)
    try:
        stage.set()
    except (CommandError, EmbeddedDatabaseError) as error:
        say(f"The demo cannot start: {error}")
        say(f"To begin anew, remove {data} and call make demo again.")
        sys.exit(1)
    say("Services: web server, worker and steward, under one supervisor.")
    services = Services(_PORT, data / "demo" / "services.log", say)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    services.start()
    try:
        is_made = stage.wait_for_product(stopping, _PRODUCT_S)
        if not (is_made or stopping.is_set()):
            say(f"The map is not made yet; {services.log} may say why. The pages work meanwhile.")
        if not stopping.is_set() and _is_served(stopping):
            say(f"Ready: http://127.0.0.1:{_PORT}/  Sign in as ines, password {PASSWORD}.")
            say(f"The map: http://127.0.0.1:{_PORT}{stage.product_address()}")
            say("Ctrl-C stops everything; a second start finds everything as it was.")
        stopping.wait()
    finally:
        say("Stopping: runs under way go back into the queue.")
        services.stop()


def _is_served(stopping: threading.Event) -> bool:
    """Wait for the first page."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    for _ in range(60):
        try:
            httpx.get(f"http://127.0.0.1:{_PORT}/sign-in/", timeout=5).raise_for_status()
        except httpx.HTTPError:
            if stopping.wait(1):
                return False
        else:
            return True
    say("The web server does not answer; services.log in the data folder says why.")
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


if __name__ == "__main__":
    main()
