"""Labels of Markdown: YAML front matter (TC260-PG-20258A 6.5), and a notice where a reader sees it.

A reader sees no code, no comments, no raw HTML that is hidden and no link definitions.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from candor.governance.labels.carrier import (
    GENERATED,
    SOURCE_TYPE,
    Carrier,
    Found,
    Reading,
    SourceType,
    Unreadable,
    decode,
    manifest_of,
    printable,
    refuse_manifest,
)
from candor.governance.labels.explicit import Notice, any_lawful, notices
from candor.governance.labels.html import shown_lines as page_lines
from candor.governance.labels.record import Label, is_label_name
from candor.governance.labels.text import closes, opened_fence, with_notice

_LONGEST_HEAD = 256 * 1024
"""Characters of front matter that are parsed."""
_END = re.compile(r"(?:---|\.\.\.)[ \t\r]*")
_MARK = re.compile(r" {0,3}(?:(>) ?|(?:[-+*]|\d{1,9}[.)])(?:[ \t]{1,4}(?=\S)|[ \t]*$))")
"""A mark of a block quote (group 1) or of a list item, with the space behind it."""
_RAW = re.compile(r" {0,3}<(script|pre|style|textarea)(?:[\s>]|$)", re.IGNORECASE)
_RAW_END = re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE)
_OTHER = (
    (re.compile(r" {0,3}<\?"), "?>"),
    (re.compile(r" {0,3}<!\[CDATA\["), "]]>"),
    (re.compile(r" {0,3}<![a-z]", re.I), ">"),
)
_COMMENT = re.compile(r"<!--.*?(-->|$)")
_SPAN = re.compile(r"(?<![\\`])(`+)(?!`).+?(?<!`)\1(?!`)")
_LONGEST_SPANNED = 10_000
_DEFINITION = re.compile(r" {0,3}\[(?!\^)(?:[^\[\]\\]|\\.)+\]:\s*\S.*")
_TITLE = re.compile(r"""\s*(?:"[^"]*"|'[^']*'|\([^()]*\))\s*""")
_TAG = re.compile(
    r"(?<!\\)<(?:/[a-z][a-z0-9-]*\s*|[a-z][a-z0-9-]*"
    r"""(?:\s+[a-z_:][\w.:-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^'\n]*'|"[^"\n]*"))?){0,50}\s*/?)>""",
    re.IGNORECASE,
)


def shown_lines(text: str) -> list[str]:
    """The lines of a Markdown text, front matter cut off, that a reader sees; the others are empty."""
    lines = _Lines().of(text.split("\n"))
    joined = "\n".join(lines)
    if _TAG.search(joined):
        lines = page_lines(_page(joined))
    return lines


def _page(text: str) -> str:
    """Text with inline and block HTML as a page: its tags as they are, all else as text, a line as a line."""
    pieces, done = [], 0
    for match in _TAG.finditer(text):
        pieces += [_escaped(text[done : match.start()]), match[0]]
        done = match.end()
    return "".join([*pieces, _escaped(text[done:])])


def _escaped(text: str) -> str:
    return re.sub(r"\n(?:[ \t]*\n)+", "<p>", html.escape(html.unescape(text))).replace("\n", "<br>")


