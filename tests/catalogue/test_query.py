"""One language for box, address and API: what is typed, and what it means."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from catalogue.query import (
    FIELDS,
    Field,
    FieldCondition,
    Search,
    TextCondition,
    Words,
    canonical,
    fields_like,
    find_field,
    parse,
    scan,
    stands_for,
)
from tests.catalogue.queries import faultless, read

ROOT = Path(__file__).resolve().parents[2]


# Words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n ", []),
        ("!? - * \"\" -\"\"", []),
        ("pigment lead", [Words(("pigment",)), Words(("lead",), is_prefix=True)]),
        ("pig* lead", [Words(("pig",), is_prefix=True), Words(("lead",), is_prefix=True)]),
        ('"Lead White"', [Words(("lead", "white"), is_phrase=True)]),
        ('lea "white"', [Words(("lea",), is_prefix=True), Words(("white",), is_phrase=True)]),
        ("“lead white”", [Words(("lead", "white"), is_phrase=True)]),
        ('"lead whi', [Words(("lead", "whi"), is_phrase=True)]),
        ("Émail", [Words(("email",), is_prefix=True)]),
        ("panosc-file1.hdf", [Words(("panosc", "file1", "hdf"), is_prefix=True)]),
        ("lea instrument:id13", [Words(("lea",), is_prefix=True)]),
        ("a->b", [Words(("a", "b"), is_prefix=True)]),
        ("Study: glass", [Words(("study",)), Words(("glass",), is_prefix=True)]),
        ("https://a.b/c", [Words(("https", "a", "b", "c"), is_prefix=True)]),
        ("lead lead", [Words(("lead",)), Words(("lead",), is_prefix=True)]),
    ],
)  # fmt: skip
def test_words_are_folded_and_the_last_may_be_unfinished(text: str, words: list[Words]) -> None:
    assert faultless(text).words == tuple(words)


def test_a_minus_excludes_words_and_phrases() -> None:
    assert faultless('-lead -"white lead" -hg-172 -pig* - tin') == Search(
        words=(Words(("tin",), is_prefix=True),),
        excluded=(
            Words(("lead",)),
            Words(("white", "lead"), is_phrase=True),
            Words(("hg", "172")),
            Words(("pig",), is_prefix=True),
        ),
    )


# Fields


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("instrument:id13", "instrument", ["id13"]),
        ("INSTRUMENT:ID13", "instrument", ["ID13"]),
        ("instrument=id13", "instrument", ["id13"]),
        ("instrument:id13,spb", "instrument", ["id13", "spb"]),
        ("instrument:id13,,spb,", "instrument", ["id13", "spb"]),
        ("instrument:id13 x instrument:spb,id13", "instrument", ["id13", "spb"]),
        ('technique:"x-ray  diffraction"', "technique", ["x-ray diffraction"]),
        ('sample:"a, b","5"" wafer"', "sample", ["a, b", '5" wafer']),
        ("sample:„blue glass“", "sample", ["blue glass"]),
        ('sample:"blue glass', "sample", ["blue glass"]),
        ("sample:5", "sample", ["5"]),
        ("panet:http://purl.org/pan-science/PaNET/PaNET01022", "technique",
         ["http://purl.org/pan-science/PaNET/PaNET01022"]),
        ("kind:RAW", "kind", ["raw"]),
        ("license:MIT", "licence", ["MIT"]),
        ("year:2024,2025", "year", ["2024", "2025"]),
        ("has_product_of:xrd-map", "product", ["xrd-map"]),
        ("doi:https://doi.org/10.1107/S1600577524001234", "publication",
         ["10.1107/S1600577524001234"]),
        ("derived-from:https://a.org/datasets/0B8F3A52-9f0e-4c5e-8a51-5a3c3f1c7d20/", "from",
         ["0b8f3a52-9f0e-4c5e-8a51-5a3c3f1c7d20"]),
    ],
)  # fmt: skip
def test_a_field_has_any_of_its_values(text: str, name: str, values: list[str]) -> None:
    assert faultless(text).fields == (FieldCondition(name, tuple(values)),)


def test_values_that_are_excluded_are_a_condition_of_their_own() -> None:
    assert faultless("-tag:a tag:b -tag:c").fields == (
        FieldCondition("tag", ("a", "c"), negated=True),
        FieldCondition("tag", ("b",)),
    )


# Texts of parameters


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("scan_type:mesh", "scan_type", ["mesh"]),
        ("Scan_Type:mesh,Line", "scan_type", ["mesh", "Line"]),
        ('detector.name:"Eiger 4M"', "detector.name", ["Eiger 4M"]),
        ('serial:"007"', "serial", ["007"]),
        ('"Sample Holder":brass', "sample holder", ["brass"]),
        ('"title":glass', "title", ["glass"]),  # in quotes it is no field
        ("name:nanotube", "name", ["nanotube"]),
        ("path:a..b", "path", ["a..b"]),
        ("t:is:so", "t", ["is:so"]),
    ],
)
def test_other_keys_compare_texts(text: str, key: str, values: list[str]) -> None:
    assert faultless(text) == Search(texts=(TextCondition(key, tuple(values)),))


@pytest.mark.parametrize(
    ("key", "name", "is_meant"),
    [
        ("temperature", "temperature", True),
        ("temperature", "sample.temperature", True),
        ("temperature", "Sample.Temperature.min", True),
        ("temperature.max", "temperature.max", True),
        ("sample.temperature", "temperature", False),
        ("temperature", "sample_temperature", False),
        ("energy", "photon_energy", False),  # which an interval lists
        ("energy", "source.energy", False),
        ("energy", "energy.max", True),
        ("source.energy", "source.energy", True),
    ],
)
def test_a_short_key_stands_for_the_whole_name(key: str, name: str, is_meant: bool) -> None:  # noqa: FBT001 - a column of the table
    assert stands_for(key, name) is is_meant


# Dates


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("date:2024", "2024-01-01", "2025-01-01"),
        ("date:2024-03", "2024-03-01", "2024-04-01"),
        ("date:2024-12", "2024-12-01", "2025-01-01"),
        ("date:2024-3-5", "2024-03-05", "2024-03-06"),
        ("date:2024-01..2024-06", "2024-01-01", "2024-07-01"),
        ("date:2024-02-28..2024-02-29", "2024-02-28", "2024-03-01"),
        ("date:2024..2024", "2024-01-01", "2025-01-01"),
        ("date:2024..", "2024-01-01", None),
        ("date:..2024-02", None, "2024-03-01"),
        ("date>=2024-03-01", "2024-03-01", None),
        ("date > 2024-02", "2024-03-01", None),
        ("date<2024", None, "2024-01-01"),
        ("measured<=2024", None, "2025-01-01"),
        ("date:today", "2026-03-01", "2026-03-02"),
        ("date:last-1-day", "2026-03-01", "2026-03-02"),
        ("date:last-30-days", "2026-01-31", "2026-03-02"),
        ("date:2026-02..today", "2026-02-01", "2026-03-02"),
        ("date<today", None, "2026-03-01"),
        ("year>=2024", "2024-01-01", None),
        ("year:2023..2024", "2023-01-01", "2025-01-01"),
    ],
)
def test_a_date_is_whole_days_months_and_years(
    text: str, start: str | None, end: str | None
) -> None:
    (condition,) = faultless(text).dates
    (span,) = condition.spans
    assert condition.name == "date"
    assert span.start == (start and date.fromisoformat(start))
    assert span.end == (end and date.fromisoformat(end))


def test_dates_of_one_field_are_alternatives_and_a_minus_excludes() -> None:
    search = faultless("date:2020 -registered:2021 date:2022,2024")
    assert [(it.name, len(it.spans), it.negated) for it in search.dates] == [
        ("date", 3, False),
        ("registered", 1, True),
    ]


def test_a_saved_search_moves_on_with_the_calendar() -> None:
    text = canonical(read("registered:last-30-days date>=today"))
    assert text == "registered:last-30-days date>=today"
    (condition, _) = parse(text, today=date(2030, 1, 31)).dates
    assert condition.spans[0].start == date(2030, 1, 2)


# The table of fields, and the page that explains it


def test_names_of_fields_are_one_each() -> None:
    names = [name for field in FIELDS for name in (field.name, *field.aliases)]
    assert len(set(names)) == len(names)
    for name in names:
        field = find_field(name.upper().replace("_", "-"))
        assert field is not None
        assert field in fields_like(name[:2])
    assert find_field("temperature") is None
    assert fields_like("zz") == ()
    assert set(fields_like("")) == set(FIELDS)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: str(field.name))
def test_the_example_of_a_field_speaks_of_it(field: Field) -> None:
    (term,) = scan(field.example)
    assert term.field is field
    assert len(faultless(field.example).conditions) == 1
    for choice in field.choices:
        assert faultless(f"{field.name}:{choice}").fields[0].values == (choice,)


def test_every_example_of_the_documents_works() -> None:
    text = (ROOT / "docs/search.md").read_text()
    blocks = [line for block in text.split("```")[1::2] for line in block.strip().splitlines()]
    rows = re.findall(r"^\| (`.*?`(?:, `.*?`)*) \| .* \| `(.*?)` \|$", text, re.MULTILINE)
    assert len(blocks) > 25
    for line in (*blocks, *(example for _, example in rows)):
        faultless(line)
    named = {name for names, _ in rows for name in re.findall(r"`(.*?)`", names)}
    assert named == {
        name
        for field in FIELDS
        if field.kind != "quantity"
        for name in (field.name, *field.aliases)
    }


def test_the_language_needs_neither_django_nor_hdf5() -> None:
    probe = "import sys, catalogue.query; sys.exit(bool({'django', 'h5py'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=ROOT)
