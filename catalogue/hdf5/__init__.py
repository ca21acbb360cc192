"""
HDF5 files from strangers: a guard over the files of one dataset, and bounded reading.

::

    with OpenFiles(Manifest.of_folder(root, "scan.nxs")) as files:
        findings = guard(files, "scan.nxs")
        field = files.follow(files.root("scan.nxs"), "/entry/data/data").object
        frame = read(field, 0)
"""

from catalogue.hdf5.findings import Finding
from catalogue.hdf5.guard import check_dataset, guard
from catalogue.hdf5.links import DanglingError, OpenFiles, Place
from catalogue.hdf5.manifest import Manifest, refuse_unsafe
from catalogue.hdf5.opening import HDF5_SUFFIXES, open_file, refuse_if_being_written
from catalogue.hdf5.reading import attribute, decode, first, read, read_text

__all__ = [
    "HDF5_SUFFIXES",
    "DanglingError",
    "Finding",
    "Manifest",
    "OpenFiles",
    "Place",
    "attribute",
    "check_dataset",
    "decode",
    "first",
    "guard",
    "open_file",
    "read",
    "read_text",
    "refuse_if_being_written",
    "refuse_unsafe",
]
