"""Which recipes there are: of this environment, of others that the file names, of manifests."""

from pathlib import Path

from catalogue.errors import DeclarationError, DeclarationFault
from processing.declaration.reading import Read
from processing.recipes.registry import Discovery, discover


def discover_declared(read: Read) -> Discovery:
    """
    Return the manifests of all recipes that a declaration offers.

    Raises
    ------
    DeclarationError
        If a path is relative and the text came without its folder.
    RecipeDefinitionError
        If not even this process's own environment can be listed.
    """
    declared = read.declaration.recipes
    environments = {name: _place(read, path, name) for name, path in declared.environments.items()}
    return discover(environments, [_place(read, path, "manifests") for path in declared.manifests])


def _place(read: Read, path: str, key: str) -> Path:
    if Path(path).is_absolute():
        return Path(path)
    if read.base is None:
        reason = "a relative path needs the folder of its file: write the whole path"
        line = read.locator.line_of(["recipes", key])
        raise DeclarationError([DeclarationFault(f"recipes.{key}", line, reason)])
    # Not resolved: a virtual environment's interpreter is a link that must stay one.
    return read.base / path
