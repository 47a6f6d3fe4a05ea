"""Instructions that code can check: the 25 of IFEval (Zhou et al. 2023, arXiv:2311.07911, table 1), by their ids.

For English they mean what the paper and its published checker say, but for this: a keyword is text, not a regular
expression; `keywords:letter_frequency` takes any character (the checker draws another where one is no letter); an
instruction without its arguments is invalid (the checker draws them); languages are told apart by py3langid; sentences
and words of capitals are found by the rules below, without the data of NLTK, and the number of a list item is no
sentence.

In Chinese, words are counted by characters (字), sentences end at 。！？, no word boundary is asked for around a
forbidden word, ， is a comma (、 is not), “…” are double quotation marks, and ［…］ is a placeholder. What is said of
capital letters and of bullet points keeps its meaning.
"""

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from candor.problems.problem import Gold, Grade

Relation = Literal["less than", "at least"]
Words = tuple[str, ...]

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_IS_HAN = re.compile(f"[{_HAN}]")
_LANGUAGES = set("en es pt ar hi fr ru de ja it bn uk th ur ta te bg ko pl he fa vi ne sw kn mr gu pa ml fi zh".split())
"""Those that the paper asks for, and Chinese; more would only make short texts harder to tell."""

_SENTENCE_END = re.compile(r"""(?<![.!?])[.!?][.!?'")\]*_”’]*+(?=\s|$)|[。！？]++[”’」』）】》]*+""")
_NEVER_LAST = set("mr mrs ms dr prof st mt gen col capt lt sgt rev hon sen rep gov vs cf e.g i.e".split())
"""Abbreviations after which a sentence goes on, in small letters and without their last dot."""
_MAY_BE_LAST = set("etc inc ltd co corp jr sr a.m p.m u.s u.k ph.d b.c a.d".split())
"""Abbreviations after which a sentence goes on unless a capital letter follows."""

_BEFORE_NUMBER = {"no", "nos", "fig", "vol", "p", "pp", "ch", "sec"}
"""Abbreviations after which a sentence goes on where a number follows."""


