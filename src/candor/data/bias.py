"""How groups of people are spoken of: how often, and with what words around them; and weights that even it out.

What is counted are words of a list within a dozen words of a mention: enough to compare a corpus with itself before
and after, not to judge a sentence. Reweighting is that of Kamiran and Calders (2012): documents that speak ill of a
group are kept as often as if ill words and the group had nothing to do with each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from candor import files
from candor.data.sources import fingerprint_of
from candor.errors import ConfigError, DataError
from candor.view import Ints, View

_NEAR = 12
"""Words on each side of a mention in which words of praise and blame count."""
_OURS = Path(__file__).with_name("groups.json")


@dataclass(frozen=True)
class BalanceConfig:
    """What is evened out."""

    axes: tuple[str, ...] = ()
    """Axes of groups, gender or age for example: documents are kept so that blame falls on all their groups alike."""
    groups: str = ""
    """JSON file with groups, their terms, and words of praise and blame, as `candor/data/groups.json`; "" for that."""
    least_kept: float = 0.5
    """No kind of document is kept less often than this."""

    def __post_init__(self) -> None:
        if not 0 < self.least_kept <= 1:
            raise ConfigError(f"balance.least_kept={self.least_kept} must lie above 0 and at most 1")


class Groups:
    """Terms of groups, ready to be counted."""

    def __init__(self, axes: dict[str, dict[str, str]], praise: str, blame: str):
        self.names = [(axis, group) for axis, groups in axes.items() for group in groups]
        """The groups in the order of the columns of what is counted."""
        self._terms = _Terms([*(terms for groups in axes.values() for terms in groups.values()), praise, blame])

    @classmethod
    def read(cls, path: str) -> "Groups":
        """From a JSON file; "" for those that ship."""
        return _read(path, fingerprint_of(path) if path else "")

    def count(self, view: View) -> Ints:
        """[D, groups, 3]: mentions of each group, and words of praise and of blame near them."""
        found = np.zeros((len(view), len(self.names), 3), np.int64)
        places, kinds = self._terms.find(view)
        told = kinds < len(self.names)
        mentions, groups = places[told], kinds[told]
        of = view.document_of_word[mentions]
        low = np.maximum(mentions - _NEAR, view.first_words[of])
        high = np.minimum(mentions + _NEAR + 1, view.first_words[of + 1])
        np.add.at(found[:, :, 0], (of, groups), 1)
        for column, kind in enumerate((len(self.names), len(self.names) + 1), start=1):
            tone = np.sort(places[kinds == kind])
            np.add.at(found[:, :, column], (of, groups), np.searchsorted(tone, high) - np.searchsorted(tone, low))
        return found

    def cells(self, counted: Ints, axes: Sequence[str]) -> Ints:
        """[D, axes] the kind of each document: 0 where it speaks of no group or of several of the axis, else 1 + twice
        the group, and 1 more where there is more blame than praise."""
        found = np.zeros((len(counted), len(axes)), np.int64)
        for column, axis in enumerate(axes):
            own = [place for place, (name, _) in enumerate(self.names) if name == axis]
            if not own:
                raise ConfigError(f"balance.axes: there is no axis {axis!r} in the groups; see balance.groups")
            here = counted[:, own]
            one = (here[:, :, 0] > 0).sum(1) == 1
            which = here[:, :, 0].argmax(1)
            row = np.arange(len(here))
            ill = here[row, which, 2] > here[row, which, 1]
            found[:, column] = np.where(one, 1 + 2 * which + ill, 0)
        return found


def shares_kept(counts: dict[int, int], least: float) -> dict[int, float]:
    """The share of each kind of document, as `Groups.cells` numbers them, that is kept on one axis."""
    told = {cell: count for cell, count in counts.items() if cell > 0}
    total = sum(told.values())
    of_group: dict[int, int] = {}
    of_tone: dict[int, int] = {}
    for cell, count in told.items():
        of_group[(cell - 1) // 2] = of_group.get((cell - 1) // 2, 0) + count
        of_tone[(cell - 1) % 2] = of_tone.get((cell - 1) % 2, 0) + count
    weights = {
        cell: of_group[(cell - 1) // 2] * of_tone[(cell - 1) % 2] / (total * count) for cell, count in told.items()
    }
    most = max(weights.values(), default=1.0)
    return {cell: max(least, weight / most) for cell, weight in weights.items()}


def summary(groups: Groups, counted: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """For each group its share of the mentions on its axis, and blame among the words of praise and blame near it."""
    rows = []
    for (axis, group), (mentions, praise, blame) in zip(groups.names, counted, strict=True):
        total = sum(row[0] for (other, _), row in zip(groups.names, counted, strict=True) if other == axis)
        rows.append(
            {
                "axis": axis,
                "group": group,
                "mentions": mentions,
                "share": mentions / total if total else None,
                "blame": blame / (praise + blame) if praise + blame else None,
                "words": praise + blame,
            }
        )
    return rows


@cache
def _read(path: str, content: str) -> Groups:
    """Groups that are read once as long as the content of their file is the same."""
    value = files.read_json(Path(path) if path else _OURS)
    try:
        axes, praise, blame = value["axes"], value["praise"], value["blame"]
        good = all(terms.split() for groups in axes.values() for terms in (*groups.values(), praise, blame)) and axes
    except (KeyError, TypeError, AttributeError):
        good = False
    if not good:
        example = '{"axes": {"gender": {"women": "woman she 女人", "men": "man he"}}, "praise": "good", "blame": "bad"}'
        raise DataError(f"{path} has another form; write {example}, terms with spaces between them")
    return Groups(axes, praise, blame)


class _Terms:
    """Lists of terms, found in one pass for each length in words."""

    def __init__(self, lists: Sequence[str]):
        found: dict[int, dict[int, int]] = {}
        for kind, terms in enumerate(lists):
            for term in terms.split():
                view = View([term])
                length = len(view.words)
                found.setdefault(length, {}).setdefault(int(view.grams(length)[1][0]), kind)
        self._of_length = {}
        for length, kinds in found.items():
            hashes = np.array(sorted(kinds), np.uint64)
            maybe = np.zeros(1 << 16, bool)  # nearly all words are none of them, and this says so at once
            maybe[hashes & np.uint64(0xFFFF)] = True
            self._of_length[length] = hashes, np.array([kinds[one] for one in hashes.tolist()]), maybe

    def find(self, view: View) -> tuple[Ints, Ints]:
        """First word and list of each term in a view."""
        places, kinds = [], []
        for length, (hashes, kind, maybe) in self._of_length.items():
            starts, grams = view.grams(length)
            some = np.flatnonzero(maybe[grams & np.uint64(0xFFFF)])
            starts, grams = starts[some], grams[some]
            at = np.minimum(np.searchsorted(hashes, grams), len(hashes) - 1)
            right = hashes[at] == grams
            places.append(starts[right])
            kinds.append(kind[at[right]])
        return np.concatenate(places), np.concatenate(kinds)
