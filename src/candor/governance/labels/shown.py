"""What a reader sees of HTML: the elements that end by themselves, hidden ones, and the styles that hide.

Looked at are the style of an element and the rules of the page's own style elements for tags, classes and ids, also
below others. Linked style sheets, rules under conditions (at-rules), and what a script does are not.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from candor.governance.labels.carrier import Unreadable

RAW = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
"""Elements whose content is text to their end tag, whatever it looks like."""
VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
"""Elements without content."""
_IN_HEAD = frozenset("base link meta noframes noscript script style template title".split())
_UNSEEN = frozenset("noscript head template pre code select svg math canvas video audio object datalist".split())
_BLOCKS = frozenset(
    "address article aside blockquote body dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3 "
    "h4 h5 h6 header hr html li main menu nav ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_SCOPE = frozenset("html table td th caption template object".split())
"""Elements that an end tag inside does not reach out of."""
_PARTS = frozenset("caption table tbody td tfoot th thead tr body html".split())
_REACHING = (
    _BLOCKS | _SCOPE | _UNSEEN | frozenset(RAW) | frozenset("a b big em font i nobr s small strong tt u".split())
)
"""Elements whose end tag ends blocks inside them too; that of a span does not."""
_CELL, _P = frozenset(("td", "th")), frozenset(("p",))
_ENDS = {
    **dict.fromkeys(_BLOCKS - _PARTS, _P),
    **dict.fromkeys(("dd", "dt"), frozenset(("dd", "dt", "p"))),
    **dict.fromkeys(_CELL, _CELL),
    **dict.fromkeys(("tbody", "thead", "tfoot"), _CELL | {"tr", "tbody", "thead", "tfoot"}),
    "table": _P,
    "li": frozenset(("li", "p")),
    "tr": _CELL | {"tr"},
    "option": frozenset(("option",)),
}
"""What a start tag ends that is still open (HTML 13.1.2.4)."""
_KEPT = {
    **dict.fromkeys(("li", "dd", "dt"), _SCOPE | {"ul", "ol", "dl", "menu"}),
    **dict.fromkeys(("td", "th", "tr", "tbody", "thead", "tfoot"), frozenset(("table", "template"))),
}
"""What it does not reach out of, where that is not _SCOPE."""
_DEEPEST = 10_000
_MOST_STEPS = 3 * 10**6
"""Elements that are walked past and rules that are compared, all together."""

# Styles

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMPOUND = re.compile(r"(?:[a-z][\w-]*|\*)?(?:[.#][\w-]+)*", re.IGNORECASE)
_ALWAYS = re.compile(r"@(?:media\s+(?:all|screen)|layer\b.*|supports\b.*)", re.DOTALL)
_LONGEST_STYLE = 4096
_ZERO = r"[-+]?(?:0+\.?0*|\.0+)(?:[a-z]+|%)?"
_FAR = re.compile(r"-(?:\d{4}|\d{3}(?=[\d.]*(?:r?em|v[wh]|%))).*")
_WHITE = re.compile(r"white|#f{3}|#f{6}|rgb\(255[, ]+255[, ]+255\)")
_HIDES = {
    "display": re.compile("none"),
    "visibility": re.compile("hidden|collapse"),
    "content-visibility": re.compile("hidden"),
    "opacity": re.compile(_ZERO),
    "font-size": re.compile(_ZERO),
    "font": re.compile(rf"(?:.*\s)?{_ZERO}(?:\s*/.*|\s.*)"),
    "color": re.compile(
        rf"transparent|#[0-9a-f]{{3}}0|#[0-9a-f]{{6}}00|(?:rgb|hsl)a?\((?:(?:[^,]*,){{3}}|[^/]*/)\s*{_ZERO}\s*\)"
    ),
    "transform": re.compile(rf".*\bscale(?:3d|[xy])?\(\s*{_ZERO}\s*[,)].*"),
    "scale": re.compile(rf"{_ZERO}(?:\s.*)?"),
    "clip": re.compile(r"rect\((?:[01](?:px)?[, ]*){4}\)"),
    "clip-path": re.compile(r"inset\((?:50|100)%.*|circle\(0.*"),
    **dict.fromkeys(("left", "top", "right", "bottom", "text-indent", "margin-left", "margin-top"), _FAR),
}
_SIZES = ("height", "width", "max-height", "max-width")
_LOOKED_AT = frozenset((*_HIDES, *_SIZES, "overflow", "background", "background-color"))


def _declared(style: str) -> dict[str, str]:
    """The declarations of a style by property, in lower case."""
    found = {}
    for one in _COMMENT.sub("", style[:_LONGEST_STYLE]).lower().split(";"):
        name, _, value = one.partition(":")
        found[name.strip()] = value.replace("!important", "").strip()
    return found


def _hides(style: dict[str, str]) -> bool:
    """Whether an element with these declarations is not seen."""
    clipped = any("text" in value for name, value in style.items() if name.endswith("background-clip"))
    for name, value in style.items():
        if name in _HIDES and _HIDES[name].fullmatch(value) and not (name == "color" and clipped):
            return True
    back = style.get("background-color") or style.get("background", "")
    if _WHITE.fullmatch(style.get("color", "")) and _WHITE.fullmatch(back):
        return True
    flat = any(re.fullmatch(_ZERO, style.get(size, "")) for size in _SIZES)
    return flat and style.get("overflow", "") in ("hidden", "clip")


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule of a style sheet: what names the element and those above it have, and what is declared of it."""

    own: frozenset[str]
    above: frozenset[str]
    weight: tuple[int, int, int]
    style: dict[str, str]


