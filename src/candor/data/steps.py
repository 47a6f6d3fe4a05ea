"""What happens to each document by itself: the steps in their order, each with a version and a reason to reject."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from candor.data.benchmarks import Benchmarks, BenchmarksConfig
from candor.data.bias import BalanceConfig
from candor.data.contacts import without_contacts
from candor.data.harmful import CLASSES, THRESHOLD, HarmfulClassifier, KeywordBank
from candor.data.language import language
from candor.data.minhash import MinHashConfig
from candor.data.normalise import broken_encoding, normalise
from candor.data.page import forbids_copies, without_boilerplate
from candor.data.quality import CHINESE, Limits, QualityConfig, judge
from candor.data.sources import Form, SourceConfig
from candor.data.view import View
from candor.errors import ConfigError
from candor.records import Document

VERSIONS = {
    "licence": 1,
    "normalise": 1,
    "encoding": 1,
    "language": 1,
    "boilerplate": 1,
    "copyright": 1,
    "contacts": 1,
    "quality": 1,
    "keywords": 1,
    "harmful": 1,
    "benchmarks": 1,
    "copies": 1,
    "near_copies": 1,
    "passages": 1,
    "balance": 1,
}
"""Every step in its order, and its version, which changes when the step would decide otherwise."""
_PROSE = tuple(VERSIONS)
_OF_FORM: dict[Form, tuple[str, ...]] = {
    "prose": _PROSE,
    "any": tuple(step for step in _PROSE if step not in ("boilerplate", "quality", "passages")),
    "code": (
        "licence",
        "normalise",
        "encoding",
        "copyright",
        "contacts",
        "benchmarks",
        "copies",
        "near_copies",
        "passages",
    ),
    "made": ("copies",),
}


@dataclass(frozen=True)
class StepsConfig:
    """The steps of a corpus; which of them a source goes through depends on its form."""

    licences: tuple[str, ...] = ()
    """Licences, as SPDX identifiers, that a source may have; none allows all."""
    languages: tuple[str, ...] = ()
    """Languages, as ISO 639-1 codes, that a document may have; none allows all."""
    copyright: bool = True
    """Reject what says that it may not be copied, from sources without an open licence."""
    boilerplate: bool = True
    """Take out lines that belong to a page and not to its text: cookies, navigation, sharing, legal notes."""
    contacts: bool = True
    """Mask e-mail and network addresses."""
    quality: bool = True
    """Apply the rules of quality."""
    english: Limits = field(default_factory=Limits)
    """Their thresholds for English and other languages that are written with spaces."""
    chinese: Limits = field(default_factory=lambda: CHINESE)
    """Their thresholds for Chinese."""
    keywords: tuple[str, ...] = ()
    """Files of terms that no document may contain: one a line, with a tab and a class behind it if wanted."""
    harmful: float = THRESHOLD
    """Score of the classifier for hate, pornography, violence and spam that rejects a document; 1 for never."""
    max_harmful_share: float = 0.05
    """A source with a larger share of harmful documents is refused whole (GB/T 45652)."""
    benchmarks: BenchmarksConfig = field(default_factory=BenchmarksConfig)
    """Evaluation sets whose items may not be trained on."""
    minhash: MinHashConfig = field(default_factory=MinHashConfig)
    """Near-duplicates."""
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    """How groups of people are spoken of."""
    passage: int = 50
    """Passages of at least so many words that stood before are cut out; 0 for never."""
    max_dropped: float = 0.9
    """A step that would reject more than this share of what reaches it stops the build: it is set wrongly."""

    def __post_init__(self) -> None:
        for name in ("harmful", "max_harmful_share", "max_dropped"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"steps.{name}={getattr(self, name)} must lie between 0 and 1")
        if self.passage < 0:
            raise ConfigError(f"steps.passage={self.passage} must be 0 or more")

    def names(self, form: Form) -> list[str]:
        """The steps that documents of a form go through, in order."""
        on = {
            "boilerplate": self.boilerplate,
            "copyright": self.copyright,
            "contacts": self.contacts,
            "quality": self.quality,
            "keywords": bool(self.keywords),
            "harmful": self.harmful < 1,
            "benchmarks": bool(self.benchmarks.sets),
            "near_copies": self.minhash.bands > 0,
            "passages": self.passage > 0,
            "balance": bool(self.balance.axes),
        }
        return [name for name in _OF_FORM[form] if on.get(name, True)]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document that is left out."""

    document: Document
    """As it came."""
    step: str
    """The step that rejected it."""
    reason: str
    """Why, in a word or two that are counted: `quality.short_lines`, `harmful.spam`."""
    detail: str = ""
    """What exactly: a figure, a term, the item of an evaluation set, the copy that stays."""


@dataclass(slots=True)
class _Item:
    """A document on its way."""

    came: Document
    text: str
    lang: str = ""
    changes: list[str] = field(default_factory=list)
    step: str = ""
    reason: str = ""
    detail: str = ""

    def reject(self, step: str, reason: str, detail: str = "") -> None:
        self.step, self.reason, self.detail = step, f"{step}.{reason}" if reason else step, detail


