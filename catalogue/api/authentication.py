"""Who calls: a token, or name and password with each request."""

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone
from drf_spectacular.authentication import BasicScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from catalogue.models import ApiToken, User
from catalogue.rates import (
    GUESSES,
    MOST_GUESSES_OF_ADDRESS,
    Limit,
    address_of,
    password_limits,
    require_left,
    spend,
)
from catalogue.tokens import find_token, note_use

_TOKEN_SCHEMES = {b"token", b"bearer"}


class PlainBasicAuthentication(BasicAuthentication):
    """HTTP Basic, without names that PostgreSQL cannot hold, and without endless guessing."""

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[AbstractBaseUser, None]:
        if "\x00" in userid:
            raise AuthenticationFailed("Wrong user name or password.")
        limits = password_limits(userid, address_of(request) if request else "")
        require_left(GUESSES, limits)  # else not even the right password is tried
        try:
            return super().authenticate_credentials(userid, password, request)
        except AuthenticationFailed:
            spend(GUESSES, limits)
            raise


class PlainBasicScheme(BasicScheme):
    """The same in the OpenAPI schema; drf-spectacular finds it by that name."""

    target_class = "catalogue.api.authentication.PlainBasicAuthentication"


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer plm_...``; ``Token plm_...`` is understood, too."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, *rest = get_authorization_header(request).split() or [b""]
        if scheme.lower() not in _TOKEN_SCHEMES:
            return None
        if len(rest) != 1:
            raise AuthenticationFailed("Write one token after the scheme: Bearer plm_...")
        try:
            token = _find_alive(rest[0].decode("latin-1"))
        except AuthenticationFailed:
            # Only now: a token that is right is no guess, whoever else calls from there, and
            # a script with an old one keeps nobody from signing in by password.
            spend(GUESSES, [Limit(f"tokens of {address_of(request)}", MOST_GUESSES_OF_ADDRESS)])
            raise
        note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's
        return 'Bearer realm="api"'


def _find_alive(secret: str) -> ApiToken:
    token = find_token(secret)
    if token is None:
        raise AuthenticationFailed("This token is unknown or revoked. Make another one.")
    if token.expiry is not None and token.expiry <= timezone.now():
        raise AuthenticationFailed(
            f"This token ended on {token.expiry:%Y-%m-%d}. Make another one."
        )
    if not token.user.is_active:
        raise AuthenticationFailed("The account of this token is closed. Ask a data steward.")
    return token


class TokenScheme(OpenApiAuthenticationExtension):
    """The same in the OpenAPI schema."""

    target_class = "catalogue.api.authentication.TokenAuthentication"
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002 - the same
        return {"type": "http", "scheme": "bearer", "bearerFormat": "plm_..."}