@dataclass(frozen=True)
class Instructions(Gold):
    """Gold of a prompt with instructions: right where all are followed, by the paper's strict measure.

    >>> Instructions.of(["punctuation:no_comma", "length_constraints:number_words"],
    ...                 [{}, {"num_words": 300, "relation": "at least"}])
    """

    ids: tuple[str, ...]
    """As published: `keywords:existence`, ..."""
    kwargs: tuple[tuple[tuple[str, object], ...], ...]
    """The arguments of each, as pairs of name and value, lists as tuples."""

    @classmethod
    def of(cls, ids: Sequence[str], kwargs: Sequence[Mapping[str, Any]]) -> "Instructions":
        """From the fields `instruction_id_list` and `kwargs` of a published row; arguments that are null are absent."""
        return cls(
            tuple(ids),
            tuple(
                tuple(
                    (name, tuple(value) if isinstance(value, list) else value)
                    for name, value in each.items()
                    if value is not None
                )
                for each in kwargs
            ),
        )

    def __str__(self) -> str:
        every = zip(self.ids, self.kwargs, strict=False)
        return "; ".join(f"{name}({', '.join(f'{key}={value!r}' for key, value in pairs)})" for name, pairs in every)

    @property
    def sound(self) -> bool:
        """Whether each can be checked: a known id, with arguments as published."""
        return (
            len(self.ids) == len(self.kwargs) > 0
            and set(self.ids) <= CHECKERS.keys()
            and all(_fits(name, dict(pairs)) for name, pairs in zip(self.ids, self.kwargs, strict=True))
        )

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The text that is judged: all of it, without the reasoning before."""
        return _judged(response).strip() or None

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """RIGHT where all are followed (the prompt-level strict measure, whatever `strict` says of places)."""
        if not self.sound:
            return Grade.INVALID
        return Grade.RIGHT if all(self.followed(response)) else Grade.WRONG

    def scores(self, response: str) -> dict[str, float]:
        """`instructions`: share that was followed; `loose`: whether all were, read loosely."""
        strict, loose = self.followed(response), self.followed(response, loose=True)
        return {"instructions": sum(strict) / len(strict), "loose": float(all(loose))}

    def followed(self, response: str, *, loose: bool = False) -> list[bool]:
        """Which are followed, one by one, for instruction-level accuracy; none where they are not `sound`.

        `loose` as in the paper: also where they are without the first line, the last or both, and without asterisks.
        """
        if not self.sound:
            return [False] * len(self.ids)
        texts = [text for text in (_variants(_judged(response)) if loose else [_judged(response)]) if text.strip()]
        return [
            any(CHECKERS[name](text, **dict(pairs)) for text in texts)
            for name, pairs in zip(self.ids, self.kwargs, strict=True)
        ]


def _judged(response: str) -> str:
    if "</think>" in response:
        return response.rpartition("</think>")[2].strip()
    return "" if response.lstrip().startswith("<think>") else response


def _variants(text: str) -> list[str]:
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return cut + [each.replace("*", "") for each in cut]


def _fits(name: str, kwargs: dict[str, object]) -> bool:
    """Whether the arguments are those that the checker takes, of the types that it says."""
    hints = get_type_hints(CHECKERS[name])
    names = list(inspect.signature(CHECKERS[name]).parameters)[1:]
    return sorted(kwargs) == sorted(names) and all(_is_a(value, hints[key]) for key, value in kwargs.items())


def _is_a(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and value != () and all(_is_a(item, str) for item in value)
    return isinstance(value, hint) and (not isinstance(value, str) or value.strip() != "")


def _compare(found: int, relation: Relation, wanted: int) -> bool:
    return found < wanted if relation == "less than" else found >= wanted


def _occurrences(keyword: str, text: str) -> int:
    return len(re.findall(re.escape(keyword.strip()), text, re.IGNORECASE))


def _existence(text: str, keywords: Words) -> bool:
    return all(_occurrences(keyword, text) for keyword in keywords)


def _frequency(text: str, keyword: str, frequency: int, relation: Relation) -> bool:
    return _compare(_occurrences(keyword, text), relation, frequency)


def _forbidden_words(text: str, forbidden_words: Words) -> bool:
    # A word may not touch a letter or a digit; Chinese characters are no part of the word beside them.
    letter = rf"[^\W{_HAN}]"
    for word in forbidden_words:
        before = "" if _IS_HAN.match(word[:1]) else rf"(?<!{letter})"
        after = "" if _IS_HAN.match(word[-1:]) else rf"(?!{letter})"
        if re.search(before + re.escape(word) + after, text, re.IGNORECASE):
            return False
    return True


def _letter_frequency(text: str, letter: str, let_frequency: int, let_relation: Relation) -> bool:
    return _compare(text.lower().count(letter.strip().lower()), let_relation, let_frequency)


def _is_in(text: str, language: str) -> bool:
    """Whether a text is in a language (ISO 639-1); one without letters is in any, as in the published checker."""
    if not re.search(r"[^\W\d_]", text):
        return True
    import py3langid  # with numpy and a model: not for everybody who reads problems

    best = next(name for name, _ in py3langid.rank(text) if name in _LANGUAGES)
    return bool(best == language.lower().partition("-")[0])


def _number_sentences(text: str, num_sentences: int, relation: Relation) -> bool:
    return _compare(_sentences(text), relation, num_sentences)


def _sentences(text: str) -> int:
    """Pieces with a letter between ends of sentences; a line break ends none, as in Punkt."""
    count = start = 0
    for end in _SENTENCE_END.finditer(text):
        if _goes_on(text[start : end.start()], end[0], text[end.end() :].lstrip()[:1]):
            continue
        count += bool(re.search(r"[^\W\d_]", text[start : end.end()]))
        start = end.end()
    return count + bool(re.search(r"[^\W\d_]", text[start:]))


def _goes_on(before: str, mark: str, following: str) -> bool:
    """Whether a full stop belongs to an abbreviation, an initial or an ellipsis within a sentence."""
    if not following or mark[0] != ".":
        return False
    if mark.startswith("..."):
        return following.islower()
    word = re.split(r"""[\s("'“*]""", before[-20:])[-1]
    if word.lower() in _NEVER_LAST or re.fullmatch(r"[A-HJ-Z]", word):
        return True
    if word.lower() in _BEFORE_NUMBER:
        return following.isdigit()
    return word.lower() in _MAY_BE_LAST and not following.isupper()


def _number_words(text: str, num_words: int, relation: Relation) -> bool:
    return _compare(len(re.findall(rf"[{_HAN}]|[^\W{_HAN}]+", text)), relation, num_words)


def _number_paragraphs(text: str, num_paragraphs: int) -> bool:
    """Paragraphs between `***`; one at the beginning or the end may be empty, none in the middle."""
    parts = [bool(part.strip()) for part in text.split("***")]
    return all(parts[1:-1]) and sum(parts) == num_paragraphs


def _nth_paragraph_first_word(text: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    parts = [part.strip() for part in text.split("\n\n")]
    count = sum(map(bool, parts))
    if count != num_paragraphs or not 0 < nth_paragraph <= count or not parts[nth_paragraph - 1]:
        return False
    paragraph = parts[nth_paragraph - 1].lower()
    if _IS_HAN.search(first_word):  # there is no space to end a Chinese word
        return paragraph.lstrip("“‘\"'").startswith(first_word.lower())
    return re.split(r"""[.,?!'"]""", paragraph.split()[0].lstrip("'").lstrip('"'))[0] == first_word.lower()


def _number_placeholders(text: str, num_placeholders: int) -> bool:
    return _brackets(text, "[", "]") + _brackets(text, "［", "］") >= num_placeholders


def _brackets(text: str, opens: str, closes: str) -> int:
    """Pairs on a line, from an opening one to the next closing one; a thousand unclosed ones cost no time."""
    count = 0
    for line in text.split("\n"):
        end = line.find(closes, line.find(opens)) if opens in line else -1
        while end >= 0:
            count += 1
            start = line.find(opens, end)
            end = line.find(closes, start) if start >= 0 else -1
    return count


def _postscript(text: str, postscript_marker: str) -> bool:
    marker = postscript_marker.strip()
    usual = {"P.S.": r"p\.\s?s\.", "P.P.S": r"p\.\s?p\.\s?s"}
    return bool(re.search(usual.get(marker, re.escape(marker)), text, re.IGNORECASE))


def _number_bullet_lists(text: str, num_bullets: int) -> bool:
    return sum(bool(re.match(r"\s*(\*(?!\*)|-)", line)) for line in text.split("\n")) == num_bullets


def _constrained_response(text: str) -> bool:
    return any(f"My answer is {word}." in text for word in ("yes", "no", "maybe"))


def _number_highlighted_sections(text: str, num_highlights: int) -> bool:
    inside = re.findall(r"\*([^\n*]*)\*", text) + re.findall(r"\*\*([^\n*]*)\*\*", text)
    return sum(bool(part.strip()) for part in inside) >= num_highlights


def _multiple_sections(text: str, section_spliter: str, num_sections: int) -> bool:
    number = r"(?:\d+|[一二三四五六七八九十]+)"
    return len(re.findall(re.escape(section_spliter.strip()) + r"\s?" + number, text)) >= num_sections


def _json_format(text: str) -> bool:
    match = re.fullmatch(r"(?:```(?:json|JSON|Json)?)?(.*?)(?:```)?", text.strip(), re.DOTALL)
    try:
        json.loads(match[1] if match else text)
    except (ValueError, RecursionError):
        return False
    return True


def _title(text: str) -> bool:
    for line in text.split("\n"):
        inside, closed, _ = line.partition("<<")[2].rpartition(">>")
        if closed and inside.lstrip("<").rstrip(">").strip():
            return True
    return False


def _two_responses(text: str) -> bool:
    parts = [part.strip() for part in text.split("******")]
    given = [part for part in parts if part]
    return all(parts[1:-1]) and len(given) == 2 and given[0] != given[1]


def _repeat_prompt(text: str, prompt_to_repeat: str) -> bool:
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def _end_checker(text: str, end_phrase: str) -> bool:
    return text.strip().strip('"“”').lower().endswith(end_phrase.strip().lower())


def _capital_word_frequency(text: str, capital_frequency: int, capital_relation: Relation) -> bool:
    word = rf"[^\W{_HAN}]+"
    words = re.findall(rf"{word}(?:[-./]{word})*", text)
    return _compare(sum(each.isupper() for each in words), capital_relation, capital_frequency)


def _english_capital(text: str) -> bool:
    return text.isupper() and _is_in(text.lower(), "en")


def _english_lowercase(text: str) -> bool:
    return text.islower() and _is_in(text, "en")


def _no_comma(text: str) -> bool:
    return not re.search("[,，]", text)


def _quotation(text: str) -> bool:
    marks = text.strip()[:1] + text.strip()[-1:]
    return len(text.strip()) > 1 and (marks == '""' or (marks == "“”" and bool(_IS_HAN.search(text))))


CHECKERS: dict[str, Callable[..., bool]] = {
    "keywords:existence": _existence,
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden_words,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": _is_in,
    "length_constraints:number_sentences": _number_sentences,
    "length_constraints:number_paragraphs": _number_paragraphs,
    "length_constraints:number_words": _number_words,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph_first_word,
    "detectable_content:number_placeholders": _number_placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _number_bullet_lists,
    "detectable_format:constrained_response": _constrained_response,
    "detectable_format:number_highlighted_sections": _number_highlighted_sections,
    "detectable_format:multiple_sections": _multiple_sections,
    "detectable_format:json_format": _json_format,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeat_prompt,
    "startend:end_checker": _end_checker,
    "startend:quotation": _quotation,
    "change_case:capital_word_frequency": _capital_word_frequency,
    "change_case:english_capital": _english_capital,
    "change_case:english_lowercase": _english_lowercase,
    "punctuation:no_comma": _no_comma,
}
"""Instruction id -> checker of (text, its published arguments)."""
