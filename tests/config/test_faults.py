"""A bug is the server's fault: the answer names the request by which its log line is found."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from config import urls


def fail(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a column of the table of pigments is missing")


urlpatterns = [path("fail", fail), path("api/v1/fail", fail), *urls.urlpatterns]
handler404, handler500 = urls.handler404, urls.handler500
pytestmark = pytest.mark.urls(__name__)


def test_a_page_that_is_our_fault_names_the_request() -> None:
    """Without any database: that may be what has failed."""
    client = Client(raise_request_exception=False)
    response = client.get("/fail", headers={"x-request-id": "r-500"})
    assert response.status_code == 500
    assert "<code>r-500</code>" in response.content.decode()
    assert "pigments" not in response.content.decode()


def test_a_problem_that_is_our_fault_names_the_request() -> None:
    client = Client(raise_request_exception=False)
    response = client.get("/api/v1/fail", headers={"x-request-id": "r-500"})
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["request_id"]) == (500, "r-500")
    assert "pigments" not in response.content.decode()
