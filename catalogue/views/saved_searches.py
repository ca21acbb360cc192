"""The page of the searches that a person keeps."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from catalogue import saved_searches
from catalogue.access import Person
from catalogue.models import SavedSearch


class ChangeForm(forms.Form):
    """How a search is called, and whether its news are mailed."""

    name = forms.CharField(max_length=200)
    wants_mail = forms.BooleanField(required=False, label="Mail me what is new")


class SaveForm(forms.Form):
    """A search to keep; ``query`` is its address."""

    name = forms.CharField(max_length=200, help_text="By which you know it again.")
    query = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)

    def __init__(self, person: Person, data: object) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict
        self.person = person

    def clean_query(self) -> str:
        query: str = self.cleaned_data["query"]
        if reason := saved_searches.why_not(self.person, query):
            raise forms.ValidationError(reason)
        return query


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def show_searches(request: HttpRequest) -> HttpResponse:
    """List a person's searches with their latest news, and keep another one."""
    person = request.user
    form = SaveForm(person, request.POST) if request.method == "POST" else None
    if form and form.is_valid():
        wish = form.cleaned_data
        search, is_new = saved_searches.save(person, wish["name"], wish["query"])
        verb = "is saved" if is_new else "was saved before, and is called so now"
        messages.success(request, f"“{search.name}” {verb}. You hear of new matches.")
        return redirect("saved-searches")
    kept = list(saved_searches.saved_searches_of(person))
    news = saved_searches.latest_matches(kept, person)
    rows = [(search, _form_of(search), news.get(search.pk, [])) for search in kept]
    context = {"rows": rows, "form": form, "asked": request.POST.get("query", "")}
    page = "catalogue/saved_searches.html"
    return render(request, page, context, status=422 if form else 200)


def _form_of(search: SavedSearch) -> ChangeForm:
    initial = {"name": search.name, "wants_mail": search.wants_mail}
    return ChangeForm(initial=initial, auto_id=f"{search.uuid}-%s")


@require_POST
@login_required
def change_search(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Call a search otherwise, or turn its mail on or off."""
    search = _get(request, uuid)
    form = ChangeForm(request.POST)
    if form.is_valid():
        wish = form.cleaned_data
        saved_searches.change(search, wish["name"], wants_mail=wish["wants_mail"])
        messages.success(request, f"“{search.name}” is changed.")
    else:
        messages.error(request, "A saved search needs a name of 1 to 200 characters.")
    return redirect("saved-searches")


@require_POST
@login_required
def delete_search(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Forget a search, and what it has told of."""
    search = _get(request, uuid)
    search.delete()
    messages.success(request, f"“{search.name}” is deleted.")
    return redirect("saved-searches")


def _get(request: HttpRequest, uuid: UUID) -> SavedSearch:
    mine: SavedSearch = get_object_or_404(saved_searches.saved_searches_of(request.user), uuid=uuid)
    return mine
