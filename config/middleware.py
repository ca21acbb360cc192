"""Headers that every page carries."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'self'; "
    "base-uri 'none'; object-src 'none'; form-action 'self'"
)


class ContentSecurityPolicyMiddleware:
    """Let a page load nothing that this server did not send as a file."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        return response
