"""Who calls: name and password with each request."""

from django.contrib.auth.models import AbstractBaseUser
from drf_spectacular.authentication import BasicScheme
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class PlainBasicAuthentication(BasicAuthentication):
    """HTTP Basic, without names that PostgreSQL cannot hold."""

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[AbstractBaseUser, None]:
        if "\x00" in userid:
            raise AuthenticationFailed("Wrong user name or password.")
        return super().authenticate_credentials(userid, password, request)


class PlainBasicScheme(BasicScheme):
    """The same in the OpenAPI schema; drf-spectacular finds it by that name."""

    target_class = "catalogue.api.authentication.PlainBasicAuthentication"
