"""Keys for machines: made once, cut to scopes, taken back."""

import base64
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from knox.crypto import hash_token
from pytest_django import Settings
from rest_framework.test import APIClient

from catalogue.api.resource import Resource
from catalogue.models import ApiToken, AuditEvent, User
from catalogue.rates import MOST_GUESSES, MOST_GUESSES_OF_ADDRESS
from catalogue.tokens import MOST, make_token
from tests.api.conftest import MachineOf
from tests.api.test_rates import elapse
from tests.api.test_registration import a_scan
from tests.builders import World, a_dataset, a_run

TOKENS = "/api/v1/tokens/"
SECRET = re.compile(r"plm_[0-9a-f]{64}")
Scope = ApiToken.Scope
ClientOf = Callable[[str | None], Client]


def with_token(person: User, *scopes: str, scheme: str = "Bearer") -> APIClient:
    """A machine with a token of a person."""
    secret = make_token(person, "a script", scopes, days=1).secret
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"{scheme} {secret}")
    return client


def test_a_token_is_made_shown_once_and_kept_as_a_digest(
    machine_of: MachineOf, world: World
) -> None:
    client = machine_of("ines")
    wish = {"name": "beamline script", "scopes": ["read", "process"], "days": 30}
    answer = client.post(TOKENS, wish, format="json")
    made = answer.json()
    assert answer.status_code == 201
    assert SECRET.fullmatch(made["token"])
    assert "no-store" in answer["Cache-Control"]
    assert made["beginning"] == made["token"][:15]
    (listed,) = client.get(TOKENS).json()["results"]
    assert listed == {name: value for name, value in made.items() if name != "token"}
    row = ApiToken.objects.get()
    assert row.digest == hash_token(made["token"])
    assert made["token"] not in str(ApiToken.objects.values().get())
    left = row.expiry - timezone.now()
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token"])
def test_a_token_opens_what_its_owner_may_see(world: World, scheme: str) -> None:
    dataset = a_dataset(world)
    address = f"/api/v1/datasets/{dataset.pid}/"
    assert with_token(world.carlo, "read", scheme=scheme).get(address).status_code == 200
    assert with_token(world.sten, "read", scheme=scheme).get(address).status_code == 404


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Bearer", "Write one token"),
        ("Bearer plm_1 plm_2", "Write one token"),
        ("Bearer plm_" + "0" * 64, "unknown or revoked"),
        ("Token nonsense", "unknown or revoked"),
        ("Bearer \xe9\xff", "unknown or revoked"),
    ],
)
def test_what_is_no_token_is_refused_and_not_taken_for_nobody(
    world: World, header: str, said: str
) -> None:
    answer = APIClient(HTTP_AUTHORIZATION=header).get("/api/v1/datasets/")
    assert answer.status_code == 401
    assert said in answer.json()["detail"]
    assert "WWW-Authenticate" in answer


ELSEWHERE = "198.51.100.22"


def guess(scheme: str, credentials: str, address: str = "198.51.100.21") -> int:
    client = APIClient(HTTP_AUTHORIZATION=f"{scheme} {credentials}", REMOTE_ADDR=address)
    return int(client.get("/api/v1/recipes/").status_code)


