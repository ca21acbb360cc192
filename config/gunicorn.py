"""
How gunicorn serves the site: ``gunicorn --config python:config.gunicorn config.wsgi``.

Not preloaded: each process opens its own connections, and HDF5 and the metrics' files
do not survive a fork in good order.
"""

import os
import shutil
import tempfile
from typing import Any

from config import database, settings

bind = settings.PALIMPSEST_BIND
worker_class = "gthread"
workers = settings.PALIMPSEST_WEB_WORKERS
threads = settings.PALIMPSEST_WEB_THREADS
preload_app = False
timeout = 60  # of a process that has lost itself: its threads may take longer
graceful_timeout = 30  # what is under way at a stop may end within that
keepalive = 5
limit_request_line = 8190  # a selection of a hundred datasets has 4,500 characters
control_socket_disable = True
accesslog = None  # config.middleware writes a line for each request
_loggers = settings.LOGGING["loggers"] | {"gunicorn.error": {"level": "INFO", "propagate": True}}
logconfig_dict = settings.LOGGING | {"loggers": _loggers}

# Read by prometheus_client when the application is imported, in each process.
_metrics = tempfile.mkdtemp(prefix="palimpsest-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics  # noqa: TID251 - no setting, it has no other door


def on_starting(server: Any) -> None:  # noqa: ARG001 - a hook of gunicorn
    """Hold the embedded database for as long as the web server runs."""
    if not settings.DATABASE_URL:
        database.join(settings.PALIMPSEST_DATA)


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 - a hook of gunicorn
    from config.wsgi import warm_up  # noqa: PLC0415 - it is imported in each process

    warm_up()


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - a hook of gunicorn
    """Let the counts of a process that has ended count on."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - needs the folder

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # it has no types


def on_exit(server: Any) -> None:  # noqa: ARG001 - a hook of gunicorn
    shutil.rmtree(_metrics, ignore_errors=True)
