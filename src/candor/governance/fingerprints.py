"""A hash-only index of a training text: which stretches of an answer stand in it, without the text itself.

Letters, digits and Han characters are kept, folded to one case and width; everything else is dropped. Of the hashes of
all runs of `gram` such characters, the smallest in each stretch of `span` is kept (winnowing, Schleimer, Wilkerson and
Aiken 2003), so every copied stretch of at least `span` characters shares one with the index, wherever it begins. The
hash is keyed and 64 bits wide: the index holds sorted numbers, of which a run of `gram` characters can be tested but
none read. Who has the index can test a guess; keep it as you keep the model.
"""

import json
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from candor import files
from candor.errors import ConfigError, DataError

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]

_CHUNK = 1 << 16
"""Characters that are hashed at once: their arrays fit into a processor's cache."""
_GATHERED = 1 << 20
"""Hashes that are gathered before they are sorted."""
_ODD = 0x9E3779B97F4A7C15
_NAME, _HASHES = "fingerprints.json", "hashes.npy"
_BMP = 1 << 16


@dataclass(frozen=True)
class FingerprintConfig:
    """What counts as copied.

    >>> FingerprintConfig(span=80)
    """

    span: int = 80
    """Letters, digits and Han characters in a row that are always found when copied."""
    gram: int = 41
    """Fewest that can be found; at most `span`, and more than half of it, or a copy may come in parts. The index
    holds about 2 / (span - gram + 2) numbers a character."""
    bits: int = 64
    """Of each hash that are kept: n hashes meet a strange one by chance with n / 2^bits."""

    def __post_init__(self) -> None:
        if not 8 <= self.gram <= self.span:
            raise ConfigError(f"fingerprints: gram={self.gram} must lie between 8 and span={self.span}")
        if not 16 <= self.bits <= 64:
            raise ConfigError(f"fingerprints: bits={self.bits} must lie between 16 and 64")


@dataclass(frozen=True)
class Copied:
    """A stretch of a text that stands in the index.

    >>> Copied(start=120, end=260)
    """

    start: int
    """Code point where it begins."""
    end: int
    """Behind its last code point."""


@cache
def _table() -> Codes:
    """Code point to what it counts as, 0 where it is dropped; beyond the BMP everything counts as itself."""
    table = np.zeros(_BMP, np.uint32)
    for code in range(_BMP):
        char = chr(code)
        if unicodedata.category(char)[0] in "LN":
            folded = unicodedata.normalize("NFKC", char).casefold()
            table[code] = ord(folded[0]) if folded else code
    return table


def _codes(text: str) -> tuple[Codes, NDArray[np.int64]]:
    """The code points that count, folded, and where each stands."""
    raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    folded = _table().take(raw, mode="clip")
    beyond = raw >= _BMP
    if beyond.any():
        folded[beyond] = raw[beyond]
    places = np.flatnonzero(folded)
    return folded[places], places


def _mixed(values: Hashes) -> Hashes:
    """A one-to-one scramble of 64 bits (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@cache
def _powers(length: int) -> tuple[Hashes, Hashes]:
    """The first powers of an odd number modulo 2^64, and of its inverse."""
    inverse = pow(_ODD, -1, 1 << 64)
    up = np.full(length, _ODD, np.uint64)
    down = np.full(length, inverse, np.uint64)
    up[0] = down[0] = 1
    return np.multiply.accumulate(up), np.multiply.accumulate(down)


class _Hasher:
    """Keyed hashes of all runs of `gram` code points, and the smallest of each stretch."""

    def __init__(self, config: FingerprintConfig, key: bytes):
        self.gram, self.stretch = config.gram, config.span - config.gram + 1
        self.keys = np.frombuffer(key, np.uint64)
        self.mask = np.uint64(2**config.bits - 1)

    def all(self, codes: Codes) -> Hashes:
        """One hash for each run: [len - gram + 1]; empty for a shorter text."""
        count = len(codes) - self.gram + 1
        if count <= 0:
            return np.empty(0, np.uint64)
        up, down = _powers(_CHUNK + self.gram)
        terms = _mixed(codes.astype(np.uint64) ^ self.keys[0]) * up[: len(codes)]
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
        runs = (sums[self.gram :] - sums[: -self.gram]) * down[:count]
        hashes: Hashes = _mixed(runs ^ self.keys[1]) & self.mask
        return hashes

    def smallest(self, hashes: Hashes) -> Hashes:
        """The smallest hash of each stretch: [len - stretch + 1]; empty where there are fewer."""
        width = self.stretch
        if len(hashes) < width:
            return hashes[:0]
        padded = np.full(-(-len(hashes) // width) * width, self.mask, np.uint64)
        padded[: len(hashes)] = hashes
        blocks = padded.reshape(-1, width)
        ahead = np.minimum.accumulate(blocks, axis=1).ravel()
        behind = np.minimum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
        least: Hashes = np.minimum(behind[: len(hashes) - width + 1], ahead[width - 1 : len(hashes)])
        return least


def build(texts: Iterable[str], folder: Path, config: FingerprintConfig = FingerprintConfig()) -> int:
    """Write the index of the texts and return how many hashes it has. A new key each time."""
    key = secrets.token_bytes(16)
    hasher = _Hasher(config, key)
    kept: list[Hashes] = []
    loose: list[Hashes] = []
    gathered = 0
    for some in _batches(texts):
        for codes, owners in _pieces(some, config.span):
            least = hasher.smallest(hasher.all(codes))
            whole = owners[: len(least)] == owners[config.span - 1 :][: len(least)]  # of one text alone
            loose.append(_unequal(least[whole]))
            gathered += len(loose[-1])
        if gathered > _GATHERED:
            kept, loose, gathered = [*kept, np.unique(np.concatenate(loose))], [], 0
    hashes = np.unique(np.concatenate([*kept, *loose])) if kept or loose else np.empty(0, np.uint64)
    with files.atomic_dir(folder) as tmp:
        files.write_array(tmp / _HASHES, hashes)
        fields = {
            "span": config.span,
            "gram": config.gram,
            "bits": config.bits,
            "key": key.hex(),
            "hashes": len(hashes),
        }
        files.write_json(tmp / _NAME, fields | {"sha256": files.sha256(tmp / _HASHES)})
    return len(hashes)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts together, as many as make a chunk; a longer one alone."""
    some: list[str] = []
    size = 0
    for text in texts:
        if some and size + len(text) > _CHUNK:
            yield some
            some, size = [], 0
        some.append(text)
        size += len(text)
    if some:
        yield some


