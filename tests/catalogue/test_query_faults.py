"""What is wrong with a query is told at its place; the rest is searched for."""

import re

import pytest

from catalogue.query import LONGEST
from tests.catalogue.queries import faultless, read

# Faults


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        ("temperature<80Kelvim", "Kelvim is no unit.* Write it as in keV"),
        ("energy:9..12kev", "Did you mean keV"),
        ("energy:9mev", "meV or MeV"),
        ("energy:9", "unit of energy or length is missing"),
        ("energy:9K", "unit of energy or length is missing"),
        ("energy:9keV..1Å", "Write both in one unit"),
        ("energy:", "number is missing.* as in energy:9..12keV"),
        ("energy:high", "high is no number"),
        ("x<nan", "nan is no number"),
        ("x:NaN", "NaN is no number"),
        ("x:-inf", "no number"),
        ("x:1..infK", "no number"),
        ("x:1e999K", "beyond the numbers"),
        ("x:1e308km", "1e.308 km cannot be written in SI base units"),
        ("x:..", None),
        ("wavelength:0..1Å", "larger than zero"),
        ("wavelength>-1Å", "larger than zero"),
        ("wavelength:1e-300Å", "No beam is like that"),
        ("x:1..2..3K", "no number"),
        ("x<1..2K", "takes one number"),
        ("x<mesh", "mesh is no number"),
        ("x:5 mesh,7K", None),
        ("x:4,2K", "Write decimals with a point"),
        ("x:5,mesh", "cannot be mixed"),
        ("x:2024-scan", "put.* text into quotes|Put a text into quotes"),
        ("x:5a.u.", "a.u. is no unit"),
        ("x:5m**99999999", "is no unit"),
        ("x:5m.*", "is no unit"),
        ("x:5keV^0", "is no unit"),
        ("temperature<80C", "C means coulomb. Write °C"),
        ("sample.temperature<80F", "F means farad. Write °F"),
        ("kind:new", "new is no value of kind. Write one of raw, derived"),
        ("year:soon", "Write four digits"),
        ("year>soon", "soon is no date"),
        ("date:soon", "soon is no date. Write 2024"),
        ("date:05.03.2024", "is no date"),
        ("date:2024-13", "not in the calendar"),
        ("date:2023-02-29", "not in the calendar"),
        ("date:9999", "not in the calendar"),
        ("date:0000", "not in the calendar"),
        ("date:0001", "not in the calendar"),
        ("-registered:0999", "not in the calendar"),
        ("date:last-0-days", "is no date"),
        ("date:..", "Write one at least"),
        ("instrument:", "A value is missing.* instrument:id13"),
        ('instrument:""', "A value is missing"),
        ("instrument>5", "cannot be larger or smaller"),
        ("doi:10.1", "no value of publication"),
        ("from:thing", "no value of from"),
        ("sample:a\x00b", "no text can hold"),
        ("sample:\ud800", "no text can hold"),
        ('"a\x00":b', "no text can hold"),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_place_and_the_rest_is_searched_for(
    term: str, reason: str | None
) -> None:
    before = 'glass tag:"a b" '
    search = read(f"{before}{term} kind:raw")
    if reason is None:
        assert search.faults == ()
        return
    (fault,) = search.faults
    assert (fault.start, fault.end) == (len(before), len(before) + len(term))
    assert re.search(reason, fault.reason)
    assert fault.reason.endswith(".")
    assert not fault.is_mended
    assert fault.text.encode()
    assert search == read(f"{before} kind:raw")
    assert [it.name for it in search.fields] == ["tag", "kind"]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("x:12..9K", "x:9..12K"),
        ("x:1m..5mm", "x:5mm..1m"),
        ("energy:12keV..9000eV", "energy:9000eV..12keV"),
        ("date:2024..2023", "date:2023..2024"),
    ],
)
def test_swapped_ends_are_put_right_and_told(text: str, same: str) -> None:
    search = read(text)
    (fault,) = search.faults
    assert fault.is_mended
    assert "swapped" in fault.reason
    assert search == faultless(same)


@pytest.mark.parametrize(
    "text", ["x>10K x<100K", "energy>9keV wavelength>1Å", "date>2020 date<2024", "-x>1K -x<2K"]
)
def test_alternatives_that_leave_nothing_out_are_told(text: str) -> None:
    search = read(text)
    (fault,) = search.faults
    assert fault.is_mended
    assert "write one range" in fault.reason
    assert fault.text == text.split()[1]


@pytest.mark.parametrize(
    "text",
    [
        "x<10K x>100K",
        "x<10K x:1..2K",
        "x>1K x:5..6K",
        "x>1K x<2m",
        "x>1K x>2K",
        "date<2020 date>2024",
        "date<2020 date:2010",
        "date>2005 date:2010",
    ],
)
def test_alternatives_that_leave_something_out_are_fine(text: str) -> None:
    faultless(text)


def test_one_key_cannot_be_a_number_and_a_text() -> None:
    search = read("mode:5 mode:mesh -mode:line")
    (fault,) = search.faults
    assert fault.text == "mode:mesh"
    assert (len(search.ranges), len(search.texts)) == (1, 1)


def test_a_query_that_is_too_long_is_cut_between_terms() -> None:
    text = "glass " * 20 + "tag:" + "x" * LONGEST + " kind:raw"
    search = read(text)
    (fault,) = search.faults
    assert (fault.start, fault.end) == (119, len(text))
    assert "2000 characters" in fault.reason
    assert search.fields == ()


def test_no_word_is_longer_than_the_database_takes() -> None:
    # Each character of the second kind becomes five, of three bytes each.
    for text in ("я" * 5000, "㌀" * 5000, f'"{"я" * 1000}"', f"-{'я' * 1000}"):
        search = read(text)
        (words,) = (*search.words, *search.excluded)
        assert len(words.words[0].encode()) <= 2046
    for name in ("title", "file", "person"):
        (fault,) = read(f"{name}:{'㌀' * 500}").faults
        assert "A word has 500 characters at most" in fault.reason


@pytest.mark.parametrize("text", ["a " * 101, "a-" * 101, "tag:" + "a," * 101, "tag:a " * 101])
def test_a_query_of_too_many_terms_is_cut_and_told(text: str) -> None:
    (fault,) = read(text).faults
    assert "100 words and values" in fault.reason
    assert fault.end == len(text)
