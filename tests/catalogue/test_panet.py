"""PaNET's table: read as it is published, inferred to the end."""

from collections import Counter
from pathlib import Path

import pytest

from catalogue.panet import SUBSET
from catalogue.panet.hierarchy import close, infer, is_concept, nearest, told_parents
from catalogue.panet.official import NotPanetError, read_classes, read_official
from catalogue.panet.subset import TERMS
from tests.makers.panet import HEADERS, SCATTERING, a_table, a_term

FILE = Path(__file__).parents[2] / ".." / "shared" / "data" / "PaNET.csv"

with_the_official_file = pytest.mark.skipif(
    not FILE.is_file(),
    reason="the official table (shared/data/PaNET.csv) is not beside the checkout",
)


def ancestors_in(content: bytes) -> dict[str, frozenset[str]]:
    return {term.pid: term.ancestors for term in read_official(content).terms}


@with_the_official_file
@pytest.mark.parametrize(
    ("pid", "told", "inferred"),
    [
        ("PaNET00200", 26, 126),
        ("PaNET00100", 49, 148),
        ("PaNET01020", 5, 76),
        ("PaNET01022", 61, 71),
        ("PaNET01012", 89, 95),
        ("PaNET01106", 49, 69),
        ("PaNET01124", 22, 22),
    ],
)
def test_as_many_techniques_stand_below_a_term_as_the_editors_mean(
    pid: str, told: int, inferred: int
) -> None:
    classes = read_classes(FILE.read_bytes())
    for ancestors, count in ((close(told_parents(classes)), told), (infer(classes), inferred)):
        assert sum(pid in ancestors[one] for one in classes if not is_concept(one)) == count


@with_the_official_file
def test_the_official_table_is_read_whole() -> None:
    classes = read_classes(FILE.read_bytes())
    techniques = {pid for pid in classes if not is_concept(pid)}
    assert (len(techniques), len(classes)) == (380, 380 + 129)
    assert sum(len(one.synonyms) for one in classes.values()) == 164
    for ancestors, pairs in ((close(told_parents(classes)), 1718), (infer(classes), 3306)):
        assert sum(len(ancestors[pid] & techniques) for pid in techniques) == pairs
    shared = Counter(one.name.casefold() for one in classes.values())
    assert sorted(shared.values())[-71:] == [2] * 71
    assert shared.total() - len(shared) == 71
    # Its second row holds a link to another vocabulary only.
    assert classes["PaNET01022"].restrictions == {("definedbyprocess", "PaNET2020018")}
    assert not [one for one in classes.values() if one.name != one.name.strip()]


@with_the_official_file
def test_equivalent_terms_stand_below_each_other() -> None:
    ancestors = ancestors_in(FILE.read_bytes())
    for one, other in (("01261", "01334"), ("01107", "01273"), ("00401", "01106")):
        assert ancestors[f"PaNET{one}"] == ancestors[f"PaNET{other}"]
    techniques = [above for pid, above in ancestors.items() if not is_concept(pid)]
    assert all("PaNET00001" in above for above in techniques)


@with_the_official_file
def test_what_is_shipped_is_a_true_part_of_the_official_list() -> None:
    official = {term.pid: term for term in read_official(FILE.read_bytes()).terms}
    for term in TERMS:
        whole = official[term.pid]
        assert (term.name, set(term.synonyms)) == (whole.name, set(whole.synonyms))
        assert term.ancestors == whole.ancestors & SUBSET.keys(), term.name


def test_the_shipped_terms_are_closed() -> None:
    ancestors = {term.pid: term.ancestors for term in TERMS}
    assert close(ancestors) == ancestors
    assert {"PaNET01022", "PaNET01012", "PaNET00001"} <= ancestors["PaNET01101"]
    assert "PaNET01022" not in ancestors["PaNET01188"]  # SAXS has no peaks to speak of


def test_a_technique_is_below_another_through_what_defines_them() -> None:
    above = ancestors_in(a_table(*SCATTERING))
    assert above["PaNET01022"] == {"PaNET01022", "PaNET00200", "PaNET00001"}
    assert above["PaNET01216"] >= {"PaNET01022", "PaNET00200", "PaNET01012"}
    assert above["PaNET2020018"] == {"PaNET2020018", "PaNET2012000"}


def test_a_term_that_meets_a_whole_definition_stands_below_it() -> None:
    parents = ["diffraction", "x-ray probe technique"]
    powder = a_term(1101, "x-ray powder diffraction", parents=parents)
    heating = a_term(1300, "heating by x-rays", parents=parents[1:])
    above = ancestors_in(a_table(*SCATTERING, powder, heating))
    assert "PaNET01216" in above["PaNET01101"]
    assert "PaNET01216" not in above["PaNET01300"]


