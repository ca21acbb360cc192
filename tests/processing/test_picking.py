"""Which constant a scan gets: a fast choice against a plain one, and the cases with names."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.products.picking import Asking, Binding, Candidate, Shelf, Within

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEV = 0.01  # two reads of one monochromator differ by less

Pick = Literal["closest_before", "closest", "valid_at"]


def a_constant(pk: int, hours: float = -1, **told: Any) -> Candidate:
    """A geometry of instrument 1 that holds from so many hours after noon."""
    fields: dict[str, Any] = {
        "pid": f"pid-{pk}",
        "digest": f"{pk:064x}",
        "title": f"Constant {pk}",
        "instrument": 1,
        "valid_from": NOON + timedelta(hours=hours),
        "known_since": NOON,
    }
    return Candidate(pk=pk, **(fields | told))


def a_scan(hours: float = 0, **told: Any) -> Asking:
    fields: dict[str, Any] = {"start_time": NOON + timedelta(hours=hours), "instrument": 1}
    return Asking(**(fields | told))


def a_rule(pick: Pick = "closest_before", **told: Any) -> Binding:
    return Binding(source="calibration", content="poni", pick=pick, **told)


def picked(rule: Binding, constants: Sequence[Candidate], scan: Asking | None = None) -> int | None:
    found = Shelf(rule, constants).pick(scan or a_scan())
    return found.pk if found else None


# The oracle: every constant is looked at, the sentence of the rule is applied word by word.


def fits(rule: Binding, one: Candidate, scan: Asking, at: datetime) -> bool:
    age = timedelta.max if rule.max_age_s is None else timedelta(seconds=rule.max_age_s)
    begins, ends = one.valid_from, one.valid_to
    is_valid = begins <= at and (ends is None or at < ends)
    return (
        one.instrument == scan.instrument
        and one.origins <= scan.origins
        and abs(begins - at) <= age
        and (is_valid or rule.pick == "closest")
        and all(
            is_same(how, scan.values[name], one.values.get(name))
            for name, how in rule.match.items()
        )
    )


def is_same(how: Any, ours: Any, theirs: Any) -> bool:
    if how == "equal":
        return str(ours).casefold() == str(theirs).casefold()
    return theirs is not None and abs(ours - theirs) <= how.within


def pick_plainly(rule: Binding, constants: Sequence[Candidate], scan: Asking) -> int | None:
    at = scan.start_time
    if at is None or any(name not in scan.values for name in rule.match):
        return None
    found = [one for one in constants if fits(rule, one, scan, at)]

    def rank(one: Candidate) -> tuple[timedelta, bool, datetime, int]:
        # The nearest; of two equally far the earlier; of equal times the latest known.
        away = abs(one.valid_from - at)
        return (-away, one.valid_from <= at, one.known_since, one.pk)

    return max(found, key=rank).pk if found else None


hours = st.integers(-4, 4)
energies = st.sampled_from([12.4, 12.405, 12.5])
detectors = st.sampled_from(["Eiger4M", "eiger4m", "Pilatus1M"])
origins = st.frozensets(st.sampled_from([7, 8, -1]), max_size=2)


@st.composite
def constants(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for pk in range(1, draw(st.integers(1, 8))):
        begins = draw(hours)
        lasts = draw(st.none() | st.integers(1, 4))
        values: dict[str, Any] = {}
        if draw(st.booleans()):
            values["energy_kev"] = draw(energies)
        if draw(st.booleans()):
            values["detector"] = draw(detectors)
        found.append(
            a_constant(
                pk,
                begins,
                valid_to=None if lasts is None else NOON + timedelta(hours=begins + lasts),
                known_since=NOON + timedelta(hours=draw(st.integers(0, 1))),
                instrument=draw(st.sampled_from([1, 1, 1, 2, None])),
                origins=draw(origins),
                values=values,
            )
        )
    return found


rules = st.builds(
    a_rule,
    st.sampled_from(["closest_before", "closest", "valid_at"]),
    max_age_s=st.none() | st.sampled_from([0.0, 3600.0, 7200.0]),
    match=st.fixed_dictionaries(
        {},
        optional={"detector": st.just("equal"), "energy_kev": st.just(Within(within=KEV))},
    ),
)
scans = st.builds(
    a_scan,
    hours,
    instrument=st.sampled_from([1, 1, 2, None]),
    origins=origins,
    values=st.fixed_dictionaries({}, optional={"energy_kev": energies, "detector": detectors}),
)


@given(rule=rules, shelf=constants(), scan=scans)
def test_the_fast_choice_is_the_plain_one(
    rule: Binding, shelf: list[Candidate], scan: Asking
) -> None:
    assert picked(rule, shelf, scan) == pick_plainly(rule, shelf, scan)


@given(rule=rules, shelf=constants(), scan=scans, order=st.randoms())
def test_the_choice_does_not_depend_on_the_order_in_which_constants_are_read(
    rule: Binding, shelf: list[Candidate], scan: Asking, order: Any
) -> None:
    mixed = shelf[:]
    order.shuffle(mixed)
    assert picked(rule, shelf, scan) == picked(rule, mixed, scan)


# Cases with names


@pytest.mark.parametrize(
    ("pick", "expected"),
    [("closest_before", 2), ("valid_at", 2), ("closest", 3)],
)
def test_the_latest_before_the_scan_or_the_nearest_on_either_side(
    pick: Pick, expected: int
) -> None:
    shelf = [a_constant(1, -5), a_constant(2, -2), a_constant(3, 1)]
    assert picked(a_rule(pick), shelf) == expected


def test_a_constant_holds_from_its_first_instant_on() -> None:
    assert picked(a_rule(), [a_constant(1, 0)]) == 1


def test_a_constant_ends_with_its_last_instant() -> None:
    assert picked(a_rule(), [a_constant(1, -1, valid_to=NOON)]) is None


def test_where_the_newest_is_over_the_one_before_it_still_holds() -> None:
    over = a_constant(2, -1, valid_to=NOON - timedelta(minutes=30))
    assert picked(a_rule("valid_at"), [a_constant(1, -3), over]) == 1


def test_what_is_too_old_is_not_taken_and_the_age_itself_is_not_too_old() -> None:
    week = 7 * 86400.0
    rule = a_rule(max_age_s=week)
    assert picked(rule, [a_constant(1, -7 * 24)]) == 1
    assert picked(rule, [a_constant(1, -7 * 24 - 1)]) is None


@pytest.mark.parametrize("pick", ["closest_before", "closest", "valid_at"])
def test_of_equal_times_the_latest_known_counts_and_then_the_key(pick: Pick) -> None:
    corrected = a_constant(1, -1, known_since=NOON + timedelta(days=1))
    shelf = [corrected, a_constant(2, -1), a_constant(3, -1)]
    assert picked(a_rule(pick), shelf) == 1
    assert picked(a_rule(pick), shelf[1:]) == 3


def test_after_the_scan_too_the_corrected_constant_counts() -> None:
    corrected = a_constant(2, 1, known_since=NOON + timedelta(days=1))
    assert picked(a_rule("closest"), [a_constant(1, 1), corrected]) == 2


def test_of_two_equally_far_the_earlier_is_taken() -> None:
    assert picked(a_rule("closest"), [a_constant(1, -1), a_constant(2, 1)]) == 1


def test_energies_are_equal_within_what_the_rule_says_and_never_exactly() -> None:
    rule = a_rule(match={"energy_kev": Within(within=KEV)})
    scan = a_scan(values={"energy_kev": 12.4})
    near = a_constant(1, -3, values={"energy_kev": 12.4 + KEV / 2})
    far = a_constant(2, -1, values={"energy_kev": 12.4 + 2 * KEV})
    assert picked(rule, [near, far], scan) == 1


def test_detectors_are_the_same_however_they_are_spelt() -> None:
    rule = a_rule(match={"detector": "equal"})
    shelf = [a_constant(1, values={"detector": " Pilatus1M"})]
    assert picked(rule, shelf, a_scan(values={"detector": "pilatus1m"})) == 1
    assert picked(rule, shelf, a_scan(values={"detector": "Eiger4M"})) is None


def test_a_text_is_near_no_number() -> None:
    rule = a_rule(match={"energy_kev": Within(within=KEV)})
    shelf = [a_constant(1, values={"energy_kev": "12.4 keV"})]
    assert picked(rule, shelf, a_scan(values={"energy_kev": 12.4})) is None


def test_a_scan_without_time_or_without_what_is_compared_gets_nothing() -> None:
    rule = a_rule(match={"detector": "equal"})
    shelf = [a_constant(1, values={"detector": "Eiger4M"})]
    assert picked(rule, shelf, a_scan(start_time=None, values={"detector": "Eiger4M"})) is None
    assert picked(rule, shelf, a_scan()) is None
    assert Shelf(rule, shelf).missing(a_scan()) == ["detector"]


def test_a_constant_of_another_instrument_is_never_taken() -> None:
    assert picked(a_rule(), [a_constant(1, instrument=2), a_constant(2, instrument=None)]) is None


def test_what_is_closed_goes_only_to_subjects_closed_to_the_same_proposals() -> None:
    shelf = [a_constant(1, -2), a_constant(2, -1, origins=frozenset({7}))]
    rule = a_rule()
    assert picked(rule, shelf, a_scan(origins=frozenset({7, 8}))) == 2
    assert picked(rule, shelf, a_scan(origins=frozenset({8}))) == 1
    assert picked(rule, shelf, a_scan()) == 1


def test_a_rule_reads_like_a_sentence() -> None:
    match: dict[str, Any] = {"detector": "equal", "energy_kev": {"within": 0.01}}
    assert str(a_rule(match=match, max_age_s=7 * 86400)) == (
        "the latest poni before it, same detector, energy_kev within 0.01, at most 7 days away"
    )
    assert str(a_rule("closest", max_age_s=12 * 3600)) == (
        "the poni nearest to it in time, at most 12 hours away"
    )
    assert str(a_rule("valid_at")) == "the poni that is valid at its time"
