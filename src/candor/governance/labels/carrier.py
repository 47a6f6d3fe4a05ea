"""What every kind of file does for a label: read what is there, write one label, never two."""

import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import AnyStr

from candor.governance.labels.explicit import Notice, Seen
from candor.governance.labels.record import Label, Problem

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's digital source type of what a trained model made; the whole address, not the last word of it."""
SOURCE_TYPE = "digitalSourceType"
"""Name of the entry that says so, as schema.org and the metadata of files write it."""
DISCLOSURE = "ai-disclosure"
"""Name of the HTML meta element that W3C's AI Content Disclosure group proposes."""
_DISCLOSED = ("ai-generated", "autonomous")
"""Its values that say more than that a machine helped."""
LARGEST = 256 * 2**20
"""Bytes of a file, and of a part that is unpacked from one, that are taken."""


class Unreadable(Exception):
    """A file that cannot be judged: torn, encrypted, of another kind. The message says why, in one line."""


@dataclass(frozen=True)
class Found:
    """A metadata entry whose name contains AIGC.

    >>> Found("AIGC", '{"Label":"1",...}', "docProps/custom.xml")
    """

    name: str
    """Its name as the file has it."""
    value: str
    """Its value as JSON text; what is no text in the file (a YAML number) keeps its type."""
    place: str
    """Where in the file, in words."""
    wrapped: bool | None = None
    """Whether this place wants {"AIGC": {...}}; None takes both forms."""


@dataclass(frozen=True)
class SourceType:
    """What a file says of where its content comes from, beside the label: a digital source type, an ai-disclosure.

    >>> SourceType("digitalSourceType", GENERATED).says_ai
    True
    """

    name: str
    """The entry, in words."""
    value: str
    """As the file has it."""

    @property
    def says_ai(self) -> bool:
        """Whether a trained model made the content, or a part of it.

        Cameras and editors write source types too, and a formula's picture (algorithmicMedia) or a retouched one
        (algorithmicallyEnhanced) is none of a model's.
        """
        return self.value in _DISCLOSED if self.name == DISCLOSURE else "rainedAlgorithmic" in self.value

    @property
    def is_bare(self) -> bool:
        """Whether a source type of AI stands as its last word, which programs do not know, and not as an address."""
        return self.says_ai and self.name != DISCLOSURE and not self.value.startswith("http")


@dataclass(frozen=True)
class Reading:
    """All that a file says about having been made by a machine.

    >>> Reading(labels=(Found("AIGC", "{...}", "front matter"),), notices=(Seen("AI生成", "end", True),))
    """

    labels: tuple[Found, ...] = ()
    """Implicit labels, in the order of the file; more than one is one too many."""
    notices: tuple[Seen, ...] = ()
    """Visible notices."""
    marks: tuple[SourceType, ...] = ()
    """Other machine-readable marks, whatever they say."""
    manifest: bytes | None = None
    """A C2PA manifest in the text."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with where labels stand, whatever they say."""
    doubts: tuple[str, ...] = ()
    """What could not be looked at, in words."""


@dataclass(frozen=True)
class Carrier:
    """One kind of file. `read` and `write` raise Unreadable and nothing else, on any bytes.

    >>> CARRIERS[".docx"].read(data).labels
    """

    name: str
    """For people: Word document."""
    suffixes: tuple[str, ...]
    """File names end so, lower case."""
    clause: str
    """What says where the label stands in it."""
    read: Callable[[bytes], Reading]
    """What is in the bytes."""
    write: Callable[[bytes, Label, Notice | None], bytes]
    """The bytes with exactly this label, the digital source type where the label says generated, and the notice where
    none is there yet (None: leave what is visible alone). What else the file holds stays, also a source type."""
    metadata: bool = True
    """Whether the format has a place for the implicit label."""
    visible: bool = True
    """Whether the notice can be written into it."""


def must_fit(data: bytes) -> None:
    """Unreadable for more than LARGEST bytes."""
    if len(data) > LARGEST:
        raise Unreadable(f"is larger than {LARGEST // 2**20} MiB")


