"""PDF files: the label in the Info dictionary (TC260-PG-20258A 6.3), the source type in XMP, a line on every page.

The file is written anew by pypdf, so that no earlier label is left in an older revision of it.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from candor.governance.labels import footer, xmp
from candor.governance.labels.carrier import LARGEST, Carrier, Found, Reading, SourceType, Unreadable, must_fit
from candor.governance.labels.explicit import Notice, Seen, any_lawful, notices
from candor.governance.labels.record import Label, is_label_name

EDGE_PAGES = 3
"""Pages from either end that are searched for a notice."""
_MOST_TEXT = 2**20
"""Bytes of drawing on a page that are searched, each form counted as often as it is drawn."""


def _read(data: bytes) -> Reading:
    with _opened(data) as reader:
        return _reading(reader)


def _reading(reader: Any) -> Reading:
    labels = [Found(name, _text(value), "Info dictionary") for name, value in _info_labels(reader)]
    packet = _packet(reader)
    marks: tuple[SourceType, ...] = ()
    if packet is not None:
        found, marks = xmp.read(packet, "XMP")
        labels += found
    seen, doubts = _notices(reader)
    return Reading(tuple(labels), tuple(seen), marks, doubts=tuple(doubts))


def _write(data: bytes, label: Label, notice: Notice | None) -> bytes:
    with _opened(data) as reader:
        from pypdf import PdfWriter
        from pypdf.generic import NameObject, StreamObject

        if b"/ByteRange" in data or _has_signed_field(reader):
            raise Unreadable("is digitally signed; a label would break the signature: label it before signing")
        bare = notice and not any_lawful(_notices(reader)[0])
        packet = _packet(reader)
        if packet is not None or label.says_generated:
            packet = xmp.merge(packet, None, generated=label.says_generated)
        for name, _ in _info_labels(reader):
            del _object(reader.trailer["/Info"])["/" + name]
        _object(reader.trailer["/Root"]).pop("/Metadata", None)
        writer = PdfWriter(clone_from=reader)
        writer.add_metadata({"/AIGC": label.json()})
        if packet is not None:
            stream = StreamObject()
            stream.update({NameObject("/Type"): NameObject("/Metadata"), NameObject("/Subtype"): NameObject("/XML")})
            stream.set_data(packet)
            writer.root_object[NameObject("/Metadata")] = writer._add_object(stream)
        if notice and bare:
            _add_notice(writer, notice)
        out = io.BytesIO()
        writer.write(out)
        return out.getvalue()


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """A reader in a block where every failure of pypdf is Unreadable: broken files raise almost anything in it."""
    must_fit(data)
    if b"%PDF-" not in data[:1024]:
        raise Unreadable("is no PDF file")
    from pypdf import PdfReader

    log = logging.getLogger("pypdf")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = PdfReader(io.BytesIO(data))
            if reader.is_encrypted:
                raise Unreadable("is encrypted; save it without protection first")
            yield reader
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"is torn: {type(error).__name__} while reading it") from None
    finally:
        log.setLevel(level)


def _info_labels(reader: Any) -> list[tuple[str, Any]]:
    info = _object(reader.trailer.get("/Info"))
    if not isinstance(info, dict):
        return []
    return [(name[1:], _object(value)) for name, value in list(info.items()) if is_label_name(name)]


def _packet(reader: Any) -> bytes | None:
    metadata = _object(_object(reader.trailer["/Root"]).get("/Metadata"))
    return metadata.get_data() if hasattr(metadata, "get_data") else None


def _has_signed_field(reader: Any) -> bool:
    """Whether a signature field is filled in; a form with empty ones is not signed."""
    form = _object(_object(reader.trailer["/Root"]).get("/AcroForm"))
    waiting = list(_object(form.get("/Fields")) or []) if isinstance(form, dict) else []
    for n, one in enumerate(waiting):
        field = _object(one)
        if n > 10**5 or not isinstance(field, dict):
            continue
        if field.get("/FT") == "/Sig" and _object(field.get("/V")):
            return True
        waiting += _object(field.get("/Kids")) or []
    return False


def _notices(reader: Any) -> tuple[list[Seen], list[str]]:
    """The notices on the first and last pages, and why some of these could not be searched."""
    pages = reader.pages
    numbers = [n for n in range(len(pages)) if n < EDGE_PAGES or n >= len(pages) - EDGE_PAGES]
    searched: list[Any] = []
    lines: list[str] = []
    ours: list[Seen] = []
    doubts: list[str] = []
    for n in numbers:
        contents = _contents(pages[n])
        ours += [seen for content in contents[-1:] if (seen := footer.seen(content.get_data()))]
        if _cost(pages[n], contents) > _MOST_TEXT:
            doubts.append(f"page {n + 1} holds too much drawing to look for a notice in it")
        elif not ours:
            searched.append(pages[n])
            lines += pages[n].extract_text().split("\n")
    found = list(dict.fromkeys(ours)) or notices(list(dict.fromkeys(lines)))
    if not ours and any_lawful(found):
        plain = [line for page in searched if "/Contents" in page for line in _plain(page).extract_text().split("\n")]
        found = notices(list(dict.fromkeys(plain)))
        if not any_lawful(found):
            doubts.append("its notice is drawn invisible, white or tiny, and what lies behind it is not looked at")
    if not found and numbers and not doubts and not any(line.strip() for line in lines):
        doubts.append("its pages hold no text; pictures are not looked at")
    if not found and len(numbers) < len(pages):
        doubts.append(
            f"only the first and the last {EDGE_PAGES} of its {len(pages):,} pages were searched for a notice"
        )
    return found, doubts


def _plain(page: Any) -> Any:
    """The page without text that may not be seen: invisible, white or tiny (what forms draw stays).

    A scan lays invisible text over its picture, and white text may stand on a dark ground: both may be seen or not.
    """
    from pypdf import PageObject
    from pypdf.generic import ContentStream, NameObject

    content = ContentStream(page["/Contents"], page.pdf, "bytes")
    kept, saved, look = [], list[_Look](), _Look()
    for operands, operator in content.operations:
        if operator == b"q":
            saved.append(look)
        elif operator == b"Q" and saved:
            look = saved.pop()
        look = look.after(operands, operator)
        if operator not in _SHOWING or not look.unseen:
            kept.append((operands, operator))
    content.operations = kept
    plain = PageObject(page.pdf)
    plain.update(page)
    plain[NameObject("/Contents")] = content
    return plain


_SHOWING = (b"Tj", b"TJ", b"'", b'"')
_WHITE = {b"g": 1, b"rg": 1, b"sc": 1, b"scn": 1, b"k": 0}
"""What all numbers of a colour are, where it is white."""
_SMALLEST = 2.0
"""Points below which a font cannot be read."""


@dataclass(frozen=True)
class _Look:
    """How text is drawn."""

    invisible: bool = False
    white: bool = False
    size: float = 12.0
    scale: float = 1.0

    def after(self, operands: Any, operator: bytes) -> "_Look":
        """How it is drawn behind an operator."""
        numbers = [float(one) for one in operands if isinstance(one, int | float)]
        if operator == b"Tr" and numbers:
            return replace(self, invisible=numbers[0] in (3, 7))
        if operator in _WHITE and numbers:
            return replace(self, white=all(abs(one - _WHITE[operator]) < 0.02 for one in numbers))
        if operator == b"Tf" and numbers:
            return replace(self, size=abs(numbers[-1]))
        if operator in (b"Tm", b"BT"):
            return replace(self, scale=max(map(abs, numbers[:4]), default=1.0))
        return self

    @property
    def unseen(self) -> bool:
        return self.invisible or self.white or self.size * self.scale < _SMALLEST


def _contents(page: Any) -> list[Any]:
    contents = _object(page.get("/Contents"))
    streams = [_object(one) for one in contents] if isinstance(contents, list) else [contents]
    return [one for one in streams if hasattr(one, "get_data")]


def _cost(page: Any, contents: list[Any]) -> int:
    """How many bytes of drawing a page takes, forms in forms multiplied; too many where they go in a circle."""
    known: dict[int, int] = {}

    def cost(owner: Any, streams: list[Any], depth: int) -> int:
        if depth > 20:
            return _MOST_TEXT + 1
        drawn = [one.get_data() for one in streams]
        inner = 0
        forms = _object((_object(owner.get("/Resources")) or {}).get("/XObject"))
        for form in map(_object, (forms or {}).values()):
            if hasattr(form, "get_data") and form.get("/Subtype") == "/Form":
                if id(form) not in known:
                    known[id(form)] = _MOST_TEXT + 1
                    known[id(form)] = cost(form, [form], depth + 1)
                inner = max(inner, known[id(form)])
        return sum(map(len, drawn)) + inner * sum(one.count(b"Do") for one in drawn)

    return cost(page, contents, 0)


def _add_notice(writer: Any, notice: Notice) -> None:
    from pypdf.generic import ArrayObject, NameObject

    made: dict[bytes, Any] = {}
    looked_at = 0
    resources = footer.resources(writer)
    for page in writer.pages:
        box = _seen_box(page)
        if box is None:
            continue
        own = page.raw_get("/Contents") if "/Contents" in page else ArrayObject()
        own = _object(own) if isinstance(_object(own), list) else [own]
        contents = [content.get_data() for content in _contents(page)]
        looked_at += sum(map(len, contents))
        before, behind = footer.balance(contents if looked_at < LARGEST else [])
        drawn = footer.stream(notice, box, page.rotation)
        first, last, line = (_stream(writer, made, content) for content in (before, behind, drawn))
        page[NameObject("/Contents")] = ArrayObject([first, *own, last, line])
        _share(page, resources)


def _seen_box(page: Any) -> tuple[float, float, float, float] | None:
    """What is seen of a page; None where that is nothing."""
    crop, media = page.cropbox, page.mediabox
    box = (
        max(float(crop.left), float(media.left)),
        max(float(crop.bottom), float(media.bottom)),
        min(float(crop.right), float(media.right)),
        min(float(crop.top), float(media.top)),
    )
    return box if box[2] - box[0] > 1 and box[3] - box[1] > 1 else None


def _stream(writer: Any, made: dict[bytes, Any], content: bytes) -> Any:
    """A content stream, the same one for pages that need the same."""
    from pypdf.generic import StreamObject

    if content not in made:
        stream = StreamObject()
        stream.set_data(content)
        made[content] = writer._add_object(stream)
    return made[content]


def _share(page: Any, resources: dict[str, dict[str, Any]]) -> None:
    """Add resources to those of a page, which it may have from above and share with others."""
    from pypdf.generic import DictionaryObject, NameObject

    owner, steps = page, 0
    while "/Resources" not in owner and "/Parent" in owner and steps < 50:
        owner, steps = _object(owner["/Parent"]), steps + 1
    if "/Resources" not in owner:
        owner = page
        owner[NameObject("/Resources")] = DictionaryObject()
    have = _object(owner["/Resources"])
    for kind, entries in resources.items():
        if kind not in have:
            have[NameObject(kind)] = DictionaryObject()
        _object(have[kind]).update({NameObject(name): one for name, one in entries.items()})


def _object(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


PDF = Carrier("PDF document", (".pdf",), "TC260-PG-20258A 6.3", _read, _write)
