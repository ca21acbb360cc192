"""Loaded before Django reads its settings: tests never touch the data of a demo."""

import os
import tempfile
from pathlib import Path

from processing.recipes.environments import kernel_cache

# One folder per person, so that the server inside it is started once for several runs.
_data = Path(tempfile.gettempdir()) / f"palimpsest-tests-{os.getuid()}"
(_data / "static").mkdir(parents=True, exist_ok=True)
os.environ["PALIMPSEST_DATA"] = str(_data)
os.environ["PALIMPSEST_SECRET_KEY"] = "only for tests"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in the test's thread
os.environ.update(kernel_cache(_data))  # compiled once, for all tests and their children
