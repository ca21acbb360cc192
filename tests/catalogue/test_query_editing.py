"""Queries as text: canonical, with a term more or less, while typing, and at random."""

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from catalogue.query import (
    LONGEST,
    Completion,
    Search,
    Term,
    add,
    at_cursor,
    canonical,
    quote,
    remove,
    scan,
    without,
    write_term,
)
from catalogue.words import fold
from tests.catalogue.queries import faultless, read

# Back to text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("tag:a  LEAD -tin pig* White", "lead pig* white -tin tag:a"),
        ('sample:"Blue Glass",x,"5""" sample:"//x"', 'sample:"Blue Glass",x,5","//x"'),
        ("Photon_Energy:9..12 keV", "energy:9..12keV"),
        ("x:9.0e0keV..12000 eV", "x:9keV..12000eV"),
        ("x:1..2 1/nm", "x:1..2 1/nm"),
        ("x:..5K x:7K..", "x<=5K x>=7K"),
        ("x:5..5K", "x:5K"),
        ("date:2024-01..2024-12", "date:2024"),
        ("date:2024-02..2024-02", "date:2024-02"),
        ("date:2024-02-01..2024-03-05", "date:2024-02-01..2024-03-05"),
        ("scan:'a' \"Big Key\":mesh", 'scan:"\'a\'" "big key":mesh'),
        ('serial:"007"', 'serial:"007"'),
        ('"tag":5', '"tag":5'),
        ("kind:new lead", "lead"),
        ("lead* lead lead", "lead lead"),
    ],
)  # fmt: skip
def test_equal_searches_have_one_text(text: str, same: str) -> None:
    assert canonical(read(text)) == same
    assert faultless(same) == read(text)


@pytest.mark.parametrize(
    ("text", "written", "together"),
    [
        ("", "tag:a", "tag:a"),
        ("glass  lea", "tag:a", "glass lea tag:a"),
        ("glass tag:a", "tag:a", "glass tag:a"),
        ('"roman gl', "tag:a", '"roman gl" tag:a'),
        ('tag:"roman gl', "tag:a", 'tag:"roman gl" tag:a'),
        ("„roman gl", "tag:a", "„roman gl“ tag:a"),
    ],
)
def test_a_click_on_a_facet_adds_a_term(text: str, written: str, together: str) -> None:
    assert add(text, written) == together
    assert read(together) == read(f"{canonical(read(text))} {written}")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("glass instrument:id13", "glass"),
        ("instrument:ID13,spb glass", "instrument:spb glass"),
        ("instrument:id13 instrument:spb,id13", "instrument:spb"),
        ("-instrument:id13 id13 tag:id13", "-instrument:id13 id13 tag:id13"),
        ("frames:100 instrument:id13 bar", "bar frames:100"),  # bar is no unit
    ],
)
def test_undoing_a_choice_takes_the_value_out(text: str, left: str) -> None:
    assert remove(text, "instrument", "id13") == left


def test_each_term_is_a_chip_with_the_query_without_it() -> None:
    text = 'glass -"white lead"  energy:9..12 keV kind:new'
    assert [(term.text, without(text, term)) for term in scan(text)] == [
        ("glass", '-"white lead" energy:9..12 keV kind:new'),
        ('-"white lead"', "glass energy:9..12 keV kind:new"),
        ("energy:9..12 keV", 'glass -"white lead" kind:new'),
        ("kind:new", 'glass -"white lead" energy:9..12 keV'),
    ]
    assert all(text[it.start : it.end] == it.text for it in scan(text))


def test_what_a_term_leaves_behind_is_read_as_before() -> None:
    text = "frames:100 lead bar"  # of which bar must not become the unit
    assert without(text, scan(text)[1]) == "bar frames:100"
    text = "glass (roman) <2024 pig*"  # which compares nothing
    assert without(text, scan(text)[1]) == "glass 2024 pig*"


def test_any_value_can_be_written() -> None:
    for value in ("id13", "x-ray  diffraction", '5" wafer', "a,b", "//x", "“x”"):
        (condition,) = faultless(write_term("sample", value, "other")).fields
        assert condition.values == (" ".join(value.split()), "other")
    assert (quote("id13"), quote("a b")) == ("id13", '"a b"')


# While typing; a stroke stands for the cursor


@pytest.mark.parametrize(
    ("typed", "kind", "key", "prefix", "replaced"),
    [
        ("|", "key", "", "", ""),
        ("glass |", "key", "", "", ""),
        ("ener|", "key", "", "ener", "ener"),
        ("glass -ins|", "key", "", "ins", "ins"),
        ("ins|tr:id13 x", "key", "", "ins", "instr:"),
        ("instrument:|", "value", "instrument", "", ""),
        ("instrument:id|13 x", "value", "instrument", "id", "id13"),
        ("instrument:id13,|", "value", "instrument", "", ""),
        ("instrument:id13,sp|", "value", "instrument", "sp", "sp"),
        ('technique:"x-ray d|', "value", "technique", "x-ray d", '"x-ray d'),
        ('panet:"x-ray d|iff" a', "value", "technique", "x-ray d", '"x-ray diff"'),
        ("detector.name:|", "value", "detector.name", "", ""),
        ("Detector.Name:ei|", "value", "detector.name", "ei", "ei"),
        ("temperature<8|", "value", "temperature", "8", "8"),
        ("temperature<80 K|", "value", "temperature", "80 K", "80 K"),
    ],
)
def test_what_is_being_typed_can_be_completed(
    typed: str, kind: str, key: str, prefix: str, replaced: str
) -> None:
    text, position = typed.replace("|", ""), typed.index("|")
    found = at_cursor(text, position)
    assert isinstance(found, Completion)
    assert (found.kind, found.key, found.prefix) == (kind, key, prefix)
    assert text[found.start : found.end] == replaced


