"""What every request passes: the operator's door, its line in the log, its headers."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from catalogue.models import User
from config import health, logs, metrics

_log = logging.getLogger(__name__)

Answer = Callable[[HttpRequest], HttpResponseBase]

_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'self'; "
    "base-uri 'none'; object-src 'none'; form-action 'self'"
)
_FEATURES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
_SANE_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")


class OperatorDoorMiddleware:
    """Answer probes and scrapes before anything that could redirect or refuse them."""

    _views: Mapping[str, Callable[[HttpRequest], HttpResponse]] = {
        "/health/live": health.show_life,
        "/health/ready": health.show_readiness,
        "/metrics": metrics.show_metrics,
    }

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = self._views.get(request.path)
        is_closed = view is metrics.show_metrics and not metrics.may_read(request)
        if view is None or is_closed:
            return self.get_response(request)  # to others there is no such address
        return view(request)


class RequestMiddleware:
    """Give each request an identifier, one line in the log and a place in the metrics."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        known = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        logs.request_id.set(known)
        started = time.perf_counter()
        response = self.get_response(request)
        duration_s = time.perf_counter() - started
        response.headers["X-Request-ID"] = known
        metrics.observe(request, response.status_code, duration_s)
        _write_line(request, response.status_code, duration_s)
        if not response.streaming:  # what fails while bytes flow belongs to this request too
            logs.request_id.set("")
        return response


def _write_line(request: HttpRequest, status: int, duration_s: float) -> None:
    """Log an answer; the query stays out, it says what people look for."""
    _log.log(
        logging.WARNING if status >= 500 else logging.INFO,
        "%s %s %s",
        request.method,
        request.path,
        status,
        extra={
            "method": request.method,
            "path": request.path,
            "view": metrics.view_of(request),
            "status": status,
            "duration_ms": round(1000 * duration_s, 1),
            "person": _person_of(request),
        },
    )


def _person_of(request: HttpRequest) -> str | None:
    """Return the pid of whoever asked, if anything has looked: a log asks no database."""
    user = vars(request).get("user")
    if isinstance(user, SimpleLazyObject):
        user = vars(request).get("_cached_user")
    return str(user.pid) if isinstance(user, User) else None


class HeadersMiddleware:
    """Let a page load only what this server sent as a file, and ask for no device."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers.setdefault("Permissions-Policy", _FEATURES)
        return response