def splice(content: AnyStr, edits: Iterable[tuple[int, int, AnyStr]]) -> AnyStr:
    """The content with all edits (from, to, what stands there instead); one that begins inside another is left out."""
    pieces: list[AnyStr] = []
    done = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        if start >= done:
            pieces += [content[done:start], new]
            done = end
    pieces.append(content[done:])
    return content[:0].join(pieces)


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FREQUENT = frozenset("的一是在有人我这中为上时要生用行自文")
"""Characters of which a Chinese text of some length holds one."""
_SOME_LENGTH = 30
_MEND = "save it as UTF-8"


@dataclass(frozen=True)
class Decoded:
    """A text file's text, and what is needed to write it the same way.

    >>> decode(b"a\\r\\n").text
    'a\\n'
    """

    text: str
    """With line feeds only."""
    encoding: str
    """utf-8, utf-16-le, utf-16-be, gb18030, or the one that was declared."""
    bom: bytes = b""
    """Byte order mark, kept."""
    newline: str = "\n"
    """Most frequent end of line."""

    def encode(self, text: str) -> bytes:
        """`text` as the file would hold it."""
        return self.bom + text.replace("\n", self.newline).encode(self.encoding)


def decode(data: bytes, declared: str = "") -> Decoded:
    """The text of a file by its mark, else as UTF-8, else in the encoding that it declares, else as GB 18030.

    Nearly any bytes are GB 18030 to the letter. So without a declaration they are taken as that only where at most one
    in ten of what is not ASCII is strange to simplified Chinese (no character or punctuation of GB 2312: Big5,
    Shift-JIS and Latin-1 give many) and 30 and more such characters hold one of the most frequent (Korean does not).
    Unreadable for all else, and for what does not give the same bytes back.
    """
    bom, encoding = next(((bom, name) for bom, name in _BOMS if data.startswith(bom)), (b"", ""))
    for name in (encoding,) if encoding else ("utf-8", declared or "gb18030"):
        try:
            text = data[len(bom) :].decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise Unreadable(f"is no text: it holds zero bytes; if it is UTF-16 without a mark, {_MEND}")
        if name != "utf-8" and bom + text.encode(name, "replace") != data:
            raise Unreadable(f"does not give the same bytes back as {name}; {_MEND}")
        if not bom and name == "gb18030" and not declared and not _is_chinese(text):
            raise Unreadable(f"is no UTF-8 and does not read like Chinese in GB 18030; {_MEND}")
        windows = text.count("\r\n")
        if windows and text.count("\n") == windows == text.count("\r"):
            return Decoded(text.replace("\r\n", "\n"), name, bom, "\r\n")
        return Decoded(text, name, bom)
    raise Unreadable(f"is no text in UTF-8, UTF-16 with a mark, or {declared or 'GB 18030'}; {_MEND}")


def _is_chinese(text: str) -> bool:
    """Whether a text that was read as GB 18030 is one; the rule stands at `decode`."""
    wide = [one for one in text[: 2**20] if ord(one) > 0x7F]
    strange = 0
    for one in wide:
        pair = one.encode("gb2312", "ignore")
        strange += not pair or 0xA4 <= pair[0] <= 0xA9  # kana, Greek, Cyrillic and lines
    return strange * 10 <= len(wide) and (len(wide) < _SOME_LENGTH or not _FREQUENT.isdisjoint(wide))


def printable(text: str) -> str:
    """The text with half characters (lone surrogates) replaced, which no terminal and no file takes."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def manifest_of(text: str) -> tuple[bytes | None, str]:
    """The C2PA manifest that a text carries in variation selectors (C2PA 2.4 A.8), and the text without it."""
    if not re.search("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{8}", text):
        return None, text
    from c2pa_text import extract_manifest

    try:
        return extract_manifest(text)
    except Exception as error:  # whatever it raises on hostile selectors
        raise Unreadable(f"carries a broken C2PA manifest ({error})") from error


def refuse_manifest(text: str) -> None:
    """Unreadable where a text that is to be labelled carries a C2PA manifest."""
    if manifest_of(text)[0] is not None:
        raise Unreadable("carries a C2PA manifest, which any change would break: label it before it is signed")
