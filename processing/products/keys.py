"""Run keys of one rule, written by the hundred thousand."""

from collections.abc import Mapping

from catalogue.digests import sha256_of_text
from processing.models import ProductRule
from processing.recipes.manifest import Manifest
from processing.ticket import write_key_document


class KeyWriter:
    """
    Writes key documents that differ in their inputs only.

    Parameters
    ----------
    rule : ProductRule
        Its recipe, parameters and environment are in every key.
    manifest : Manifest
        Of that recipe.
    """

    def __init__(self, rule: ProductRule, manifest: Manifest) -> None:
        frame = write_key_document(
            recipe=manifest.name,
            version=manifest.version,
            inputs={},
            parameters=manifest.validate_parameters(rule.parameters),
            environment=manifest.environment.digest,
        )
        # Keys are sorted and the environment is plain hexadecimal: the first is the one.
        self._before, _, self._after = frame.partition('"inputs":{}')

    def write(self, inputs: Mapping[str, str]) -> tuple[str, str]:
        """Return the key document of inputs, role to digest, and its sha256."""
        # Roles and digests need no escaping: this is what canonical_json writes.
        given = ",".join(f'"{role}":["{inputs[role]}"]' for role in sorted(inputs))
        document = f'{self._before}"inputs":{{{given}}}{self._after}'
        return document, sha256_of_text(document)
