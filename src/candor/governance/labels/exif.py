"""The user comment of Exif (CIPA DC-008, tag 0x9286), where TC260-PG-20259A Annex B also allows the label."""

import struct

from candor.governance.labels.carrier import Found

_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_CHARSET = 8


def comment(tiff: bytes) -> tuple[Found, int, int] | None:
    """The label in the user comment of a TIFF structure, and where its bytes begin and end."""
    try:
        order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (inner,) = struct.unpack(order + "I", _entry(tiff, order, first, _EXIF_IFD)[8:])
        entry = _entry(tiff, order, inner, _USER_COMMENT)
        count, offset = struct.unpack(order + "II", entry[4:])
    except (KeyError, struct.error):
        return None
    value = tiff[offset : offset + count]
    if len(value) < count or count <= _CHARSET:
        return None
    value = value if value.startswith(b"{") else value[_CHARSET:]
    texts = (value.decode(codec, "replace").strip("\0 ") for codec in ("utf-8", "utf-16-le", "utf-16-be"))
    text = next((one for one in texts if "AIGC" in one or "ContentProducer" in one), None)
    if text is None:
        return None
    return Found("AIGC", text, "Exif user comment", wrapped=True), offset, offset + count


def blanked(tiff: bytes) -> bytes:
    """The same structure, equally long, with a label in the user comment overwritten by spaces."""
    found = comment(tiff)
    if found is None:
        return tiff
    _, start, end = found
    return tiff[:start] + bytes(_CHARSET) + b" " * (end - start - _CHARSET) + tiff[end:]


def _entry(tiff: bytes, order: str, at: int, tag: int) -> bytes:
    """The twelve bytes of a tag in the directory at a place; KeyError where it is not there."""
    (count,) = struct.unpack_from(order + "H", tiff, at)
    for place in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from(order + "H", tiff, place)[0] == tag:
            return tiff[place : place + 12]
    raise KeyError(tag)
