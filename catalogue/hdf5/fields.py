"""What one object may ask of its reader: no foreign bytes, no missing filter, no bomb."""

import h5py

from catalogue.hdf5.findings import refused, shown, shown_path
from catalogue.hdf5.links import Place

LARGEST_ATTRIBUTE = 1 << 20  # bytes
LARGEST_CHUNK = 1 << 30  # bytes; one value of a chunk needs all of it in memory


def check_attributes(place: Place) -> None:
    """
    Refuse an object with an attribute of more than 1 MiB.

    Raises
    ------
    RefusedFileError
        If there is one.
    """
    identifier = place.object.id
    for number in range(h5py.h5a.get_num_attrs(identifier)):
        attribute = h5py.h5a.open(identifier, index=number)
        if attribute.get_storage_size() > LARGEST_ATTRIBUTE:
            name = shown(attribute.name.decode(errors="replace"))
            reason = f"The file has an attribute {name} of more than 1 MiB at {_path(place)}."
            raise refused("file-too-complex", reason, place.file)


def check_field(place: Place) -> None:
    """
    Refuse a field that HDF5 would fill from elsewhere, or cannot decode.

    Its shape is not asked for: that of a virtual field comes from other files.

    Raises
    ------
    RefusedFileError
        For external raw storage, an unknown filter, or a chunk of more than 1 GiB.
    """
    plan = place.object.id.get_create_plist()
    if plan.get_external_count() > 0:
        reason = (
            f"The file keeps the values of {_path(place)} in a raw file outside. "
            "Write them into the file (h5repack does)."
        )
        raise refused("file-external-storage", reason, place.file)
    for number in range(plan.get_nfilters()):
        code, _flags, _values, name = plan.get_filter(number)
        if not h5py.h5z.filter_avail(code):
            known = f" ({shown(name.decode(errors='replace'))})" if name else ""
            reason = (
                f"The file needs HDF5 filter {code}{known} for {_path(place)}, which is not "
                "installed here. Write it with another compression, or ask for the filter."
            )
            raise refused("file-filter-missing", reason, place.file)
    if _packed(place.object, plan) > LARGEST_CHUNK:
        reason = (
            f"The file packs more than 1 GiB into one chunk of {_path(place)}. Use smaller chunks."
        )
        raise refused("file-too-large", reason, place.file)


def chunk_bytes(field: h5py.Dataset) -> int:
    """Return the size of one chunk in memory, 0 if the field has none."""
    return _packed(field, field.id.get_create_plist())


def _packed(field: h5py.Dataset, plan: h5py.h5p.PropDCID) -> int:
    if plan.get_layout() != h5py.h5d.CHUNKED:
        return 0
    size = int(field.id.get_type().get_size())
    for length in plan.get_chunk():
        size *= length
    return size


def _path(place: Place) -> str:
    return shown_path(str(place.object.name))
