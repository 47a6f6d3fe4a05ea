"""Signatures of labels: Ed25519 over the string that TC260-PG-202511A prescribes, in the reserved fields.

A signature stands there as `Ed25519.KEYID.SIGNATURE` (base64url without padding): opaque to who has no key, and made of
allowed characters. It covers who says so and the number of the content, as prescribed, and not the content.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from candor import files
from candor.errors import KeysError
from candor.governance.labels.record import Label

SCHEME = "Ed25519"
Checked = Literal["valid", "invalid", "unknown key", "not signed"]


@dataclass(frozen=True)
class SigningKeys:
    """The keys of one producer: the newest signs, all verify; a verifier's file holds public ones only.

    >>> keys = new_keys(); keys.check(keys.sign(label))
    'valid'
    """

    public: Mapping[str, bytes]
    """Key id to 32 bytes, oldest first."""
    private: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Key id to 32 bytes, for those that may sign."""
    created: Mapping[str, str] = field(default_factory=dict)
    """Key id to when it was made, UTC."""

    def rotated(self) -> "SigningKeys":
        """With a new key, which signs from now on."""
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        name = hashlib.sha256(public).hexdigest()[:16]
        return SigningKeys(
            {**self.public, name: public},
            {**self.private, name: key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())},
            {**self.created, name: datetime.now(UTC).isoformat(timespec="seconds")},
        )

    def for_verifiers(self) -> "SigningKeys":
        """What may be given away."""
        return SigningKeys(self.public, {}, self.created)

    def sign(self, label: Label) -> Label:
        """The label signed by the newest key: for the propagator where it was handed on, else for the producer.

        KeysError where there are public keys only.
        """
        if not self.private:
            raise KeysError("these label keys are for verifying only; sign with the file that candor label keys made")
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

    def save(self, path: Path) -> None:
        """Write as JSON, for the owner's eyes only where it holds private keys."""
        keys = [
            {"id": name, "created": self.created.get(name, ""), "public": self.public[name].hex()}
            | ({"private": self.private[name].hex()} if name in self.private else {})
            for name in self.public
        ]
        with files.atomic_file(path) as tmp:
            tmp.touch(0o600 if self.private else 0o644)
            tmp.write_text(json.dumps({"format": "candor-label-keys", "keys": keys}, indent=1) + "\n")


def new_keys() -> SigningKeys:
    """A file's worth of keys with one in it."""
    return SigningKeys({}).rotated()


def load_keys(path: Path) -> SigningKeys:
    """Read what `save` wrote; KeysError names what is wrong."""
    try:
        entries = json.loads(path.read_text())["keys"]
        public = {str(one["id"]): bytes.fromhex(one["public"]) for one in entries}
        private = {str(one["id"]): bytes.fromhex(one["private"]) for one in entries if "private" in one}
        created = {str(one["id"]): str(one["created"]) for one in entries}
        for name, key in public.items():
            Ed25519PublicKey.from_public_bytes(key)
            if name in private:
                made = Ed25519PrivateKey.from_private_bytes(private[name]).public_key()
                if made.public_bytes(Encoding.Raw, PublicFormat.Raw) != key:
                    raise ValueError(f"key {name} does not belong to its public half")
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}; make label keys with: candor label keys {path}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise KeysError(f"{path} holds no label keys ({error}); make them with: candor label keys FILE") from error
    return SigningKeys(public, private, created)
