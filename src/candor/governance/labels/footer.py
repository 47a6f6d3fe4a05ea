"""The visible notice on the pages of a PDF file: a content stream of its own on top of the page, known again later."""

import re
from collections.abc import Iterable
from importlib.resources import files
from itertools import groupby
from typing import Any

from candor.governance.labels.explicit import Notice, Seen, is_notice

LATIN, GLYPHS, CHINESE, VEIL = "/CandorLatin", "/CandorGlyphs", "/CandorChinese", "/CandorVeil"
"""Names of the fonts and of the graphics state among a page's resources. The first font is one of the 14 that every
viewer has. The second is embedded, since viewers on machines without Chinese fonts draw boxes, and a notice of boxes
is none: it holds the characters of the default notices and some more. The third, for all other characters, is one of
the CJK fonts that viewers stand in for, where they have one."""
CHARACTERS = "、。上下为人仅仔以似供内别动助参可合回图型声容工成提文明智本模注片甄生由疑示答细考能自请辅（），："
"""What `glyphs/notice.ttf` draws, in the order of its glyphs from 1: a subset of Droid Sans Fallback (Apache License
2.0) by pyftsubset --text=CHARACTERS --no-hinting --layout-features= --name-IDs=0,1,13,14 --drop-tables+=vhea,vmtx."""
_CODES = {LATIN: "cp1252", GLYPHS: "utf-16-be", CHINESE: "utf-16-be"}
_SAME_CODES = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /CandorSame def /CMapType 2 def\n"
    b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
    b"1 beginbfrange <0000> <FFFF> <0000> endbfrange\nendcmap end end\n"
)
"""A map from codes to UTF-16 that are the same."""
_STRINGS = re.compile(rb"(/Candor\w+) \S+ Tf <([0-9A-F]+)> Tj")
_STREAM = re.compile(
    rb"/Artifact <</Type /Pagination /Subtype /(?P<place>Header|Footer) /Contents \(AIGC notice\)>> BDC\n"
    rb"q [-\d. ]+ cm\n/CandorVeil gs 1 g [-\d. ]+ re f\n0\.2 g BT [-\d. ]+ Td\n"
    rb"(?P<text>(?:/Candor(?:Latin|Glyphs|Chinese) [\d.]+ Tf <[0-9A-F]+> Tj\n)+)ET\nQ\nEMC\n"
)
_TOKEN = re.compile(rb"\((?:\\.|[^()\\])*\)|%[^\r\n]*|(?<![^\s\0\])>])([qQ])(?![^\s\0/(\[<%])", re.DOTALL)


