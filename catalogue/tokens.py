"""Keys that people make for their machines: made, shown once, found, taken back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from knox.crypto import hash_token

from catalogue import audit
from catalogue.access import Person
from catalogue.errors import NotPermittedError, TokenError, UnknownTokenError
from catalogue.models import ApiToken, User

MOST = 50
"""Tokens that one person may have; a list of them stays one page."""

_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class NewToken:
    """A token and its secret, which nobody can find out again."""

    token: ApiToken
    secret: str


def list_tokens(person: Person) -> QuerySet[ApiToken]:
    """Select the tokens of a person, the newest first."""
    if not isinstance(person, User):
        return ApiToken.objects.none()  # type: ignore[no-any-return]  # knox has no types
    tokens: QuerySet[ApiToken] = ApiToken.objects.filter(user=person).order_by("-created", "uuid")
    return tokens


def make_token(
    person: Person, name: str, scopes: Iterable[str], days: int, *, by: ApiToken | None = None
) -> NewToken:
    """
    Make a token that can do what its owner can, cut to its scopes.

    Parameters
    ----------
    person : User or AnonymousUser
        Whose it will be.
    name : str
        By which they know it again.
    scopes : iterable of str
        At least one of ``ApiToken.Scope``.
    days : int
        Until its end.
    by : ApiToken, optional
        The token with which they ask for it, if they do not use their password.

    Raises
    ------
    NotPermittedError
        If nobody is signed in, or a token makes a token: a setting forbids that, and
        where it does not, the new one may not do more or live longer.
    TokenError
        If they have too many, or it is to live too long.
    """
    if not isinstance(person, User):
        raise NotPermittedError("make a token", "somebody who has an account")
    wanted = set(scopes)
    scopes = [scope.value for scope in ApiToken.Scope if scope in wanted]
    _require_lifetime(days)
    if by is not None:
        _require_narrower(by, scopes, days)
    with transaction.atomic():
        # Two calls at once would both find room for the last one.
        User.objects.select_for_update().get(pk=person.pk)
        if list_tokens(person).count() >= MOST:
            raise TokenError("name", f"You have {MOST} tokens. Revoke one that you do not use.")
        token, secret = ApiToken.objects.create(
            user=person, name=name, scopes=scopes, expiry=timedelta(days=days)
        )
        audit.record("token.made", token, person=person, new=_facts(token))
    return NewToken(token, secret)


def _require_lifetime(days: int) -> None:
    most = settings.PALIMPSEST_TOKEN_DAYS
    if not 1 <= days <= most:
        raise TokenError("days", f"A token lives from 1 to {most} days; choose a number of them.")


def _require_narrower(by: ApiToken, scopes: list[str], days: int) -> None:
    if not settings.PALIMPSEST_TOKENS_MAKE_TOKENS:
        raise NotPermittedError("make a token with a token", "its owner, who has the password")
    wider = [scope for scope in scopes if scope not in by.scopes]
    is_longer = by.expiry is not None and timezone.now() + timedelta(days=days) > by.expiry
    if wider or is_longer:
        more = f"with the scope {', '.join(wider)}" if wider else "that outlives it"
        raise NotPermittedError(f"make with a token another {more}", "its owner")


def revoke_token(person: Person, uuid: str | UUID, *, by: ApiToken | None = None) -> None:
    """
    Take a token back; it is refused from now on.

    Raises
    ------
    UnknownTokenError
        If the person has none of that name.
    NotPermittedError
        If a token takes back another than itself.
    """
    with transaction.atomic():
        try:
            token = list_tokens(person).select_for_update().get(uuid=uuid)
        except (ApiToken.DoesNotExist, ValidationError) as error:
            raise UnknownTokenError(str(uuid)) from error
        if by is not None and by.pk != token.pk:
            raise NotPermittedError("revoke with a token another one", "its owner")
        audit.record("token.revoked", token, person=token.user, old=_facts(token))
        token.delete()


def _facts(token: ApiToken) -> dict[str, object]:
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "expiry": token.expiry.isoformat() if token.expiry else None,
    }


def find_token(secret: str) -> ApiToken | None:
    """Return the token behind a secret, with its owner, whether or not it still lives."""
    found: ApiToken | None = (
        ApiToken.objects.filter(digest=hash_token(secret)).select_related("user").first()
    )
    return found


def note_use(token: ApiToken) -> None:
    """Note that a token was used; at most once a minute, or every call would write."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= _NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        token.last_used_at = now
