"""The language of a text, by its beginning."""

import re
from functools import cache
from typing import Any

_HAN = re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")
_KANA = re.compile("[\u3040-\u30ff]")
_ENOUGH = 1000
"""Characters that are looked at."""
_ALSO = {"wuu": "zh", "yue": "zh", "zxx": ""}
"""What the library tells apart and we do not: Wu and Cantonese, and text without language."""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language(text: str) -> str:
    """ISO 639-1 code of the language of a text; "" where it has none."""
    start = text[:_ENOUGH]
    letters = sum(map(str.isalpha, start))
    han = len(_HAN.findall(start))
    if han * 3 > letters and not _KANA.search(start):
        return "zh"
    found: str = _identifier().classify(start)[0]
    return _ALSO.get(found, found)