def _pieces(texts: Sequence[str], span: int) -> Iterator[tuple[Codes, NDArray[np.int64]]]:
    """The code points of some texts that count, a chunk at a time, and which text each belongs to."""
    codes, places = _codes("\n".join(texts))
    owners = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])[places]
    for start in range(0, max(1, len(codes) - span + 1), _CHUNK - span):
        yield codes[start : start + _CHUNK], owners[start : start + _CHUNK]


def _unequal(hashes: Hashes) -> Hashes:
    """Without those that are equal to the one before."""
    return hashes[np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))] if len(hashes) else hashes


class Fingerprints:
    """An index that was built, on disk; the numbers are mapped, not read.

    >>> Fingerprints(Path("fingerprints")).copied(answer)
    [Copied(start=120, end=260)]
    """

    def __init__(self, folder: Path):
        try:
            fields = json.loads((folder / _NAME).read_text())
            self.config = FingerprintConfig(fields["span"], fields["gram"], fields["bits"])
            self._hashes: Hashes = np.load(folder / _HASHES, mmap_mode="r")
            if self._hashes.dtype != np.uint64 or self._hashes.shape != (fields["hashes"],):
                raise ValueError("the numbers are not those that were counted")
            self._hasher = _Hasher(self.config, bytes.fromhex(fields["key"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{folder} is no index of fingerprints ({error}); build it again") from error
        self.folder, self._sha256 = folder, fields["sha256"]

    def __len__(self) -> int:
        return len(self._hashes)

    def verify(self) -> None:
        """DataError where the numbers are not those that were written; reads all of them."""
        if files.sha256(self.folder / _HASHES) != self._sha256:
            raise DataError(f"{self.folder}/{_HASHES} is damaged; build it again")

    def copied(self, text: str) -> list[Copied]:
        """The stretches of a text that stand in the index: all of `span` characters that count, shorter ones
        only beside them."""
        codes, places = _codes(text)
        found: list[Copied] = []
        last = 0
        for begin in range(0, max(1, len(codes)), _CHUNK - self.config.span):
            hashes = self._hasher.all(codes[begin : begin + _CHUNK])
            least = _unequal(self._hasher.smallest(hashes))
            if len(least) and not self._known(least).any():
                continue  # no stretch of `span` is copied, which is the common case
            for hit in (np.flatnonzero(self._known(hashes)) + begin).tolist():
                start, end = int(places[hit]), int(places[hit + self.config.gram - 1]) + 1
                if found and hit <= last + self.config.gram:  # no character that counts is between them
                    found[-1] = Copied(found[-1].start, max(end, found[-1].end))
                else:
                    found.append(Copied(start, end))
                last = hit
        return found

    def _known(self, hashes: Hashes) -> NDArray[np.bool_]:
        at = np.searchsorted(self._hashes, hashes)
        if not len(self._hashes):
            return np.zeros(len(hashes), np.bool_)
        at[at == len(self._hashes)] = 0
        known: NDArray[np.bool_] = self._hashes[at] == hashes
        return known
