"""What happens to each document by itself: the steps in their order, each with a version and a reason to reject."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from candor.data.benchmarks import Benchmarks, BenchmarksConfig
from candor.data.bias import BalanceConfig
from candor.data.harmful import CLASSES, THRESHOLD, HarmfulClassifier, KeywordBank
from candor.data.language import language
from candor.data.minhash import MinHashConfig
from candor.data.normalise import broken_encoding, normalise
from candor.data.page import forbids_copies, without_boilerplate
from candor.data.private import PrivateConfig
from candor.data.quality import CHINESE, Limits, QualityConfig, judge
from candor.data.sources import Form, fingerprint_of
from candor.errors import ConfigError
from candor.governance import pii
from candor.records import Document, Kind
from candor.view import View


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
    private: PrivateConfig = field(default_factory=PrivateConfig)
    """What tells who somebody is."""
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

    def of(self, kind: Kind) -> "StepsConfig":
        """For sources of a kind: what users wrote never keeps a name."""
        return replace(self, private=replace(self.private, on=True, names=True)) if kind == "user-derived" else self

    def steps(self, form: Form) -> "list[Step]":
        """The steps that documents of a form go through, in order."""
        return [step for step in STEPS if form in step.forms and step.on(self)]

    def runs(self, name: str, form: Form) -> bool:
        """Whether documents of a form go through a step."""
        return any(step.name == name for step in self.steps(form))

    def passed(self, form: Form) -> str:
        """What stands in `Document.steps` of documents of a form: each step with its version."""
        return " ".join(f"{step.name}/{step.version}" for step in self.steps(form))

    def inputs(self) -> tuple[str, ...]:
        """The files whose content decides, besides the sources."""
        sets = (one.partition("=")[2] for one in self.benchmarks.sets)
        return (*self.keywords, *sets, *filter(None, [self.balance.groups]))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document that is left out."""

    document: Document
    """As it came; `build` masks what tells who somebody is before it is written."""
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

    >>> kept, rejected, view = Steps(StepsConfig(), "prose").run(documents)
    """

    def __init__(self, config: StepsConfig, form: Form, benchmarks: Benchmarks | None = None):
        self.config, self.benchmarks = config, benchmarks
        self.steps = config.steps(form)
        self.passed = config.passed(form)
        self.banks = [_bank(path, fingerprint_of(path)) for path in config.keywords if config.runs("keywords", form)]

    def masked(self, text: str) -> str:
        """A text without what the step `private` masks, if documents go through it."""
        return self.config.private.mask(text)[0] if any(step.name == "private" for step in self.steps) else text

    def run(self, documents: Sequence[Document]) -> tuple[list[Document], list[Rejected], View]:
        """The documents that pass, in order, as they are now; those that do not, as they came; a view of the former."""
        items = [_Item(document, document.text) for document in documents]
        left = items
        view: View | None = None
        for step in self.steps:
            if step.one is not None:
                for item in left:
                    step.one(self, item)
                left, view = [item for item in left if not item.step], None
            elif step.many is not None and left:
                # Those that another step of this kind has rejected stay in the view, which is made once.
                view = view or View([item.text for item in left])
                step.many(self, left, view)
        kept = [item for item in left if not item.step]
        if view is None or len(kept) < len(left):
            view = View([item.text for item in kept])
        passed = [
            replace(item.came, text=item.text, lang=item.lang, steps=self.passed, changes=", ".join(item.changes))
            for item in kept
        ]
        return passed, [Rejected(one.came, one.step, one.reason, one.detail) for one in items if one.step], view


@dataclass(frozen=True)
class Step:
    """One step; those with neither `one` nor `many` look at the corpus as a whole, in `build`."""

    name: str
    """Its name, which reasons begin with."""
    version: int
    """Another number where it would decide otherwise."""
    forms: tuple[Form, ...]
    """Forms of sources whose documents go through it."""
    on: Callable[[StepsConfig], bool] = lambda config: True
    """Whether the settings ask for it."""
    one: Callable[[Steps, _Item], None] | None = None
    """Change or reject one document."""
    many: Callable[[Steps, Sequence[_Item], View], None] | None = None
    """Reject some of many documents, of which there is a view; some may have been rejected before."""


def _licence(steps: Steps, item: _Item) -> None:
    if steps.config.licences and item.came.licence not in steps.config.licences:
        item.reject("licence", "", item.came.licence)


def _encoding(steps: Steps, item: _Item) -> None:
    if broken := broken_encoding(item.text):
        item.reject("encoding", "", broken)


def _normalise(steps: Steps, item: _Item) -> None:
    normal = normalise(item.text)
    item.text = normal.text
    item.changes += [f"{what} {count}" for what, count in normal.changes.items()]
    if not item.text.strip():
        item.reject("normalise", "empty")


def _language(steps: Steps, item: _Item) -> None:
    item.lang = language(item.text)
    if steps.config.languages and item.lang not in steps.config.languages:
        item.reject("language", item.lang or "unknown")


def _boilerplate(steps: Steps, item: _Item) -> None:
    item.text, lines = without_boilerplate(item.text)
    if lines:
        item.changes.append(f"boilerplate {lines}")
    if not item.text.strip():
        item.reject("boilerplate", "nothing_else")


def _copyright(steps: Steps, item: _Item) -> None:
    if item.came.licence in ("unknown", "") and (notice := forbids_copies(item.text)):
        item.reject("copyright", "", notice)


def _private(steps: Steps, item: _Item) -> None:
    item.text, masked = steps.config.private.mask(item.text)
    if masked:
        item.changes.append(f"private {masked}")


def _keywords(steps: Steps, item: _Item) -> None:
    for bank in steps.banks:
        for start, end, _, kind in bank.find(item.text):
            item.reject("keywords", kind, item.text[start:end])
            return


def _quality(steps: Steps, items: Sequence[_Item], view: View) -> None:
    found = judge([item.text for item in items], view, QualityConfig(steps.config.english, steps.config.chinese))
    for place, (item, reason) in enumerate(zip(items, found.reasons, strict=True)):
        if reason and not item.step:
            item.reject("quality", reason, f"{found.figures[reason][place]:.3g}")


def _harmful(steps: Steps, items: Sequence[_Item], view: View) -> None:
    scores = _classifier().scores(view)
    for item, row in zip(items, scores, strict=True):
        if row.max() >= steps.config.harmful and not item.step:
            item.reject("harmful", CLASSES[int(row.argmax())], f"{row.max():.3f}")


def _benchmarks(steps: Steps, items: Sequence[_Item], view: View) -> None:
    assert steps.benchmarks is not None
    for item, hit in zip(items, steps.benchmarks.hits(view), strict=True):
        if hit and not item.step:
            item.reject("benchmarks", hit.partition(" ")[0], hit)


_ALL: tuple[Form, ...] = ("prose", "any", "code")
_WRITTEN: tuple[Form, ...] = ("prose", "any")
STEPS = (
    Step("licence", 1, _ALL, one=_licence),
    Step("encoding", 1, _ALL, one=_encoding),  # before controls, which show it, are taken out
    Step("normalise", 1, _ALL, one=_normalise),
    Step("language", 1, _WRITTEN, one=_language),
    Step("boilerplate", 1, ("prose",), lambda config: config.boilerplate, one=_boilerplate),
    Step("copyright", 1, _ALL, lambda config: config.copyright, one=_copyright),
    Step("private", pii.VERSION, _ALL, lambda config: config.private.on, one=_private),
    Step("keywords", 1, _WRITTEN, lambda config: bool(config.keywords), one=_keywords),
    Step("quality", 1, ("prose",), lambda config: config.quality, many=_quality),
    Step("harmful", 1, _WRITTEN, lambda config: config.harmful < 1, many=_harmful),
    Step("benchmarks", 1, _ALL, lambda config: bool(config.benchmarks.sets), many=_benchmarks),
    Step("copies", 1, (*_ALL, "made")),
    Step("near_copies", 1, _ALL, lambda config: config.minhash.bands > 0),
    Step("balance", 1, _WRITTEN, lambda config: bool(config.balance.axes)),
    Step("passages", 1, ("prose", "code"), lambda config: config.passage > 0),
)
"""Every step in its order."""


@cache
def _classifier() -> HarmfulClassifier:
    return HarmfulClassifier.load()


@cache
def _bank(path: str, content: str) -> KeywordBank:
    """A bank that is read once as long as its content is the same."""
    return KeywordBank.read(path)
