"""Labels of HTML: `<meta name="AIGC">`, a visible paragraph, and the source type in schema.org's terms."""

import codecs
import html
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.parsers import expat

from candor.governance.labels.carrier import (
    DISCLOSURE,
    SOURCE_TYPE,
    Carrier,
    Decoded,
    Found,
    Reading,
    SourceType,
    Unreadable,
    decode,
    manifest_of,
    refuse_manifest,
    splice,
)
from candor.governance.labels.explicit import Notice, any_lawful, notices
from candor.governance.labels.record import Label, is_label_name
from candor.governance.labels.shown import RAW, VOID, Tree
from candor.governance.labels.xmlbytes import escape

LONGEST_PAGE = 16 * 2**20
"""Characters of a page that are parsed."""
SCHEMA = "https://schema.org/TrainedAlgorithmicMediaDigitalSource"
"""The same source type as an enumeration of schema.org."""
_LONGEST_TAG = 16 * 2**10
"""Characters of a tag, comment or script that is never closed: the parser takes quadratic time for them."""
_LINKED = re.compile(rf'"{SOURCE_TYPE}"\s*:\s*"([^"]{{1,200}})"')
_CHARSET = re.compile(
    rb"""(?:<meta\b[^>]{0,500}?\bcharset|<\?xml\b[^>]{0,200}?\bencoding)\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE
)
_WIDER = {
    **dict.fromkeys(("gb2312", "gbk", "hz"), "gb18030"),
    **dict.fromkeys(("iso8859-1", "ascii"), "cp1252"),
    **{"shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"},
}
"""What browsers take instead of an encoding that a page declares."""
_XHTML = "http://www.w3.org/1999/xhtml"


@dataclass
class _Page(HTMLParser):
    """What a page says, and where to write: offsets into its text."""

    text: str
    xml: bool = False
    """Whether <div/> is an empty element; in HTML it is a start tag."""
    labels: list[tuple[str, str, int, int]] = field(default_factory=list)
    marks: list[SourceType] = field(default_factory=list)
    head: int | None = None
    head_end: int | None = None
    body: int | None = None
    end: int | None = None
    """Where the body ends, or the page."""

    CDATA_CONTENT_ELEMENTS = RAW  # type: ignore[misc]  # the parser looks it up on the instance

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._starts = [0]
        for line in self.text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._raw: list[str] | None = None
        self._media = ""
        self.tree = Tree()
        self.feed(self.text)
        if len(self.rawdata) > _LONGEST_TAG and (self.rawdata[0] == "<" or self.cdata_elem):
            raise Unreadable("has a tag, a comment or a script that is never closed; close it")
        self.close()

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._starts[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        start = self._offset()
        end = start + len(self.get_starttag_text() or "")
        fields = {name: value or "" for name, value in reversed(attrs)}
        if tag == "meta":
            self._meta(fields, start, end)
        if tag in ("html", "head") and (tag == "head" or self.head is None):
            self.head = end
        if tag == "body" and self.body is None:
            self.body = end
        self.tree.start(tag, fields)
        if tag == "style" or (tag == "script" and fields.get("type") == "application/ld+json"):
            self._raw, self._media = [], fields.get("media", "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            if self.xml or any(one.tag in ("svg", "math") for one in self.tree.open[-3:]):
                self.handle_endtag(tag)
            elif tag in RAW:
                self.set_cdata_mode(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "head":
            self.head_end = self.text.find(">", self._offset()) + 1
        if tag == "body" or (tag == "html" and self.end is None):
            self.end = self._offset()
        if self._raw is not None and tag == "script":
            linked = _LINKED.findall("".join(self._raw))
            self.marks += [SourceType(f"schema.org {SOURCE_TYPE}", one) for one in linked]
        elif self._raw is not None and tag == "style":
            self.tree.style("".join(self._raw), self._media)
        self._raw = None
        self.tree.end(tag)

    def handle_data(self, data: str) -> None:
        if self._raw is not None:
            self._raw.append(data)
        else:
            self.tree.text(data)

    def _meta(self, fields: dict[str, str], start: int, end: int) -> None:
        name = fields.get("name", "") or fields.get("property", "")
        content = fields.get("content", "")
        if is_label_name(name):
            self.labels.append((name, content, start, end))
        elif name in (DISCLOSURE, SOURCE_TYPE):
            self.marks.append(SourceType(name, content))


def shown_lines(text: str) -> list[str]:
    """The lines that a reader of a page sees. Unreadable where it cannot be parsed."""
    return _parsed(text).tree.lines()


def _parsed(text: str) -> _Page:
    if len(text) > LONGEST_PAGE:
        raise Unreadable("is a page of more than 16 Mi characters")
    root = _xml_root(text)
    try:
        return _Page(text, root.startswith(_XHTML) or (root != "" and text.startswith("<?xml")))
    except (AssertionError, ValueError, RecursionError) as error:  # of the parser, on broken declarations
        raise Unreadable(f"is no HTML that can be parsed ({error})") from error


def _xml_root(text: str) -> str:
    """Namespace and name of the root of well-formed XML without entities of its own; nothing for anything else."""
    parser = expat.ParserCreate(namespace_separator=" ")
    names: list[str] = []

    def refuse(*_: object) -> None:
        raise ValueError("declares entities")

    def begin(name: str, _: object) -> None:
        if not names:
            names.append(name)

    parser.StartElementHandler = begin
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError):
        return ""
    return names[0]


def _page(data: bytes) -> tuple[_Page, Decoded]:
    """A page in the encoding of its mark, UTF-8, or the one that it declares in its first 1024 bytes."""
    decoded = decode(data, _declared(data[:1024]))
    return _parsed(decoded.text), decoded


def _declared(head: bytes) -> str:
    match = _CHARSET.search(head)
    if not match:
        return ""
    try:
        name = codecs.lookup(match[1].decode("ascii")).name
        b"".decode(name)  # some codecs are for other things than text
    except (LookupError, UnicodeError):
        return ""
    return _WIDER.get(name, name)


def _read(data: bytes) -> Reading:
    page, _ = _page(data)
    labels = tuple(Found(name, content, "<meta>") for name, content, _, _ in page.labels)
    return Reading(labels, tuple(notices(page.tree.lines())), tuple(page.marks), manifest_of(page.text)[0])


def _write(data: bytes, label: Label, notice: Notice | None) -> bytes:
    page, decoded = _page(data)
    refuse_manifest(page.text)
    metas = f'<meta name="AIGC" content="{html.escape(label.json())}"/>'
    if label.says_generated and not any(mark.value == SCHEMA for mark in page.marks):
        linked = {"@context": "https://schema.org", "@type": "CreativeWork", SOURCE_TYPE: SCHEMA}
        metas += f'<script type="application/ld+json">{json.dumps(linked)}</script>'
    head = page.head if page.head is not None else _top(page.text)
    edits = [(head, head, metas), *((start, end, "") for _, _, start, end in page.labels)]
    first, last = page.body or page.head_end or head, page.end or len(page.text)
    text = splice(page.text, edits)
    if notice and not _has_notice(page.text):
        shown = f'<p class="aigc-notice" role="note">{escape(notice.text)}</p>'
        for at in (*((first, last) if notice.position == "start" else (last, first)), _top(page.text)):
            text = splice(page.text, [*edits, (at, at, shown)])
            if _has_notice(text):
                break
    if _is_whole_xml(page.text) and not _xml_root(text):
        raise Unreadable("is XML and would not stay so; give it html, head and body elements")
    return decoded.encode(text)


def _has_notice(text: str) -> bool:
    return any_lawful(notices(shown_lines(text)))


def _is_whole_xml(text: str) -> bool:
    """Whether a page, and not a piece of one, is well-formed XML."""
    root = _xml_root(text)
    return root.rpartition(" ")[2] == "html" or (root != "" and text.startswith("<?xml"))


def _top(text: str) -> int:
    """Behind the declarations of a page without html and head."""
    match = re.match(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype[^>]*>)?", text, re.IGNORECASE | re.DOTALL)
    return match.end() if match else 0


HTML = Carrier("HTML page", (".html", ".htm", ".xhtml"), "GB 45438-2025 6.1 (a meta element, as in use)", _read, _write)