class _Lines:
    """The blocks of a text, line by line."""

    def __init__(self) -> None:
        self.fence = ""
        self.end: re.Pattern[str] | None = None
        """What ends the raw block that is open."""
        self.until_gap = False
        """Whether a blank line ends it too."""
        self.quoted = False
        """Whether the open block is in a quote."""
        self.column = 0
        """Where the text of the list item begins."""
        self.gap = True
        """Whether no paragraph is open."""
        self.defined = False
        """Whether the line before is a link definition."""

    def of(self, lines: list[str]) -> list[str]:
        """The lines with those that are not seen emptied."""
        return [self._shown(line) for line in lines]

    def _shown(self, line: str) -> str:
        if self.fence or self.end:
            if not self._ended(line):
                return ""
            if self.fence or self.end:  # the line that ends it
                self.fence, self.end, self.gap = "", None, True
                return ""
        line, quoted, marked = self._unmarked(line)
        indent = len(line) - len(line.lstrip(" ")) + 3 * line[: len(line) - len(line.lstrip())].count("\t")
        if not marked and line.strip():
            if self.gap and indent < self.column:
                self.column = indent
            if self.column <= indent:
                line, indent = line[self.column :], indent - self.column
        gap, self.gap = self.gap, not line.strip()
        if gap and indent >= 4 and line.strip():
            self.gap = True
            return ""
        if fence := opened_fence(line):
            self.fence, self.quoted = fence, quoted
            return ""
        if self._defines(line, gap):
            self.gap = True
            return ""
        return self._inline(line, quoted)

    def _ended(self, line: str) -> bool:
        """Whether an open block ends with this line, or before it: then nothing is open any more."""
        bare = line
        if self.quoted:
            if not (match := _MARK.match(line)) or not match[1]:
                self.fence, self.end, self.gap = "", None, True
                return True
            bare = line[match.end() :]
        if not self.fence:
            return (self.end is not None and self.end.search(bare) is not None) or (self.until_gap and not bare.strip())
        indent = len(bare) - len(bare.lstrip())
        if bare.strip() and indent < self.column:
            self.fence, self.gap = "", True
            return True
        return closes(bare[self.column :], self.fence)

    def _unmarked(self, line: str) -> tuple[str, bool, bool]:
        """The line without its marks; whether it is quoted, and whether it begins a list item."""
        quoted = marked = False
        at = 0
        rest = line[self.column :] if self.column and line[: self.column].isspace() else line
        base = len(line) - len(rest)
        while match := _MARK.match(rest, at):
            quoted |= match[1] is not None
            marked |= match[1] is None
            at = match.end()
        if marked:
            self.column, self.gap = base + at if not quoted else 0, True
            return rest[at:], quoted, True
        return (rest[at:], True, True) if quoted else (line, False, False)

    def _defines(self, line: str, gap: bool) -> bool:
        """Whether the line is a link definition, or the title of the one before."""
        title = self.defined and _TITLE.fullmatch(line) is not None
        self.defined = (gap or self.defined) and _DEFINITION.fullmatch(line) is not None
        return self.defined or title

    def _inline(self, line: str, quoted: bool) -> str:
        """What is left of a line without code spans and comments; opens the raw block that begins in it."""
        if len(line) < _LONGEST_SPANNED:
            line = _SPAN.sub(" ", line)
        self.until_gap, self.quoted = False, quoted
        if match := _RAW.match(line):
            self.end = None if _RAW_END.search(line, match.end()) else _RAW_END
            return ""
        for start, end in _OTHER:
            if match := start.match(line):
                self.end = None if end in line[match.end() :] else re.compile(re.escape(end))
                return ""
        block = line.lstrip().startswith("<!--")
        closed = [match[1] for match in _COMMENT.finditer(line)]
        if closed and not closed[-1]:
            self.end, self.until_gap = re.compile("-->"), not block
        return _COMMENT.sub(" ", line)


# Front matter


@dataclass(frozen=True)
class _Head:
    """Front matter: its lines, and the entries of its mapping with the lines that each takes."""

    lines: list[str]
    body: str
    entries: tuple[tuple[str, Any, int, int], ...]
    flow: bool = False

    def without(self, unwanted: re.Pattern[str]) -> list[str]:
        drop = {
            number for name, _, first, last in self.entries if unwanted.fullmatch(name) for number in range(first, last)
        }
        return [line for number, line in enumerate(self.lines) if number not in drop]


