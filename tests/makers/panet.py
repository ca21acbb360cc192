"""Write tables in the shape of PaNET's, small."""

import csv
import io
from collections.abc import Sequence

HEADERS = (
    "", "ID", "Label", "Alt Label 1", "Alt Label 2", "Definition", "Definition Source",
    "RDF Type", *["Parent IRI"] * 7, *["Equivalent"] * 3, "Disjoint Classes", "Individual",
    "Property Assertions", "Super Property", "Domain", "Range", "Characteristic",
)  # fmt: skip
CODES = ("", "ID", "A rdfs:label", *[""] * 4, "TYPE", *["SC %"] * 7, *["EC %"] * 3, *[""] * 7)


def a_term(
    number: int,
    label: str,
    *,
    synonyms: Sequence[str] = (),
    parents: Sequence[str] = (),
    definition: Sequence[str] = (),
    kind: str = "owl:Class",
) -> list[str]:
    """One row; ``definition`` holds its cells as written, "('p' some 'c')"."""
    row = [str(number), f"http://purl.org/pan-science/PaNET/PaNET{number:05}", label]
    row += [*synonyms, *[""] * (2 - len(synonyms)), "", "", kind]
    row += [*parents, *[""] * (7 - len(parents)), *definition, *[""] * (3 - len(definition))]
    return row + [""] * (len(HEADERS) - len(row))


def a_table(*rows: Sequence[str], headers: Sequence[str] = HEADERS) -> bytes:
    """A whole file: the headers, the root, and rows."""
    text = io.StringIO(newline="")
    root = a_term(1, "photon and neutron technique", parents=["owl:Thing"])
    csv.writer(text, lineterminator="\n").writerows([headers, CODES, root, *rows])
    return text.getvalue().encode()


SCATTERING = (
    a_term(200, "scattering technique", definition=["('definedbyprocess' some 'scattering')"]),
    a_term(1022, "diffraction", definition=["('definedbyprocess' some PaNET:PaNET2020018)"]),
    a_term(1012, "x-ray probe technique", synonyms=["Röntgen technique"]),
    a_term(1216, "x-ray diffraction", synonyms=["XRD"],
           definition=["PaNET:PaNET01022", "x-ray probe technique"]),
    a_term(2012000, "scattering"),
    a_term(2020018, "diffraction", parents=["scattering"]),
)  # fmt: skip
"""A few terms, of which diffraction is scattering only through its concept."""
