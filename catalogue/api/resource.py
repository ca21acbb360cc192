"""What every address of the REST interface has in common."""

import json
from collections.abc import Mapping
from typing import IO, Any, ClassVar

from django.http import QueryDict
from django.utils.cache import patch_cache_control, patch_vary_headers
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.permissions import SAFE_METHODS, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.errors import ScopeError
from catalogue.models import ApiToken
from catalogue.rates import Allowance

Responses = dict[tuple[int, str], Any]
_Lists = serializers.ListField | serializers.MultipleChoiceField


class StrictSerializer(serializers.Serializer[Any]):
    """What a client sends; names that are not ours are refused, never passed over."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields) or "none"
                text = f"There is no such field here; there are: {known}."
                raise serializers.ValidationError({name: [text] for name in unknown})
        wrong = self._look_alikes(data) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            found = error.detail if isinstance(error.detail, dict) else {}
            raise serializers.ValidationError({**found, **wrong}) from error
        if wrong:
            raise serializers.ValidationError(wrong)
        return value

    def _look_alikes(self, data: Mapping[str, Any]) -> dict[str, list[str]]:
        """Name what JSON can say rightly: DRF would take 0 for false, and 5 for "5"."""
        if isinstance(data, QueryDict):
            return {}  # an address has texts only
        return {
            name: [text]
            for name, value in data.items()
            for kind, right, text in _RIGHT
            if type(self.fields[name]) is kind
            and value is not None
            and not isinstance(value, right)
        }


_RIGHT: tuple[tuple[type, type, str], ...] = (
    (serializers.BooleanField, bool, "Write true or false."),
    (serializers.CharField, str, "Write a text, in quotation marks."),
)


class FaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="JSON pointer to the field at fault, #/path.")
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem of RFC 9457; members beside these say more about its type."""

    type = serializers.CharField(help_text="Explained on /problems/; about:blank if general.")
    status = serializers.IntegerField()
    title = serializers.CharField()
    detail = serializers.CharField()
    errors = FaultSerializer(many=True, required=False)  # type: ignore[assignment]  # DRF moves fields away from the class


_REASONS = {
    400: "The request is malformed, or a field is missing, unknown or wrong.",
    401: "Sign in first.",
    403: "You, or the token that you use, may not do this.",
    404: "It is not there, or hidden from you.",
    406: "It cannot be written in the media type that you accept.",
    409: "The state of things forbids it.",
    410: "The data were taken back.",
    412: "There is another version than the one you named.",
    415: "The body is not JSON.",
    416: "The file ends before the range that you ask for.",
    422: "Each field is well formed, but together they cannot be done.",
    429: "Too many calls; Retry-After says when to go on.",
    503: "A store is not available.",
}
_ANYWHERE = {401, 403, 406, 429}


def problems(*statuses: int) -> Responses:
    """Describe in the schema what an address answers when it refuses, beside what all do."""
    return {
        (status, "application/problem+json"): OpenApiResponse(ProblemSerializer, _REASONS[status])
        for status in sorted(_ANYWHERE.union(statuses))
    }


class _Parser(JSONParser):
    """Refuse the two bodies that Python's parser takes and the rest of us cannot."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            body = super().parse(stream, media_type, parser_context)
            json.dumps(body, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The JSON holds half a character, a lone surrogate.") from error
        return body


class Resource(APIView):
    # No docstring: the schema would repeat it at every address. Anybody may read, as far
    # as access lets them; who wants to change anything signs in.
    parser_classes = [_Parser]
    permission_classes = [IsAuthenticatedOrReadOnly]

    # What a token needs for each method that changes something. A method that is not
    # named here is closed to tokens; reading always needs the scope "read".
    scopes: ClassVar[Mapping[str, ApiToken.Scope]] = {}
    allowance: Allowance | None = None  # set once the call has been counted

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if isinstance(request.auth, ApiToken):
            self.check_scope(request, request.auth)

    def check_scope(self, request: Request, token: ApiToken) -> None:
        """
        Refuse a call that the token does not stretch to.

        Raises
        ------
        ScopeError
            Naming the scope that it lacks.
        """
        is_safe = request.method in SAFE_METHODS
        needed = ApiToken.Scope.READ if is_safe else self.scopes.get(request.method or "", "")
        if needed not in token.scopes:
            raise ScopeError(needed, token.scopes)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        # What one person may see must not lie in a cache for the next.
        patch_cache_control(answer, private=True)
        patch_vary_headers(answer, ["Cookie", "Authorization"])
        for name, value in self.allowance.headers.items() if self.allowance else ():
            answer.headers[name] = value
        return answer


def read_query(kind: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """
    Return the checked parameters of an address.

    Raises
    ------
    ValidationError
        Naming each one that is wrong or unknown.
    """
    # Not as the framework reads a form: there an empty value would pass for none.
    given = dict(request.query_params.lists())
    lists = {name for name, field in kind().fields.items() if isinstance(field, _Lists)}
    once = {name: values[-1] for name, values in given.items() if name not in lists}
    if repeated := [name for name in once if len(given[name]) > 1]:
        raise serializers.ValidationError({name: ["Give it once."] for name in repeated})
    return _checked(kind(data=given | once))


def read_body(kind: type[StrictSerializer], request: Request) -> dict[str, Any]:
    """
    Return the checked fields of a body.

    Raises
    ------
    ValidationError
        Naming each one that is missing, wrong or unknown.
    """
    return _checked(kind(data=request.data))


def _checked(given: StrictSerializer) -> dict[str, Any]:
    given.is_valid(raise_exception=True)
    checked: dict[str, Any] = given.validated_data
    return checked
