"""Whether a text carries a mark of given keys, with an exact p-value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from candor.errors import ConfigError
from candor.governance.watermark.places import Context, Places
from candor.governance.watermark.scheme import CHANCE, LAYERS, Scheme, WatermarkKey, bits_of, words_of

LEVEL = 0.01
"""Share of unmarked texts that may be taken for marked ones."""
MIN_TOKENS = 200
"""Counted tokens below which a mark that is not found is no answer."""
WEIGHTS: dict[Scheme, tuple[int, ...]] = {
    "tournament": tuple(round(10 - 9 * layer / (LAYERS - 1)) for layer in range(LAYERS)),
    "kgw": (1,),
}
"""Of each layer's bits: early layers have more probability to move. Whole numbers, so that the p-value can be exact."""
_EXACT = 1 << 24
"""Largest score for which the whole distribution is computed."""

Status = Literal["found", "not found", "inconclusive"]


class Vocabulary(Protocol):
    """What the detector needs of a tokenizer: the model's own, else there is nothing to find."""

    @property
    def token_bytes(self) -> Sequence[bytes]:
        """Bytes of each token, by id."""

    def encode(self, text: str) -> list[int]:
        """Ids of a text."""


@dataclass(frozen=True)
class Detection:
    """What was found.

    >>> Detection("found", 3.1e-12, 0.561, 312, "acme/2", 2)
    """

    status: Status
    """`found`; `not found`; `inconclusive` where there are too few tokens to say that."""
    p_value: float
    """Probability that a text without a mark of these keys scores as high: exact for the best key, times `tries`."""
    score: float
    """Weighted share of set bits: without a mark 0.5, for KGW 0.25, on average."""
    tokens: int
    """Tokens that were counted: not the first four, repeated contexts, code blocks or tool calls."""
    key_id: str
    """The key that fits best."""
    tries: int
    """Keys that were tried."""


def detect(
    source: str | Sequence[int],
    keys: Sequence[WatermarkKey],
    vocabulary: Vocabulary | None = None,
    *,
    level: float = LEVEL,
) -> Detection:
    """Look for the mark of any of the keys in a text, or in token ids, at the given rate of false alarms.

    Text needs the tokenizer of the model; with ids it serves to pass over code. ConfigError where something lacks.
    """
    if not keys:
        raise ConfigError("there is no key to try; give at least one")
    if not 0 < level < 1:
        raise ConfigError(f"level={level!r} must be between 0 and 1")
    if isinstance(source, str):
        if vocabulary is None:
            raise ConfigError("a text needs the tokenizer of the model that may have written it; or give token ids")
        source = vocabulary.encode(source)
    contexts, tokens = counted(source, vocabulary.token_bytes if vocabulary else ())
    if not tokens:
        return Detection("inconclusive", 1.0, CHANCE[keys[0].scheme], 0, keys[0].key_id, len(keys))
    tries = []
    for key in keys:
        weights, score = WEIGHTS[key.scheme], score_of(key, contexts, tokens)
        p = tail(score, len(tokens), weights, CHANCE[key.scheme])
        tries.append((p, score / (len(tokens) * sum(weights)), key.key_id))
    p, share, key_id = min(tries)
    p = min(1.0, p * len(keys))
    status: Status = "found" if p <= level else "not found" if len(tokens) >= MIN_TOKENS else "inconclusive"
    return Detection(status, p, share, len(tokens), key_id, len(keys))


def score_of(key: WatermarkKey, contexts: Sequence[Context], tokens: Sequence[int]) -> int:
    """The sum of the weights of the bits that the key sets for each token behind its context [4]."""
    bits = bits_of(words_of([key], contexts, np.array(tokens)[:, None]), key.scheme)
    return sum(weight * int(one.sum()) for weight, one in zip(WEIGHTS[key.scheme], bits, strict=True))


def counted(ids: Sequence[int], pieces: Sequence[bytes] = ()) -> tuple[list[Context], list[int]]:
    """The tokens that may carry a mark, and the context [4] of each."""
    places, contexts, tokens = Places(pieces), [], []
    for token in ids:
        if context := places.context():
            contexts.append(context)
            tokens.append(token)
        places.push(token)
    return contexts, tokens


def tail(score: int, n: int, weights: Sequence[int], chance: float) -> float:
    """P(S >= score), S the sum over n tokens of weights times bits that are set with probability `chance`.

    All n * len(weights) bits are independent: every counted context is another, so the hash of each token is too.
    The distribution of S comes from its characteristic function by one inverse FFT, tilted so that the score is its
    mean (Esscher): what is rounded is then small against the tail itself, and ten digits are right however small
    it is. Where the distribution is too large for that, Chernoff's bound, which is never too small.
    """
    most = n * sum(weights)
    if score <= 0 or score > most:
        return float(score <= 0)
    w, times = np.unique(np.array(weights), return_counts=True)

    def tilted(theta: float) -> tuple[np.ndarray, float]:
        """How often each bit is set then, and the logarithm of the moment."""
        share = 1 / (1 + (1 - chance) / chance * np.exp(-theta * w))
        return share, float(n * (times * np.logaddexp(np.log(1 - chance), np.log(chance) + theta * w)).sum())

    low, high = 0.0, 64.0
    for _ in range(64):
        theta = (low + high) / 2
        mean = n * (times * w * tilted(theta)[0]).sum()
        low, high = (theta, high) if mean < score else (low, theta)
    theta = low
    shares, log_moment = tilted(theta)
    front = math.exp(log_moment - theta * score)
    if most > _EXACT:
        return min(1.0, front)
    size = 1 << most.bit_length()
    circle = np.exp(-2j * np.pi * np.arange(size) / size)
    place = np.arange(size // 2 + 1)
    wave = np.ones(len(place), dtype=complex)  # of one token
    for weight, share, count in zip(w.tolist(), shares.tolist(), times.tolist(), strict=True):
        bit = 1 - share + share * circle[place * weight % size]
        for _ in range(count):
            wave *= bit
    above = np.fft.irfft(wave**n, size)[score : most + 1].clip(min=0)
    return float(min(1.0, front * (above * np.exp(-theta * np.arange(len(above)))).sum()))
