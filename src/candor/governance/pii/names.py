"""People, addresses and organisations by what stands around them: titles, cues, endings, lists; English and Chinese.

What is found once is found again: `again` looks for the same names elsewhere in the document.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

import ahocorasick

from candor.governance.pii.lists import read_list
from candor.governance.pii.spans import Span


def _one_of(*names: str) -> str:
    """Any entry of these lists, the longest first."""
    entries = {re.escape(entry) for name in names for entry in read_list(name)}
    return "|".join(sorted(entries, key=lambda one: (-len(one), one)))


_CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮİĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽȘȚƏ"
_PART = rf"[{_CAPITAL}](?:\.|[\w’']{{0,30}}\w(?!\w))?(?:-[{_CAPITAL}](?:\.|\w{{0,30}}(?!\w))){{0,3}}"
_LINK = r"(?:(?:van|von|de|der|den|du|la|le|del|di|da|dos|al|el|bin|ibn|zu|ten|ter|y|e)[ \u00a0])"
_NAME = rf"(?:{_LINK}{{0,2}}{_PART})(?:[ \u00a0]?(?<=[. \u00a0]){_LINK}{{0,2}}{_PART}){{0,4}}"
_TITLED = re.compile(
    rf"(?<![A-Za-z])(?:{_one_of('titles_before_en')})\.?[ \u00a0\n]"
    rf"(?:(?:and|&)[ ](?:Mr|Mrs|Ms|Dr)\.?[ ])?{_NAME}"
    rf"(?:,? (?:and|&) (?=(?:Mr|Mrs|Ms|[{_CAPITAL}]\.))(?:(?:Mr|Mrs|Ms|Dr)\.? )?{_NAME}){{0,8}}"
)
_CUED = re.compile(
    rf"(?<![A-Za-z])(?:[Mm]y name is|[Hh]is name is|[Hh]er name is|[Nn]amed|[Nn]ame:|[Cc]ontact:|[Pp]atient:|[Dd]ear|"
    rf"[Ss]igned,?|[Ss]incerely,|[Rr]egards,|[Ii]'m|I am|[Tt]his is|[Aa]ttn:?)\s+({_NAME})"
)
_HANDLE = re.compile(r"(?<![\w@.])@[A-Za-z_][A-Za-z0-9_.]{1,29}(?<![.])(?![\w@])", re.ASCII)
_STREET = re.compile(
    rf"\d{{1,6}}[A-Za-z]?,?\s(?:[NSEW]\.?\s)?(?:{_PART}\s){{1,4}}(?:{_one_of('street_endings_en')})(?![a-z])\.?"
    rf"(?:,?\s(?:Apt|Apartment|Suite|Unit|Flat|#)\.?\s?[\w-]+)?(?:,?\s{_PART}(?:\s{_PART})?,?\s[A-Z]{{2}}\s\d{{5}}(?:-\d{{4}})?)?"
    r"|P\.?O\.? Box \d+"
)
_FIRM = re.compile(rf"(?:{_PART}[ &]{{1,3}}){{1,5}}(?:{_one_of('organisation_endings_en')})(?![A-Za-z])\.?")

_REACH = 4
"""Characters of a Chinese name at most."""


def find_names(text: str) -> list[Span]:
    """People, addresses and organisations of a text, unordered; some may lie within others."""
    found = [Span(*one.span(), "person", "direct", "title") for one in _TITLED.finditer(text)]
    found += [Span(*one.span(1), "person", "direct", "cue") for one in _CUED.finditer(text)]
    if "@" in text:
        found += [Span(*one.span(), "handle", "direct", "handle") for one in _HANDLE.finditer(text)]
    found += [Span(*one.span(), "address", "quasi", "street") for one in _STREET.finditer(text)]
    found += [Span(*one.span(), "organisation", "quasi", "firm") for one in _FIRM.finditer(text)]
    if not text.isascii():
        found += _chinese_people(text)
        found += _chinese_places(text)
    return found


# Chinese.


@cache
def _titled_zh() -> re.Pattern[str]:
    return re.compile(rf"(?:{_one_of('titles_zh')})")


@cache
def _cued_zh() -> re.Pattern[str]:
    return re.compile(rf"(?:{_one_of('titles_before_zh')})(?:名字)?(?:\s?[:：是为叫系]\s?|\s)?")


@cache
def _surnames() -> frozenset[str]:
    return frozenset(read_list("surnames_zh"))


@cache
def _given() -> frozenset[str]:
    return frozenset(read_list("given_zh"))


@cache
def _never_given() -> frozenset[str]:
    """Characters that go on with the sentence, and do not stand in names."""
    return frozenset(read_list("not_given_zh"))


@cache
def _ordinary() -> frozenset[str]:
    """Words that begin as a name could."""
    return frozenset(read_list("ordinary_zh"))


def _chinese_people(text: str) -> Iterator[Span]:
    """Names behind a cue, and before a title."""
    for cue in _cued_zh().finditer(text):
        if size := _name_at(text, cue.end()):
            yield Span(cue.end(), cue.end() + size, "person", "direct", "cue_zh")
    for title in _titled_zh().finditer(text):
        at = title.start()
        for size in range(min(_REACH, at), 0, -1):
            name = text[at - size : at]
            if _is_name(name):
                yield Span(at - size, at, "person", "direct", "title_zh")
                break


def _name_at(text: str, at: int) -> int:
    """Characters of the name that begins here; 0 for none."""
    surname = next((size for size in (2, 1) if text[at : at + size] in _surnames()), 0)
    if not surname:
        return 0
    size = surname
    for place in (at + surname, at + surname + 1):
        one = text[place : place + 1]
        if not "\u4e00" <= one <= "\u9fff" or one in _never_given():
            break
        # The second character of a given name is one that is usual there, or stands at the end.
        behind = text[place + 1 : place + 2]
        if place > at + surname and one not in _given() and "\u4e00" <= behind <= "\u9fff":
            break
        size += 1
    return size if size > surname and text[at : at + size] not in _ordinary() else 0


def _is_name(name: str) -> bool:
    """Whether a surname with up to two usual characters behind it, or by itself, is all of this."""
    if name[:2] in _ordinary() or name[-2:] in _ordinary():
        return False
    surname = next((size for size in (2, 1) if name[:size] in _surnames()), 0)
    rest = name[surname:]
    return bool(surname) and len(rest) <= 2 and all(one in _given() and one not in _never_given() for one in rest)


@cache
def _divisions() -> str:
    return _one_of("provinces_zh", "cities_zh", "districts_zh")


@cache
def _place_zh() -> re.Pattern[str]:
    han = "[\u4e00-\u9fff]"
    return re.compile(
        rf"(?:{_divisions()})(?:省|市|自治区|特别行政区)?(?:(?:{_divisions()})(?:市|区|县|州|盟)?)*"
        rf"(?:{han}{{1,4}}(?:区|县|镇|乡|街道|村))*(?:{han}{{1,8}}(?:大道|路|街|巷|弄|胡同|小区|花园|公寓|大厦|广场|新村|家园))*"
        r"(?:\s?[\dA-Za-z一二三四五六七八九十甲乙丙丁]{1,5}\s?(?:号楼|号院|号|栋|幢|座|弄|单元|室|层|楼|门))*(?:\s?\d{3,4}(?!\d))?"
    )


@cache
def _firm_zh() -> re.Pattern[str]:
    stops = "的了是在有和与及或也都就到于从向由被把为去往进入加担任职我你他她它们这那某个家所"
    endings = _one_of("organisation_suffixes_zh")
    # 第二中 is no ending where 学 follows.
    return re.compile(rf"[^\W\d_{stops}]{{2,14}}?(?:(?:{endings})(?:(?<!中)|(?!学)))+")


def _chinese_places(text: str) -> Iterator[Span]:
    for one in _place_zh().finditer(text):
        kind = "address" if re.search(r"[路街巷弄号栋幢室村]", one[0]) else "location"
        yield Span(*one.span(), kind, "quasi", "division_zh")
    for one in _firm_zh().finditer(text):
        yield Span(*one.span(), "organisation", "quasi", "firm_zh")


# What was found, whole and elsewhere.


def grown(text: str, span: Span) -> Span:
    """A Chinese name with the character behind it, where that can only be the rest of it."""
    behind, more = text[span.end : span.end + 1], text[span.end + 1 : span.end + 2]
    short = span.type == "person" and span.end - span.start == 2 and "\u4e00" <= text[span.start] <= "\u9fff"
    if short and behind in _given() and not "\u4e00" <= more <= "\u9fff":
        return replace(span, end=span.end + 1)
    return span


def again(text: str, found: Iterable[Span]) -> list[Span]:
    """The other places of the people that were found: whole names, and of Latin ones each long part."""
    people = {text[span.start : span.end] for span in found if span.type == "person"}
    small = set(re.findall(r"\b[a-z]+\b", text)) if people else ()
    names: set[str] = set()
    for name in people:
        name = re.sub(r"^(?:Mrs|Mr|Ms|Miss|Dr|Prof)\.?\s", "", name)
        names.add(name)
        # A part that is a word as well, here at least, is none.
        names.update(part for part in re.findall(rf"[{_CAPITAL}]\w+(?:-\w+)*", name) if part.lower() not in small)
    automaton = ahocorasick.Automaton()
    for name in names:
        if len(name) > (1 if "\u4e00" <= name[:1] <= "\u9fff" else 2):
            automaton.add_word(name, len(name))
    if not len(automaton):
        return []
    automaton.make_automaton()
    places = [(end + 1 - size, end + 1) for end, size in automaton.iter(text)]
    return [
        Span(start, end, "person", "direct", "again")
        for start, end in places
        if text[start] >= "\u3000" or not (_joins(text, start - 1) or _joins(text, end))
    ]


def _joins(text: str, at: int) -> bool:
    """Whether there is a letter of a script with spaces here."""
    return 0 <= at < len(text) and text[at].isalnum() and text[at] < "\u3000"
