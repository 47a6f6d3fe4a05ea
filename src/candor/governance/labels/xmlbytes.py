"""XML with the places of its elements in the bytes, so that a change touches nothing else. No DTD, so no entities."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from xml.parsers import expat
from xml.sax.saxutils import escape as _escape

from candor.governance.labels.carrier import Unreadable

SMALL = 4 * 2**20
"""Bytes of XML that are taken as a tree; larger ones go by as events."""
_DEEPEST = 256
_CHUNK = 2**16
_TAG = re.compile(rb"""<(?:[^>"']|"[^"]*"|'[^']*')*>""")
_TAG_NAME = re.compile(rb"<([^\s/>]+)")
_DECLARED = re.compile(r"""(<\?xml[^>]*?)\s+encoding\s*=\s*["'][^"']*["']""")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Event = tuple[Literal["start", "end", "text"], str, dict[str, str], int]
"""Kind; name as expat has it, or text; attributes of a start; place in the bytes."""
Edit = tuple[int, int, bytes]
"""From, to, and what stands there instead."""


@dataclass(slots=True)
class Element:
    """An element and where it stands.

    >>> Element("property", "http://...", {"name": "AIGC"}, 120, 140, 180, 191)
    """

    name: str
    """Without its prefix."""
    space: str
    """Its namespace."""
    attributes: dict[str, str]
    """Names as expat has them: "name", or "namespace name prefix"."""
    start: int
    """Where its start tag begins."""
    inner: int
    """Where its start tag ends."""
    close: int
    """Where its end tag begins; the end where it has none."""
    end: int
    """Where it ends."""
    text: str = ""
    """All text in it."""
    children: list["Element"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """Itself and all below it, in the order of the bytes."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


@lru_cache(4096)
def split(name: str) -> tuple[str, str, str]:
    """Namespace, local name and prefix of a name as expat has it."""
    parts = name.split(" ")
    if len(parts) > 3:
        raise Unreadable("is torn: its XML has a namespace with a space")
    return ("", parts[0], "") if len(parts) == 1 else (parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def utf8(data: bytes) -> bytes:
    """XML in UTF-8: what comes in UTF-16 is rewritten, all else is as it was."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:4] in (b"<\0?\0", b"\0<\0?"):
        order = "utf-16" if data[0] in (0xFE, 0xFF) else "utf-16-le" if data[0] else "utf-16-be"
        try:
            return _DECLARED.sub(r"\1", data.decode(order), count=1).encode()
        except UnicodeError:
            raise Unreadable("is torn: its XML is no UTF-16") from None
    return data


def events(data: bytes, what: str) -> Iterator[Event]:
    """The elements and texts of XML in UTF-8, in little memory. Unreadable where it is not well-formed."""
    parser = expat.ParserCreate("utf-8", " ")
    parser.namespace_prefixes = True
    parser.buffer_text = True
    seen: list[Event] = []

    def refuse(*_: object) -> None:
        raise Unreadable(f"is refused: {what} declares a document type, which such XML never needs")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: seen.append(
        ("start", name, attributes, parser.CurrentByteIndex)
    )
    parser.EndElementHandler = lambda name: seen.append(("end", name, {}, parser.CurrentByteIndex))
    parser.CharacterDataHandler = lambda text: seen.append(("text", text, {}, 0))
    for at in range(0, len(data) + 1, _CHUNK):
        try:
            parser.Parse(data[at : at + _CHUNK], at + _CHUNK > len(data))
        except (expat.ExpatError, UnicodeError, ValueError):
            raise Unreadable(f"is torn: {what} is not well-formed XML") from None
        yield from seen
        seen.clear()


def tree(data: bytes, what: str) -> Element:
    """The root of XML in UTF-8. Unreadable where it is not well-formed or larger than SMALL."""
    if len(data) > SMALL:
        raise Unreadable(f"is refused: {what} has {len(data):,} bytes, more than it ever needs")
    root = Element("", "", {}, 0, 0, len(data), len(data))
    stack, texts = [root], [[""]]
    for kind, name, attributes, at in events(data, what):
        if kind == "text":
            texts[-1].append(name)
        elif kind == "start":
            space, local, _ = split(name)
            inner = tag_end(data, at)
            element = Element(local, space, attributes, at, inner, inner, inner)
            stack[-1].children.append(element)
            stack.append(element)
            texts.append([])
            if len(stack) > _DEEPEST:
                raise Unreadable(f"is refused: {what} nests deeper than it ever needs")
        else:
            element = stack.pop()
            if data[element.inner - 2 : element.inner] != b"/>":
                element.close, element.end = at, data.index(b">", at) + 1
            element.text = "".join(texts.pop())
            texts[-1].append(element.text)
    return root.children[0]


def tag_end(data: bytes, start: int) -> int:
    """Where the start tag that begins at `start` ends."""
    match = _TAG.match(data, start)
    assert match
    return match.end()


def append(data: bytes, start: int, close: int, inside: bytes) -> Edit:
    """The edit that puts `inside` at the end of an element that may be written <empty/>."""
    inner = tag_end(data, start)
    if data[inner - 2 : inner] == b"/>":
        return inner - 2, inner, b">" + inside + b"</" + tag_name(data, start) + b">"
    return close, close, inside


def tag_name(data: bytes, start: int) -> bytes:
    """The name with its prefix in the start tag that begins at `start`."""
    match = _TAG_NAME.match(data, start)
    assert match
    return match[1]


def prefix(data: bytes, element: Element) -> str:
    """The prefix with its colon, or nothing."""
    head, colon, _ = tag_name(data, element.start).decode().rpartition(":")
    return head + colon


def whole(text: str) -> int:
    """A whole number in an attribute; 0 for what is none."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def escape(text: str) -> str:
    """Text for XML, also between double quotes, in ASCII; characters that XML cannot hold are left out."""
    text = _escape(_NOT_XML.sub("", text), {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
    return text.encode("ascii", "xmlcharrefreplace").decode()
