"""
A hand-written subset of PaNET, the ontology of photon and neutron techniques.

PaNET is CC-BY-4.0, by its contributors (DOI 10.5281/zenodo.4806026).
"""

SUBSET = {
    "PaNET00001": "photon and neutron technique",
    "PaNET00100": "photon probe technique",
    "PaNET00200": "scattering technique",
    "PaNET01012": "x-ray probe technique",
    "PaNET01020": "elastic scattering",
    "PaNET01022": "diffraction",
    "PaNET01030": "powder diffraction",
    "PaNET01032": "microfocus diffraction",
    "PaNET01089": "angle resolved photoemission spectroscopy",
    "PaNET01095": "x-ray fluorescence spectroscopy",
    "PaNET01100": "neutron powder diffraction",
    "PaNET01101": "x-ray powder diffraction",
    "PaNET01102": "x-ray single crystal diffraction",
    "PaNET01106": "imaging",
    "PaNET01124": "small angle scattering",
    "PaNET01129": "tomography",
    "PaNET01149": "x-ray reflectivity",
    "PaNET01156": "x-ray spectroscopy",
    "PaNET01164": "macromolecular crystallography",
    "PaNET01168": "serial femtosecond crystallography",
    "PaNET01188": "small angle x-ray scattering",
    "PaNET01189": "small angle neutron scattering",
    "PaNET01196": "x-ray absorption spectroscopy",
    "PaNET01207": "x-ray tomography",
    "PaNET01212": "ptychography",
    "PaNET01214": "instrumentation testing",
    "PaNET01216": "x-ray diffraction",
    "PaNET01219": "scanning transmission x-ray microscopy",
    "PaNET01236": "neutron single crystal diffraction",
    "PaNET01239": "neutron reflectometry",
}
