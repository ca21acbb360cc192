"""facility.toml: applied whole or not at all, twice without effect, faults by line."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalogue.errors import DeclarationError
from catalogue.models import EmbargoPolicy, Facility, IngestRule, Instrument, Store
from processing.declaration import apply, plan, read_declaration, read_text
from processing.models import ProductRule, Recipe

GOOD = """\
schema = 1
[facility]
id = "demo"
name = "Demo light source"
timezone = "Europe/Paris"

[storage]
raw = { kind = "posix", root = "raw", read_only = true }
products = { kind = "posix", root = "products" }
archive = { kind = "posix", root = "archive" }

[instrument.id13]
name = "ID13 micro-XRD"
techniques = ["PaNET01101"]

[ingest.id13]
instrument = "id13"
store = "raw"
watch = "{proposal}/id13/{sample}/{scan}.h5"

[embargo.default]
period = "P3Y"

[product.xrd-map]
recipe = "xrd-map"
for = { kind = "raw", instrument = "id13" }
subject = "scan"
archive = "archive"

[product.xrd-map.inputs.geometry]
content = "poni"

[product.xrd-map.parameters]
bins = 500
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, db: None) -> Write:
    def write(*changes: tuple[str, str]) -> Path:
        text = GOOD
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        file = tmp_path / "facility.toml"
        file.write_text(text)
        return file

    return write


def test_applying_creates_what_is_declared_and_again_nothing(write: Write, tmp_path: Path) -> None:
    file = write()
    assert apply(read_declaration(file))
    assert Facility.objects.get().timezone == "Europe/Paris"
    assert Store.objects.get(slug="raw").root == str(tmp_path / "raw")
    assert EmbargoPolicy.objects.get().months == 36
    rule = ProductRule.objects.get()
    assert rule.parameters["bins"] == 500
    assert rule.parameters["polarization"] == 0.95, "defaults are filled in"
    assert apply(read_declaration(file)) == []


def test_a_plan_says_the_same_and_does_nothing(write: Write) -> None:
    file = write()
    planned = plan(read_declaration(file)).changes
    assert not Facility.objects.exists()
    assert not Recipe.objects.exists()
    assert planned == apply(read_declaration(file))


def test_a_change_names_the_old_and_the_new(write: Write) -> None:
    apply(read_declaration(write()))
    (change,) = apply(read_declaration(write(("ID13 micro-XRD", "ID13 nanobranch"))))
    assert str(change) == "change  instrument id13  (name: ID13 micro-XRD -> ID13 nanobranch)"
    assert Instrument.objects.get().name == "ID13 nanobranch"


def test_what_is_no_longer_declared_is_removed_or_reported(write: Write) -> None:
    apply(read_declaration(write()))
    fewer = write(
        ("[ingest.id13]", "[ingest.other]"),
        ("[instrument.id13]", "[instrument.id22]"),
        ('instrument = "id13"\nstore', 'instrument = "id22"\nstore'),
        ('instrument = "id13" }', 'instrument = "id22" }'),
    )
    lines = [str(change) for change in apply(read_declaration(fewer))]
    assert "remove  ingest id13" in lines
    assert "keep    instrument ID13 micro-XRD  (no longer declared)" in lines
    assert IngestRule.objects.get().slug == "other"
    assert Instrument.objects.count() == 2, "datasets may hang on it"


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "reason"),
    [
        ('id = "demo"', 'id = "demo', 3, "syntax", "Illegal"),
        ("schema = 1", "schema = 2", 1, "schema", "should be 1"),
        ('name = "Demo light source"\n', "", 2, "facility.name", "missing"),
        ("Europe/Paris", "Europe/Atlantis", 5, "facility.timezone", "IANA"),
        ("read_only = true", "readonly = true", 8, "storage.raw.readonly", "no key"),
        ('"posix", root = "raw"', '"tape", root = "raw"', 8, "storage.raw.kind", "posix"),
        ("products = {", "results = {", 7, "storage", "named products"),
        ("PaNET01101", "PaNET99999", 14, "instrument.id13.techniques", "not loaded"),
        ('store = "raw"', 'store = "archive"', 18, "ingest.id13.store", "read_only"),
        ('"{proposal}/id13', '"{2d}/id13', 19, "ingest.id13.watch", "letters"),
        ('store = "raw"', 'store = "tape"', 18, "ingest.id13.store", "not declared"),
        ("P3Y", "3 years", 22, "embargo.default.period", "P3Y or P6M"),
        ('recipe = "xrd-map"', 'recipe = "xrd-mop"', 25, "product.xrd-map.recipe", "installed"),
        ('subject = "scan"', 'subject = "scam"', 27, "product.xrd-map.subject", "no role"),
        ('archive = "archive"\n\n[product', 'archive = "vault"\n\n[product', 28,
         "product.xrd-map.archive", "not declared"),
        ('content = "poni"', 'content = "image"', 30, "product.xrd-map.inputs.geometry", "takes"),
        ("bins = 500", "bins = 5", 34, "product.xrd-map.parameters.bins", "at least 10"),
        ("bins = 500", 'bins = 500\n\n[product.xrd-map.limits]\nbackfill = "PT12H"', 37,
         "product.xrd-map.limits.backfill", "whole days"),
        ('content = "poni"', f'content = "poni"\nmax_age = "PT{9:0>30}0000000000H"', 32,
         "product.xrd-map.inputs.geometry.max_age", "hundred years"),
        ("[product.xrd-map]", '[product."xrd/map"]', 24, "product.xrd/map", "letters"),
        ("bins = 500", "bin = 500", 34, "product.xrd-map.parameters.bin", "no such parameter"),
    ],
)  # fmt: skip
def test_a_fault_is_refused_by_line_and_key_and_nothing_is_stored(
    write: Write, before: str, after: str, line: int, key: str, reason: str
) -> None:
    file = write((before, after))
    with pytest.raises(DeclarationError) as refused:
        apply(read_declaration(file))
    fault = next(fault for fault in refused.value.faults if fault.key == key)
    assert fault.line == line
    assert reason in fault.reason
    assert not Facility.objects.exists()
    assert not Recipe.objects.exists()


def test_a_recipe_that_changed_without_a_new_version_is_refused(write: Write) -> None:
    file = write()
    apply(read_declaration(file))
    Recipe.objects.update(digest="0" * 64)
    with pytest.raises(DeclarationError, match="raise the version"):
        apply(read_declaration(file))


def test_the_commands_print_changes_and_end_with_a_telling_status(write: Write) -> None:
    file, printed = write(), StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("plan", str(file), stdout=printed)
    assert ended.value.code == 2
    assert "create  facility demo" in printed.getvalue()
    call_command("apply", str(file), stdout=printed)
    call_command("plan", str(file), stdout=printed)
    assert printed.getvalue().endswith("Nothing to change: the database agrees with the file.\n")
    with pytest.raises(CommandError, match="nothing has changed:\nline 34"):
        call_command("apply", str(write(("bins = 500", "bins = 5"))))


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "schema = " + "1" * 5_000])
def test_a_text_that_is_too_much_for_its_parser_is_refused_by_line(text: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        read_text(text)
    (fault,) = refused.value.faults
    assert "nests too deeply, or has a number" in fault.reason