def _rules(css: str) -> Iterator[_Rule]:
    """The rules for tags, classes and ids that are not under a condition."""
    open_: list[tuple[str, bool]] = []
    for piece in re.findall(r"[^{}]*[{}]", _COMMENT.sub("", css)):
        text = piece[:-1].rpartition(";")[2].strip() if piece[-1] == "{" else piece[:-1]
        counts = not open_ or open_[-1][1]
        if piece[-1] == "{":
            open_.append((text, counts and (text[:1] != "@" or _ALWAYS.fullmatch(text.lower()) is not None)))
        elif open_:
            selectors, counts = open_.pop()
            if counts and selectors[:1] != "@":
                style = _declared(text)
                if _LOOKED_AT.isdisjoint(style):
                    continue
                yield from (rule for one in selectors.split(",") if (rule := _rule(one, style)))


def _rule(selector: str, style: dict[str, str]) -> _Rule | None:
    parts = re.split(r"\s*>\s*|\s+", selector.strip())
    if not all(map(_COMPOUND.fullmatch, parts)):
        return None
    names = [[one if one[0] in ".#" else one.lower() for one in re.findall(r"[.#]?[\w-]+", part)] for part in parts]
    if not names[-1]:
        return None
    every = [name[0] for one in names for name in one]
    weight = (every.count("#"), every.count("."), len(every) - every.count("#") - every.count("."))
    return _Rule(frozenset(names[-1]), frozenset(name for one in names[:-1] for name in one), weight, style)


# Elements


@dataclass(slots=True)
class _Element:
    """An element, and whether it is hidden whatever the styles say."""

    tag: str
    above: "_Element | None"
    names: frozenset[str]
    style: str
    hidden: bool
    folded: bool = False
    """Whether all of it but its summary is hidden."""