def _head(text: str) -> _Head | None:
    """The front matter of a Markdown text; None without, Unreadable where it is broken."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return None
    end = next((number for number, line in enumerate(lines[1:], start=1) if _END.fullmatch(line)), 0)
    if not end:  # a rule at the head of the text, and not front matter
        return None
    inner = lines[1:end]
    if sum(map(len, inner)) > _LONGEST_HEAD:
        raise Unreadable("has more than 256 KiB of front matter")
    try:
        node = yaml.compose("\n".join(inner), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"has front matter that is no YAML ({str(error).splitlines()[0]:.80})") from error
    body = "\n".join(lines[end + 1 :])
    if node is None:
        return _Head(inner, body, ())
    if not isinstance(node, yaml.MappingNode):
        return None if not isinstance(node, yaml.CollectionNode) else _Head(inner, body, (), flow=True)
    return _Head(inner, body, tuple(_entries(node, inner)), flow=bool(node.flow_style))


def _entries(node: yaml.MappingNode, lines: list[str]) -> Iterator[tuple[str, Any, int, int]]:
    for key, value in node.value:
        last = value.end_mark.line + (1 if value.end_mark.column else 0)
        while last > value.start_mark.line + 1 and lines[last - 1].lstrip()[:1] in ("", "#"):
            last -= 1  # comments and gaps behind a block stay with what follows
        yield str(key.value), value, key.start_mark.line, max(last, key.start_mark.line + 1)


def _json_of(node: Any) -> str:
    """A YAML node as JSON text: a mapping of scalars with their types, or the text itself."""
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
        return printable(str(node.value))
    if not isinstance(node, yaml.MappingNode):
        return json.dumps(printable(str(node.value)[:200]))
    members = []
    for key, value in node.value:
        if isinstance(value, yaml.ScalarNode):
            text = value.tag == "tag:yaml.org,2002:str"
            number = re.fullmatch(r"-?(?:0|[1-9]\d*)", value.value)
            written = value.value if not text and number else json.dumps(printable(value.value)) if text else "null"
        else:
            written = "{}"
        members.append(
            f"{json.dumps(printable(str(key.value)))}:{written}"
        )  # by hand: a key that stands twice must be seen
    return "{" + ",".join(members) + "}"


def _behind_other_head(text: str) -> str:
    """A text without front matter that holds no YAML mapping (TOML, a bare line)."""
    lines = text.split("\n")
    rule = lines[0].rstrip()
    if rule not in ("---", "+++"):
        return text
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == rule), 0)
    return "\n".join(lines[end + 1 :]) if end else text


def _noticed(body: str, notice: Notice | None) -> str:
    """The body with the notice where it is seen: at the start where hidden HTML reaches to the end."""
    if notice is None or _is_noticed(body):
        return body
    marked = with_notice(body, notice)
    return marked if _is_noticed(marked) else with_notice(body, replace(notice, position="start"))


def _is_noticed(body: str) -> bool:
    return any_lawful(notices(shown_lines(body)))


def _read(data: bytes) -> Reading:
    manifest, text = manifest_of(decode(data).text)
    head = _head(text)
    if head is None:
        return Reading(notices=tuple(notices(shown_lines(_behind_other_head(text)))), manifest=manifest)
    labels = [
        Found(printable(name), _json_of(value), "front matter")
        for name, value, _, _ in head.entries
        if is_label_name(name)
    ]
    marks = [
        SourceType(name, printable(value.value))
        for name, value, _, _ in head.entries
        if name == SOURCE_TYPE and isinstance(value, yaml.ScalarNode)
    ]
    return Reading(tuple(labels), tuple(notices(shown_lines(head.body))), tuple(marks), manifest)


def _write(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    refuse_manifest(decoded.text)
    if decoded.text.startswith("+++\n"):
        raise Unreadable("has TOML front matter; the guide asks for YAML, and two heads would break it")
    head = _head(decoded.text) or _Head([], decoded.text, ())
    if head.flow:
        raise Unreadable("has front matter on one line, in braces or as a list; write it one key a line")
    block = ["AIGC:", *(f"  {name}: {json.dumps(value)}" for name, value in label.values().items())]
    source = [f"{SOURCE_TYPE}: {json.dumps(GENERATED)}"] if label.says_generated else []
    kept = head.without(re.compile("(?i:.*aigc.*)" + f"|{SOURCE_TYPE}" * len(source), re.DOTALL))
    lines = ["---", *kept, *block, *source, "---"]
    return decoded.encode("\n".join([*lines, _noticed(head.body, notice)]))


MARKDOWN = Carrier("Markdown", (".md", ".markdown"), "TC260-PG-20258A 6.5", _read, _write)
