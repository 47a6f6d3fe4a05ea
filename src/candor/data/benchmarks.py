"""Evaluation sets as hashes of runs of words, to find their items in a corpus and take such documents out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from candor import files
from candor.errors import ConfigError, DataError
from candor.rows import Layout, read_rows
from candor.view import Ints, View

_LEAST = 8
"""Words of the shortest item that is looked for: fewer words are nobody's."""


@dataclass(frozen=True)
class BenchmarksConfig:
    """Evaluation sets that no document may contain."""

    sets: tuple[str, ...] = ()
    """NAME=PATH each: JSONL, JSON, CSV, Parquet, a folder of those, or hf:owner/name."""
    words: int = 13
    """Length of a run of words that is the same in both; a shorter item counts as a whole, from 8 words on."""
    characters: int = 24
    """Length where the text is Chinese."""

    def __post_init__(self) -> None:
        for one in self.sets:
            if not all(one.partition("=")):
                raise ConfigError(
                    f"benchmarks.sets: {one!r} is not NAME=PATH; write for example gsm8k=gsm8k/test.jsonl"
                )
        for name in ("words", "characters"):
            if getattr(self, name) < _LEAST:
                raise ConfigError(f"benchmarks.{name}={getattr(self, name)} must be at least {_LEAST}")


class Benchmarks:
    """The runs of all items, by length, and the items that hold them."""

    def __init__(self, items: Sequence[str], runs: dict[int, tuple[np.ndarray, Ints]]):
        """`items` are their names; `runs` are sorted hashes and the item of each, by length in words."""
        self.items, self.runs = list(items), runs

    @classmethod
    def build(cls, config: BenchmarksConfig) -> "Benchmarks":
        """Read the sets; every text of a row counts."""
        items: list[str] = []
        found: dict[int, list[tuple[np.ndarray, int]]] = {}
        for one in config.sets:
            name, _, path = one.partition("=")
            before = len(items)
            for row in read_rows(path, Layout(splits=("test", "validation"))):
                fields = list(_texts(row.fields))
                if not fields:
                    continue
                # A question alone counts, and so do question and answer one behind the other.
                for text in dict.fromkeys([*fields, "\n".join(fields)]):
                    view = View([text])
                    count = int(view.word_count[0])
                    wanted = config.characters if view.han.sum() * 3 >= count else config.words
                    if count >= _LEAST:
                        length = min(wanted, count)
                        found.setdefault(length, []).append((view.grams(length)[1], len(items)))
                items.append(f"{name} {row.origin}")
            if before == len(items):
                raise DataError(f"{path} holds no text; check benchmarks.sets")
        runs = {}
        for length, parts in found.items():
            hashes = np.concatenate([part for part, _ in parts])
            of = np.repeat([item for _, item in parts], [len(part) for part, _ in parts])
            hashes, first = np.unique(hashes, return_index=True)
            runs[length] = hashes, of[first]
        return cls(items, runs)

    def save(self, folder: Path) -> None:
        """Write into an existing folder."""
        files.write_json(folder / "benchmarks.json", self.items)
        with files.atomic_file(folder / "benchmarks.npz") as tmp, open(tmp, "wb") as file:
            named = {f"{kind}{n}": one for n, pair in self.runs.items() for kind, one in zip("ho", pair, strict=True)}
            np.savez(file, allow_pickle=False, **named)

    @classmethod
    def load(cls, folder: Path) -> "Benchmarks":
        """Read what `save` wrote."""
        with np.load(folder / "benchmarks.npz") as arrays:
            runs = {int(name[1:]): (arrays[name], arrays[f"o{name[1:]}"]) for name in arrays if name[0] == "h"}
        return cls(files.read_json(folder / "benchmarks.json"), runs)

    def hits(self, view: View) -> list[str]:
        """For each document the name of an item of which it holds a run, or ""."""
        found = [""] * len(view)
        for length, (hashes, of) in sorted(self.runs.items(), reverse=True):
            places, grams = view.grams(length)
            at = np.minimum(np.searchsorted(hashes, grams), len(hashes) - 1)
            for hit in np.flatnonzero(hashes[at] == grams):
                document = int(view.document_of_word[places[hit]])
                found[document] = found[document] or self.items[of[at[hit]]]
        return found


def _texts(value: object) -> Iterator[str]:
    """Every text in a row, in lists and objects too."""
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
