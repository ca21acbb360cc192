"""Every address of the site."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, include, path

from config.problems import list_problems
from config.signing_in import SignInView

handler404 = "config.problems.answer_unknown_address"
handler500 = "config.problems.answer_own_fault"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("catalogue.urls")),
    path("", include("processing.urls")),
    path("api/v1/", include("catalogue.api.urls")),
    path("api/v1/", include("processing.api.urls")),
    path("problems/", list_problems, name="problems"),
    path("sign-in/", SignInView.as_view(), name="login"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
]
