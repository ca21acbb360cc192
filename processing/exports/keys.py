"""
The facility's keys: one to sign with, and all that anybody needs to check with.

ed25519, as PEM. The private one is a secret of the settings; public ones, also those of
keys no longer used, are for everybody.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from django.conf import settings

from processing.errors import SigningKeyError


@dataclass(frozen=True)
class PublicKey:
    """A key to check with; ``keyid`` is the sha256 of its DER form, in hexadecimal."""

    key: Ed25519PublicKey
    is_current: bool = False

    @property
    def keyid(self) -> str:
        der = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(der).hexdigest()

    @property
    def pem(self) -> str:
        pem = self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode()

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def signing_key() -> Ed25519PrivateKey | None:
    """
    Return the key of the facility, None if nothing is to be signed.

    Raises
    ------
    SigningKeyError
        If what is set is no ed25519 key.
    """
    pem = settings.PALIMPSEST_SIGNING_KEY
    if not pem:
        return None
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(
            "PALIMPSEST_SIGNING_KEY is no ed25519 private key in PEM without a password. "
            "Make one with manage.py make_signing_key FILE."
        )
    return key


def public_keys() -> dict[str, PublicKey]:
    """
    Return all keys that have ever signed here, by their ``keyid``, the current one first.

    Raises
    ------
    SigningKeyError
        If one of them cannot be read.
    """
    current = signing_key()
    keys = [PublicKey(current.public_key(), is_current=True)] if current else []
    keys += [_read_public(path) for path in _old_files()]
    found: dict[str, PublicKey] = {}
    for key in keys:
        found.setdefault(key.keyid, key)
    return found


def _old_files() -> list[Path]:
    if not settings.PALIMPSEST_OLD_KEYS:
        return []
    place = Path(settings.PALIMPSEST_OLD_KEYS)
    if place.is_dir():
        return sorted(place.glob("*.pem"))
    if place.is_file():
        return [place]
    raise SigningKeyError("PALIMPSEST_OLD_KEYS names neither a folder nor a file. Correct it.")


def _read_public(path: Path) -> PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SigningKeyError(f"The old key {path.name} is no public key in PEM.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyError(f"The old key {path.name} is no ed25519 key.")
    return PublicKey(key)


def make_signing_key(path: Path) -> PublicKey:
    """
    Write a new private key that its owner alone may read; return the public one.

    Raises
    ------
    SigningKeyError
        If there is a file already: what an old key has signed could not be renewed.
    """
    key = Ed25519PrivateKey.generate()
    public = PublicKey(key.public_key(), is_current=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        reason = error.strerror or "cannot be written"
        raise SigningKeyError(f"{path.name}: {reason}. Name a new file.") from error
    with os.fdopen(opened, "wb") as file:
        os.fchmod(opened, 0o600)
        file.write(pem)
    return public
