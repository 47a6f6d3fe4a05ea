"""PNG and JPEG pictures: the label in XMP (TC260-PG-20259A); the picture itself and all other metadata stay.

No notice is drawn: that would change the picture. Charts carry their own.
"""

import re
import struct
import zlib
from dataclasses import dataclass

from candor.governance.labels import exif, xmp
from candor.governance.labels.carrier import LARGEST, Carrier, Found, Reading, SourceType, Unreadable, must_fit
from candor.governance.labels.explicit import Notice
from candor.governance.labels.record import Label, is_label_name

_PNG = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"XML:com.adobe.xmp"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_EXIF = b"Exif\0\0"
_SEGMENT = 65533
"""Bytes that a segment of a JPEG file holds at most."""
_MARKER = re.compile(rb"\xff{1,64}[^\x00\xd0-\xd7\xff]", re.DOTALL)
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_MOST = 2**17
_SIGNED = "carries a signed C2PA manifest; a label would break it: label it before signing"


@dataclass
class _Piece:
    """A chunk of a PNG file or a segment of a JPEG file.

    >>> _Piece(b"tEXt", b"AIGC\\0{...}")
    """

    kind: bytes
    data: bytes

    def bytes(self) -> bytes:
        """As it stands in a PNG file."""
        crc = zlib.crc32(self.kind + self.data)
        return struct.pack(">I", len(self.data)) + self.kind + self.data + struct.pack(">I", crc)


def _chunks(data: bytes) -> tuple[list[_Piece], bytes]:
    """The chunks of a PNG file, and what stands behind it."""
    must_fit(data)
    if not data.startswith(_PNG):
        raise Unreadable("is no PNG file")
    chunks: list[_Piece] = []
    at = len(_PNG)
    while not chunks or chunks[-1].kind != b"IEND":
        head = data[at : at + 8]
        size = int.from_bytes(head[:4], "big")
        piece = _Piece(head[4:], data[at + 8 : at + 8 + size])
        if len(head) < 8 or data[at : at + 12 + size] != piece.bytes():
            raise Unreadable("is torn: a chunk of the PNG file is cut short or has a wrong checksum")
        chunks.append(piece)
        at += 12 + size
        if len(chunks) > _MOST:
            raise Unreadable(f"is refused: it has more than {_MOST:,} chunks")
    if chunks[0].kind != b"IHDR" or not any(chunk.kind == b"IDAT" for chunk in chunks):
        raise Unreadable("is torn: the PNG file has no picture")
    return chunks, data[at:]