def basic(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def test_who_guesses_tokens_is_refused_for_a_minute(world: World) -> None:
    right = make_token(world.ines, "a script", ["read"], days=1).secret
    most = MOST_GUESSES_OF_ADDRESS
    said = [guess("Bearer", f"plm_{number:064x}") for number in range(most)]
    elapse(-60)  # else the time that so many took would count
    assert (said, guess("Bearer", "plm_wrong")) == ([401] * most, 429)
    assert guess("Bearer", right) == 200, "what is right is no guess"
    assert guess("Basic", basic("ines", "ines-password")) == 200
    assert guess("Bearer", "plm_wrong", ELSEWHERE) == 401


def test_one_password_on_many_names_is_refused_before_it_is_tried(world: World) -> None:
    right = make_token(world.ines, "a script", ["read"], days=1).secret
    most = MOST_GUESSES_OF_ADDRESS
    said = [guess("Basic", basic(f"name{number}", "summer")) for number in range(most)]
    elapse(-60)  # else the time that so many took would count
    assert (said, guess("Basic", basic("name", "summer"))) == ([401] * most, 429)
    assert guess("Basic", basic("ines", "ines-password")) == 429, "nor is the right one tried"
    assert guess("Basic", basic("ines", "ines-password"), ELSEWHERE) == 200
    assert guess("Bearer", right) == 200


def test_a_few_mistakes_of_colleagues_keep_nobody_out(world: World) -> None:
    for name in ("carlo", "sten", "rea"):
        said = [guess("Basic", basic(name, "forgotten")) for _ in range(MOST_GUESSES + 1)]
        assert said == [*[401] * MOST_GUESSES, 429]
    right = basic("ines", "ines-password")
    assert {guess("Basic", right) for _ in range(MOST_GUESSES_OF_ADDRESS)} == {200}


def test_a_token_ends_on_its_day(world: World) -> None:
    client = with_token(world.ines, "read")
    assert client.get(TOKENS).status_code == 200
    ApiToken.objects.update(expiry=timezone.now())
    answer = client.get(TOKENS)
    assert (answer.status_code, "ended on" in answer.json()["detail"]) == (401, True)
    assert ApiToken.objects.exists(), "its owner still sees that there was one"


def test_the_token_of_a_closed_account_is_dead(world: World) -> None:
    client = with_token(world.ines, "read")
    User.objects.filter(pk=world.ines.pk).update(is_active=False)
    answer = client.get("/api/v1/datasets/")
    assert (answer.status_code, "closed" in answer.json()["detail"]) == (401, True)


def test_a_revoked_token_is_refused_from_then_on(machine_of: MachineOf, world: World) -> None:
    client = with_token(world.ines, "read")
    (listed,) = client.get(TOKENS).json()["results"]
    assert machine_of("carlo").delete(listed["url"]).status_code == 404
    assert machine_of("ines").delete(listed["url"]).status_code == 204
    assert client.get("/api/v1/datasets/").status_code == 401
    assert machine_of("ines").delete(listed["url"]).status_code == 404
    assert machine_of("ines").delete(f"{TOKENS}nonsense/").status_code == 404


def test_the_last_use_is_noted_to_the_minute(
    world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    client = with_token(world.ines, "read")
    address = "/api/v1/recipes/"
    first = count_queries(lambda: client.get(address))
    noted = ApiToken.objects.get().last_used_at
    assert noted is not None
    again = count_queries(lambda: client.get(address))
    assert again == first - 1, "the second call within the minute writes nothing"
    ApiToken.objects.update(last_used_at=noted - timedelta(seconds=61))
    assert count_queries(lambda: client.get(address)) == first
    assert ApiToken.objects.get().last_used_at > noted - timedelta(seconds=1)


def send(client: APIClient, method: str, address: str, body: dict[str, Any]) -> Any:
    return getattr(client, method)(address, body, format="json" if method != "get" else None)


def test_each_act_needs_its_scope(world: World) -> None:
    a_scan(world)
    run, dataset = a_run(world), a_dataset(world)
    world.instrument.staff.add(world.ines)
    acts = {
        f"get /api/v1/datasets/{dataset.pid}/": (Scope.READ, {}),
        f"get /api/v1/files/{dataset.files.get().uuid}/content/": (Scope.READ, {}),
        f"get /api/v1/datasets/{dataset.pid}/zip/": (Scope.READ, {}),
        "get /api/v1/recipes/": (Scope.READ, {}),
        "get /api/v1/tokens/": (Scope.READ, {}),
        "post /api/v1/datasets/": (
            Scope.INGEST,
            {"store": "raw", "path": "ceria/scan_0001.h5"},
        ),
        f"post /api/v1/processing-runs/{run.uuid}/cancel/": (Scope.PROCESS, {}),
    }
    for act, (needed, body) in acts.items():
        method, address = act.split()
        others = [scope for scope in Scope if scope != needed]
        refused = send(with_token(world.ines, *others), method, address, body)
        assert refused.status_code == 403, act
        assert refused.json()["type"] == "/problems/#scope"
        assert refused.json()["scope"] == needed
        assert set(refused.json()["held"]) == set(others)
    for act, (needed, body) in acts.items():
        method, address = act.split()
        granted = send(with_token(world.ines, needed), method, address, body)
        assert granted.status_code < 300, act
        b"".join(getattr(granted, "streaming_content", ()))


def test_a_scope_gives_no_more_than_its_owner_may(world: World) -> None:
    a_scan(world)
    body = {"store": "raw", "path": "ceria/scan_0001.h5"}
    answer = with_token(world.sten, *Scope).post("/api/v1/datasets/", body, format="json")
    assert answer.json()["type"] == "/problems/#not-permitted"


def test_to_a_token_without_read_all_addresses_look_alike(world: World) -> None:
    dataset = a_dataset(world)
    client = with_token(world.sten, "ingest")
    hidden = client.get(f"/api/v1/datasets/{dataset.pid}/")
    absent = client.get("/api/v1/datasets/00000000-0000-4000-8000-000000000000/")
    assert hidden.content == absent.content


def test_a_method_without_a_scope_is_closed_to_tokens(world: World, rf: Any) -> None:
    class Change(Resource):
        def post(self, _: Any) -> Any:
            raise AssertionError("it was let in")

    secret = make_token(world.dana, "all", list(Scope), 1).secret
    answer = Change.as_view()(rf.post("/", headers={"Authorization": f"Bearer {secret}"}))
    assert (answer.status_code, answer.data["scope"]) == (403, "")
    assert "No token may do this" in answer.data["detail"]


def test_by_default_no_token_makes_a_token(world: World) -> None:
    wish = {"name": "child", "scopes": ["read"], "days": 1}
    answer = with_token(world.ines, *Scope).post(TOKENS, wish, format="json")
    assert answer.status_code == 403
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("scopes", "days", "status"),
    [(["read"], 1, 201), (["read", "ingest"], 1, 403), (["process"], 1, 403), (["read"], 9, 403)],
)
def test_where_tokens_may_make_tokens_none_gets_more_than_its_maker(
    world: World, settings: Settings, scopes: list[str], days: int, status: int
) -> None:
    settings.PALIMPSEST_TOKENS_MAKE_TOKENS = True
    secret = make_token(world.ines, "parent", ["read", "archive"], days=2).secret
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")
    wish = {"name": "child", "scopes": scopes, "days": days}
    assert client.post(TOKENS, wish, format="json").status_code == status


def test_a_token_may_take_back_itself_and_no_other(world: World) -> None:
    client = with_token(world.ines, "ingest")
    own = ApiToken.objects.get()
    other = make_token(world.ines, "other", ["read"], 1).token
    assert client.delete(f"{TOKENS}{other.uuid}/").status_code == 403
    assert client.delete(f"{TOKENS}{own.uuid}/").status_code == 204
    assert list(ApiToken.objects.all()) == [other]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"scopes": []}, 400, "scopes"),
        ({"scopes": ["write"]}, 400, "scopes"),
        ({"scopes": "read"}, 400, "scopes"),
        ({"name": ""}, 400, "name"),
        ({"name": "n" * 101}, 400, "name"),
        ({"days": 0}, 400, "days"),
        ({"days": 366}, 422, "days"),
        ({"user": "dana"}, 400, "user"),
        ({"expiry": None}, 400, "expiry"),
    ],
)
def test_a_wish_with_faults_makes_nothing(
    machine_of: MachineOf, change: dict[str, Any], status: int, field: str
) -> None:
    wish = {"name": "script", "scopes": ["read"], "days": 30} | change
    answer = machine_of("ines").post(TOKENS, wish, format="json")
    assert answer.status_code == status
    faults = [fault["pointer"] for fault in answer.json().get("errors", ())]
    assert answer.json().get("field") == field or any(f.startswith(f"#/{field}") for f in faults)
    assert not ApiToken.objects.exists()


