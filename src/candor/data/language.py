"""The language of a text, by its beginning."""

import re
from functools import cache
from typing import Any

from candor.data.quality import prose

_HAN = re.compile("[\u4e00-\u9fff\u3400-\u4dbf]")
_KANA = re.compile("[\u3040-\u30ff]")
_ENOUGH = 600
"""Characters that are looked at."""
_START = 5000
"""Those among which they are looked for, code and the like left out: documentation may begin with a page of it."""
_LEAST = 100
"""Characters of prose below which code counts too: a few words alone say little."""
_ALSO = {"wuu": "zh", "yue": "zh", "zxx": ""}
"""What the library tells apart and we do not: Wu and Cantonese, and text without language."""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language(text: str) -> str:
    """ISO 639-1 code of the language of a text; "" where it has none."""
    if not any(map(str.isalpha, text[:_START])):
        return ""
    start = " ".join(prose(text[:_START]).split())[:_ENOUGH]
    if len(start) < _LEAST:
        start = text[:_ENOUGH]
    if len(_HAN.findall(start)) * 3 > sum(map(str.isalpha, start)) and not _KANA.search(start):
        return "zh"
    found: str = _identifier().classify(start)[0]
    return _ALSO.get(found, found)
