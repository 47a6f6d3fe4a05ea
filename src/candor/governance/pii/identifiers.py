"""Identifiers in a text, found by rule and checksum.

One pass finds what may begin an identifier: groups of digits, @, ://, colons before a hexadecimal digit, cue words.
Rules are tried only there, each for a bounded stretch of text, so that the time grows with the text and no faster.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

import ahocorasick

from candor.governance.pii import chinese, mail, network, secrets, western
from candor.governance.pii.numbers import CHAIN, find_numbers
from candor.governance.pii.phones import find_phones
from candor.governance.pii.plain import Plain, broken_views, numeral_views, plain, unmarked_views
from candor.governance.pii.rules import Found, Rule
from candor.governance.pii.spans import Span, merge

_SHAPES = (*chinese.SHAPES, *western.SHAPES, *network.SHAPES)
_ANY_SHAPE = re.compile("|".join(rule.pattern.pattern for rule in _SHAPES))
_CUED = (*chinese.CUED, *western.CUED, *secrets.CUED)
_URL_STARTS = ("://", "www.")
_AT_WORDS = ("[at]", "(at)", "{at}", " [at]", " (at)", "[@]", "艾特", " at ")
_GOES_ON = re.compile("[A-Za-z:-]|.[A-Z]", re.DOTALL)
_TOUCHES = re.compile("(?:[A-Za-z:-]|[A-Z].)\\Z", re.DOTALL)
"""A short number is part of a code only if it touches letters, or capitals stand before it."""
_CAPITALS = re.compile(r"(?<![0-9A-Za-z])[A-Z]{1,6}[ \t\r\n.\-_·]{1,5}\Z")
_SHORT_WORD = re.compile(r"(?<![0-9A-Za-z])(?:[A-Za-z]{1,4}|[A-Z]{5,6})[ \t\r\n.\-_·]{1,5}\Z")
_OF_FIXED_FORM = {"email", "ip_address", "mac_address", "iban"}
_GROUP = re.compile("[0-9]+")


def find_identifiers(text: str) -> list[Span]:
    """The identifiers of a text, sorted and without overlap; any text is taken.

    >>> [(span.type, span.start, span.end) for span in find_identifiers("我的手机是１３８-1234-5678谢谢")]
    [('phone', 5, 18)]
    """
    form = plain(text)
    views = [form, *numeral_views(form), *unmarked_views(form)]
    spans = [span for view in views for span in _spans(view, _find(view.text))]
    ends = {span.end for span in spans}
    for shown in views:
        for view, join in broken_views(shown):
            spans += _spans(view, (found for found in _find(view.text) if _is_torn(view, found, join, ends)))
    return merge(spans)


def _is_torn(view: Plain, found: Found, join: int, ends: set[int]) -> bool:
    """Whether a find goes over a line break, and its kind and its second half say that it does so rightly."""
    start, end, rule = found
    if not start < join < end:
        return False
    if rule.type == "url":
        return network.has_credentials(view.text[start:end])
    if not (rule in _SHAPES or rule in secrets.PREFIXED or rule.type in _OF_FIXED_FORM):
        return False
    if rule.type == "email":
        head, rest = view.text[start:join], view.text[join:end]
        is_number = head.isdigit() and rest.partition("@")[0].isdigit()
        return is_number or ("@" in head and mail.ends_well(view.text[start:end]))
    is_whole = view.span(start, join)[1] in ends
    rest = view.text[join:end]
    if rule.type == "ip_address":
        return not is_whole or len(rest) < 4
    return not is_whole or any(one.isdigit() for one in rest) or not (rest.islower() or rest.istitle())


def _spans(form: Plain, found: Iterable[Found]) -> list[Span]:
    return [Span(*form.span(start, end), rule.type, rule.identifier_class, rule.name) for start, end, rule in found]


def _find(text: str) -> Iterator[Found]:
    """The identifiers of a text in plain form, in no order; some overlap."""
    for chain in CHAIN.finditer(text):
        yield from find_numbers(text, chain)
        yield from _at_groups(text, chain)
    if "@" in text:
        yield from mail.find_emails(text)
    if ":" in text:
        yield from network.find_colons(text)
    if "-" in text:
        yield from network.find_dashes(text)
    if "/" in text:
        yield from western.find_cases(text)
    yield from _at_words(text)
    if not text.isascii():
        for starts, rule in ((chinese.PLATE_START, chinese.PLATE), (chinese.CASE_START, chinese.CASE)):
            for start in starts.finditer(text):
                if found := rule.find(text, start.start()):
                    yield found


def _at_groups(text: str, chain: re.Match[str]) -> Iterator[Found]:
    """What begins at a group of digits, or with letters before it."""
    start, end = chain.span()
    lettered = end - start >= 5 or _TOUCHES.search(text, max(0, start - 2), start) or _GOES_ON.match(text, end)
    for group in _GROUP.finditer(text, start, end):
        at = group.start()
        size = group.end() - at
        if end - at >= 6 or text[at - 1 : at] in ("(", "+"):
            yield from find_phones(text, at)
        if size <= 3 and text[group.end() : group.end() + 1] in (".", "。", " ", "\n", "\r"):
            yield from network.find_ipv4(text, at)
        if 3 <= size <= 5 and text[at - 1 : at].isspace():
            yield from western.find_zip(text, at)
        for token in _tokens(text, at) if lettered else ():
            if _ANY_SHAPE.match(text, token):
                for rule in _SHAPES:
                    if found := rule.find(text, token):
                        yield found
            yield from western.find_iban(text, token)


def _tokens(text: str, at: int) -> Iterator[int]:
    """Where an identifier with letters may begin that has a digit at `at`: its word, short words before."""
    start = at
    while start and at - start < 12 and text[start - 1].isascii() and text[start - 1].isalnum():
        start -= 1
    yield start
    for step in range(7):
        before = _SHORT_WORD if step < 2 else _CAPITALS
        word = before.search(text, max(0, start - 11), start)
        if word is None:
            return
        start = word.start()
        yield start


def _at_words(text: str) -> Iterator[Found]:
    """What stands behind a cue word or begins with a known prefix."""
    lower = text.replace("İ", "I").lower()  # the one letter that grows
    done: dict[str, int] = {}
    for last, (word, rules) in _automaton().iter(lower):
        start = last + 1 - len(word)
        if word in _URL_STARTS:
            if start >= done.get(word, 0):
                for found in network.find_url(text, start):
                    done[word] = found[1]
                    yield found
        elif word in _AT_WORDS:
            yield from mail.find_disguised(text, start)
        else:
            yield from _behind(text, start, last + 1, rules)


def _behind(text: str, start: int, end: int, rules: tuple[tuple[Rule, bool], ...]) -> Iterator[Found]:
    before, first, behind = text[start - 1 : start], text[start], text[end : end + 1]
    inside = first.isascii() and first.isalnum() and before.isascii() and before.isalnum()
    goes_on = text[end - 1].isascii() and text[end - 1].isalpha() and behind.isascii() and behind.isalpha()
    plural = goes_on and behind == "s" and not text[end + 1 : end + 2].isalnum()
    for rule, is_prefix in rules:
        if (
            not is_prefix
            and rule.type != "secret"
            and (inside or (goes_on and not plural))
            and not _may_touch(rule, before)
        ):
            continue
        found = rule.find(text, start if is_prefix else end + plural)
        if found:
            yield found


def _may_touch(rule: Rule, before: str) -> bool:
    """Whether letters right behind a cue may be the value, and not the rest of another word."""
    if before.isascii() and before.isalnum():
        return False
    return rule.type == "vin" or (rule.type == "wechat" and before not in ("", " ", "\n", *"._`'\"/"))


@cache
def _automaton() -> ahocorasick.Automaton:
    """All cue words and prefixes in lower case, each with its rules and whether it is the beginning of the value."""
    words: dict[str, list[tuple[Rule, bool]]] = {word: [] for word in (*_URL_STARTS, *_AT_WORDS)}
    for rules, is_prefix in ((_CUED, False), (secrets.PREFIXED, True)):
        for rule in rules:
            for word in rule.cues:
                words.setdefault(word.lower(), []).append((rule, is_prefix))
    automaton = ahocorasick.Automaton()
    for word, its in words.items():
        automaton.add_word(word, (word, tuple(its)))
    automaton.make_automaton()
    return automaton