def test_nobody_has_tokens_without_end(machine_of: MachineOf, world: World) -> None:
    wish = {"name": "script", "scopes": ["read"]}
    client = machine_of("ines")
    for _ in range(MOST):
        make_token(world.ines, "script", ["read"], 1)
    answer = client.post(TOKENS, wish, format="json")
    assert (answer.status_code, answer.json()["field"]) == (422, "name")
    assert ApiToken.objects.count() == MOST


def test_who_is_not_signed_in_has_no_tokens(machine_of: MachineOf) -> None:
    client = machine_of(None)
    assert client.get(TOKENS).status_code == 401
    assert client.post(TOKENS, {"name": "x", "scopes": ["read"]}, format="json").status_code == 401


def test_the_audit_log_knows_of_a_token_but_not_the_token(
    machine_of: MachineOf, world: World
) -> None:
    client = machine_of("ines")
    made = client.post(TOKENS, {"name": "script", "scopes": ["read"]}, format="json").json()
    client.delete(made["url"])
    revoked, born = AuditEvent.objects.filter(subject=made["uuid"])
    assert (born.act, revoked.act) == ("token.made", "token.revoked")
    assert (born.person, born.new["scopes"]) == (world.ines, ["read"])
    row = str(list(AuditEvent.objects.values()))
    assert made["token"] not in row
    assert hash_token(made["token"]) not in row