@pytest.mark.parametrize(
    "cell", ["('x-ray diffraction' and PaNET:PaNET00200)", "X-Ray Diffraction "]
)
def test_members_are_read_in_every_form(cell: str) -> None:
    term = a_term(1101, "x-ray powder diffraction ", definition=[cell])
    classes = read_classes(a_table(*SCATTERING, term))
    assert "PaNET01216" in classes["PaNET01101"].members
    assert classes["PaNET01101"].name == "x-ray powder diffraction"


def test_a_label_means_a_technique_or_a_concept_by_where_it_stands() -> None:
    fine = a_term(2020019, "fine diffraction", parents=["'diffraction'"])
    by = a_term(1400, "seen by diffraction", definition=["('supports' some 'diffraction')"])
    plain = a_term(1500, "sharp diffraction", parents=["Diffraction"])
    classes = read_classes(a_table(*SCATTERING, fine, by, plain))
    assert classes["PaNET01500"].parents == {"PaNET01022"}
    assert classes["PaNET2020019"].parents == {"PaNET2020018"}
    assert classes["PaNET01400"].restrictions == {("supports", "PaNET2020018")}


def test_rows_that_declare_nothing_do_no_harm() -> None:
    foreign = a_term(1022, "diffraction", definition=["a link elsewhere"], kind="")
    heading = ["ID number", *[""] * 24]
    upper = a_term(2000000, "photon and neutron specifiers", kind="")
    probe = a_term(2001000, "probe", parents=["photon and neutron specifiers"])
    relation = a_term(1001000, "definedbyprobe", kind="owl:ObjectProperty")
    table = a_table(*SCATTERING, [""] * 25, foreign, heading, upper, probe, relation)
    plain = ancestors_in(a_table(*SCATTERING))
    assert ancestors_in(table) == plain | {"PaNET2001000": frozenset({"PaNET2001000"})}


def test_a_spreadsheet_may_have_saved_it_again() -> None:
    table = a_table(*SCATTERING)
    again = b"\xef\xbb\xbf" + table.replace(b"\n", b"\r\n")
    assert read_official(again).terms == read_official(table).terms
    assert read_official(again).digest != read_official(table).digest


def without(header: str) -> tuple[str, ...]:
    return tuple(name for name in HEADERS if name != header)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "The file is empty. Download source/PaNET.csv"),
        (b"<!DOCTYPE html>\n<html>", "column 2 should be 'ID', it is missing"),
        (a_table(headers=without("RDF Type")), "column 8 should be 'RDF Type', it says 'Parent"),
        (a_table(headers=HEADERS[:15]), "column 16 should be 'Equivalent', it is missing"),
        ("Röntgen".encode("latin-1"), "not text in UTF-8, from byte 1. Download"),
        (b'"' + b"x" * 200_000, "Line 1 is no row of a table: field larger"),
        (a_table().replace(b"PaNET00001", b"PaNET00009"), "lacks its root, PaNET00001"),
        (a_table().replace(b"PaNET00001", b"PaNET1"), "Line 3 declares a class that is none"),
        (a_table(a_term(7, "a", parents=["b"])), "Line 4, PaNET00007, names 'b', which is no"),
        (a_table(a_term(7, "a", parents=["PaNET:PaNET00008"])), "names 'PaNET:PaNET00008'"),
        (a_table(a_term(7, "a"), a_term(7, "b")), "Line 5 declares PaNET00007 again, after 4."),
        (a_table(a_term(7, "a"), a_term(8, "A")), "Line 5 gives PaNET00008 the label of"),
        (a_table(a_term(7, " ")), "Line 4 gives PaNET00007 no label"),
        (a_table(a_term(7, "x" * 201)), "Line 4, PaNET00007, holds a name of more than 200"),
        (
            a_table(a_term(2000000, "c", kind=""), a_term(7, "a", definition=["('p' some 'c')"])),
            "Line 5, PaNET00007, is defined by PaNET2000000, which is declared no class",
        ),
    ],
    ids=range(15),
)
def test_what_is_not_panet_is_refused_by_line_and_column(content: bytes, complaint: str) -> None:
    with pytest.raises(NotPanetError) as refused:
        read_official(content)
    assert complaint in str(refused.value)


def test_the_nearest_above_carry_the_others() -> None:
    ancestors = close({
        "top": frozenset(), "mid": frozenset({"top"}), "twin": frozenset({"mid", "low"}),
        "low": frozenset({"mid", "twin"}), "leaf": frozenset({"low"}),
    })  # fmt: skip
    assert nearest("leaf", ancestors) == {"low", "twin"}  # equivalent: both are kept
    assert nearest("mid", ancestors) == {"top"}
    assert nearest("top", ancestors) == frozenset()
