"""Lists of names, places, organisations and the like, in English and Chinese: `lists.json`, read once.

Rules have lists of their own where the tagger's say too much: a general is not always a title, nor a union a name.
"""

import json
from functools import cache
from pathlib import Path

WORD_LISTS = (
    "common", "first_names", "surnames", "places", "nations", "currencies", "titles_en", "months_en", "weekdays_en",
    "street_words_en", "organisation_words_en", "organisations_en", "occupations_en", "conditions_en",
    "relations_en", "nationalities_en",
)  # fmt: skip
"""Lists of words with spaces between them; those without a language come from `made.known_words`."""
HAN_LISTS = (
    "surnames_zh", "given_zh", "titles_zh", "titles_before_zh", "provinces_zh", "cities_zh", "districts_zh",
    "address_suffixes_zh", "organisation_suffixes_zh", "organisations_zh", "occupations_zh", "conditions_zh",
    "relations_zh", "nationalities_zh",
)  # fmt: skip
"""Lists of Chinese words."""


@cache
def _all() -> dict[str, str]:
    found: dict[str, str] = json.loads(Path(__file__).with_name("lists.json").read_text(encoding="utf-8"))
    return found


@cache
def read_list(name: str) -> tuple[str, ...]:
    """The entries of a list."""
    return tuple(entry.replace("_", " ") for entry in _all()[name].split())
