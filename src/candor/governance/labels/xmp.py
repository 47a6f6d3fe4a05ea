"""XMP (ISO 16684-1) in PDF files and pictures: the label and the digital source type, merged into what is there."""

import re
from dataclasses import dataclass

from candor.governance.labels import xmlbytes
from candor.governance.labels.carrier import GENERATED, SOURCE_TYPE, Found, SourceType, Unreadable, splice
from candor.governance.labels.record import is_label_name
from candor.governance.labels.xmlbytes import Edit, Element, escape

AIGC = "http://www.tc260.org.cn/ns/AIGC/1.0/"
"""Namespace of the label (TC260-PG-20259A)."""
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ATTRIBUTE = re.compile(rb"""\s([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_SOURCE = "DigitalSourceType"
_NEW = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta>\n'
    '<?xpacket end="w"?>'
)


@dataclass(frozen=True)
class Entry:
    """A property of an XMP packet that is about machine-made content.

    >>> Entry("TC260:AIGC", "{...}", (300, 420, b""))
    """

    name: str
    """With its prefix."""
    value: str
    cut: Edit
    """The edit that takes it out."""


def read(packet: bytes, place: str) -> tuple[tuple[Found, ...], tuple[SourceType, ...]]:
    """The labels and the digital source types of a packet."""
    entries = _entries(_clean(packet), with_source=True)
    labels = tuple(Found(one.name, one.value, place) for one in entries if is_label_name(one.name))
    marks = tuple(SourceType(f"XMP {SOURCE_TYPE}", one.value[:200]) for one in entries if one.name.endswith(_SOURCE))
    return labels, marks


def merge(packet: bytes | None, label: str | None, *, generated: bool) -> bytes:
    """The packet with this label (None: with none); its other properties stay.

    `generated` puts IPTC's source type of what a trained model made in place of the one that is there. A packet that is
    none is never thrown away: Unreadable.
    """
    data = _clean(packet) if packet and packet.strip(b"\0 \t\r\n") else _NEW.encode()
    root = xmlbytes.tree(data, "its XMP")
    rdf = next((one for one in root.walk() if (one.space, one.name) == (_RDF, "RDF")), None)
    if rdf is None:
        raise Unreadable("holds XMP that is none: it has no rdf:RDF")
    edits = [entry.cut for entry in _entries(data, with_source=generated)]
    about = next((value for one in rdf.children for name, value in one.attributes.items() if _is(name, "about")), "")
    body = f"<Iptc4xmpExt:{_SOURCE}>{GENERATED}</Iptc4xmpExt:{_SOURCE}>" if generated else ""
    if label is not None:
        body = f'<TC260:AIGC xmlns:TC260="{AIGC}">{escape(label)}</TC260:AIGC>{body}'
    new = (
        f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="{escape(about)}" '
        f'xmlns:Iptc4xmpExt="{_IPTC}">{body}</rdf:Description>'
    )
    if body:
        edits.append(xmlbytes.append(data, rdf.start, rdf.close, new.encode()))
    return splice(data, edits)


def _clean(packet: bytes) -> bytes:
    return xmlbytes.utf8(packet.strip(b"\0 \t\r\n"))


def _entries(data: bytes, *, with_source: bool) -> list[Entry]:
    """All labels, and source types too; the edit of one that stands alone takes its description with it."""
    found = []
    for description in xmlbytes.tree(data, "its XMP").walk():
        if (description.space, description.name) != (_RDF, "Description"):
            continue
        inside = [_of_element(data, one) for one in description.children]
        attributes = [_of_attribute(data, description, name, value) for name, value in description.attributes.items()]
        entries = [one for one in inside + attributes if one and (with_source or not one.name.endswith(_SOURCE))]
        others = len(inside) + sum(not _is(name, "about") for name in description.attributes) - len(entries)
        if entries and not others:
            entries = [Entry(one.name, one.value, (description.start, description.end, b"")) for one in entries]
        found += entries
    return found


def _of_element(data: bytes, element: Element) -> Entry | None:
    if not _wanted(element.space, element.name):
        return None
    value = element.text.strip() or next((v for n, v in element.attributes.items() if _is(n, "resource")), "")
    name = xmlbytes.prefix(data, element) + element.name
    return Entry(_usual(element.space, element.name, name), value, (element.start, element.end, b""))


def _of_attribute(data: bytes, element: Element, name: str, value: str) -> Entry | None:
    space, local, prefix = xmlbytes.split(name)
    if not _wanted(space, local):
        return None
    full = f"{prefix}:{local}"
    tags = _ATTRIBUTE.finditer(data, element.start, element.inner)
    start, end = next(match.span() for match in tags if match[1] == full.encode())
    return Entry(_usual(space, local, full), value, (start, end, b""))


def _usual(space: str, local: str, name: str) -> str:
    """The label's name with its usual prefix, whatever the packet calls its namespace."""
    return "TC260:AIGC" if (space, local) == (AIGC, "AIGC") else name


def _wanted(space: str, local: str) -> bool:
    return is_label_name(local) or (space == _IPTC and local == _SOURCE)


def _is(name: str, local: str) -> bool:
    return xmlbytes.split(name)[1] == local
