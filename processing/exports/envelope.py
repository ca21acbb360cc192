"""Signing and opening a DSSE envelope over an in-toto statement; no database."""

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalogue.digests import canonical_json
from processing.exports.keys import PublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class EnvelopeError(Exception):
    """An envelope that is not to be believed; the text is a clause: "is signed by …"."""


def seal(statement: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """Return the envelope of a statement, as canonical JSON."""
    payload = canonical_json(statement).encode()
    signature = key.sign(_authenticated(payload))
    return canonical_json(
        {
            "payload": b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {
                    "keyid": PublicKey(key.public_key()).keyid,
                    "sig": b64encode(signature).decode(),
                }
            ],
        }
    )


def unseal(envelope: str, keys: Mapping[str, PublicKey]) -> dict[str, Any]:
    """
    Return the statement of an envelope that one of our keys has signed.

    Raises
    ------
    EnvelopeError
        If none has, or it is no envelope.
    """
    try:
        told = json.loads(envelope)
        payload = b64decode(told["payload"], validate=True)
        signatures = [(row["keyid"], b64decode(row["sig"])) for row in told["signatures"]]
        kind = told["payloadType"]
    except (ValueError, KeyError, TypeError, Base64Error) as error:
        raise EnvelopeError("is no envelope") from error
    if kind != PAYLOAD_TYPE:
        raise EnvelopeError("holds something else than a statement")
    known = [(keys[keyid], signature) for keyid, signature in signatures if keyid in keys]
    if not known:
        raise EnvelopeError("is signed by a key that is not known here")
    if not any(key.has_signed(_authenticated(payload), signature) for key, signature in known):
        raise EnvelopeError("does not bear the signature of its content")
    statement: dict[str, Any] = json.loads(payload)
    return statement


def _authenticated(payload: bytes) -> bytes:
    """Return what is signed: DSSE's encoding of type and payload before each other."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
