"""
What science refuses.

::

    DataError (ValueError)
    ├── ShapeError              an array that does not fit the others
    ├── UnreadableFileError     a file that is not what its name promises
    │   └── MissingFilterError  compressed by a filter that is not installed
    ├── UnreadableFramesError   too many frames of a scan are damaged
    ├── DeviationError          a result that is not what pyFAI makes of the same frame
    ├── MissingFieldError       a field that the file does not have
    ├── ForeignFileError        a link to bytes outside the dataset
    ├── GeometryError           a PONI file that describes no usable geometry
    │   ├── PoniPathError       it names a file on the machine that reads it
    │   └── WavelengthError     it has no wavelength, and q is asked for
    ├── RasterError             frames that cannot be laid out as a map
    │   ├── TooManyFramesError  more frames than positions
    │   └── NoRasterError       nobody said how many rows and columns
    ├── RegionError             a region of interest that the map does not have
    ├── PhaseError              a reference pattern that cannot be fitted to the map
    ├── CombineError            maps that do not fit together
    ├── RunError                files that are no usable run of European XFEL
    │   ├── NotARunError        none has the name of one
    │   ├── EmptyRunError       no train
    │   ├── MixedRunError       of several runs or proposals, or raw and corrected
    │   ├── RunIndexError       an index that does not fit its data
    │   ├── MissingSourceError  a source or key that the run does not have
    │   ├── EmptySourceError    one that it has, without data
    │   ├── CorrectedInputError corrected frames instead of raw ones
    │   └── InterleavedError    signal and gain level in turn, as before 2017
    ├── CorrectionError         frames that these constants cannot correct
    │   ├── OtherConditionsError    the constants were taken under other conditions
    │   ├── OtherModuleError    they are another module's
    │   ├── CellsError          they have memory cells that the constants have not
    │   └── GainsError          a unit that needs gains, and nobody gave them
    └── DarkError               dark runs that give no constants
        ├── TooFewTrainsError   too short for a standard deviation
        ├── MixedCellsError     memory cells that change from train to train
        ├── ConditionsError     runs that were not taken alike
        ├── GainOrderError      a run in the role of another gain
        ├── SameRunError        one run in two roles
        ├── ClockError          taken in the future, as it says
        ├── BeamError           offsets far above the last ones
        ├── BadModuleError      more bad pixels than are believed
        └── EmptyDarkError      no constant at all

They name files by their names, never by a server's path.
"""

Shape = tuple[int | str, ...]


class DataError(ValueError):
    """Root of what science refuses about data; the text tells the next step."""


class ShapeError(DataError):
    """
    An array that does not fit the others.

    Parameters
    ----------
    what : str
        The array at fault, "mask".
    expected, found : tuple
        Shapes, slow axis first; that of a field without any data is None.
    """

    def __init__(self, what: str, *, expected: Shape, found: Shape | None) -> None:
        self.what = what
        self.expected = expected
        self.found = found
        hint = (
            " Is it transposed?" if found and tuple(found[-2:]) == tuple(expected[:-3:-1]) else ""
        )
        super().__init__(
            f"The {what} has shape {_times(found)}, expected {_times(expected)}.{hint}"
        )


def _times(shape: Shape | None) -> str:
    if shape is None:
        return "of nothing"
    return " x ".join(map(str, shape)) or "of a single number"


class UnreadableFileError(DataError):
    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        super().__init__(f"{file} cannot be read: {reason}")


class MissingFilterError(UnreadableFileError):
    pass


class UnreadableFramesError(DataError):
    pass


class DeviationError(DataError):
    pass


class MissingFieldError(DataError):
    """
    A field that the file does not have.

    Parameters
    ----------
    file : str
        Name of the file.
    wanted : str
        What was looked for, "a stack of images".
    existing : list of str
        What there is instead.
    """

    def __init__(self, file: str, wanted: str, existing: list[str]) -> None:
        self.file = file
        self.wanted = wanted
        self.existing = existing
        listed = ", ".join(existing[:12]) + (" …" if len(existing) > 12 else "")
        super().__init__(f"{file} has no {wanted}. It has: {listed or 'nothing of that kind'}.")


class ForeignFileError(DataError):
    """
    A link to bytes outside the dataset.

    Parameters
    ----------
    kind : str
        "external-storage", "virtual-source" or "external-link".
    field : str
        Path of the field that leads outside.
    reason : str
        What was expected and what to do.
    """

    def __init__(self, kind: str, field: str, reason: str) -> None:
        self.kind = kind
        self.field = field
        super().__init__(f"{field}: {reason}")


class GeometryError(DataError):
    pass


class PoniPathError(GeometryError):
    pass


class WavelengthError(GeometryError):
    pass


class RasterError(DataError):
    pass


class TooManyFramesError(RasterError):
    pass


class NoRasterError(RasterError):
    pass


class RegionError(DataError):
    pass


class PhaseError(DataError):
    pass


class CombineError(DataError):
    pass


class RunError(DataError):
    """Files that are no usable run of European XFEL."""


class NotARunError(RunError):
    pass


class EmptyRunError(RunError):
    pass


class MixedRunError(RunError):
    pass


class RunIndexError(RunError):
    pass


class MissingSourceError(RunError):
    pass


class EmptySourceError(RunError):
    pass


class CorrectedInputError(RunError):
    pass


class InterleavedError(RunError):
    pass


class DarkError(DataError):
    """Dark runs that give no constants."""


class TooFewTrainsError(DarkError):
    pass


class MixedCellsError(DarkError):
    pass


class ConditionsError(DarkError):
    pass


class GainOrderError(DarkError):
    pass


class SameRunError(DarkError):
    pass


class ClockError(DarkError):
    pass


class BeamError(DarkError):
    pass


class BadModuleError(DarkError):
    pass


class EmptyDarkError(DarkError):
    pass


class CorrectionError(DataError):
    pass


class OtherConditionsError(CorrectionError):
    """
    Constants taken under other conditions than the run.

    Parameters
    ----------
    module : str
        "AGIPD00".
    differing : mapping
        Condition to its value in the run and in the constants.
    """

    def __init__(self, module: str, differing: dict[str, tuple[object, object]]) -> None:
        self.module = module
        self.differing = differing
        told = "; ".join(f"{name}: run {a}, constants {b}" for name, (a, b) in differing.items())
        super().__init__(
            f"The constants of {module} were taken under other conditions ({told}). "
            "Choose constants of darks taken as the run was."
        )


class OtherModuleError(CorrectionError):
    """
    A file of constants that are another module's.

    Parameters
    ----------
    file : str
        Name of the file.
    found : str
        Detector and module that it states.
    """

    def __init__(self, file: str, found: str) -> None:
        self.file = file
        super().__init__(
            f"{file} holds the constants of {found}. Give each module's file under the name "
            "with which it was made."
        )


class CellsError(CorrectionError):
    """
    Frames of memory cells that the constants do not have.

    Parameters
    ----------
    module : str
        "AGIPD00".
    wanted, known : int
        The highest cell of the run plus one, and cells of the constants.
    """

    def __init__(self, module: str, wanted: int, known: int) -> None:
        self.module = module
        super().__init__(
            f"{module} uses memory cells up to {wanted - 1}, its constants have {known}. "
            "Characterise darks with at least as many cells."
        )


class GainsError(CorrectionError):
    pass
