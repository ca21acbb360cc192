"""How often somebody may call, over both doors and all processes."""

import re
import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from pytest_django import Settings

from catalogue import rates
from catalogue.errors import RateLimitError
from catalogue.models import ApiToken
from catalogue.rates import Limit, address_of, spend
from catalogue.tokens import make_token
from tests.api.conftest import MachineOf
from tests.builders import World, a_dataset

LIST = "/api/v1/recipes/"


def elapse(seconds: float) -> None:
    """Let time go by for everybody who has called."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_rate SET due = due - %s", [seconds])


@pytest.fixture(autouse=True)
def nobody_has_called(db: None) -> None:
    """Forget what other tests have left behind that wrote for good: it is no model's table."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalogue_rate")


def left(response: object) -> int:
    found = re.fullmatch(r'"(?:calls|bytes)";r=(\d+);t=\d+', response["RateLimit"])  # type: ignore[index]  # a response
    assert found
    return int(found[1])


def test_a_minute_holds_so_many_calls_and_no_more(
    machine_of: MachineOf, settings: Settings
) -> None:
    settings.PALIMPSEST_RATE_PERSON = 3
    client = machine_of("ines")
    answers = [client.get(LIST) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [left(answer) for answer in answers] == [2, 1, 0, 0]
    refused = answers[-1]
    assert refused["Content-Type"] == "application/problem+json"
    assert refused["RateLimit-Policy"] == '"calls";q=3;w=60'
    # Three calls a minute: the next one is paid off after twenty seconds.
    assert 15 <= int(refused["Retry-After"]) <= 20
    assert refused.json()["retry_after_s"] == int(refused["Retry-After"])
    assert refused.json()["type"] == "/problems/#too-many-calls"
    assert "private" in refused["Cache-Control"]


def test_who_waits_as_told_may_go_on(machine_of: MachineOf, settings: Settings) -> None:
    settings.PALIMPSEST_RATE_PERSON = 3
    client = machine_of("ines")
    for _ in range(3):
        client.get(LIST)
    wait = int(client.get(LIST)["Retry-After"])
    elapse(wait - 2)
    assert client.get(LIST).status_code == 429
    elapse(2)
    assert [client.get(LIST).status_code for _ in range(2)] == [200, 429]
    elapse(3600)
    assert left(client.get(LIST)) == 2, "what was not spent is not saved up"


def test_refused_calls_cost_nothing(machine_of: MachineOf, settings: Settings) -> None:
    settings.PALIMPSEST_RATE_PERSON = 1
    client = machine_of("ines")
    client.get(LIST)
    for _ in range(20):
        assert int(client.get(LIST)["Retry-After"]) <= 60


def test_people_do_not_use_up_each_others_calls(machine_of: MachineOf, settings: Settings) -> None:
    settings.PALIMPSEST_RATE_PERSON = settings.PALIMPSEST_RATE_ANONYMOUS = 1
    for name in ("ines", "carlo", None):
        assert machine_of(name).get(LIST).status_code == 200
        assert machine_of(name).get(LIST).status_code == 429


def test_a_token_that_runs_wild_leaves_the_rest_to_its_owner(
    machine_of: MachineOf, world: World, settings: Settings
) -> None:
    settings.PALIMPSEST_RATE_PERSON, settings.PALIMPSEST_RATE_TOKEN = 5, 2
    secrets = [
        make_token(world.ines, name, [ApiToken.Scope.READ], 1).secret for name in ("one", "two")
    ]
    client = machine_of(None)
    said = [
        client.get(LIST, headers={"Authorization": f"Bearer {secret}"}).status_code
        for secret in (*[secrets[0]] * 9, *[secrets[1]] * 2)
    ]
    assert said == [200, 200, *[429] * 7, 200, 200]
    own = machine_of("ines")
    assert [own.get(LIST).status_code for _ in range(2)] == [200, 429], "all of hers together"


def test_bytes_have_a_limit_of_their_own_for_page_and_rest_together(
    machine_of: MachineOf, client_of: Callable[[str | None], Client], world: World,
    settings: Settings,
) -> None:  # fmt: skip
    settings.PALIMPSEST_RATE_BYTES = 2
    file = a_dataset(world, is_open=True).files.get()
    machine, browser = machine_of("ines"), client_of("ines")
    rest, page = f"/api/v1/files/{file.uuid}/content/", f"/files/{file.uuid}/"
    assert left(machine.head(rest)) == 1
    assert left(browser.head(page)) == 0
    assert machine.head(rest).status_code == 429
    refused = browser.get(page)
    assert (refused.status_code, refused["RateLimit-Policy"]) == (429, '"bytes";q=2;w=60')
    assert int(refused["Retry-After"]) > 0
    assert machine.get(f"/api/v1/files/{file.uuid}/").status_code == 200


def test_a_limit_of_nothing_is_none(machine_of: MachineOf, settings: Settings) -> None:
    settings.PALIMPSEST_RATE_ANONYMOUS = 0
    response = machine_of(None).get(LIST)
    assert (response.status_code, "RateLimit" in response) == (200, False)


def test_wrong_passwords_are_counted_and_refused_before_they_are_tried(
    world: World, machine_of: MachineOf
) -> None:
    client = machine_of(None)
    wrong = {"Authorization": "Basic aW5lczpndWVzcw=="}  # ines:guess
    said = [client.get(LIST, headers=wrong).status_code for _ in range(rates.MOST_GUESSES + 2)]
    assert said == [*[401] * rates.MOST_GUESSES, 429, 429]
    assert machine_of("ines").get(LIST).status_code == 429, "nor is the right one tried"
    assert machine_of("carlo").get(LIST).status_code == 200
    elapse(60)
    assert machine_of("ines").get(LIST).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "named", "expected"),
    [
        (0, "", "198.51.100.7"),
        (0, "203.0.113.1", "198.51.100.7"),  # anybody can write that
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "10.0.0.1, 203.0.113.1", "203.0.113.1"),
        (2, "10.0.0.1, 203.0.113.1, 192.0.2.5", "203.0.113.1"),
        (2, "203.0.113.1", "203.0.113.1"),
        (1, "", "198.51.100.7"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "a name", "a name"),
    ],
)
def test_an_address_is_believed_as_far_as_our_proxies_wrote_it(
    settings: Settings, proxies: int, named: str, expected: str
) -> None:
    settings.PALIMPSEST_PROXIES = proxies
    headers = {"X-Forwarded-For": named} if named else {}
    request = RequestFactory(REMOTE_ADDR="198.51.100.7").get("/", headers=headers)
    assert address_of(request) == expected


def test_callers_who_owe_nothing_are_forgotten(world: World) -> None:
    spend("calls", [Limit("address a", 1)])
    elapse(120)
    spend("calls", [Limit("address b", 1)])
    assert rates.forget_idle() == 1
    with pytest.raises(RateLimitError):
        spend("calls", [Limit("address b", 1)])


def test_counting_takes_one_statement(
    world: World, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    limits = [Limit("person a", 10), Limit("token b", 5)]
    assert count_queries(lambda: spend("calls", limits)) == 1


@pytest.mark.django_db(transaction=True)
def test_calls_at_the_same_time_are_all_counted() -> None:
    calls, threads = 25, 4

    def call() -> None:
        for _ in range(calls):
            spend("calls", [Limit("person c", 1000), Limit("token c", 1000)])
        connection.close()

    workers = [threading.Thread(target=call) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    allowance = spend("calls", [Limit("person c", 1000)])
    assert allowance is not None
    # While they called, a few were paid off: sixteen a second.
    assert 1000 - allowance.left >= calls * threads - 80
    assert 1000 - allowance.left <= calls * threads + 1


def test_the_table_may_be_lost_in_a_crash(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'catalogue_rate'")
        assert cursor.fetchone() == ("u",)
