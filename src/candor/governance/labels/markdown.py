"""What a reader sees of Markdown: no code, no comments, no raw HTML that is hidden, no link definitions."""

import html
import re

from candor.governance.labels.html import shown_lines as page_lines

_MARK = re.compile(r" {0,3}(?:(>) ?|(?:[-+*]|\d{1,9}[.)])(?:[ \t]{1,4}(?=\S)|[ \t]*$))")
"""A mark of a block quote (group 1) or of a list item, with the space behind it."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
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
    return [re.sub(r"^\s*(?:`{3,}|~{3,})", "", line) for line in lines]


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
        if (match := _FENCE.match(line)) and not (match[1][0] == "`" and "`" in match[2]):
            self.fence, self.quoted = match[1], quoted
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
        closing = _FENCE.match(bare[self.column :])
        return bool(
            closing and closing[1][0] == self.fence[0] and len(closing[1]) >= len(self.fence) and not closing[2].strip()
        )

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
