"""What the catalogue has told a person, and whether it also writes to them."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from catalogue.mailing import read_unsubscription
from catalogue.models import User
from catalogue.notices import mark_read, notices_of, resume_mail, stop_mail, wants_mail
from catalogue.permissions import require_account
from catalogue.views.replies import personal

_PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@personal
def show_notices(request: HttpRequest) -> HttpResponse:
    """List a person's notices; mark them as read, or choose about mail."""
    person = require_account(request.user)
    if request.method == "POST":
        _change(request, person)
        return redirect("notices")
    page = Paginator(notices_of(person), _PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "wants_mail": wants_mail(person),
    }
    return render(request, "catalogue/notices.html", context)


def _parse(uuid: str) -> UUID | None:
    try:
        return UUID(uuid)
    except ValueError:
        return None


def _change(request: HttpRequest, person: User) -> None:
    wish = request.POST.get("act")
    if wish == "read":
        mark_read(person, *filter(None, map(_parse, request.POST.getlist("notice"))))
    elif wish == "no-mail":
        stop_mail(person)
        messages.success(request, "You get no mail any more.")
    elif wish == "mail":
        resume_mail(person)
        messages.success(request, "You get mail again, once a day at most.")


# The sign in the address is all that a mail programme has: no cookie, hence no CSRF token.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Stop a person's mail by the link in it; only a POST does, since links are tried out."""
    sign = request.GET.get("person", "").replace("\x00", "")
    person = read_unsubscription(sign)
    if person is None:
        raise Http404("This link is not one of ours, or incomplete.")
    is_done = request.method == "POST"
    if is_done:
        stop_mail(person)
    return render(request, "catalogue/unsubscribe.html", {"is_done": is_done})
