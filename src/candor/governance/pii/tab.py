"""Documents annotated in the manner of the Text Anonymization Benchmark (TAB), and how well they are masked.

Pilán et al., The Text Anonymization Benchmark, Computational Linguistics 48(4), 2022 (arXiv 2202.00443); read as SPIA
publishes its documents: one object a line, with one annotator's mentions of entities.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from candor.errors import DataError
from candor.files import read_lines
from candor.governance.pii.spans import Span

_WORD = re.compile(r"\w+")
_LITTLE = frozenset("a an the of to in on at by for from with and or as no nr about mr mrs ms".split())
"""Words that tell nothing, which recall does not ask for; section 5 leaves out particles, prepositions and titles."""


@dataclass(frozen=True)
class Mention:
    """One place where something about a person stands."""

    start: int
    end: int
    type: str
    """PERSON, CODE, LOC, ORG, DEM, DATETIME, QUANTITY or MISC."""
    identifier_type: str
    """DIRECT, QUASI or NO_MASK."""
    entity: str
    """What it speaks of; an entity may have many mentions."""


@dataclass(frozen=True)
class TabDocument:
    """A document and its mentions."""

    id: str
    text: str
    mentions: tuple[Mention, ...]


def read_tab(path: Path) -> list[TabDocument]:
    """The documents of a file; DataError, with the line, for another form."""
    found = []
    for number, row in enumerate(read_lines(path), 1):
        try:
            mentions = tuple(
                Mention(
                    one["start_offset"], one["end_offset"], one["entity_type"], one["identifier_type"], one["entity_id"]
                )
                for one in row["entities"]
            )
            own = mentions[0].entity.split("_")[0] if mentions else str(number)
            found.append(TabDocument(own, row["text"], mentions))
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: not annotated as TAB is ({error!r} is missing)") from None
    return found


@dataclass(frozen=True)
class Scores:
    """How well documents are masked."""

    direct: float
    """Share of the entities that identify by themselves of which every mention is masked, every word of it."""
    quasi: float
    """The same of those that identify together with others."""
    precision: float
    """Share of the masked words that are part of what must be masked."""
    missed: tuple[tuple[str, str], ...]
    """Type and words of each entity that was missed."""


def score(documents: Sequence[TabDocument], found: Sequence[Sequence[Span]]) -> Scores:
    """Compare what was found with what should have been; totals over all documents together."""
    totals, hits = {"DIRECT": 0, "QUASI": 0}, {"DIRECT": 0, "QUASI": 0}
    masked = right = 0
    missed = []
    for document, spans in zip(documents, found, strict=True):
        wanted = [one for one in document.mentions if one.identifier_type != "NO_MASK"]
        hidden = _covered(document.text, [(one.start, one.end) for one in spans])
        gold = _covered(document.text, [(one.start, one.end) for one in wanted])
        for word in _WORD.finditer(document.text):
            if any(hidden[word.start() : word.end()]):
                masked += 1
                right += any(gold[word.start() : word.end()])
        entities: dict[str, list[Mention]] = {}
        for one in wanted:
            entities.setdefault(one.entity, []).append(one)
        for mentions in entities.values():
            kind = "DIRECT" if any(one.identifier_type == "DIRECT" for one in mentions) else "QUASI"
            totals[kind] += 1
            if all(_is_hidden(document.text, one, hidden) for one in mentions):
                hits[kind] += 1
            else:
                missed.append((mentions[0].type, document.text[mentions[0].start : mentions[0].end]))
    shares = [hits[kind] / max(1, totals[kind]) for kind in ("DIRECT", "QUASI")]
    return Scores(shares[0], shares[1], right / max(1, masked), tuple(missed))


def _covered(text: str, spans: Sequence[tuple[int, int]]) -> bytearray:
    """For each character whether it lies in a span."""
    found = bytearray(len(text))
    for start, end in spans:
        found[start:end] = b"\1" * (end - start)
    return found


def _is_hidden(text: str, mention: Mention, hidden: bytearray) -> bool:
    """Whether every word of a mention that tells something is masked, all of it."""
    return all(
        word[0].casefold() in _LITTLE or all(hidden[word.start() : word.end()])
        for word in _WORD.finditer(text, mention.start, mention.end)
    )
