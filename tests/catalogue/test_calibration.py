"""What is said of a calibration constant can be read again."""

from collections.abc import Callable

import pytest
from django.test import Client

from catalogue.models import CalibrationConstant
from tests.builders import World, a_dataset

ClientOf = Callable[[str | None], Client]


@pytest.mark.parametrize(
    ("valid_from", "valid_to"),
    [
        ("0001-01-01T00:00:00+14:00", None),  # ten hours before the calendar, in UTC
        ("2020-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_validity_beyond_the_calendar_is_refused(
    world: World, client_of: ClientOf, valid_from: str, valid_to: str | None
) -> None:
    address = f"/api/v1/datasets/{a_dataset(world, content='poni').pid}/calibration/"
    before = list(CalibrationConstant.objects.values())
    said = {"kind": "poni", "valid_from": valid_from, "valid_to": valid_to}
    answer = client_of("carlo").put(address, said, content_type="application/json")
    assert answer.status_code == 400
    assert "1000 to 9000" in answer.json()["detail"]
    assert list(CalibrationConstant.objects.values()) == before
