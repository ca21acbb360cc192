"""What a query can ask for by name: one table for parser, help page and suggestions."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "choice", "year", "date", "pid", "doi", "quantity"]

# Stored names of one quantity; the first is what canonical queries call it.
PHOTON_ENERGY = ("energy", "photon_energy", "incident_photon_energy", "incident_energy")
PHOTON_WAVELENGTH = ("wavelength", "photon_wavelength", "incident_wavelength")
NEUTRON_ENERGY = ("neutron_energy",)
NEUTRON_WAVELENGTH = ("neutron_wavelength",)
BEAM = frozenset(PHOTON_ENERGY + PHOTON_WAVELENGTH + NEUTRON_ENERGY + NEUTRON_WAVELENGTH)


@dataclass(frozen=True)
class Field:
    """
    A name that may stand before the colon.

    Attributes
    ----------
    name : str
        As conditions and canonical queries call it.
    aliases : tuple of str
        Other spellings of the name.
    meaning : str
        A sentence for the help page and the suggestions.
    example : str
        A term that can be tried.
    kind : str
        How values are read; "quantity" means numbers with units.
    choices : tuple of str
        All values there are, if they are few.
    """

    name: str
    aliases: tuple[str, ...]
    meaning: str
    example: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()


FIELDS = (
    Field("instrument", (), "Where it was measured.", "instrument:id13"),
    Field("facility", (), "The facility that measured it.", "facility:esrf"),
    Field(
        "technique",
        ("panet",),
        "How it was measured: name or PaNET term, narrower techniques included.",
        'technique:"x-ray diffraction"',
    ),
    Field("sample", (), "The name of what was measured.", "sample:lazurite"),
    Field("formula", (), "The chemical formula of what was measured.", "formula:Fe2O3"),
    Field("proposal", (), "The number of the proposal.", "proposal:HG-172"),
    Field("title", (), "Words of the title.", 'title:"Roman glass"'),
    Field("file", (), "The name of a file, or words of it.", "file:scan_0042.h5"),
    Field(
        "kind",
        (),
        "Taken at an instrument, or made from other datasets.",
        "kind:raw",
        "choice",
        ("raw", "derived"),
    ),
    Field("content", (), "The kind of data, as recipes ask for it.", "content:xrd-map"),
    Field("year", (), "The year of the measurement.", "year:2024", "year"),
    Field(
        "date",
        ("measured",),
        "When it was measured: a day, month, year, or a range of them.",
        "date:2024-01..2024-06",
        "date",
    ),
    Field("registered", (), "When it came into the catalogue.", "registered:last-30-days", "date"),
    Field(
        "access",
        (),
        "Whether everybody may read the files, and if not, whether a day is set for it.",
        "access:open",
        "choice",
        ("open", "closed", "embargoed"),
    ),
    Field("licence", ("license",), "The licence, as SPDX names it.", "licence:CC-BY-4.0"),
    Field("person", ("people",), "Somebody on the team: name or ORCID iD.", 'person:"Ines Ruiz"'),
    Field("tag", ("tags",), "A tag that people gave.", "tag:reference"),
    Field(
        "quality",
        ("flag",),
        "The latest judgement on the data.",
        "quality:good",
        "choice",
        ("good", "suspect", "bad"),
    ),
    Field("publication", ("doi",), "The DOI of a paper.", "doi:10.1107/S1600577524001234", "doi"),
    Field("collection", (), "A collection that holds it.", 'collection:"Roman glass"'),
    Field(
        "from",
        ("derived-from",),
        "Made from this dataset, directly or in several steps.",
        "from:0b8f3a52-9f0e-4c5e-8a51-5a3c3f1c7d20",
        "pid",
    ),
    Field(
        "product", ("has-product-of",), "A recipe has made a product from it.", "product:xrd-map"
    ),
    Field(
        "has",
        (),
        "Something that comes with it.",
        "has:picture",
        "choice",
        ("picture", "products", "notes", "publication", "flag"),
    ),
    Field(
        PHOTON_ENERGY[0],
        PHOTON_ENERGY[1:],
        "Photon energy; datasets that state a wavelength are found too.",
        "energy:9..12keV",
        "quantity",
    ),
    Field(
        PHOTON_WAVELENGTH[0],
        PHOTON_WAVELENGTH[1:],
        "Wavelength of photons; datasets that state an energy are found too.",
        "wavelength:0.9..1.1Å",
        "quantity",
    ),
    Field(
        NEUTRON_ENERGY[0],
        (),
        "Neutron energy; datasets that state a wavelength are found too.",
        "neutron_energy<25meV",
        "quantity",
    ),
    Field(
        NEUTRON_WAVELENGTH[0],
        (),
        "Wavelength of neutrons; datasets that state an energy are found too.",
        "neutron_wavelength>=1.8Å",
        "quantity",
    ),
)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


_BY_NAME = {_plain(name): field for field in FIELDS for name in (field.name, *field.aliases)}


def find_field(name: str) -> Field | None:
    """Find a field by its name or alias; any other name is one of a parameter."""
    return _BY_NAME.get(_plain(name))


def fields_like(prefix: str) -> tuple[Field, ...]:
    """List the fields of which a name begins so, in the order of the table."""
    found = {
        field.name: field for name, field in _BY_NAME.items() if name.startswith(_plain(prefix))
    }
    return tuple(field for field in FIELDS if field.name in found)


def stands_for(key: str, name: str) -> bool:
    """
    Tell whether a key of a query speaks of a stored parameter.

    A short key is enough, ``temperature`` for ``sample.temperature``, and a series is
    known by its ends, ``temperature.min``. Energies and wavelengths of the beam must
    be called so in full: ``source.energy`` is that of the ring.

    Parameters
    ----------
    key : str
        In lower case, as conditions hold it.
    name : str
        Of a stored parameter.
    """
    name = name.lower()
    stem = name.removesuffix(".min").removesuffix(".max")
    return key in {name, stem} or (key not in BEAM and stem.endswith(f".{key}"))
