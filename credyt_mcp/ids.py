"""Identifiers: prefixed, time-ordered public ids and 16-byte keys for the callers' own ids.

A public id is a prefix, `_` and a 128-bit UUIDv7 in 26 characters of Crockford base32, the shape
of the hosted service's ids. Nothing here decides what an id means.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import uuid

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A fresh public id such as `cust_01k9…`; ids of later milliseconds sort later."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return f"{prefix}_{_base32(value)}"


def new_secret(prefix: str) -> str:
    """An unguessable token with 160 random bits, for API keys and payment links."""
    return f"{prefix}_{_base32(secrets.randbits(160), 32)}"


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret. A plain SHA-256 is enough: our secrets have 160 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def client_key(client_id: str) -> bytes:
    """16 bytes that stand for a caller's id in an index.

    A canonical UUID is its own key, so time-ordered UUIDs stay in order and need no second copy;
    any other string is hashed.
    """
    return (
        bytes.fromhex(client_id.replace("-", "")) if is_uuid_key(client_id) else text_key(client_id)
    )


def is_uuid_key(client_id: str) -> bool:
    """Whether `client_id` is a UUID in its canonical spelling, and so can be told from its key."""
    return _CANONICAL_UUID.fullmatch(client_id) is not None


def text_key(*parts: str) -> bytes:
    """A 16-byte hash of strings, unambiguous about where one ends."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(joined.encode(), digest_size=16).digest()


def client_id_of(key: bytes, stored: str | None) -> str:
    """The caller's id back from its key, or from the stored text where the key is a hash."""
    return stored if stored is not None else str(uuid.UUID(bytes=key))


def _base32(value: int, length: int = 26) -> str:
    return "".join(_ALPHABET[value >> 5 * place & 31] for place in range(length - 1, -1, -1))
