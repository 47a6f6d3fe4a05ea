"""Keys in two steps: data keys encrypt text, key-encryption keys (KEKs) wrap data keys. No I/O.

Everything is AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce and bound additional data. Data keys are wrapped
with it too, and not with AES-KW (RFC 3394), which takes no additional data: a wrapped key that was moved to another
user, conversation or ring does not unwrap. A KEK wraps far fewer than the 2^32 keys that random nonces allow.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from candor.errors import ConfigError, KeysError

SERVICE = "service"
"""Ring of the server: opens what users wrote, for those users."""
TRAINING = "training"
"""Ring of the de-identification worker: opens only what stands under a consent in force."""
WATERMARK = "watermark"
"""Ring of the secrets that tenants' watermark keys are derived from; it wraps nothing."""
LABEL = "label"
"""Ring of the seeds of the keys that sign labels; it wraps nothing."""
RINGS = (SERVICE, TRAINING, WATERMARK, LABEL)

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORM = b"\x01"
"""First byte of everything sealed: the form that this code writes."""


@dataclass(frozen=True)
class Wrapped:
    """A data key as it is stored.

    >>> Wrapped(version=2, blob=b"...")
    """

    version: int
    """Version of the KEK that wraps it."""
    blob: bytes
    """The wrapped key."""


class KeyRing(Protocol):
    """Named KEKs by version: the current one wraps, the others still unwrap."""

    @property
    def name(self) -> str:
        """One of RINGS."""

    @property
    def versions(self) -> tuple[int, ...]:
        """All versions, rising; the last one is the current one."""

    def wrap(self, key: bytes, bound: bytes) -> Wrapped:
        """Wrap a data key under the current version."""

    def unwrap(self, wrapped: Wrapped, bound: bytes) -> bytes:
        """The data key; KeysError where the version is missing, or the key or what it is bound to is another."""


@dataclass(frozen=True)
class LocalRing:
    """A ring whose KEKs are in this process.

    >>> ring = LocalRing("service", {1: new_key()})
    >>> ring.unwrap(ring.wrap(key, b"user 7"), b"user 7") == key
    True
    """

    name: str
    """One of RINGS."""
    keks: Mapping[int, bytes] = field(repr=False)
    """32 bytes by version, from 1."""

    def __post_init__(self) -> None:
        if self.name not in RINGS:
            raise ConfigError(f"ring {self.name!r} is none of {', '.join(RINGS)}; choose one")
        if not self.keks:
            raise ConfigError(f"ring {self.name} holds no key; make one with: candor keys new FILE --ring {self.name}")
        for version, kek in self.keks.items():
            if version < 1 or len(kek) != KEY_BYTES:
                raise ConfigError(
                    f"version {version} of ring {self.name} has {len(kek)} bytes, {KEY_BYTES} and a version from 1 are "
                    "needed; restore the ring from your copy"
                )

    @property
    def versions(self) -> tuple[int, ...]:
        """All versions, rising."""
        return tuple(sorted(self.keks))

    def wrap(self, key: bytes, bound: bytes) -> Wrapped:
        """Wrap a data key under the current version."""
        version = self.versions[-1]
        return Wrapped(version, _encrypt(self.keks[version], key, bind(self.name, version) + bound))

    def unwrap(self, wrapped: Wrapped, bound: bytes) -> bytes:
        """The data key; KeysError where the version is missing, or the key or what it is bound to is another."""
        kek = self.keks.get(wrapped.version)
        if kek is None:
            raise missing_version(self, wrapped.version)
        try:
            return _decrypt(kek, wrapped.blob, bind(self.name, wrapped.version) + bound)
        except (InvalidTag, ValueError):
            raise KeysError(
                f"version {wrapped.version} of ring {self.name} does not open a key that it should have wrapped: the "
                "ring holds another key under this version, or the row was changed; restore the ring from your copy"
            ) from None


def missing_version(ring: KeyRing, version: int) -> KeysError:
    """The error for a key that a version wraps which the ring does not have."""
    held = ", ".join(map(str, ring.versions))
    return KeysError(
        f"a key is wrapped by version {version} of ring {ring.name}, which here has only {held}; put that version back "
        "from your copy of the ring (and run candor keys rotate before an old version goes)"
    )


def new_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def new_id() -> str:
    """A random id of 128 bits, in hex: it tells nothing of when it was made, or for whom."""
    return os.urandom(16).hex()


def bind(*parts: str | int | None) -> bytes:
    """Additional data out of parts, so that no two lists of parts give the same bytes."""
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()


def seal(key: bytes, text: str, bound: bytes) -> bytes:
    """Encrypt a text under a data key, bound to what `bound` says it is."""
    return _encrypt(key, text.encode(), bound)


def open_sealed(key: bytes, sealed: bytes, bound: bytes) -> str:
    """The text; KeysError where key, text or what it is bound to is another than when it was sealed."""
    try:
        return _decrypt(key, sealed, bound).decode()
    except (InvalidTag, ValueError):
        raise KeysError(
            "an encrypted text does not open: its row was changed or moved, or its key is another; restore the store "
            "from a backup"
        ) from None


def ring_text(ring: LocalRing) -> str:
    """A ring as it stands in a file or an environment variable: `{"ring": "service", "keys": {"1": "BASE64"}}`."""
    keys = {str(version): base64.b64encode(ring.keks[version]).decode() for version in ring.versions}
    return json.dumps({"ring": ring.name, "keys": keys})


def read_ring(text: str, where: str) -> LocalRing:
    """A ring out of its text; ConfigError, which never quotes the text, where it is none."""
    try:
        fields: Any = json.loads(text)
        keks = {int(version): base64.b64decode(kek, validate=True) for version, kek in fields["keys"].items()}
        name = str(fields["ring"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigError(f"{where} holds no key ring; make one with: candor keys new FILE") from None
    return LocalRing(name, keks)


def _encrypt(key: bytes, data: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORM + nonce + AESGCM(key).encrypt(nonce, data, _FORM + bound)


def _decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    if sealed[:1] != _FORM:
        raise ValueError("of another form")
    start = 1 + _NONCE_BYTES
    return AESGCM(key).decrypt(sealed[1:start], sealed[start:], _FORM + bound)
