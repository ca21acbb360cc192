"""Choose the reader for a path."""

from pathlib import Path

from catalogue.description import Description, Progress
from catalogue.hdf5 import refuse_unsafe
from catalogue.hdf5.findings import refused, shown
from catalogue.readers.euxfel import is_run, read_run
from catalogue.readers.images import is_image, read_image, read_image_folder, read_poni
from catalogue.readers.nexus import read_nexus


def read(
    path: Path, *, progress: Progress, required: tuple[str, ...] = (), whole: bool = False
) -> Description:
    """
    Describe the file or folder at a path.

    Parameters
    ----------
    path : Path
        A NeXus/HDF5 file, the folder of a European XFEL run, a PONI file, an image, or a
        folder of images.
    progress : callable
        Called with bytes done and bytes in all.
    required : tuple of str
        Paths that a whole HDF5 file must hold, "/entry/end_time".
    whole : bool
        Refuse an HDF5 file while one that it links to is not there.

    Returns
    -------
    Description
        All that registration needs to know.

    Raises
    ------
    RefusedFileError
        If nothing may be registered; its code tells why.
    """
    path = path.absolute()
    if path.is_dir() and not path.is_symlink():
        return _read_folder(path, progress)
    refuse_unsafe(path.parent, path.name)
    if path.suffix.lower() == ".poni":
        return read_poni(path, progress)
    if is_image(path):
        return read_image(path, progress)
    return read_nexus(path, progress, required, whole=whole)


def _read_folder(folder: Path, progress: Progress) -> Description:
    if is_run(folder):
        return read_run(folder, progress)
    if any(map(is_image, folder.iterdir())):
        return read_image_folder(folder, progress)
    reason = (
        f"The folder {shown(folder.name)} holds neither files of a European XFEL run "
        "(RAW-R0001-DA01-S00000.h5) nor images. "
        "Register the NeXus file in it; the files that it links to come along."
    )
    raise refused("euxfel-not-a-run", reason, "")
