"""The paragraphs of Word documents and slides that a reader sees, as lines."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from candor.governance.labels import xmlbytes
from candor.governance.labels.package import Package
from candor.governance.labels.xmlbytes import Element, Event, split

OFF = ("0", "false", "off")
"""How a property says no."""
_CODE = re.compile("code|preformatted|listing", re.IGNORECASE)
_ASIDE = ("Fallback", "moveFrom", "del")
_FORMER = ("rPrChange", "pPrChange")
_UNSHADED = ("", "auto", "FFFFFF")
_GROUNDS = ("background1", "light1")
"""Names of the colour of paper in a document's theme."""
_SMALLEST = 4
"""Half-points below which a font cannot be read."""


@dataclass
class _Paragraph:
    """A paragraph as it is read."""

    texts: list[str] = field(default_factory=list)
    unseen: bool = False
    shaded: bool = False


@dataclass
class _Reader:
    """Reads events; holds what they have said of the run, the paragraph, the cell and the row."""

    hidden_styles: frozenset[str]
    tables: bool
    done: list[str] = field(default_factory=list)
    open: list[_Paragraph] = field(default_factory=list)
    rows: list[list[tuple[int, int]]] = field(default_factory=list)
    """Of the rows that are open: from and to which line each cell reaches."""
    cells: list[tuple[int, bool]] = field(default_factory=list)
    """Of the cells that are open: the first line, and whether they are shaded."""
    place: str = ""
    """The properties that were opened last."""
    wanted: bool = False
    hidden: bool = False
    white: bool = False
    shaded: bool = False
    aside: int = 0
    former: int = 0

    def read(self, events: Iterable[Event]) -> None:
        """All of them."""
        for kind, name, attributes, _ in events:
            if kind == "text":
                if self.wanted and self.open and not self._unseen():
                    self.open[-1].texts.append(name)
                continue
            local = split(name)[1]
            if local in _ASIDE:
                self.aside += 1 if kind == "start" else -1
            elif local in _FORMER:
                self.former += 1 if kind == "start" else -1
            elif local == "t":
                self.wanted = kind == "start"
            elif kind == "end":
                self._end(local)
            elif local in ("p", "r", "fld", "tr", "tc", "br", "cr", "tab"):
                self._start(local)
            elif not self.former:
                self._property(local, attributes)

    def _unseen(self) -> bool:
        paragraph = self.open[-1]
        shaded = self.shaded or paragraph.shaded or any(one for _, one in self.cells)
        return self.hidden or paragraph.unseen or self.aside > 0 or (self.white and not shaded)

    def _start(self, local: str) -> None:
        if local == "p":
            self.open.append(_Paragraph())
        elif local in ("r", "fld"):
            self.hidden = self.white = self.shaded = False
        elif local == "tr":
            self.rows.append([])
        elif local == "tc":
            self.cells.append((len(self.done), False))
        elif self.open:
            self.open[-1].texts.append(" " if local == "tab" else "\n")

    def _end(self, local: str) -> None:
        if local == "p" and self.open:
            self.done += "".join(self.open.pop().texts).split("\n")
        elif local == "tc" and self.cells:
            first = self.cells.pop()[0]
            if self.rows:
                self.rows[-1].append((first, len(self.done)))
        elif local == "tr" and self.rows:
            filled = [
                [place for place in range(first, last) if self.done[place].strip()] for first, last in self.rows.pop()
            ]
            filled = [lines for lines in filled if lines]
            for lines in filled if self.tables and len(filled) > 1 else []:
                if len(lines) == 1:  # a value of a table, beside others
                    self.done[lines[0]] = ""

    def _property(self, local: str, attributes: dict[str, str]) -> None:
        value = _value(attributes)
        if local in ("rPr", "pPr", "tcPr"):
            self.place = local
            size = _value(attributes, "sz")  # of slides, in hundredths of a point
            self.hidden |= size.isdigit() and len(size) < 4 and int(size) < 50 * _SMALLEST
        elif local == "vanish":
            self.hidden = value not in OFF
        elif local == "rStyle":
            self.hidden = value in self.hidden_styles
        elif local == "pStyle" and self.open:
            self.open[-1].unseen = _CODE.search(value) is not None or value in self.hidden_styles
        elif local == "color":
            self.white = value.upper() == "FFFFFF" or _value(attributes, "themeColor") in _GROUNDS
        elif local == "alpha":
            self.hidden |= value in ("0", "0%")
        elif local == "sz":
            self.hidden |= value.isdigit() and len(value) < 2 and int(value) < _SMALLEST
        elif local == "highlight" or (local == "shd" and _value(attributes, "fill") not in _UNSHADED):
            if self.place == "tcPr" and self.cells:
                self.cells[-1] = (self.cells[-1][0], True)
            elif self.place == "pPr" and self.open:
                self.open[-1].shaded = True
            else:
                self.shaded = True


