"""The whole facility.toml: planned, priced, applied, explained, written back."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.errors import DeclarationError
from catalogue.models import Dataset
from processing.declaration import apply, plan, read_declaration, read_text, render
from processing.declaration.applying import apply_rules
from processing.declaration.rendering import render_rules
from processing.errors import TooMuchChangeError
from processing.models import Configuration, ProcessingRun, Product, ProductRule, Recipe
from processing.products.explaining import explain, find_product
from processing.products.keeping import keep_all
from processing.recipes.manifest import Manifest
from tests.builders import World
from tests.processing.keeping import a_constant, a_scan, conditions, finish_all, keep_true

HEAD = """\
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
staff = ["ivo"]

[embargo.default]
period = "P3Y"

"""
RULE = """\
[product.xrd-map]
recipe = "xrd-map"
for = { kind = "raw", instrument = "id13" }
subject = "scan"

[product.xrd-map.inputs.geometry]
kind = "calibration"
type = "poni"
match = { detector = "equal" }

[product.xrd-map.parameters]
bins = 500
"""
FIRST = HEAD.count("\n") + 1  # the line of [product.xrd-map]

Write = Callable[..., Path]


@pytest.fixture
def write(world: World) -> Write:
    """Write a facility.toml beside the stores of the world, with changes."""

    def write(*changes: tuple[str, str], more: str = "") -> Path:
        text = HEAD + RULE + more
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        file = world.folder / "facility.toml"
        file.write_text(text)
        return file

    return write


def declared(write: Write, *changes: tuple[str, str], more: str = "", yes: bool = False) -> None:
    apply(read_declaration(write(*changes, more=more)), is_confirmed=yes)


def run(command: str, *words: Any) -> tuple[int, str]:
    """Status and words of a command, as a shell sees them."""
    printed = StringIO()
    try:
        call_command(command, *map(str, words), stdout=printed)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as ended:
        return int(ended.code or 0), printed.getvalue()
    return 0, printed.getvalue()


def install_newer(version: str = "9.1.0") -> Recipe:
    """Have a newer version of xrd-map registered, as an installation would."""
    newest = Recipe.objects.filter(name="xrd-map").latest("id")
    manifest = Manifest.model_validate_json(newest.manifest).model_copy(update={"version": version})
    return Recipe.objects.create(
        name="xrd-map",
        version=version,
        title=manifest.title,
        manifest=manifest.model_dump_json(),
        digest=manifest.digest,
    )


def some_scans(world: World, count: int = 3) -> None:
    a_constant(world, 0)
    for hour in range(1, count + 1):
        a_scan(world, hour)


# Revisions


def test_a_revision_never_changes(write: Write) -> None:
    declared(write)
    revision = Configuration.objects.get()
    changes: list[dict[str, Any]] = [{"text": "schema = 1"}, {"number": 7}, {"changes": []}]
    for values in changes:
        with pytest.raises(DatabaseError, match="apply a new one"), transaction.atomic():
            Configuration.objects.filter(pk=revision.pk).update(**values)
    assert Configuration.objects.get().text == HEAD + RULE


def test_a_file_that_returns_to_an_old_text_is_a_new_revision_and_its_products_are_known(
    write: Write, world: World
) -> None:
    declared(write)
    some_scans(world)
    keep_true(world)
    first = dict(Product.objects.values_list("subject", "processing_run"))
    declared(write, ("bins = 500", "bins = 800"))
    keep_true(world)
    assert ProcessingRun.objects.count() == 6
    declared(write)
    assert [one.number for one in Configuration.objects.all()] == [3, 2, 1]
    assert Configuration.objects.values("digest").order_by().distinct().count() == 2
    kept = keep_all()
    assert (kept.submitted, kept.reused) == (0, 3)
    assert dict(Product.objects.values_list("subject", "processing_run")) == first
    assert ProcessingRun.objects.count() == 6


def test_each_run_names_the_revision_under_which_it_was_asked_for(
    write: Write, world: World
) -> None:
    declared(write)
    some_scans(world, 1)
    keep_true(world)
    declared(write, ("bins = 500", "bins = 800"))
    keep_true(world)
    runs = ProcessingRun.objects.order_by("pk")
    assert list(runs.values_list("configuration__number", flat=True)) == [1, 2]
    digests = Configuration.objects.order_by("number").values_list("digest", flat=True)
    assert list(runs.values_list("activity__configuration", flat=True)) == list(digests)


def test_a_revision_freezes_versions_and_says_what_it_changed(write: Write) -> None:
    declared(write)
    version = Recipe.objects.get(name="xrd-map").version
    declared(write, ("bins = 500", "bins = 800"))
    revision = Configuration.objects.get(number=2)
    assert revision.recipes["frozen"]["xrd-map"]["recipe"] == f"xrd-map@{version}"
    assert len(revision.recipes["frozen"]["xrd-map"]["environment"]) == 64
    assert revision.changes == ["change product xrd-map (parameters.bins: 500 -> 800)"]


# Plans, guards and prices


def test_an_upgrade_makes_a_plan_and_never_work_by_itself(write: Write, world: World) -> None:
    declared(write)
    some_scans(world)
    keep_true(world)
    old = ProductRule.objects.get().recipe
    install_newer()
    assert keep_all().submitted == 0
    assert set(conditions(ProductRule.objects.get()).values()) == {"fresh"}
    planned = plan(read_declaration(write()))
    assert planned.recipes == [f"{old} -> xrd-map@9.1.0 for [product.xrd-map]"]
    assert (planned.rules[0].to_compute, planned.rules[0].conditions["stale"]) == (3, 3)
    assert planned.rules[0].reasons == {("recipe",): 3}
    assert keep_all().submitted == 0, "a plan starts nothing"
    declared(write)
    assert keep_all().submitted == 3


def test_a_pinned_version_stays_whatever_is_installed(write: Write, world: World) -> None:
    declared(write)
    version = ProductRule.objects.get().recipe.version
    install_newer()
    declared(write, ('recipe = "xrd-map"', f'recipe = "xrd-map@{version}"'))
    assert ProductRule.objects.get().recipe.version == version


def test_more_change_than_the_file_allows_itself_needs_a_yes(write: Write, world: World) -> None:
    few = "[steward]\nmax_change = 2\n"
    declared(write, more=few)
    some_scans(world)
    keep_true(world)
    file = write(("bins = 500", "bins = 800"), more=few)
    planned = plan(read_declaration(file))
    assert planned.needs_yes
    assert planned.guards == ["max_change 2 is exceeded by 3 products: apply needs --yes"]
    with pytest.raises(TooMuchChangeError) as refused:
        apply(read_declaration(file))
    assert (refused.value.changed, refused.value.most) == (3, 2)
    assert Configuration.objects.count() == 1
    assert ProductRule.objects.get().parameters["bins"] == 500, "nothing is stored"
    status, words = run("apply", file)
    assert status == 1
    assert "max_change is 2" in words
    assert run("apply", file, "--yes")[0] == 0
    assert ProductRule.objects.get().parameters["bins"] == 800


def test_new_data_are_no_change_of_the_declaration(write: Write, world: World) -> None:
    few = "[steward]\nmax_change = 2\n"
    declared(write, more=few)
    some_scans(world, 5)
    keep_all()  # asked for, since data flow by themselves
    apply(read_declaration(write(("ID13 micro-XRD", "ID13 nanobranch"), more=few)))
    assert Configuration.objects.count() == 2


def test_the_status_of_a_plan_tells_a_script_what_to_do(write: Write, world: World) -> None:
    assert run("plan", write())[0] == 2
    assert run("apply", write())[0] == 0
    assert run("plan", write())[0] == 0
    assert run("plan", write(("bins = 500", "bins = 5")))[0] == 1
    assert run("plan", world.folder / "no.toml")[0] == 1


def test_a_plan_as_json_holds_all_that_the_words_say(write: Write, world: World) -> None:
    declared(write)
    some_scans(world)
    keep_true(world)
    status, printed = run("plan", write(("bins = 500", "bins = 800")), "--json")
    assert status == 2
    found = json.loads(printed)
    assert found["in_step"] is False
    assert found["changes"][-1] == {
        "action": "change", "what": "product xrd-map",
        "detail": "parameters.bins: 500 -> 800",
    }  # fmt: skip
    (rule,) = found["products"]
    assert (rule["matching"], rule["conditions"], rule["stale"]) == (
        3, {"stale": 3}, {"parameters": 3},
    )  # fmt: skip
    assert (rule["to_compute"], rule["reused"]) == (3, 0)
    assert rule["price"]["source"] == "history, median of 3"
    status, printed = run("plan", write(), "--json")
    assert (status, json.loads(printed)["in_step"]) == (0, True)


def test_a_plan_reads_like_sentences(write: Write, world: World) -> None:
    declared(write)
    some_scans(world)
    assert keep_all().submitted == 3
    finish_all(cpu_s=36_000.0)  # ten core-hours each
    words = run("plan", write(("bins = 500", "bins = 800")))[1]
    assert "product xrd-map: 3 datasets match" in words
    assert "3 stale: the rule's parameters have changed" in words
    assert "3 to compute, 0 known already and reused" in words
    assert "price 30 core-hours (history, median of 3; 9 in 10 below 30)" in words


def test_without_history_the_price_is_an_upper_bound_and_says_so(
    write: Write, world: World
) -> None:
    some_scans(world)
    words = run("plan", write())[1]
    assert "3 absent" in words
    assert "(upper bound, cores times walltime: there is no history;" in words


def test_a_budget_says_over_how_long_it_spreads_the_work(write: Write, world: World) -> None:
    some_scans(world, 5)
    limits = "[product.xrd-map.limits]\nper_hour = 1\n"
    planned = plan(read_declaration(write(more=limits)))
    assert planned.guards[0] == "xrd-map: per_hour 1 spreads this over 5.0 hours"


def test_a_rule_that_matches_nothing_is_warned_of_and_no_fault(write: Write) -> None:
    words = run("plan", write())[1]
    assert "product xrd-map: 0 datasets match" in words
    assert "check the rule's [for], or wait for data" in words


# Lint


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "reason"),
    [
        ("subject =", "subjekt =", 3, "product.xrd-map.subjekt", "is no key"),
        ('"xrd-map"\nfor', '"xrd-mop"\nfor', 1, "product.xrd-map.recipe", "is not installed"),
        ('"xrd-map"\nfor', '"xrd-map@99"\nfor', 1, "product.xrd-map.recipe", "is not installed"),
        ("inputs.geometry]", "inputs.geometri]", 5, "product.xrd-map.inputs.geometri",
         "there is no such role"),
        ("bins = 500", "bins = 5", 11, "product.xrd-map.parameters.bins", "at least 10"),
        ("bins = 500", 'bins = "many"', 11, "product.xrd-map.parameters.bins", "of type integer"),
        ('instrument = "id13" }', 'instrument = "id31" }', 2, "product.xrd-map.for",
         "not declared"),
        ('type = "poni"\n', "", 5, "product.xrd-map.inputs.geometry", "says what it takes"),
        ('"equal"', '"similar"', 8, "product.xrd-map.inputs.geometry.match", "equal"),
        ("[product.xrd-map.parameters]", '[product.xrd-map.limits]\nbackfill = "P3Y"\n[p]', 11,
         "product.xrd-map.limits.backfill", "must be a duration of days or less"),
        ("[product.xrd-map.parameters]", '[product.xrd-map.limits]\nbackfill = "PT12H"\n[p]', 11,
         "product.xrd-map.limits.backfill", "whole days"),
        ('type = "poni"', 'type = "poni"\nmax_age = "PT999999999999H"', 8,
         "product.xrd-map.inputs.geometry.max_age", "a hundred years or less"),
    ],
)  # fmt: skip
def test_lint_names_line_and_key_of_each_fault(
    write: Write, before: str, after: str, line: int, key: str, reason: str
) -> None:
    status, words = run("lint", write((before, after)))
    assert status == 1
    found = next(text for text in words.splitlines() if f", {key}" in text)
    assert found.startswith(f"line {FIRST + line}, ")
    assert reason in found


def test_two_rules_for_one_product_would_fulfil_each_other_for_ever(write: Write) -> None:
    twin = RULE.replace("product.xrd-map", "product.again").replace('"xrd-map"', '"xrd-map@1"')
    with pytest.raises(DeclarationError) as refused:
        plan(read_declaration(write(more=twin)))
    (fault,) = refused.value.faults
    assert fault.key == "product.again"
    assert fault.line == FIRST + RULE.count("\n")
    assert "wants the same products as xrd-map" in fault.reason


SECRET = "hunter2-in-clear"  # what must never be printed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('root = "archive"', f'root = "archive", token = "{SECRET}"'),
        ("bins = 500", f'api_key = "{SECRET}"'),
        ('staff = ["ivo"]', f'staff = ["ivo"]\npassword = ["{SECRET}"]'),
        ("schema = 1", f'schema = 1\nidentity = [{{ client_secret = "{SECRET}" }}]'),
        ("schema = 1", f'schema = 1\ntoken = "{SECRET}'),  # not even TOML
    ],
)
def test_a_secret_in_clear_is_refused_and_never_echoed(
    write: Write, before: str, after: str
) -> None:
    file = write((before, after))
    for command in ("lint", "plan", "apply"):
        status, words = run(command, file)
        assert status == 1
        assert SECRET not in words
    assert "line" in words
    assert not Configuration.objects.exists()


def test_a_sound_file_is_said_to_be_sound_and_nothing_is_stored(write: Write) -> None:
    status, words = run("lint", write())
    assert (status, words.startswith("facility.toml is sound")) == (0, True)
    assert not ProductRule.objects.exists()
    assert not Recipe.objects.exists()


# Render: what is written back says the same


def test_what_is_rendered_is_in_step(write: Write, world: World) -> None:
    more = (
        '[product.xrd-map.limits]\nper_hour = 3\nbackfill = "P90D"\ncore_hours_per_day = 1.5\n'
        "[steward]\nmax_change = 7\ncore_hours_per_day = 20.0\n"
        "[limits]\nruns_per_proposal = 4\n"
        '[notifications]\nfailed = ["owner", "data-stewards"]\n'
    )
    declared(write, more=more)
    text = run("render")[1]
    planned = plan(read_text(text))
    assert planned.is_in_step, list(planned.lines())
    assert "per_hour = 3" in text
    assert 'backfill = "P90D"' in text


RECIPES = st.sampled_from(["xrd-map", "xrd-map@1"])
AGES = st.sampled_from(["P7D", "PT12H", "P1W", "PT30S", "P1DT2H"])
BOUNDS = st.fixed_dictionaries(
    {"kind": st.just("calibration"), "type": st.just("poni")},
    optional={
        "pick": st.sampled_from(["closest_before", "closest", "valid_at"]),
        "max_age": AGES,
        "match": st.dictionaries(
            st.sampled_from(["detector", "energy_kev", "module name"]),
            st.just("equal") | st.builds(lambda within: {"within": within}, st.floats(0, 1)),
            min_size=1,
        ),
    },
)
RULES = st.fixed_dictionaries(
    {
        "recipe": RECIPES,
        "subject": st.just("scan"),
        "for": st.fixed_dictionaries(
            {"kind": st.just("raw")},
            optional={
                "sample": st.text("abc \"'\\é", min_size=1, max_size=4),
                "quality": st.sampled_from(["accepted", "good", "bad"]),
                "technique": st.just("PaNET01022"),
            },
        ),
        "inputs": st.fixed_dictionaries({"geometry": BOUNDS}),
    },
    optional={
        "keep": st.sampled_from(["fresh", "latest-compatible", "once", "manual"]),
        "archive": st.just("archive"),
        "parameters": st.fixed_dictionaries({}, optional={"bins": st.integers(10, 1000)}),
        "limits": st.fixed_dictionaries(
            {},
            optional={
                "per_hour": st.integers(0, 9),
                "backfill": st.sampled_from(["P90D", "P0D", "P1W"]),
                "core_hours_per_day": st.floats(0, 1e6),
            },
        ),
    },
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rule=RULES)
def test_every_rule_survives_being_written_and_read(
    write: Write, world: World, rule: dict[str, Any]
) -> None:
    """The page holds rules as text too, so its two doors are enough for the law."""
    if not Recipe.objects.filter(name="xrd-map").exists():
        declared(write)
        ProductRule.objects.all().delete()
    apply_rules(tomli_w.dumps({"product": {"one": rule}}), person=world.dana)
    row = ProductRule.objects.values().get(slug="one")
    assert apply_rules(render_rules(), person=world.dana) == []
    assert ProductRule.objects.values().get(slug="one") == row


# One owner for each rule


def test_a_rule_belongs_to_the_file_or_to_the_page(write: Write, world: World) -> None:
    declared(write)
    with pytest.raises(DeclarationError, match=r"belongs to facility\.toml: remove it there"):
        apply_rules(RULE, person=world.dana)
    own = RULE.replace("product.xrd-map", "product.mine").replace("500", "300")
    assert [str(one) for one in apply_rules(own, person=world.dana)] == ["create  product mine"]
    assert ProductRule.objects.get(slug="mine").owner == "page"
    with pytest.raises(DeclarationError, match="belongs to the page of rules"):
        apply(read_text(HEAD + own, base=world.folder))
    apply(read_declaration(write(("bins = 500", "bins = 900"))))
    assert ProductRule.objects.get(slug="mine").parameters["bins"] == 300, "the file is not its"
    apply_rules("", person=world.dana)
    assert [rule.slug for rule in ProductRule.objects.all()] == ["xrd-map"]


def test_rules_of_the_page_are_a_revision_too_and_rendered_as_comments(
    write: Write, world: World
) -> None:
    declared(write)
    own = RULE.replace("product.xrd-map", "product.mine").replace("500", "300")
    apply_rules(own, person=world.dana)
    latest = Configuration.objects.get(number=2)
    assert (latest.source, latest.applied_by) == ("page", world.dana)
    assert latest.changes == ["create product mine"]
    text = render()
    assert "# [product.mine]" in text
    assert plan(read_text(text)).is_in_step


def test_a_twin_on_the_page_of_a_rule_of_the_file_is_refused(write: Write, world: World) -> None:
    declared(write)
    twin = RULE.replace("product.xrd-map", "product.mine")
    with pytest.raises(DeclarationError, match="wants the same products as xrd-map"):
        apply_rules(twin, person=world.dana)


# Explain


def test_explain_names_the_line_that_makes_a_product_exist(write: Write, world: World) -> None:
    declared(write)
    some_scans(world, 1)
    keep_true(world)
    product = Product.objects.get()
    name = f"xrd-map/{product.subject.pid}"
    status, words = run("explain", name)
    assert status == 0
    assert f"[product.xrd-map], line {FIRST} of facility.toml as applied on" in words
    assert "(revision 1)" in words
    assert "geometry: the latest poni before it, same detector" in words
    assert "“Geometry 0”" in words
    assert "Condition: fresh." in words
    assert "There is nothing to do." in words
    declared(write, ("[embargo.default]", "# two lines\n# of comment\n[embargo.default]"))
    assert f"line {FIRST + 2} of facility.toml" in run("explain", name)[1]


def test_explain_says_what_was_picked_then_and_what_is_picked_now(
    write: Write, world: World
) -> None:
    declared(write)
    some_scans(world, 1)
    keep_true(world)
    late = a_constant(world, 0.75)
    product = find_product(world.ines, f"xrd-map/{Product.objects.get().subject.pid}")
    found = explain(world.ines, product)
    (bound,) = found.inputs
    assert (bound.is_same, bound.now_pid) == (False, str(late.pid))
    assert bound.then.startswith("“Geometry 0”")
    assert "picked on" in bound.then
    assert bound.now.startswith("“Geometry 0.75”")
    assert (found.verdict.condition, found.verdict.reasons) == ("stale", ("constant",))
    assert [one.name for one in found.differences] == ["inputs.geometry"]
    assert found.next_step.startswith("The steward asks for it at its next pass")


def test_a_result_explains_itself_by_its_own_identifier(write: Write, world: World) -> None:
    declared(write)
    some_scans(world, 1)
    keep_true(world)
    pid = Dataset.objects.get(kind="derived").pid
    by_subject = f"xrd-map/{Product.objects.get().subject.pid}"
    assert run("explain", pid)[1] == run("explain", by_subject)[1]
    assert run("explain", "no/such")[0] == 1
    assert run("explain", "no")[0] == 1


def test_a_rule_of_the_page_names_the_page(write: Write, world: World) -> None:
    declared(write)
    own = RULE.replace("product.xrd-map", "product.mine").replace("500", "300")
    apply_rules(own, person=world.dana)
    some_scans(world, 1)
    keep_all()
    product = Product.objects.get(rule__slug="mine")
    words = run("explain", f"mine/{product.subject.pid}")[1]
    assert "because of [product.mine] on the page of rules" in words


def test_an_old_subject_tells_that_it_waits_for_an_order(write: Write, world: World) -> None:
    declared(write, more='[product.xrd-map.limits]\nbackfill = "P1D"\n')
    long_ago = timezone.now() - timedelta(days=2)
    a_constant(world, 0, valid_from=long_ago - timedelta(days=1))
    scan = a_scan(world, 0, start_time=long_ago)
    keep_all()
    words = run("explain", f"xrd-map/{scan.pid}")[1]
    assert "It is older than the rule's backfill: order it to have it." in words
    assert "Nothing is launched by itself; a person may order it." in words


def test_the_demo_declares_what_is_there_and_offers_its_notebook(world: World) -> None:
    checkout = Path(__file__).parents[2]
    file = Path(shutil.copy(checkout / "demo" / "facility.toml", world.folder))
    shutil.copytree(checkout / "notebooks", world.folder / "notebooks")
    status, words = run("lint", file)
    assert (status, words.startswith("facility.toml is sound")) == (0, True)
    status, words = run("plan", file)
    assert "manifests: [] -> ['notebooks']" in words
    apply(read_declaration(file))
    assert Recipe.objects.filter(name="detector-calibration").exists()
