"""Techniques in the catalogue: loaded, named by people, expanded to what stands below."""

import hashlib
import io
import threading
from pathlib import Path

import pytest
from django.contrib.postgres.search import SearchQuery
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.declaration.sections import CatalogueSections, apply_sections
from catalogue.models import Listing, Technique, Vocabulary
from catalogue.panet import SUBSET
from catalogue.panet.official import CREDIT, read_official
from catalogue.techniques import Loaded, descendants, load_shipped, load_terms, resolve
from tests.builders import World, a_dataset
from tests.makers.panet import SCATTERING, a_table, a_term

SAXS = a_term(1188, "small angle x-ray scattering", parents=["scattering technique"])


def load(content: bytes) -> Loaded:
    official = read_official(content)
    return load_terms(official.terms, CREDIT, official.digest)


def below(text: str) -> set[str]:
    """Names of the terms that a search for a technique takes in."""
    pks = descendants(resolve(text))
    return set(Technique.objects.filter(pk__in=pks).values_list("pid", flat=True))


def pairs() -> set[tuple[str, str]]:
    through = Technique.ancestors.through.objects
    return set(through.values_list("from_technique__pid", "to_technique__pid"))


def test_a_search_for_diffraction_takes_in_x_ray_powder_diffraction(db: None) -> None:
    load_shipped()
    assert {"PaNET01022", "PaNET01101", "PaNET01168", "PaNET01189"} <= below("diffraction")
    assert "PaNET01188" not in below("diffraction")
    assert below("photon and neutron technique") == SUBSET.keys()
    assert below("SFX") == {"PaNET01168"}


def test_applying_a_declaration_ships_the_terms_with_their_hierarchy(
    db: None, tmp_path: Path
) -> None:
    declared = {
        "facility": {"id": "demo", "name": "Demo", "timezone": "Europe/Paris"},
        "storage": {"products": {"kind": "posix", "root": "products"}},
        "embargo": {"default": {"period": "P3Y"}},
    }
    sections = CatalogueSections.model_validate(declared)
    apply_sections(sections, tmp_path)
    assert "PaNET01101" in below("diffraction")
    assert Vocabulary.objects.get().name == "PaNET subset"
    load(a_table(*SCATTERING, SAXS))
    apply_sections(sections, tmp_path)
    assert Vocabulary.objects.get().name == "PaNET"
    assert Technique.objects.get(pid="PaNET01101").is_obsolete


def test_the_official_list_takes_the_place_of_what_is_shipped(db: None) -> None:
    load_shipped()
    content = a_table(*SCATTERING, SAXS)
    loaded = load(content)
    assert (loaded.techniques, loaded.concepts) == (6, 2)
    assert (loaded.created, loaded.obsolete) == (2, len(SUBSET) - 6)
    assert resolve("PaNET2020018")[0].is_concept
    vocabulary = Vocabulary.objects.get()
    assert vocabulary.digest == hashlib.sha256(content).hexdigest()
    assert "CC-BY-4.0" in vocabulary.credit


def test_the_same_list_twice_changes_nothing(db: None) -> None:
    content = a_table(*SCATTERING, SAXS)
    load(content)
    before = pairs()
    assert load(content) == Loaded(techniques=6, concepts=2, created=0, changed=0, obsolete=0)
    assert pairs() == before


def test_loading_takes_no_more_statements_for_more_terms(db: None) -> None:
    def statements(count: int) -> int:
        more = [a_term(5000 + n, f"term {n}", parents=["diffraction"]) for n in range(count)]
        content = a_table(*SCATTERING, *more)
        with CaptureQueriesContext(connection) as captured:
            load(content)
        return len(captured)

    statements(0)  # writes the vocabulary, later only changed
    assert statements(2) == statements(300) <= 20


def test_a_term_that_disappears_stays_below_what_it_was_below(world: World) -> None:
    load(a_table(*SCATTERING, SAXS, a_term(1999, "old diffraction", parents=["PaNET:PaNET01216"])))
    dataset = a_dataset(world, technique="PaNET01999")
    assert load(a_table(*SCATTERING, SAXS)).obsolete == 1
    old = Technique.objects.get(pid="PaNET01999")
    assert old.is_obsolete
    assert list(dataset.techniques.all()) == [old]
    assert resolve("old diffraction") == [old]
    assert "PaNET01999" in below("diffraction") & below("scattering technique")


def test_a_term_that_comes_back_is_as_good_as_before(db: None) -> None:
    whole = a_table(*SCATTERING, SAXS)
    load(whole)
    before = pairs()
    load(a_table(*SCATTERING))
    assert load(whole).changed == 1
    assert not Technique.objects.filter(is_obsolete=True).exists()
    assert pairs() == before