def test_a_phrase_is_not_completed_nor_what_lies_outside() -> None:
    for text, position in (('"roman gl', 5), ("glass", 6), ("glass", -1)):
        assert at_cursor(text, position) is None


# Anything at all

_PIECES = some.sampled_from(
    [" ", " ", ":", "<", ">=", "=", "..", ",", '"', '""', "“", "”", "-", "*", "/", "//", ".",
     "\x00", "energy", "wavelength", "temperature", "x", "date", "year", "kind", "raw", "title",
     "sample", "from", "doi", "9", "12", "-5", "1e3", "1e999", "0", "nan", "keV", "Å", "K", "°C",
     "mm", "1/nm", "m^-1", "s⁻¹", "%", "bar", "a.u.", "C", "A", "e", "(", ")", "2024", "-03",
     "today", "last-30-days", "9999", "lead", "é", "ﷺ", "\ud800", "\u2212", "\u0661", "İ", "ß",
     "\x1c", "\xa0"]
)  # fmt: skip
QUERIES = some.one_of(
    some.lists(_PIECES, max_size=25).map("".join),
    some.text(max_size=60),
    some.text(some.characters(), max_size=20).map(lambda it: f"x:5{it}"),
)


@settings(max_examples=600, deadline=None)
@given(QUERIES)
def test_any_text_is_read_and_its_canonical_text_means_the_same(text: str) -> None:
    search = read(text)
    written = canonical(search)
    written.encode()  # holds what UTF-8 can
    again = faultless_but_for_notes(written)
    assert again == search
    assert canonical(again) == written
    for fault in search.faults:
        assert 0 <= fault.start < fault.end <= len(text)
        assert (fault.text + fault.reason).encode()
        assert len(fault.text) <= 80


def faultless_but_for_notes(text: str) -> Search:
    search = read(text)
    assert all(fault.is_mended for fault in search.faults)
    return search


def meanings(terms: Iterable[Term]) -> list[tuple[str, ...]]:
    """List what terms say, in any order; signs without a word say nothing."""
    said = [
        (str(it.negated), it.text) if it.key else (str(it.negated), *fold(it.text).split())
        for it in terms
    ]
    return sorted(it for it in said if len(it) > 1)


@settings(max_examples=300, deadline=None)
@given(QUERIES, some.integers(0, 70))
def test_any_text_can_be_edited_and_completed(text: str, position: int) -> None:
    terms = scan(text)
    assert "".join(text.split()).replace(" ", "") == "".join(
        "".join(text[it.start : it.end].split()) for it in terms
    )
    for term in terms:
        left = [it for it in terms if it is not term]
        assert meanings(scan(without(text, term))) == meanings(left)
    added = scan(add(text, 'tag:"a b"'))
    assert [it.text for it in added] in (
        [*(it.text for it in terms), 'tag:"a b"'],
        [it.text for it in terms],
    )
    remove(text, "sample", "x")
    found = at_cursor(text, position)
    assert found is None or 0 <= found.start <= found.end <= len(text)


@pytest.mark.parametrize(
    "text",
    ["\x00", "\ud800", '"' * 3000, "-" * 3000, "x:" * 1500, "<" * 3000, "." * 3000,
     "x:" + "." * 3000, "x:" + "9" * 3000, "x:5" + "(" * 2000, "x:5" + "m*" * 1000, "ﷺ" * 3000,
     "a b " * 1000, 'x:"' + '""' * 1500, "x:5 " * 700, "x:5m" + "m" * 26, " " * 5000,
     "x:1..2abcdefghijklm " * 80, "x" + " " * 2500 + "<5", "x:-" * 900, "x.-" * 900, "“" * 3000,
     "x:5m^9m^9m^9 " * 100, "'); DROP TABLE x --", "zz & y | !z:* <-> (", "\u202e", "x:5_5__5",
     "a" * 100_000],
    ids=range(28),
)  # fmt: skip
def test_a_hostile_query_is_read_at_once(text: str) -> None:
    read("x:1K")  # the table of units is built once
    begun = time.process_time()
    search = read(text)
    assert time.process_time() - begun < 1
    if len(canonical(search)) <= LONGEST:
        assert faultless_but_for_notes(canonical(search)) == search
    assert sum(len(it.words) for it in (*search.words, *search.excluded)) <= 100
