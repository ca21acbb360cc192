"""The page of local sign-in, on which nobody guesses for long."""

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse

from catalogue.rates import GUESSES, Limit, address_of, password_limits, require_left, spend


class SignInView(LoginView):
    """Django's, with the limits that REST has on wrong passwords."""

    template_name = "sign_in.html"

    def post(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        # Else not even the right password is tried.
        require_left(GUESSES, self._limits())
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        spend(GUESSES, self._limits())
        return super().form_invalid(form)

    def _limits(self) -> list[Limit]:
        return password_limits(self.request.POST.get("username", ""), address_of(self.request))