@dataclass
class Tree:
    """The elements of a page as they open and close, and the text in them.

    >>> tree.lines()
    ['seen']
    """

    open: list[_Element] = field(default_factory=list)
    """The elements that are open."""
    _all: list[_Element] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _texts: list[tuple[_Element | None, str]] = field(default_factory=list)
    _css: list[str] = field(default_factory=list)
    _steps: int = 0

    def start(self, tag: str, fields: dict[str, str]) -> None:
        """A start tag, after the ends that it implies."""
        if self.open and self.open[-1].tag == "head" and tag not in _IN_HEAD:
            self._cut(len(self.open) - 1)
        ends, kept = _ENDS.get(tag), _KEPT.get(tag, _SCOPE)
        if ends and any(self._counts[one] for one in ends):
            cut = len(self.open)
            for place in self._walk():
                if self.open[place].tag in kept:
                    break
                cut = place if self.open[place].tag in ends else cut
            self._cut(cut)
        self._break(tag)
        if tag in VOID:
            return
        if len(self.open) >= _DEEPEST:
            raise Unreadable(f"nests more than {_DEEPEST:,} elements")
        above = self.open[-1] if self.open else None
        hidden = tag in _UNSEEN or tag in RAW or "hidden" in fields or "popover" in fields
        hidden |= tag == "dialog" and "open" not in fields
        hidden |= above is not None and (above.hidden or (above.folded and tag != "summary"))
        names = [tag, *("." + one for one in fields.get("class", "").split())]
        names += ["#" + fields["id"]] if "id" in fields else []
        folded = tag == "details" and "open" not in fields
        self.open.append(_Element(tag, above, frozenset(names), fields.get("style", ""), hidden, folded))
        self._all.append(self.open[-1])
        self._counts[tag] += 1

    def end(self, tag: str) -> None:
        """An end tag; one that has no element to end is passed over."""
        self._break(tag)
        if not self._counts[tag] or tag in ("body", "html"):
            return
        for place in self._walk():
            inner = self.open[place].tag
            if inner == tag:
                return self._cut(place)
            if inner in (_SCOPE if tag not in _PARTS else ("table", "template")):
                return None
            if inner in _BLOCKS and tag not in _REACHING:
                return None

    def text(self, data: str) -> None:
        """Text where the page stands."""
        if self.open and self.open[-1].tag == "head" and data.strip():
            self._cut(len(self.open) - 1)
        self._texts.append((self.open[-1] if self.open else None, " ".join(data.split("\n"))))

    def style(self, css: str, media: str) -> None:
        """The content of a style element."""
        if media.strip().lower() in ("", "all", "screen"):
            self._css.append(css)

    def lines(self) -> list[str]:
        """The lines of text that a reader sees."""
        self._apply()
        pieces = [text for one, text in self._texts if one is None or not (one.hidden or one.folded)]
        return [" ".join(line.split()) for line in "".join(pieces).split("\n")]

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS or tag == "br":
            self._texts.append((None, "\n"))

    def _walk(self) -> Iterator[int]:
        for place in range(len(self.open) - 1, -1, -1):
            self._step()
            yield place

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise Unreadable("is nested too deep, or has too many styles, for what it says to be found")

    def _cut(self, place: int) -> None:
        for one in self.open[place:]:
            self._counts[one.tag] -= 1
        del self.open[place:]

    def _apply(self) -> None:
        """Find which elements the styles hide, those above first."""
        rules: dict[str, list[tuple[int, _Rule]]] = {}
        for number, rule in enumerate(rule for css in self._css for rule in _rules(css)):
            rules.setdefault(min(rule.own), []).append((number, rule))  # a class or an id before a tag
        for one in self._all:
            one.hidden |= one.above is not None and one.above.hidden
            if not one.hidden and (rules or one.style):
                one.hidden = _hides(self._declared(one, rules))

    def _declared(self, one: _Element, rules: dict[str, list[tuple[int, _Rule]]]) -> dict[str, str]:
        """All that is declared of an element, the strongest last."""
        found = []
        for number, rule in (pair for name in one.names for pair in rules.get(name, ())):
            self._step()
            if rule.own <= one.names and (not rule.above or rule.above <= self._names_above(one)):
                found.append((rule.weight, number, rule.style))
        style: dict[str, str] = {}
        for _, _, more in sorted(found, key=lambda rule: rule[:2]):
            style |= more
        return style | _declared(one.style) if one.style else style

    def _names_above(self, one: _Element) -> set[str]:
        names: set[str] = set()
        above = one.above
        while above is not None:
            names |= above.names
            above = above.above
            self._step()
        return names
