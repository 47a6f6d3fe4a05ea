"""Signatures of labels: Ed25519 over the string that TC260-PG-202511A prescribes, in the reserved fields.

A signature stands there as `Ed25519.KEYID.SIGNATURE` (base64url without padding): opaque to who has no key, and made of
allowed characters. It covers who says so and the number of the content, as prescribed, and not the content.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from candor.errors import ConfigError, KeysError
from candor.governance.keys import LABEL, LocalRing
from candor.governance.labels.record import Label

SCHEME = "Ed25519"
Checked = Literal["valid", "invalid", "unknown key", "not signed"]


@dataclass(frozen=True)
class SigningKeys:
    """The keys of one producer: the newest signs, all verify; a verifier has public ones only.

    >>> keys = signing_keys(load_ring("label.json", "label")); keys.check(keys.sign(label))
    {'ReservedCode1': 'valid', 'ReservedCode2': 'not signed'}
    """

    public: Mapping[str, bytes]
    """Key id to 32 bytes, oldest first."""
    private: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Key id to the 32 bytes of its seed, for those who may sign, oldest first."""

    def sign(self, label: Label) -> Label:
        """The label signed by the newest key: for the propagator where it was handed on, else for the producer.

        KeysError where there are public keys only.
        """
        if not self.private:
            raise KeysError(
                "these keys are for verifying only; sign with the ring that candor keys new FILE --ring label made"
            )
        name = list(self.private)[-1]
        spread = label.propagate_id != label.produce_id
        text = label.spread_text() if spread else label.signed_text()
        signature = Ed25519PrivateKey.from_private_bytes(self.private[name]).sign(text.encode())
        written = f"{SCHEME}.{name}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        return replace(label, reserved2=written) if spread else replace(label, reserved1=written)

    def check(self, label: Label) -> dict[str, Checked]:
        """What became of the signature in each reserved field."""
        return {
            "ReservedCode1": self._check(label.reserved1, label.signed_text()),
            "ReservedCode2": self._check(label.reserved2, label.spread_text()),
        }

    def _check(self, value: str, text: str) -> Checked:
        parts = value.split(".")
        if parts[0] != SCHEME or len(parts) != 3:
            return "not signed"
        if parts[1] not in self.public:
            return "unknown key"
        try:
            signature = base64.urlsafe_b64decode(parts[2] + "=" * (-len(parts[2]) % 4))
            Ed25519PublicKey.from_public_bytes(self.public[parts[1]]).verify(signature, text.encode())
        except (ValueError, InvalidSignature):
            return "invalid"
        return "valid"

    def published(self) -> dict[str, str]:
        """The public halves in hex, by key id: what may be given away, and `public_keys` reads."""
        return {name: key.hex() for name, key in self.public.items()}


def signing_keys(ring: LocalRing) -> SigningKeys:
    """The keys whose seeds (32 bytes, RFC 8032) a ring holds, one for each version; the last one signs.

    ConfigError for another ring than one of labels.
    """
    if ring.name != LABEL:
        raise ConfigError(f"ring {ring.name} is not for labels; make one: candor keys new FILE --ring {LABEL}")
    public, private = {}, {}
    for version in ring.versions:
        key = Ed25519PrivateKey.from_private_bytes(ring.keks[version]).public_key().public_bytes_raw()
        name = hashlib.sha256(key).hexdigest()[:16]
        public[name], private[name] = key, ring.keks[version]
    return SigningKeys(public, private)


def public_keys(published: Any, where: str) -> SigningKeys:
    """Keys for verifying, out of what `SigningKeys.published` gave; KeysError names what is wrong with `where`."""
    try:
        public = {str(name): bytes.fromhex(key) for name, key in published.items()}
        for key in public.values():
            Ed25519PublicKey.from_public_bytes(key)
        if not public:
            raise ValueError("it is empty")
    except (AttributeError, TypeError, ValueError) as error:
        raise KeysError(
            f"{where} holds no public keys of labels ({error}); make it with: candor label public-keys SOURCE FILE"
        ) from None
    return SigningKeys(public)
