"""Labelled documents from which the harmful-text filter learns, and others by which it is measured.

They are made of sentences (`harmful_en`, `harmful_zh`) whose gaps are filled from word lists. What a filter by words
gets wrong is what most of the clean ones are: news of war, medicine, the history of discrimination, shops, cooking,
manuals, novels with battles and lovers, laws. A harmful document may hide a few harmful sentences among clean ones.
"""

import random
import re
from typing import Literal

from candor.data import harmful_en, harmful_heldout, harmful_zh
from candor.data.harmful import CLASSES
from candor.data.harmful_words import CHINESE, COMMON_CHINESE, COMMON_ENGLISH, ENGLISH

Lang = Literal["en", "zh"]
Split = Literal["train", "heldout"]
CLEAN = "clean"
MIXED: dict[Split, float] = {"train": 0.7, "heldout": 0.4}
"""Share of the harmful documents of more than one sentence of which most is clean."""
PART: dict[Split, float] = {"train": 0.2, "heldout": 0.3}
"""Least share of harmful sentences in those; half at most. Training has the harder ones, or the filter would weigh what
is clean against what is not."""
STREWN = 0.25
"""Share of the clean sentences for training that are common words in no order. The texts that the filter will see have
a thousand subjects; a word that stands in all of them must not speak for a class."""
_LENGTHS = ((1, 1), (2, 4), (5, 12), (13, 50))
"""Sentences of a document: one of these ranges ..."""
_CHANCES = (0.2, 0.3, 0.35, 0.15)
"""... with these chances."""
_ALTERNATIVES = re.compile(r"\(([^()|]*\|[^()]*)\)")
_GAP = re.compile(r"\{(\w+)\}")


def harmful_texts(seed: int, n: int, lang: Lang, split: Split) -> list[tuple[str, str]]:
    """`n` documents and their labels, one of `CLASSES` or "clean"; the same ones for the same arguments.

    Every other one is clean. The splits share no sentence, and their word lists differ in part, so that what is found
    in "heldout" was not learnt by heart.
    """
    writer = _Writer(lang, split, random.Random(f"harmful|{seed}|{lang}|{split}"))
    labels = [CLASSES[i // 2 % len(CLASSES)] if i % 2 else CLEAN for i in range(n)]
    return [(writer.document(label), label) for label in labels]


class _Writer:
    """Writes the documents of one language and split."""

    def __init__(self, lang: Lang, split: Split, chance: random.Random):
        self.chance, self.split, self.zh = chance, split, lang == "zh"
        sentences = (harmful_zh if self.zh else harmful_en).SENTENCES
        if split == "heldout":
            sentences = harmful_heldout.CHINESE if self.zh else harmful_heldout.ENGLISH
        lines: dict[str, list[str]] = {name: text.strip().split("\n") for name, text in sentences.items()}
        self.harmful = {name: lines.pop(name) for name in CLASSES}
        self.clean = list(lines.values())
        self.common = (COMMON_CHINESE if self.zh else COMMON_ENGLISH) if split == "train" else []
        self.words = {}
        for name, text in (CHINESE if self.zh else ENGLISH).items():
            parts = text.split(" / ")
            own = parts[:1] + parts[1:][slice(0, 1) if split == "train" else slice(1, 2)]
            self.words[name] = [word for part in own for word in part.split("，" if self.zh else ", ")]

    def document(self, label: str) -> str:
        chance = self.chance
        size = chance.randint(*chance.choices(_LENGTHS, _CHANCES)[0])
        topic = chance.choice(self.clean)
        bad = 0
        if label != CLEAN:
            mixed = size > 1 and chance.random() < MIXED[self.split]
            share = chance.uniform(PART[self.split], 0.5) if mixed else 1.0
            bad = max(1, round(size * share))
        kinds = [True] * bad + [False] * (size - bad)
        # Harmful sentences come at a stretch, at a place by chance.
        turn = chance.randrange(size)
        kinds = kinds[turn:] + kinds[:turn]
        return self._joined([self._harmful(label) if kind else self._clean(topic) for kind in kinds])

    def _harmful(self, label: str) -> str:
        return self._filled(self.chance.choice(self.harmful[label]))

    def _clean(self, topic: list[str]) -> str:
        chance = self.chance
        if self.common and chance.random() < STREWN:
            words = chance.choices(self.common, k=chance.randint(6, 18))
            return "".join(words) + "。" if self.zh else " ".join(words).capitalize() + "."
        return self._filled(chance.choice(topic if chance.random() < 0.7 else chance.choice(self.clean)))

    def _filled(self, line: str) -> str:
        chance = self.chance
        line = _ALTERNATIVES.sub(lambda found: chance.choice(found[1].split("|")), line)
        line = _GAP.sub(lambda found: chance.choice(self.words[found[1]]), line)
        line = _GAP.sub(lambda found: chance.choice(self.words[found[1]]), line)  # a word with a gap of its own
        return line if self.zh else line[:1].upper() + line[1:]

    def _joined(self, sentences: list[str]) -> str:
        """Sentences one behind another, or in paragraphs, or each on its line."""
        within = "" if self.zh else " "
        between = self.chance.choice((within, within, "\n", "\n\n"))
        every = 1 if between == "\n" else self.chance.randint(2, 6)
        groups = [within.join(sentences[i : i + every]) for i in range(0, len(sentences), every)]
        return between.join(groups)
