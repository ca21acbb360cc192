"""The page on which people make keys for their machines."""

from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from catalogue.access import Person
from catalogue.errors import TokenError
from catalogue.models import ApiToken
from catalogue.tokens import NewToken, list_tokens, make_token, revoke_token

_LIVES = {30: "a month", 90: "three months", 365: "a year"}


class TokenForm(forms.Form):
    """Name, scopes and life of a token."""

    name = forms.CharField(max_length=100, help_text="By which you know it again.")
    scopes = forms.MultipleChoiceField(
        choices=ApiToken.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[ApiToken.Scope.READ],
        label="It may",
    )
    days = forms.TypedChoiceField(coerce=int, initial=90, label="It ends after")

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict or None
        most = settings.PALIMPSEST_TOKEN_DAYS
        self.fields["days"].choices = [(d, words) for d, words in _LIVES.items() if d <= most] or [  # type: ignore[attr-defined]  # of a choice field
            (most, f"{most} days")
        ]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def show_tokens(request: HttpRequest) -> HttpResponse:
    """List a person's tokens, and make one: its secret stands in this answer only."""
    form, made = TokenForm(request.POST or None), None
    if request.method == "POST" and form.is_valid():
        made = _make(request.user, form)
    context = {
        "form": TokenForm() if made else form,
        "made": made,
        "tokens": list_tokens(request.user),
        "now": timezone.now(),
    }
    status = 201 if made else 422 if form.errors else 200
    return render(request, "catalogue/tokens.html", context, status=status)


def _make(person: Person, form: TokenForm) -> NewToken | None:
    wish = form.cleaned_data
    try:
        return make_token(person, wish["name"], wish["scopes"], wish["days"])
    except TokenError as error:
        form.add_error(error.field, error.reason)
        return None


@require_POST
@login_required
def revoke(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take a token back."""
    revoke_token(request.user, uuid)
    messages.success(request, "Revoked. Whatever still uses this token is refused from now on.")
    return redirect("tokens")