def secret_on(page: Any) -> str:
    found = SECRET.search(page.content.decode())
    assert found
    return found[0]


def test_a_page_makes_a_token_without_javascript_and_shows_it_once(
    client_of: ClientOf, world: World
) -> None:
    browser = client_of("ines")
    wish = {"name": "notebook", "scopes": ["read"], "days": "90"}
    page = browser.post("/me/tokens/", wish)
    secret = secret_on(page)
    assert page.status_code == 201
    assert re.search(rf'value="{secret}"\s+readonly', page.content.decode())
    assert "no-store" in page["Cache-Control"]
    again = browser.get("/me/tokens/").content.decode()
    assert secret not in again
    assert secret[:15] in again
    assert "notebook" in again
    assert secret not in str(dict(browser.session))
    machine = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert machine.get("/api/v1/datasets/").status_code == 200
    row = ApiToken.objects.get()
    after = browser.post(f"/me/tokens/{row.uuid}/revoke/", follow=True)
    assert "is refused from now on" in after.content.decode()
    assert machine.get("/api/v1/datasets/").status_code == 401


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"scopes": []}, {"scopes": ["write"]}, {"days": "36500"}]
)
def test_a_page_explains_what_is_wrong_with_a_wish(
    client_of: ClientOf, change: dict[str, Any]
) -> None:
    wish = {"name": "notebook", "scopes": ["read"], "days": "90"} | change
    page = client_of("ines").post("/me/tokens/", wish)
    assert page.status_code == 422
    assert "errorlist" in page.content.decode()
    assert not ApiToken.objects.exists()


def test_the_page_of_tokens_is_ones_own(client_of: ClientOf, world: World) -> None:
    token = make_token(world.ines, "hers alone", ["read"], 1).token
    assert client_of(None).get("/me/tokens/")["Location"].startswith("/sign-in/")
    assert client_of(None).post("/me/tokens/", {})["Location"].startswith("/sign-in/")
    other = client_of("carlo")
    assert "hers alone" not in other.get("/me/tokens/").content.decode()
    assert other.post(f"/me/tokens/{token.uuid}/revoke/").status_code == 404
    assert ApiToken.objects.exists()


def test_no_log_line_holds_a_token(
    machine_of: MachineOf, client_of: ClientOf, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = client_of("ines").post(
        "/me/tokens/", {"name": "notebook", "scopes": ["read"], "days": "90"}
    )
    made = machine_of("ines").post(TOKENS, {"name": "x", "scopes": ["read"]}, format="json")
    for secret in (secret_on(page), made.json()["token"]):
        APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}").get("/api/v1/datasets/")
        # What stands in statements that Django logs in debug is the digest.
        assert secret not in caplog.text
