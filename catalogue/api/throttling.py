"""Limits on calls, where the framework asks for them."""

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from catalogue.rates import BYTES, CALLS, count_call


class CallThrottle(BaseThrottle):
    """Refuse with our own problem; the view tells the client what is left."""

    policy = CALLS

    def allow_request(self, request: Request, view: Any) -> bool:
        view.allowance = count_call(request, self.policy)
        return True


class BytesThrottle(CallThrottle):
    policy = BYTES
