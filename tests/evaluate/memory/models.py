"""Models for audits of memory that learn in milliseconds: characters counted behind their contexts, backed off.

Like the real ones they can only have what was in their text, and know it the better the more often it stood there.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from candor.evaluate.likelihood import Row


class Letters:
    """A tokenizer of which each token is a character."""

    bos_id = 0

    def __init__(self, texts: Sequence[str]):
        self.known = ["", *sorted({char for text in texts for char in text})]
        self.ids = {char: number for number, char in enumerate(self.known)}

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [[self.ids[char] for char in text if char in self.ids] for text in texts]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return "".join(self.known[one] for one in ids)


class Counted:
    """P(next | last `order` characters), interpolated with shorter contexts (Witten and Bell 1991).

    The end of a text is the begin token of the next. `order` decides how much it can learn by heart; of the lengths up
    to it a few stand for all.
    """

    context = 1000

    def __init__(self, name: str, tokenizer: Letters, texts: Sequence[str], order: int):
        self.name, self.tokenizer = name, tokenizer
        self.lengths = [length for length in (0, 1, 2, 3, 5, 8, 12, 16, 25) if length <= order]
        self.counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for ids in tokenizer.encode_batch(texts):
            whole = [0, *ids, 0]
            for place in range(1, len(whole)):
                for length in self.lengths:
                    if length > place:
                        break
                    self.counts[tuple(whole[place - length : place])][whole[place]] += 1

    def next(self, ids: Sequence[int]) -> NDArray[np.float64]:
        size = len(self.tokenizer.known)
        p = np.full(size, 1 / size)
        for length in self.lengths:
            seen = self.counts.get(tuple(ids[len(ids) - length :])) if length <= len(ids) else None
            if not seen:
                break
            total = seen.total()
            p *= len(seen) / (total + len(seen))
            for one, times in seen.items():
                p[one] += times / (total + len(seen))
        return p

    def asked(self, text: str) -> list[int]:
        return [0, *self.tokenizer.encode_batch([text])[0]]

    def go_on(
        self, prompts: Sequence[Sequence[int]], tokens: int, *, temperature: float = 0.0, seed: int = 0
    ) -> list[list[int]]:
        found = []
        for number, prompt in enumerate(prompts):
            chance, ids = random.Random(f"{seed}|{number}"), list(prompt)
            while len(ids) < len(prompt) + tokens:
                p = self.next(ids)
                one = int(p.argmax()) if not temperature else chance.choices(range(len(p)), p.tolist())[0]
                if one == 0:
                    break
                ids.append(one)
            found.append(ids[len(prompt) :])
        return found

    def loglik(self, rows: Sequence[Row]) -> list[float]:
        return [
            math.fsum(math.log(self.next(ids[:place])[ids[place]]) for place in range(read, len(ids)))
            for ids, read in rows
        ]

    def surprise(self, rows: Sequence[Row]) -> list[NDArray[np.float64]]:
        found = []
        for ids, read in rows:
            values = []
            for place in range(read, len(ids)):
                p = self.next(ids[:place])
                logp = np.log(p)
                mean = (p * logp).sum()
                spread = math.sqrt(max(1e-12, (p * logp**2).sum() - mean**2))
                values.append((logp[ids[place]] - mean) / spread)
            found.append(np.array(values))
        return found