def stream(notice: Notice, box: tuple[float, float, float, float], rotate: int) -> bytes:
    """The content that draws a notice at the lower edge, as the page is seen (the upper one for one at the start).

    `box` is what is seen of the page in its own coordinates, `rotate` its turn clockwise in degrees.
    """
    left, low, right, high = box
    matrix, wide, tall = {
        0: ((1, 0, 0, 1, left, low), right - left, high - low),
        90: ((0, 1, -1, 0, right, low), high - low, right - left),
        180: ((-1, 0, 0, -1, right, high), right - left, high - low),
        270: ((0, -1, 1, 0, left, high), high - low, right - left),
    }[rotate % 360 // 90 * 90]
    text = "".join(one for one in notice.text if one.isprintable() and ord(one) < 0x10000)
    ems = sum(0.56 if _font(one) == LATIN else 1 for one in text)
    size = min(max(9, tall / 85), 0.9 * wide / max(ems, 1), tall / 3)
    x, y = (wide - ems * size) / 2, size * 0.9
    if at_start := notice.position == "start":
        y = tall - size * 1.6
    runs = ((font, "".join(run).encode(_CODES[font])) for font, run in groupby(text, _font))
    shown = "".join(f"{font} {_numbers((size,))} Tf <{run.hex().upper()}> Tj\n" for font, run in runs)
    return (
        f"/Artifact <</Type /Pagination /Subtype /{'Header' if at_start else 'Footer'} /Contents (AIGC notice)>> BDC\n"
        f"q {_numbers(matrix)} cm\n"
        f"{VEIL} gs 1 g {_numbers((x - size / 2, y - size * 0.4, (ems + 1) * size, size * 1.5))} re f\n"
        f"0.2 g BT {_numbers((x, y))} Td\n{shown}ET\nQ\nEMC\n"
    ).encode()


def seen(content: bytes) -> Seen | None:
    """The notice that a content stream of `stream` shows; None for any other."""
    match = _STREAM.fullmatch(content)
    if not match:
        return None
    runs = ((font.decode(), bytes.fromhex(text.decode())) for font, text in _STRINGS.findall(match["text"]))
    text = "".join(text.decode(_CODES[font], "replace") for font, text in runs)
    return Seen(text, "start" if match["place"] == b"Header" else "end", is_notice(text))


def balance(contents: Iterable[bytes]) -> tuple[bytes, bytes]:
    """What to put before and behind a page's own content so that its graphics state ends with it."""
    depth = lowest = 0
    for content in contents:
        for match in _TOKEN.finditer(content):
            if match[1]:
                depth += 1 if match[1] == b"q" else -1
                lowest = min(lowest, depth)
    return b"q\n" * (1 - lowest), b"\n" + b"Q\n" * (1 - lowest + depth)


def resources(writer: Any) -> dict[str, dict[str, Any]]:
    """What a page needs for it, by kind and name; the objects are added to the pypdf writer."""
    from pypdf.generic import (
        ArrayObject,
        DictionaryObject,
        FloatObject,
        NameObject,
        NumberObject,
        StreamObject,
        TextStringObject,
    )

    def make(**values: Any) -> Any:
        made = DictionaryObject()
        for name, value in values.items():
            made[NameObject("/" + name)] = NameObject(value) if type(value) is str else value
        return made

    def packed(content: bytes) -> Any:
        stream = StreamObject()
        stream.set_data(content)
        stream[NameObject("/Length1")] = NumberObject(len(content))
        return writer._add_object(stream.flate_encode())

    latin = make(Type="/Font", Subtype="/Type1", BaseFont="/Helvetica", Encoding="/WinAnsiEncoding")
    box = ArrayObject([NumberObject(n) for n in (-25, -254, 1000, 880)])
    look = {"Flags": 4, "ItalicAngle": 0, "Ascent": 880, "Descent": -120, "CapHeight": 880, "StemV": 93}
    numbers = {name: NumberObject(value) for name, value in look.items()}

    def composite(name: str, kind: str, ordering: str, encoding: str, look: dict[str, Any], **more: Any) -> Any:
        """A font of 16-bit codes."""
        descriptor = make(Type="/FontDescriptor", FontName=name, FontBBox=box, **numbers, **look)
        order = make(
            Registry=TextStringObject("Adobe"), Ordering=TextStringObject(ordering), Supplement=NumberObject(4)
        )
        glyphs = make(Type="/Font", Subtype=kind, BaseFont=name, CIDSystemInfo=order, **more)
        glyphs[NameObject("/FontDescriptor")] = writer._add_object(descriptor)
        font = make(Type="/Font", Subtype="/Type0", BaseFont=name, Encoding=encoding)
        font[NameObject("/DescendantFonts")] = ArrayObject([writer._add_object(glyphs)])
        return font

    chinese = composite("/STSong-Light", "/CIDFontType0", "GB1", "/UniGB-UCS2-H", {})
    places = bytearray(2 * 0x10000)
    for glyph, character in enumerate(CHARACTERS, start=1):
        places[2 * ord(character) + 1] = glyph
    file = packed(files(__package__).joinpath("glyphs/notice.ttf").read_bytes())
    name = "/CANDOR+DroidSansFallback"
    own = composite(
        name, "/CIDFontType2", "Identity", "/Identity-H", {"FontFile2": file}, CIDToGIDMap=packed(bytes(places))
    )
    own[NameObject("/ToUnicode")] = packed(_SAME_CODES)
    veil = make(Type="/ExtGState", ca=FloatObject(0.75))
    return {
        "/Font": {
            LATIN: writer._add_object(latin),
            GLYPHS: writer._add_object(own),
            CHINESE: writer._add_object(chinese),
        },
        "/ExtGState": {VEIL: writer._add_object(veil)},
    }


def _font(character: str) -> str:
    try:
        character.encode(_CODES[LATIN])
    except UnicodeEncodeError:
        return GLYPHS if character in CHARACTERS else CHINESE
    return LATIN


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.2f}".rstrip("0").rstrip(".") for value in values)
