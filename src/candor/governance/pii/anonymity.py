"""How alone a record still stands when it is masked: k-anonymity over what is left, an attack that links, and the gate.

k-anonymity after Sweeney (2002) and GB/T 42460-2023, Annex D: of how many records of the pool a record cannot be told
apart by what describes its person. The attack is that of the text re-identification risk (Manzanares-Salor et al.,
2024) in its plainest form: which of the authors wrote this, by the words they have in common.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import ahocorasick
import numpy as np
from numpy.typing import NDArray

from candor.governance.pii.lists import read_list
from candor.view import View

_GENERAL = re.compile(r"<([a-z_]+):([^<>:]+)>")
_ATTRIBUTES = (
    "occupations_en", "conditions_en", "nationalities_en", "occupations_zh", "conditions_zh", "ethnic_zh",
    "religions_zh", "nationalities_zh", "provinces_zh", "cities_zh",
)  # fmt: skip
_SLOTS = 1 << 13


@cache
def _attributes() -> "ahocorasick.Automaton":
    found = ahocorasick.Automaton()
    for name in _ATTRIBUTES:
        for entry in read_list(name):
            found.add_word(entry.casefold(), (len(entry), entry.casefold()))
    found.make_automaton()
    return found


def left(text: str) -> tuple[str, ...]:
    """What in a masked text still describes a person, without order or number: general values that masking has put
    there, and occupations, conditions, origins and places that it left.

    >>> left("<person>, <age:30-39>, nurse in <location:浙江>")
    ('age:30-39', 'location:浙江', 'nurse')
    """
    found = {f"{kind}:{value}" for kind, value in _GENERAL.findall(text)}
    low = _GENERAL.sub(" ", text).casefold()
    for end, (size, entry) in _attributes().iter_long(low):
        start = end + 1 - size
        plural = low[end + 1 : end + 2] == "s"
        behind = low[end + 1 + plural : end + 2 + plural]
        if entry >= "\u3000" or not (low[start - 1 : start].isalnum() or behind.isalnum()):
            found.add(entry)
    return tuple(sorted(found))


@dataclass(frozen=True)
class Anonymity:
    """How alone the records of a pool stand."""

    k: tuple[int, ...]
    """For each record, how many of the pool have the same left of them, itself included."""

    @property
    def lowest(self) -> int:
        """The k of the pool."""
        return min(self.k, default=0)

    @property
    def mean_risk(self) -> float:
        """Mean of 1/k: the chance to name the person of a record drawn at random, for who knows all that is left."""
        return float(np.mean([1 / one for one in self.k])) if self.k else 0.0

    def below(self, k: int) -> list[int]:
        """The places of records with fewer than k like them."""
        return [place for place, one in enumerate(self.k) if one < k]


def anonymity(texts: Sequence[str]) -> Anonymity:
    """The k-anonymity of masked records, of which each is another person."""
    tuples = [left(text) for text in texts]
    counts = Counter(tuples)
    return Anonymity(tuple(counts[one] for one in tuples))


def alike(left: Sequence[tuple[str, ...]], users: Sequence[int], k: int) -> list[bool]:
    """For each record whether at least `k` users have one with the same left of it; many records of one user count
    once."""
    who: dict[tuple[str, ...], set[int]] = {}
    for own, user in zip(left, users, strict=True):
        who.setdefault(own, set()).add(user)
    return [len(who[own]) >= k for own in left]


@dataclass(frozen=True)
class Linkage:
    """What the attack reached."""

    found: float
    """Share of the records whose author it named first."""
    chance: float
    """The share that guessing reaches."""
    n: int
    """Records that were attacked."""


def linkage(masked: Sequence[str], known: Sequence[str]) -> Linkage:
    """Link each masked record to the author of the same place by what else is known of that author: `known[i]` is
    other text of who wrote `masked[i]`, as it is, names and all. Nearest by TF-IDF over words and pairs of words."""
    if len(masked) != len(known):
        raise ValueError(f"{len(masked)} records and {len(known)} authors; give one author for each record")
    if not masked:
        return Linkage(0.0, 0.0, 0)
    counts = _counts([*masked, *known])
    weight = np.log((1 + len(counts)) / (1 + (counts > 0).sum(0)))
    rows = np.log1p(counts) * weight
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    near = rows[: len(masked)] @ rows[len(masked) :].T
    # Who stands first by chance alone, as where nothing is left, counts by that chance.
    own = np.diag(near)[:, None]
    first = np.where((near > own).any(1), 0.0, 1 / (near == own).sum(1))
    return Linkage(float(first.mean()), 1 / len(masked), len(masked))


def _counts(texts: Sequence[str]) -> NDArray[np.float32]:
    """[texts, slots] how often what falls into each slot stands in each text."""
    view = View(texts)
    found = np.zeros((len(texts), _SLOTS), np.float32)
    for n in (1, 2):
        places, hashes = view.grams(n)
        np.add.at(found, (view.document_of_word[places], (hashes >> np.uint64(51)).astype(np.int64)), 1)
    return found


def missing(residual: int, pool: Anonymity, attack: Linkage, *, k: int, most_linked: float) -> list[str]:
    """Why a pool may not be used, in words; empty where it may: identifiers that are left, records that stand alone,
    an attack that finds too many."""
    found = []
    if residual:
        found.append(f"{residual} identifiers are left; mask again")
    if pool.k and pool.lowest < k:
        alone = len(pool.below(k))
        found.append(f"{alone} of {len(pool.k)} records have fewer than {k} like them (k = {pool.lowest}); drop them")
    if attack.n and attack.found > max(most_linked, 2 * attack.chance):
        found.append(
            f"the linkage attack names {attack.found:.0%} of {attack.n} authors, {most_linked:.0%} may be named at most"
        )
    return found
