"""
Two questions of whoever keeps the service running: does it live, is it ready.

Both answer in JSON, tell no secret and ask for no sign-in. A process that lives but is
not ready must not be restarted, only left alone until what it needs is back.
"""

import os
from pathlib import Path

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from catalogue.models import Store


@never_cache
@require_safe
def show_life(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - the shape of a view
    """Answer as long as this process can answer at all."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def show_readiness(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - the shape of a view
    """Answer whether requests can be served: database, migrations, stores."""
    faults = find_faults()
    if not faults:
        return JsonResponse({"status": "ready"})
    problem = {
        "type": "about:blank",
        "status": 503,
        "title": "Not ready",
        "detail": "Something that requests need is missing; manage.py doctor says more.",
        "faults": faults,
    }
    return JsonResponse(problem, status=503, content_type="application/problem+json")


def find_faults() -> dict[str, str]:
    """Say what is missing, by part; empty if all is well."""
    try:
        waiting = pending_migrations()
        if waiting:
            return {"migrations": f"{len(waiting)} wait. Run manage.py migrate."}
        stores = list(Store.objects.filter(kind="posix", read_only=False).order_by("slug"))
    except Error:
        return {"database": "It does not answer. Look at its server."}
    away = [store.slug for store in stores if not _is_writable(Path(store.root))]
    names = ", ".join(away)
    return {"stores": f"{names}: cannot be written. Mount or mend them."} if away else {}


def pending_migrations() -> list[str]:
    """Return the names of migrations that the database still lacks."""
    executor = MigrationExecutor(connection)
    wanted = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in wanted]


def _is_writable(root: Path) -> bool:
    return root.is_dir() and os.access(root, os.W_OK | os.X_OK)
