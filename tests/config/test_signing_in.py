"""The page of local sign-in is no place to try many passwords, or one on many names."""

import pytest
from django.test import Client

from catalogue.rates import MOST_GUESSES, MOST_GUESSES_OF_ADDRESS
from tests.api.test_rates import elapse
from tests.builders import World

HERE, ELSEWHERE = "198.51.100.21", "198.51.100.22"


def sign_in(name: str, password: str, address: str = HERE) -> int:
    form = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/sign-in/", form).status_code


def test_one_password_on_many_names_is_refused_before_it_is_tried(world: World) -> None:
    said = [sign_in(f"name{number}", "summer") for number in range(MOST_GUESSES_OF_ADDRESS)]
    elapse(-60)  # else the time that so many took would count
    assert (said, sign_in("name", "summer")) == ([200] * MOST_GUESSES_OF_ADDRESS, 429)
    assert sign_in("ines", "ines-password") == 429, "nor is the right one tried"
    assert sign_in("ines", "ines-password", ELSEWHERE) == 302


def test_a_few_mistakes_of_colleagues_keep_nobody_from_signing_in(world: World) -> None:
    for name in ("carlo", "sten", "rea"):
        said = [sign_in(name, "forgotten") for _ in range(MOST_GUESSES + 1)]
        assert said == [*[200] * MOST_GUESSES, 429]
    assert sign_in("ines", "ines-password") == 302


def test_who_signs_in_rightly_uses_nothing_up(world: World) -> None:
    said = {sign_in("ines", "ines-password") for _ in range(MOST_GUESSES_OF_ADDRESS + 1)}
    assert said == {302}


@pytest.mark.parametrize("name", ["ines\x00", "\x00", "", "x" * 5000])
def test_a_name_that_nobody_can_have_is_a_wrong_one(world: World, name: str) -> None:
    assert sign_in(name, "summer") == 200
