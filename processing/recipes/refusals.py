"""What science refuses becomes a refusal of the recipe, with a code of the table of problems."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from processing.recipes.failures import RecipeError
from processing.science import errors
from processing.science.errors import DataError, ForeignFileError

# Of every recipe that reads runs of European XFEL.
EUXFEL: dict[type[DataError], str] = {
    errors.NotARunError: "euxfel-not-a-run",
    errors.EmptyRunError: "euxfel-empty",
    errors.MixedRunError: "euxfel-mixed",
    errors.RunIndexError: "euxfel-index",
    errors.MissingSourceError: "euxfel-source",
    errors.EmptySourceError: "euxfel-source-empty",
    errors.MissingFilterError: "file-filter-missing",
    errors.UnreadableFileError: "file-unreadable",
}


@contextmanager
def refusing(codes: Mapping[type[DataError], str]) -> Iterator[None]:
    """
    Turn an error of science into one of the recipe.

    Parameters
    ----------
    codes : mapping
        Error to problem code, by the nearest ancestor; ``DataError`` must be among them.
    """
    try:
        yield
    except ForeignFileError as error:
        raise RecipeError(f"file-{error.kind}", str(error)) from error
    except DataError as error:
        code = next(codes[kind] for kind in type(error).__mro__ if kind in codes)
        raise RecipeError(code, str(error)) from error
