"""What a key does to a distribution: SipHash of context and token, and the tournament that its bits decide.

Functions that take `Array` run on numpy arrays (integers are uint64) and on torch tensors (int64) alike: they add,
shift and compare, so that both give the same bits, on every device. `native/step.cpp` does the same once more in C++.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from candor.errors import ConfigError
from candor.governance.keys import WATERMARK, LocalRing, bind
from candor.governance.watermark.places import CONTEXT, Context

Scheme: TypeAlias = Literal["tournament", "kgw"]
Array: TypeAlias = Any
"""A numpy array or a torch tensor."""

LAYERS = 30
"""Rounds of the tournament, one bit of the hash each (SynthID-Text's default)."""
CANDIDATES = 256
"""Most likely tokens that are marked; the others keep their probabilities."""
BOOST = float(np.float32(np.e**2 - 1))
"""KGW's delta is 2: a green token becomes 1 + BOOST times as likely, before all are normalised."""
CHANCE = {"tournament": 0.5, "kgw": 0.25}
"""Probability that a bit is set in text without the mark; for KGW its gamma, the green share of the vocabulary."""
_BYTES = 4 * (CONTEXT + 1)


@dataclass(frozen=True)
class WatermarkKey:
    """One tenant's key under one version of the ring.

    >>> keys_of(ring, "acme")[-1].key_id
    'acme/2'
    """

    key_id: str
    """`TENANT/VERSION`."""
    prf: tuple[int, int] = field(repr=False)
    """The key of SipHash: two unsigned numbers of 64 bits."""
    scheme: Scheme = "tournament"
    """`tournament`, or `kgw` to compare with."""


class Mark(NamedTuple):
    """What one token is marked by."""

    key: WatermarkKey
    context: Context


def keys_of(ring: LocalRing, tenant: str, scheme: Scheme = "tournament") -> list[WatermarkKey]:
    """A tenant's keys, one for each version of the ring; the last one marks, all of them are tried by the detector.

    Each is HMAC-SHA256 of scheme and tenant under the ring's secret: one tenant's key tells nothing of another's.
    ConfigError for another ring than one of watermarks, and for a scheme that is none.
    """
    if ring.name != WATERMARK:
        raise ConfigError(f"ring {ring.name} is not for watermarks; make one: candor keys new FILE --ring {WATERMARK}")
    if scheme not in CHANCE:
        raise ConfigError(f"watermark scheme {scheme!r} is none of {', '.join(CHANCE)}; choose one")
    keys = []
    for version in ring.versions:
        digest = hmac.digest(ring.keks[version], bind("candor watermark 1", scheme, tenant), "sha256")
        prf = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")
        keys.append(WatermarkKey(f"{tenant}/{version}", prf, scheme))
    return keys


def siphash(k0: Array, k1: Array, contexts: Array, tokens: Array) -> Array:
    """SipHash-2-4 (Aumasson, Bernstein 2012) [B, n] of four context tokens [B, 4] and each of the tokens [B, n].

    The message is 20 bytes: five ids, little-endian. `k0`, `k1` are [B, 1] or [1, 1]; all are uint64 or all int64.
    """
    v = (k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573)
    first, second = (contexts[:, at : at + 1] | contexts[:, at + 1 : at + 2] << 32 for at in (0, 2))
    for block in (first, second, tokens | _BYTES << 56):
        v = _rounds((*v[:3], v[3] ^ block), 2)
        v = (v[0] ^ block, *v[1:])
    v0, v1, v2, v3 = _rounds((v[0], v[1], v[2] ^ 0xFF, v[3]), 4)
    return v0 ^ v1 ^ v2 ^ v3


def _rounds(v: tuple[Array, ...], count: int) -> tuple[Array, Array, Array, Array]:
    v0, v1, v2, v3 = v
    for _ in range(count):
        v0, v2 = v0 + v1, v2 + v3
        v1, v3 = _turned(v1, 13) ^ v0, _turned(v3, 16) ^ v2
        v0, v2 = _turned(v0, 32) + v3, v2 + v1
        v1, v3 = _turned(v1, 17) ^ v2, _turned(v3, 21) ^ v0
        v2 = _turned(v2, 32)
    return v0, v1, v2, v3


def _turned(x: Array, bits: int) -> Array:
    """Rotated left; the mask is for int64, whose shift to the right copies the sign."""
    return x << bits | (x >> 64 - bits) & (1 << bits) - 1


def words_of(keys: Sequence[WatermarkKey], contexts: Sequence[Context], tokens: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash words uint64 [B, n] of tokens [B, n], each row under its own key (or all under one) and context."""
    prf = np.array([key.prf for key in keys], dtype=np.uint64)
    return siphash(prf[:, :1], prf[:, 1:], np.array(contexts, dtype=np.uint64), tokens.astype(np.uint64))


def bits_of(words: Array, scheme: Scheme) -> list[Array]:
    """The 0s and 1s that a word decides: one for each layer of the tournament, or whether KGW calls the token green."""
    if scheme == "kgw":
        return [1 - ((words | words >> 1) & 1)]
    return [words >> layer & 1 for layer in range(LAYERS)]


def added(x: Array) -> Array:
    """Sum over the last axis, of 256, kept as an axis: halves, quarters, ...: one order for every machine."""
    while (half := x.shape[-1] // 2) > 0:
        x = x[..., :half] + x[..., half:]
    return x


def reweigh(shares: Array, words: Array, scheme: Scheme, real: Callable[[Array], Array]) -> Array:
    """Probabilities float32 [B, 256], which sum to 1, as the words [B, 256] change them; `real` makes float32 of bits.

    Each layer of the tournament is p <- p (1 + g - sum of g p): two tokens are drawn, the one whose bit is set wins.
    """
    bits = [real(one) for one in bits_of(words, scheme)]
    if scheme == "kgw":
        shares = shares * (1 + bits[0] * BOOST)
        return shares / added(shares)
    for g in bits:
        won = added(shares * g).clip(max=1)  # above 1 by rounding it would make a probability negative
        shares = shares * ((1 + g) - won)
    return shares


def mark(shares: NDArray[np.float32], marks: Sequence[Mark | None]) -> NDArray[np.float32]:
    """The reference: probabilities [B, V], V at least 256, with the most likely 256 of each row that has a mark
    reweighed by it.

    Their sum stays, as do all others: with the tournament, the mean over keys is what was given.
    """
    result = shares.copy()
    for scheme in {one.key.scheme for one in marks if one}:
        rows = [row for row, one in enumerate(marks) if one and one.key.scheme == scheme]
        here = [one for one in marks if one and one.key.scheme == scheme]
        chosen = np.sort(np.argsort(-shares[rows], axis=1, kind="stable")[:, :CANDIDATES], axis=1)
        head = np.take_along_axis(shares[rows], chosen, 1)
        mass = added(head)
        words = words_of([one.key for one in here], [one.context for one in here], chosen)
        result[np.array(rows)[:, None], chosen] = (
            reweigh(head / mass, words, scheme, lambda bits: bits.astype(np.float32)) * mass
        )
    return result
