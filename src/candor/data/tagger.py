"""What the tagger learns from: annotated documents, made texts with names, and texts that name nobody."""

from collections.abc import Iterable

from candor.data.harmful_text import CLEAN, harmful_texts
from candor.data.python_docs import python_docs
from candor.governance.pii.made import known_words, made
from candor.governance.pii.tab import TabDocument
from candor.governance.pii.tagger import Tagger
from candor.governance.pii.training import Annotated, annotated, common_words, train
from candor.governance.pii.words import Gazetteer
from candor.records import Progress, no_progress


def learn_tagger(
    documents: Iterable[TabDocument], texts: int, plain: int, seed: int, progress: Progress = no_progress
) -> Tagger:
    """A tagger that has learnt from the documents, from `texts` texts with names that are made here, half in each
    language, and from at most `plain` that name nobody. The same arguments give the same weights."""
    told, nobody = annotated(documents), _that_name_nobody(plain, seed)
    gazetteer = Gazetteer.made(known_words(common_words([one.text for one in told] + nobody)))
    return train([*told, *made(seed, texts), *(Annotated(text, ()) for text in nobody)], gazetteer, seed, progress)


def _that_name_nobody(n: int, seed: int) -> list[str]:
    """As many texts of Python's documentation as made ones in each language."""
    pages = [page.text for page in python_docs()]
    pieces = [page[at : at + 1500] for page in pages for at in range(0, len(page) - 1500, 1500)]
    found = pieces[:: max(1, len(pieces) // max(1, n // 3))][: n // 3]
    for lang in ("en", "zh"):
        found += [text for text, label in harmful_texts(seed, n, lang, "train") if label == CLEAN][: n // 3]
    return found
