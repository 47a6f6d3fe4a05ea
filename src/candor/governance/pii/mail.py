"""Mail addresses: as they are, torn by a line break, and in words."""

import re
from collections.abc import Iterator

from candor.governance.pii.rules import Found, Rule

_LOCAL = "[A-Za-z0-9.!#$%&'*+?^_~\\-À-ɏ]"
_TAIL = re.compile(rf"(?:{_LOCAL}{{1,64}}|\"[^\"\n]{{1,60}}\")[\r\n ]{{0,2}}\Z")
_LABEL = "[A-Za-z0-9À-ɏ](?:[A-Za-z0-9À-ɏ\\-]{0,62})"
_DOMAIN = re.compile(
    rf"[\r\n]{{0,2}}(?:{_LABEL}[\r\n]{{0,2}}\.[\r\n]{{0,2}}){{1,6}}"
    r"(?:xn--[a-z0-9]{2,20}|[A-Za-z]{2,24})(?![0-9A-Za-z])"
)
_TLD = "com|cn|net|org|edu|gov|io|co|de|uk|fr|it|es|nl|eu|me|info|hk|tw|jp|us|ca|au|ch|be|se|no|dk|pl|ru|in|br"
_TORN = re.compile(
    rf"(?:{_LABEL}\.){{0,3}}[A-Za-z0-9\-]{{1,40}}[\r\n]{{1,2}}[A-Za-z0-9\-]{{1,40}}\."
    rf"(?:{_LABEL}\.){{0,3}}(?:{_TLD})(?![0-9A-Za-z])"
)
_KNOWN = re.compile(rf"\.(?:{_TLD})\Z", re.IGNORECASE)
_TORN_TLD = re.compile(
    rf"(?:{_LABEL}\.){{1,4}}(?:c|co|o|or|n|ne|e|ed)[\r\n]{{1,2}}(?:om|m|rg|g|et|t|du|u)(?![0-9A-Za-z])"
)
_SPACED = re.compile(rf"[ ]{{0,2}}(?:{_LABEL}[ ]?\.[ ]?){{1,4}}(?:{_TLD})(?![0-9A-Za-z])")
_MAIL_CUE = re.compile(
    r"(?:邮箱|邮件|email|e-mail|mail)[^\nA-Za-z]{0,6}(?:(?:is|address|me|us|to|at)[ :]{1,2}){0,3}\Z", re.IGNORECASE
)
_LETTERS_AND_DIGITS = re.compile("[A-Za-z][._]?[0-9]|[0-9]_?[A-Za-z]")
_LEADING = frozenset(
    "to at from by is via email e-mail mail mails address addresses contact contacts or and me us on with for the a an"
    " of in are was him her them as be cc bcc reach through using write ask inbox".split()
)
_LINE_END = re.compile(r"[A-Za-z0-9._%+\-]{1,40}[\r\n]{1,2}\Z")
_EMAIL = Rule("e-mail, RFC 5322", "email")
_DOT = r"[ ]?(?:\[dot\]|\(dot\)|\{dot\}|\[\.\]|点|[ ]dot[ ]|\.)[ ]?"
_AT = r"[ ]?(?:\[at\]|\(at\)|\{at\}|\[@\]|艾特)[ ]?"
_WORDS = rf"[ ]at[ ](?:[A-Za-z0-9\-]{{1,63}}{_DOT}){{0,3}}[A-Za-z0-9\-]{{1,63}}(?:[ ]dot[ ]|[ ]?[\[(]dot[\])][ ]?)"
_DISGUISED = Rule(
    "e-mail in words",
    "email",
    re.compile(
        rf"({_LOCAL}{{1,64}}(?:{_AT}(?:[A-Za-z0-9\-]{{1,63}}{_DOT}){{1,4}}|{_WORDS})(?:{_TLD}))(?![0-9A-Za-z])",
        re.IGNORECASE,
    ),
)
_BEFORE_AT = re.compile(rf"{_LOCAL}{{1,64}}\Z")


def find_emails(text: str) -> Iterator[Found]:
    """Mail addresses, from each @ to both sides; torn by a line break too."""
    at = text.find("@")
    while at >= 0:
        tail = _TAIL.search(text, max(0, at - 66), at)
        if tail is not None and (end := _domain(text, at, tail[0])):
            start = at - len(tail[0].lstrip("'\"*/=#|~{"))
            # A first line of the local part, where a cue or a Han character says that it begins there.
            if text[start - 1 : start] == "\n":
                start = _first_line(text, start)
            if start < at:
                yield start, end, _EMAIL
        at = text.find("@", at + 1)


def _domain(text: str, at: int, tail: str) -> int:
    """The end of the domain behind an @; 0 if there is none."""
    whole = None if tail[-1] == " " else _DOMAIN.match(text, at + 1)
    if whole and _KNOWN.search(whole[0]):
        torn = _TORN_TLD.match(text, at + 1)
        return torn.end() if torn else whole.end()
    found = _TORN_TLD.match(text, at + 1) or _TORN.match(text, at + 1) or whole or _SPACED.match(text, at + 1)
    return found.end() if found else 0


def ends_well(address: str) -> bool:
    """Whether an address ends in one of the usual top domains."""
    return _KNOWN.search(address) is not None


def _first_line(text: str, start: int) -> int:
    """Where a local part begins whose second line begins at `start`: on the line before, if that end looks like it."""
    head = _LINE_END.search(text, max(0, start - 42), start)
    if head is None:
        return start
    before = text[max(0, head.start() - 24) : head.start()]
    if before[-1:] in ("@", "/", "-"):
        return start
    begins = before and (before[-1] > "\u2e7f" or before[-1] in "(:<" or _MAIL_CUE.search(before))
    return head.start() if begins or _LETTERS_AND_DIGITS.search(head[0]) or _is_half(head[0].strip()) else start


def _is_half(word: str) -> bool:
    """Whether a word at the end of a line may be the first half of a local part: no name, no word that leads to one."""
    return word.islower() and word not in _LEADING and not word.endswith(".")


def find_disguised(text: str, at: int) -> Iterator[Found]:
    """A mail address in words, whose "at" begins at `at`."""
    head = _BEFORE_AT.search(text, max(0, at - 64), at)
    if head and (found := _DISGUISED.find(text, head.start())):
        yield found