class Steps:
    """The steps that look at one document at a time, ready to run over batches of one source.

    >>> kept, rejected = Steps(StepsConfig(), source).run(documents)
    """

    def __init__(self, config: StepsConfig, source: SourceConfig, benchmarks: Benchmarks | None = None):
        self.config, self.source = config, source
        self.names = config.names(source.form)
        self.passed = " ".join(f"{name}/{VERSIONS[name]}" for name in self.names)
        """What stands in `Document.steps`."""
        self._benchmarks = benchmarks
        self._banks = _banks(config.keywords) if "keywords" in self.names else []

    def run(self, documents: Sequence[Document]) -> tuple[list[Document], list[Rejected], View]:
        """The documents that pass, in order, as they are now; those that do not, as they came; a view of the former."""
        items = [_Item(document, document.text) for document in documents]
        left = items
        for names, work in self._single.items():
            if names in self.names:
                for item in left:
                    work(self, item)
                left = [item for item in left if not item.step]
        texts = [item.text for item in left]
        view = View(texts)
        for name, judge_all in self._together.items():
            if name in self.names and left:
                judge_all(self, left, view)
        kept = [item for item in left if not item.step]
        if len(kept) < len(left):
            view = View([item.text for item in kept])
        return (
            [
                replace(
                    item.came,
                    text=item.text,
                    lang=item.lang,
                    steps=self.passed,
                    changes=", ".join(item.changes),
                )
                for item in kept
            ],
            [Rejected(item.came, item.step, item.reason, item.detail) for item in items if item.step],
            view,
        )

    # One document after the other.

    def _licence(self, item: _Item) -> None:
        if self.config.licences and item.came.licence not in self.config.licences:
            item.reject("licence", "", item.came.licence)

    def _normalise(self, item: _Item) -> None:
        normal = normalise(item.text)
        item.text = normal.text
        item.changes += [f"{what} {count}" for what, count in normal.changes.items()]
        if not item.text.strip():
            item.reject("normalise", "empty")

    def _encoding(self, item: _Item) -> None:
        if broken := broken_encoding(item.came.text):
            item.reject("encoding", "", broken)

    def _language(self, item: _Item) -> None:
        item.lang = language(item.text)
        if self.config.languages and item.lang not in self.config.languages:
            item.reject("language", item.lang or "unknown")

    def _boilerplate(self, item: _Item) -> None:
        item.text, lines = without_boilerplate(item.text)
        if lines:
            item.changes.append(f"boilerplate {lines}")
        if not item.text.strip():
            item.reject("boilerplate", "nothing_else")

    def _copyright(self, item: _Item) -> None:
        if self.source.licence in ("unknown", "") and (notice := forbids_copies(item.text)):
            item.reject("copyright", "", notice)

    def _contacts(self, item: _Item) -> None:
        item.text, count = without_contacts(item.text)
        if count:
            item.changes.append(f"contacts {count}")

    def _keywords(self, item: _Item) -> None:
        for bank in self._banks:
            for start, end, _, kind in bank.find(item.text):
                item.reject("keywords", kind, item.text[start:end])
                return

    _single: ClassVar[dict[str, Callable[["Steps", _Item], None]]] = {
        "licence": _licence,
        "normalise": _normalise,
        "encoding": _encoding,
        "language": _language,
        "boilerplate": _boilerplate,
        "copyright": _copyright,
        "contacts": _contacts,
        "keywords": _keywords,
    }

    # Many together.

    def _quality(self, items: Sequence[_Item], view: View) -> None:
        found = judge([item.text for item in items], view, QualityConfig(self.config.english, self.config.chinese))
        for place, (item, reason) in enumerate(zip(items, found.reasons, strict=True)):
            if reason and not item.step:
                item.reject("quality", reason, f"{found.figures[reason][place]:.3g}")

    def _harmful(self, items: Sequence[_Item], view: View) -> None:
        scores = _classifier().scores(view)
        for item, row in zip(items, scores, strict=True):
            if row.max() >= self.config.harmful and not item.step:
                item.reject("harmful", CLASSES[int(row.argmax())], f"{row.max():.3f}")

    def _contained(self, items: Sequence[_Item], view: View) -> None:
        assert self._benchmarks is not None
        for item, hit in zip(items, self._benchmarks.hits(view), strict=True):
            if hit and not item.step:
                item.reject("benchmarks", hit.partition(" ")[0], hit)

    _together: ClassVar[dict[str, Callable[["Steps", Sequence[_Item], View], None]]] = {
        "quality": _quality,
        "harmful": _harmful,
        "benchmarks": _contained,
    }


@cache
def _classifier() -> HarmfulClassifier:
    return HarmfulClassifier.load()


@cache
def _banks(paths: tuple[str, ...]) -> list[KeywordBank]:
    return [KeywordBank.read(path) for path in paths]


def without_passages(text: str, starts: NDArray[np.int64], words: int) -> tuple[str, int]:
    """A text without the passages of `words` words that begin at the words `starts`, and how many characters went."""
    view = View([text])
    ends = starts + words
    new = np.ones(len(starts), bool)
    new[1:] = starts[1:] > ends[:-1]
    firsts = starts[new]
    lasts = ends[np.append(np.flatnonzero(new)[1:] - 1, len(ends) - 1)]
    parts, done, cut = [], 0, 0
    for first, last in zip(view.word_starts[firsts].tolist(), view.word_ends[lasts - 1].tolist(), strict=True):
        parts.append(text[done:first])
        done, cut = last, cut + last - first
    return "".join([*parts, text[done:]]), cut
