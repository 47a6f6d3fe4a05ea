"""Everything together: identifiers by rule, dates and quantities, names by cue, the tagger, and all of it again."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from candor.governance.pii.anonymity import left
from candor.governance.pii.dates import find_dates
from candor.governance.pii.identifiers import find_identifiers
from candor.governance.pii.masking import FILL, Masked, Masking, hide_tags, without_tags
from candor.governance.pii.masking import mask as mask_with
from candor.governance.pii.names import again, find_names, grown
from candor.governance.pii.spans import Span, merge
from candor.governance.pii.tagger import THRESHOLD, WEIGHTS, Tagger

Model = Callable[[str], Iterable[Span]]
_ALL = Masking()


@dataclass(frozen=True)
class Finder:
    """What is looked for.

    >>> Finder(names=False).find("Call Mr Braun at 13800138000.")
    [Span(start=17, end=28, type='phone', identifier_class='direct', rule='mobile, China')]
    """

    names: bool = True
    """Names, addresses, organisations, dates and quantities too, not only identifiers by rule."""
    threshold: float = THRESHOLD
    """What the tagger masks: words that are part of nothing with a lower chance than this; 0 for nothing."""
    tagger: Path = WEIGHTS
    """Weights of the tagger."""
    model: Model | None = None
    """Another model that finds more, called with each text."""

    def find(self, text: str) -> list[Span]:
        """What is found in a text, in order; no two spans overlap."""
        return self.find_all([text])[0]

    def find_all(self, texts: Sequence[str]) -> list[list[Span]]:
        """As `find`, of many texts together, which is faster for short ones."""
        hidden = [hide_tags(text) for text in texts]
        found = [
            find_identifiers(text) + (across_tags(text) if text is not came else [])
            for text, came in zip(hidden, texts, strict=True)
        ]
        if self.names:
            for spans, text in zip(found, hidden, strict=True):
                spans += [*find_dates(text), *find_names(text)]
            if self.threshold:
                tagger = Tagger.load(self.tagger)
                for spans, more in zip(found, tagger.find(hidden, self.threshold), strict=True):
                    spans += more
        for spans, text in zip(found, hidden, strict=True):
            spans += self.model(text) if self.model else ()
            spans[:] = [grown(text, span) for span in spans]
            if self.names:
                spans += again(text, spans)
        return [
            without_tags(merge(spans), text) if text is not came else merge(spans)
            for spans, text, came in zip(found, hidden, texts, strict=True)
        ]

    def mask(self, text: str, how: Masking = _ALL) -> Masked:
        """See `masking.mask`."""
        return mask_with(text, self.find, how)


def across_tags(hidden: str) -> list[Span]:
    """Identifiers whose parts stand on both sides of tags: tags in what somebody wrote must not tear them."""
    kept = [place for place, one in enumerate(hidden) if one != FILL]
    joined = "".join(hidden[place] for place in kept)
    found = []
    for span in find_identifiers(joined):
        start, end = kept[span.start], kept[span.end - 1] + 1
        if end - start > span.end - span.start:
            found.append(replace(span, start=start, end=end))
    return found


def anonymise(text: str) -> tuple[str, tuple[str, ...]]:
    """A text with everything made general, and what in it still describes a person: see `anonymity.left`."""
    masked = Finder().mask(text, Masking("generalise")).text
    return masked, left(masked)


find = Finder().find
"""What is found in a text by all that there is."""


def mask(text: str, how: Masking | None = None, **fields: Any) -> Masked:
    """A text without it, as a Masking says; its fields can be given by name.

    >>> mask("我叫王小明", action="generalise").text
    '我叫<person>'
    """
    return Finder().mask(text, how or Masking(**fields))