def _text(chunk: _Piece) -> tuple[bytes, bytes]:
    """Keyword and text of a text chunk; both empty in any other. Unreadable where it unpacks to too much."""
    if chunk.kind not in _TEXTS:
        return b"", b""
    keyword, _, rest = chunk.data.partition(b"\0")
    packed = chunk.kind == b"zTXt"
    if chunk.kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        rest = rest[1:]
    if not packed or not _about_us(keyword):
        return keyword, rest
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(rest, LARGEST // 16)
    except zlib.error:
        raise Unreadable("is torn: a text in the PNG file cannot be unpacked") from None
    if unpack.unconsumed_tail:
        raise Unreadable("is refused: a text in the PNG file unpacks to more than it ever needs")
    return keyword, text


def _about_us(keyword: bytes) -> bool:
    return keyword == _KEYWORD or is_label_name(keyword.decode("latin-1"))


def _read_png(data: bytes) -> Reading:
    labels: list[Found] = []
    marks: list[SourceType] = []
    for chunk in _chunks(data)[0]:
        keyword, text = _text(chunk)
        if keyword == _KEYWORD:
            found, more = xmp.read(text, "XMP")
            labels += found
            marks += more
        elif _about_us(keyword):
            place = f"{chunk.kind.decode()} chunk"
            labels.append(Found(keyword.decode("latin-1"), text.decode("utf-8", "replace"), place, wrapped=True))
        elif chunk.kind == b"eXIf" and (comment := exif.comment(chunk.data)):
            labels.append(comment[0])
    return Reading(tuple(labels), marks=tuple(marks))


def _write_png(data: bytes, label: Label, notice: Notice | None) -> bytes:
    chunks, tail = _chunks(data)
    if any(chunk.kind == b"caBX" for chunk in chunks):
        raise Unreadable(_SIGNED)
    packets = [text for keyword, text in map(_text, chunks) if keyword == _KEYWORD]
    if len(packets) > 1:
        raise Unreadable("holds two XMP packets")
    new = _Piece(
        b"iTXt",
        _KEYWORD + bytes(5) + xmp.merge(packets[0] if packets else None, label.json(), generated=label.says_generated),
    )
    kept = []
    for chunk in chunks:
        keyword = _text(chunk)[0]
        if chunk.kind == b"eXIf":
            chunk = _Piece(chunk.kind, exif.blanked(chunk.data))
        if keyword == _KEYWORD:
            chunk = new
        if keyword == _KEYWORD or not _about_us(keyword):
            kept.append(chunk)
    if not packets:
        kept.insert(1, new)
    return _PNG + b"".join(chunk.bytes() for chunk in kept) + tail


def _segments(data: bytes) -> tuple[list[_Piece], bytes]:
    """The segments of a JPEG file up to its first scan, and all from there on. Unreadable where no end follows."""
    must_fit(data)
    if not data.startswith(b"\xff\xd8\xff"):
        raise Unreadable("is no JPEG file")
    segments, at, scan = [], 2, 0
    while True:
        match = (_NEXT_MARKER.search if scan else _MARKER.match)(data, at)
        if not match:
            raise Unreadable("is torn: the JPEG file is cut short")
        marker, at = match[0][-1:], match.end()
        if marker == b"\xd9":
            break
        size = int.from_bytes(data[at : at + 2], "big")
        if size < 2 or at + size > len(data):
            raise Unreadable("is torn: a segment of the JPEG file is cut short")
        if marker == b"\xda":
            scan = scan or match.start()
        elif not scan:
            segments.append(_Piece(marker, data[at + 2 : at + size]))
        at += size
        if len(segments) > _MOST:
            raise Unreadable(f"is refused: it has more than {_MOST:,} segments")
    if not scan:
        raise Unreadable("is torn: the JPEG file has no picture")
    return segments, data[scan:]


def _extended(segments: list[_Piece]) -> bytes:
    """What does not fit into one XMP segment, put together."""
    head = len(_MORE_XMP) + 40
    pieces = [one.data for one in segments if one.kind == b"\xe1" and one.data.startswith(_MORE_XMP)]
    pieces.sort(key=lambda one: one[head - 4 : head])
    return b"".join(one[head:] for one in pieces)


def _read_jpeg(data: bytes) -> Reading:
    segments, _ = _segments(data)
    labels: list[Found] = []
    marks: list[SourceType] = []
    for segment in segments:
        if segment.kind == b"\xe1" and segment.data.startswith(_XMP):
            found, more = xmp.read(segment.data[len(_XMP) :], "XMP")
            labels += found
            marks += more
        elif segment.kind == b"\xe1" and segment.data.startswith(_EXIF):
            comment = exif.comment(segment.data[len(_EXIF) :])
            labels += [comment[0]] if comment else []
    if extended := _extended(segments):
        labels += xmp.read(extended, "extended XMP")[0]
    return Reading(tuple(labels), marks=tuple(marks))


def _write_jpeg(data: bytes, label: Label, notice: Notice | None) -> bytes:
    segments, scans = _segments(data)
    if any(one.kind == b"\xeb" and b"c2pa" in one.data for one in segments):
        raise Unreadable(_SIGNED)
    if (extended := _extended(segments)) and xmp.read(extended, "")[0]:
        raise Unreadable("holds a label in its extended XMP, which cannot be replaced; export the picture anew")
    packets = [one for one in segments if one.kind == b"\xe1" and one.data.startswith(_XMP)]
    if len(packets) > 1:
        raise Unreadable("holds two XMP packets")
    packet = xmp.merge(packets[0].data[len(_XMP) :] if packets else None, label.json(), generated=label.says_generated)
    if len(_XMP + packet) > _SEGMENT:
        packet = re.sub(rb"\s{2,}(?=<\?xpacket end)", b"\n", packet)
    if len(_XMP + packet) > _SEGMENT:
        raise Unreadable("holds so much XMP that no label fits beside it")
    if not packets:
        packets = [_Piece(b"\xe1", b"")]
        first = next((n for n, one in enumerate(segments) if not _leads(one)), len(segments))
        segments.insert(first, packets[0])
    packets[0].data = _XMP + packet
    for one in segments:
        if one.kind == b"\xe1" and one.data.startswith(_EXIF):
            one.data = _EXIF + exif.blanked(one.data[len(_EXIF) :])
    heads = (b"\xff" + one.kind + struct.pack(">H", len(one.data) + 2) + one.data for one in segments)
    return b"\xff\xd8" + b"".join(heads) + scans


def _leads(segment: _Piece) -> bool:
    """Whether a segment must stay before XMP: JFIF and Exif come first."""
    return segment.kind == b"\xe0" or segment.data.startswith(_EXIF)


PNG = Carrier("PNG picture", (".png",), "TC260-PG-20259A", _read_png, _write_png, visible=False)
JPEG = Carrier("JPEG picture", (".jpg", ".jpeg"), "TC260-PG-20259A", _read_jpeg, _write_jpeg, visible=False)
