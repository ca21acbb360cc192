"""
A hand-written part of PaNET: what comes with Palimpsest.

PaNET is CC-BY-4.0, by its contributors (DOI 10.5281/zenodo.4806026).
"""

import hashlib

from catalogue.panet.hierarchy import ROOT, Term, close

CREDIT = "A part of PaNET, by the PaNET contributors, CC-BY-4.0, DOI 10.5281/zenodo.4806026"

_Entry = tuple[str, tuple[str, ...], tuple[str, ...]]

# Label, the nearest terms above it within this part (none is the root), synonyms.
_ENTRIES: dict[str, _Entry] = {
    ROOT: ("photon and neutron technique", (), ()),
    "PaNET00100": ("photon probe technique", (), ()),
    "PaNET00200": ("scattering technique", (), ()),
    "PaNET01012": ("x-ray probe technique", ("PaNET00100",), ("Röntgen technique",)),
    "PaNET01020": ("elastic scattering", ("PaNET00200",), ()),
    "PaNET01022": ("diffraction", ("PaNET01020",), ()),
    "PaNET01030": ("powder diffraction", ("PaNET01022",), ()),
    "PaNET01032": ("microfocus diffraction", ("PaNET01022",), ("micro scale diffraction",)),
    "PaNET01089": ("angle resolved photoemission spectroscopy", ("PaNET00100",), ("ARPES",)),
    "PaNET01095": ("x-ray fluorescence spectroscopy", ("PaNET01012",), ()),
    "PaNET01100": ("neutron powder diffraction", ("PaNET01030",), ("NPD",)),
    "PaNET01101": ("x-ray powder diffraction", ("PaNET01030", "PaNET01216"), ("XPD",)),
    "PaNET01102": (
        "x-ray single crystal diffraction",
        ("PaNET01216",),
        ("single crystal x-ray diffraction", "SXRD"),
    ),
    "PaNET01106": ("imaging", (), ()),
    "PaNET01124": ("small angle scattering", ("PaNET00200",), ("SAS", "small angle diffraction")),
    "PaNET01129": ("tomography", ("PaNET01106",), ()),
    "PaNET01149": ("x-ray reflectivity", ("PaNET01012",), ("XRR", "x-ray reflectometry")),
    "PaNET01156": ("x-ray spectroscopy", ("PaNET01012",), ()),
    "PaNET01164": (
        "macromolecular crystallography",
        ("PaNET01022",),
        ("MX", "protein crystallography"),
    ),
    "PaNET01168": ("serial femtosecond crystallography", ("PaNET01102",), ("SFX",)),
    "PaNET01188": ("small angle x-ray scattering", ("PaNET01012", "PaNET01124"), ("SAXS",)),
    "PaNET01189": ("small angle neutron scattering", ("PaNET01022", "PaNET01124"), ("SANS",)),
    "PaNET01196": ("x-ray absorption spectroscopy", ("PaNET01156",), ("XAS",)),
    "PaNET01207": ("x-ray tomography", ("PaNET01012", "PaNET01129"), ("CT scan",)),
    "PaNET01212": ("ptychography", ("PaNET01022", "PaNET01106"), ()),
    "PaNET01214": ("instrumentation testing", (), ()),
    "PaNET01216": ("x-ray diffraction", ("PaNET01012", "PaNET01022"), ("XRD",)),
    "PaNET01219": (
        "scanning transmission x-ray microscopy",
        ("PaNET01012", "PaNET01106"),
        ("STXM",),
    ),
    "PaNET01236": ("neutron single crystal diffraction", ("PaNET01022",), ()),
    "PaNET01239": ("neutron reflectometry", (), ("neutron reflectivity",)),
}

_ANCESTORS = close({pid: frozenset((*parents, ROOT)) for pid, (_, parents, _) in _ENTRIES.items()})

TERMS: tuple[Term, ...] = tuple(
    Term(pid, name, synonyms, _ANCESTORS[pid]) for pid, (name, _, synonyms) in _ENTRIES.items()
)
SUBSET: dict[str, str] = {term.pid: term.name for term in TERMS}
DIGEST = hashlib.sha256(repr(_ENTRIES).encode()).hexdigest()
