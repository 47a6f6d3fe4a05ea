"""Labels of HTML: `<meta name="AIGC">`, a visible paragraph, and the source type in schema.org's terms."""

import html
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from candor.governance.labels.carrier import Carrier, Found, Reading, Unreadable
from candor.governance.labels.explicit import Notice, notices
from candor.governance.labels.record import Label
from candor.governance.labels.text import Decoded, decode, manifest_of

LARGEST = 16 * 2**20
"""Characters of a page that are parsed."""
SCHEMA = "https://schema.org/TrainedAlgorithmicMediaDigitalSource"
"""The same source type as an enumeration of schema.org."""
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_UNSEEN = frozenset("script style template noscript head title pre code textarea select svg math iframe".split())
_BLOCK = re.compile(
    r"(?:address|article|aside|blockquote|body|br|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h\d"
    r"|header|hr|html|li|main|nav|ol|p|section|summary|table|tbody|td|tfoot|th|thead|tr|ul)"
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])|opacity\s*:\s*0(?![.\d])"
)
_DISCLOSED = ("ai-generated", "autonomous")
_LINKED = re.compile(r'"digitalSourceType"\s*:\s*"([^"]{1,200})"')


@dataclass
class _Page(HTMLParser):
    """What a page says, and where to write: offsets into its text."""

    text: str
    labels: list[tuple[str, str, int, int]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=lambda: [""])
    head: int | None = None
    body: int | None = None
    body_end: int | None = None

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._starts = [0]
        for line in self.text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._open: list[tuple[str, bool]] = []
        self._script: list[str] | None = None
        self.feed(self.text)
        self.close()

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._starts[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        start = self._offset()
        end = start + len(self.get_starttag_text() or "")
        fields = {name: value or "" for name, value in reversed(attrs)}
        if _BLOCK.fullmatch(tag):
            self.lines.append("")
        if tag == "meta":
            self._meta(fields, start, end)
        if tag in ("html", "head") and (tag == "head" or self.head is None):
            self.head = end
        if tag == "body" and self.body is None:
            self.body = end
        if tag not in _VOID:
            hidden = "hidden" in fields or _HIDDEN.search(fields.get("style", "").lower()) is not None
            if len(self._open) > 10_000:
                raise Unreadable("nests more than 10,000 elements")
            self._open.append((tag, hidden or tag in _UNSEEN or bool(self._open and self._open[-1][1])))
            self._script = [] if tag == "script" and fields.get("type") == "application/ld+json" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "body":
            self.body_end = self._offset()
        if _BLOCK.fullmatch(tag):
            self.lines.append("")
        if tag == "script" and self._script is not None:
            self.marks += [f"schema.org digitalSourceType: {one}" for one in _LINKED.findall("".join(self._script))]
            self._script = None
        for place in range(len(self._open) - 1, max(-1, len(self._open) - 200), -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                break

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)
        if not (self._open and self._open[-1][1]):
            self.lines[-1] += " ".join(data.split("\n"))

    def _meta(self, fields: dict[str, str], start: int, end: int) -> None:
        name = fields.get("name", "") or fields.get("property", "")
        content = fields.get("content", "")
        if "aigc" in name.lower():
            self.labels.append((name, content, start, end))
        elif name == "ai-disclosure" and content in _DISCLOSED:
            self.marks.append(f"ai-disclosure: {content}")
        elif name == "digitalSourceType":
            self.marks.append(f"digitalSourceType: {content}")


def _page(data: bytes) -> tuple[_Page, Decoded]:
    decoded = decode(data)
    if len(decoded.text) > LARGEST:
        raise Unreadable("is a page of more than 16 Mi characters")
    try:
        return _Page(decoded.text), decoded
    except (AssertionError, ValueError, RecursionError) as error:  # of the parser, on broken declarations
        raise Unreadable(f"is no HTML that can be parsed ({error})") from error


def _read(data: bytes) -> Reading:
    page, _ = _page(data)
    labels = tuple(Found(name, content, "<meta>") for name, content, _, _ in page.labels)
    lines = [" ".join(line.split()) for line in page.lines]
    return Reading(labels, tuple(notices(lines)), tuple(page.marks), manifest_of(page.text)[0])


def _write(data: bytes, label: Label, notice: Notice | None) -> bytes:
    page, decoded = _page(data)
    if manifest_of(page.text)[0] is not None:
        raise Unreadable("carries a C2PA manifest, which any change would break: label it before it is signed")
    metas = f'<meta name="AIGC" content="{html.escape(label.json())}"/>'
    if not any(SCHEMA in mark for mark in page.marks):
        linked = {"@context": "https://schema.org", "@type": "CreativeWork", "digitalSourceType": SCHEMA}
        metas += f'<script type="application/ld+json">{json.dumps(linked)}</script>'
    head = page.head if page.head is not None else _top(page.text)
    edits = [(head, head, metas)]
    if notice and not any(seen.lawful for seen in _read(data).notices):
        shown = f'<p class="aigc-notice" role="note">{_ascii(notice.text)}</p>'
        at = page.body or head if notice.position == "start" else page.body_end or len(page.text)
        edits.append((at, at, shown))
    edits += [(start, end, "") for _, _, start, end in page.labels]
    text = page.text
    edits.sort(key=lambda edit: edit[0])  # at the same place the label stays before the notice
    for start, end, new in reversed(edits):
        text = text[:start] + new + text[end:]
    return decoded.encode(text)


def _ascii(text: str) -> str:
    """Text for a page in ASCII, right whatever encoding the page declares."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def _top(text: str) -> int:
    """Behind the declarations of a page without html and head."""
    match = re.match(r"\s*(?:<!--.*?-->\s*)*(?:<!doctype[^>]*>)?", text, re.IGNORECASE | re.DOTALL)
    return match.end() if match else 0


HTML = Carrier("HTML page", (".html", ".htm", ".xhtml"), "GB 45438-2025 6.1 (a meta element, as in use)", _read, _write)
