"""
What Prometheus reads at /metrics.

Requests are counted by each process of the web server and added up over all of them
(``config.gunicorn`` gives them a folder to share). Everything else is read from the
database when somebody asks, so that any process gives the same answer.
"""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MutexValue, ValueClass

from config.gauges import Gauges

_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
_requests = Counter(
    "palimpsest_http_requests",
    "Answers, by view, method and status.",
    ["view", "method", "status"],
)
_seconds = Histogram(
    "palimpsest_http_request_seconds",
    "Time until an answer began, by view.",
    ["view"],
    # Around what pages promise: 30, 50, 60 and 300 ms.
    buckets=(0.01, 0.03, 0.06, 0.1, 0.3, 1, 3, 10),
)


def view_of(request: HttpRequest) -> str:
    """Return the name of the view behind an address; addresses would be too many."""
    match = request.resolver_match
    return match.view_name if match and match.view_name else "unknown"


def observe(request: HttpRequest, status: int, duration_s: float) -> None:
    """Count one answer."""
    view = view_of(request)
    method = request.method if request.method in _METHODS else "other"
    _requests.labels(view, method, str(status)).inc()
    _seconds.labels(view).observe(duration_s)


def may_read(request: HttpRequest) -> bool:
    """
    Say whether a request comes from a network that may read the metrics.

    Behind a proxy every request comes from the proxy: there the addresses that it
    names count as well, and a request of which it names none is refused.
    """
    named = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    if not any(named) and _came_by_proxy(request):
        return False
    return all(map(_is_allowed, [request.META.get("REMOTE_ADDR", ""), *filter(None, named)]))


def _came_by_proxy(request: HttpRequest) -> bool:
    header = settings.SECURE_PROXY_SSL_HEADER
    signs = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_PROTO")
    return any(sign in request.META for sign in (*signs, *(header or ())[:1]))


def _is_allowed(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(allowed) for allowed in settings.PALIMPSEST_METRICS_ALLOW)


@require_safe
def show_metrics(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - the shape of a view
    """Answer in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(Gauges())
    own = CollectorRegistry()
    if ValueClass is MutexValue:  # a single process counts for itself
        own = REGISTRY
    else:
        MultiProcessCollector(own)  # type: ignore[no-untyped-call]  # it has no types
    body = generate_latest(own) + generate_latest(registry)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)