def test_a_local_technique_follows_its_ancestor_wherever_that_goes(world: World) -> None:
    load(a_table(*SCATTERING, SAXS))
    mapping = Technique.objects.create(pid="id13-map", name="Diffraction mapping of ID13")
    for term in resolve("x-ray diffraction")[0].ancestors.all():
        mapping.ancestors.add(term)
    load(a_table(*SCATTERING, SAXS))
    assert "id13-map" in below("diffraction mapping of id13") & below("diffraction")
    elsewhere = a_term(1216, "x-ray diffraction", parents=["small angle x-ray scattering"])
    load(a_table(*(row for row in SCATTERING if row[0] != "1216"), SAXS, elsewhere))
    assert "id13-map" in below("small angle x-ray scattering")
    assert "id13-map" not in below("diffraction")
    assert not Technique.objects.get(pid="id13-map").is_obsolete


def test_a_renamed_term_is_found_by_its_new_name(world: World) -> None:
    load(a_table(*SCATTERING, SAXS))
    dataset = a_dataset(world, technique="PaNET01188")
    renamed = a_term(1188, "nanoscale scattering", synonyms=["SAXS"])
    load(a_table(*SCATTERING, renamed))
    listed = Listing.objects.filter(words=SearchQuery("nanoscale", config="simple"))
    assert [listing.dataset_id for listing in listed] == [dataset.pk]
    assert resolve("saxs")[0].name == "nanoscale scattering"


@pytest.mark.parametrize(
    ("text", "pids"),
    [
        ("http://purl.org/pan-science/PaNET/PaNET01022", ["PaNET01022"]),
        ("PaNET:PaNET01022", ["PaNET01022"]),
        (" panet01022 ", ["PaNET01022"]),
        ("http://purl.org/pan-science/PaNET/PaNET2020018", ["PaNET2020018"]),
        ("Diffraction", ["PaNET01022"]),  # a technique and a concept carry this label
        ("xrd", ["PaNET01216"]),
        ("RONTGEN technique", ["PaNET01012"]),
        ("X ray diffraction", ["PaNET01216"]),
        ("x-ray probe", ["PaNET01012"]),
        ("scattering", ["PaNET00200"]),  # sooner a technique than the concept of that label
        ("fine scattering", ["PaNET2020019"]),
        ("id13-map", ["id13-map"]),
        ("Mapping of ID13", ["id13-map"]),
        ("PaNET09999", []),
        ("ray", []),
        ("technique", []),
        ("", []),
        ("-", []),
        ("%", []),
    ],
)
def test_people_name_techniques_in_many_ways(db: None, text: str, pids: list[str]) -> None:
    fine = a_term(2020019, "fine scattering", parents=["scattering"])
    load(a_table(*SCATTERING, fine))
    Technique.objects.create(pid="id13-map", name="mapping of ID13")
    assert [term.pid for term in resolve(text)] == pids


def test_what_carries_one_name_is_taken_together(db: None) -> None:
    load(a_table(*SCATTERING))
    Technique.objects.create(pid="our-own", name="X-ray diffraction")
    assert {term.pid for term in resolve("x-ray diffraction")} == {"PaNET01216", "our-own"}


def test_nothing_stands_below_nothing(db: None) -> None:
    load_shipped()
    assert descendants([]) == set()
    assert below("no such technique") == set()


@pytest.mark.django_db(transaction=True)
def test_two_who_load_at_once_do_not_disturb_each_other() -> None:
    load(a_table(*SCATTERING, SAXS))
    # Only the hierarchy differs: no row of a term makes one wait for the other.
    moved = a_term(1188, "small angle x-ray scattering", parents=["diffraction"])
    content = a_table(*SCATTERING, moved)
    failures: list[Exception] = []
    together = threading.Barrier(4)

    def work() -> None:
        together.wait(30)
        try:
            load(content)
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert "PaNET01188" in below("diffraction")


def test_the_command_says_what_it_loaded_and_whose_it_is(db: None, tmp_path: Path) -> None:
    file = tmp_path / "PaNET.csv"
    file.write_bytes(a_table(*SCATTERING, SAXS))
    out = io.StringIO()
    call_command("load_techniques", file, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["6 techniques, 2 concepts", "8 created, 0 changed, 0 now obsolete"]
    assert lines[2].startswith("PaNET, by the PaNET contributors, CC-BY-4.0, DOI")
    assert lines[2].endswith(hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "PaNET.csv cannot be read: No such file"),
        (b"account,full_name\n", "column 2 should be 'ID', it says 'full_name'. Download source"),
        (a_table(a_term(7, "a", parents=["b"])), "Line 4, PaNET00007, names 'b'"),
    ],
)
def test_a_file_that_is_not_panet_changes_nothing(
    db: None, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "PaNET.csv"
    if content is not None:
        file.write_bytes(content)
    load_shipped()
    with pytest.raises(CommandError, match=r"^PaNET\.csv ") as refused:
        call_command("load_techniques", file)
    assert complaint in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    assert Vocabulary.objects.get().name == "PaNET subset"
    assert not Technique.objects.filter(is_obsolete=True).exists()