def paragraphs(
    events: Iterable[Event], hidden_styles: frozenset[str] = frozenset(), *, tables: bool = True
) -> list[str]:
    """The lines of the paragraphs of WordprocessingML or DrawingML that are seen.

    Left out are hidden, deleted and moved text, white text without a shade behind it, text too small to read, code, and
    the one line of a table's cell that has filled cells beside it: that is a value of the table and no notice
    (not so without `tables`: headers are often laid out as one).
    """
    reader = _Reader(hidden_styles, tables)
    reader.read(events)
    return reader.done


def hidden_styles(package: Package, main: str) -> frozenset[str]:
    """The styles of a document whose text is not seen, also because the style that they build on says so."""
    styles: dict[str, tuple[str, bool | None]] = {}
    for relation in package.relations(main):
        if relation.kind != "styles" or len(package.xml(relation.target)) > xmlbytes.SMALL:
            continue
        for one in package.tree(relation.target)[1].children:
            base = next((_value(child.attributes) for child in one.children if child.name == "basedOn"), "")
            styles[_value(one.attributes, "styleId")] = base, _hides(one)
    return frozenset(name for name in styles if _hidden(name, styles))


def _hidden(name: str, styles: dict[str, tuple[str, bool | None]]) -> bool:
    for _ in range(20):
        base, hides = styles.get(name, ("", False))
        if hides is not None:
            return hides
        name = base
    return False


def _hides(style: Element) -> bool | None:
    """Whether a style hides its text; None where it says nothing about that."""
    said: bool | None = None
    for one in (one for child in style.children if child.name == "rPr" for one in child.children):
        value = _value(one.attributes)
        if one.name == "vanish":
            return value not in OFF
        if one.name in ("color", "sz"):
            said = said or (value.upper() == "FFFFFF" if one.name == "color" else value in ("0", "1", "2", "3"))
    return said


def on_slide(events: Iterable[Event], wide: int, high: int) -> Iterator[Event]:
    """The events of a slide without the text of shapes that are hidden or lie off it; inside a group only the group's
    own place is looked at."""
    shapes: list[tuple[str, bool]] = []
    at = (0, 0)
    for event in events:
        kind, name, attributes, _ = event
        if kind == "text":
            if not any(hidden for _, hidden in shapes):
                yield event
            continue
        local = split(name)[1]
        if local in ("sp", "grpSp", "graphicFrame", "pic", "cxnSp"):
            if kind == "start":
                shapes.append((local, False))
            elif shapes:
                shapes.pop()
        elif kind == "start" and shapes and not any(one == "grpSp" for one, _ in shapes[:-1]):
            if local == "off":
                at = _whole(attributes.get("x", "")), _whole(attributes.get("y", ""))
            elif local == "ext" and "cx" in attributes:
                right, low = at[0] + _whole(attributes["cx"]), at[1] + _whole(attributes.get("cy", ""))
                off = at[0] >= wide or at[1] >= high or right <= 0 or low <= 0
                shapes[-1] = shapes[-1][0], shapes[-1][1] or off
        if kind == "start" and shapes and local == "cNvPr" and attributes.get("hidden", "0") not in OFF:
            shapes[-1] = shapes[-1][0], True
        yield event


def _whole(text: str) -> int:
    return int(text) if re.fullmatch("-?[0-9]{1,12}", text) else 0


def _value(attributes: dict[str, str], wanted: str = "val") -> str:
    return next((value for name, value in attributes.items() if split(name)[1] == wanted), "")
