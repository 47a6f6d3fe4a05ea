"""A package of parts (OPC, ISO/IEC 29500-2): a ZIP with relationships and content types, changed part by part."""

import io
import posixpath
import struct
import zipfile
import zlib
from dataclasses import dataclass
from urllib.parse import unquote

from candor.governance.labels import xmlbytes
from candor.governance.labels.carrier import LARGEST, Unreadable, must_fit, splice
from candor.governance.labels.xmlbytes import Element

MOST = 20_000
"""Parts of a package that are taken."""
TYPES = "[Content_Types].xml"
KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
STRICT_KINDS = "http://purl.oclc.org/ooxml/officeDocument/relationships/"
"""What types of relationships begin with, in the transitional and in the strict form."""
_NEW_RELATIONS = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'
)
_TORN = (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error)
_OLE = bytes.fromhex("D0CF11E0A1B11AE1")


@dataclass(frozen=True)
class Relation:
    """A relationship inside the package.

    >>> Relation("rId1", "officeDocument", "word/document.xml")
    """

    id: str
    kind: str
    """The last word of its type."""
    target: str
    """Name of the part it leads to."""


class Package:
    """The parts of a package by name; names are equal whatever their case.

    Unreadable for what is no ZIP, is encrypted, torn, holds a part twice, or unpacks to more than LARGEST.
    """

    def __init__(self, data: bytes) -> None:
        _must_be_zip(data)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _TORN:
            raise Unreadable("is a torn ZIP file") from None
        infos = self._zip.infolist()
        self._infos = {info.filename.lower(): info for info in infos}
        self._changed: dict[str, bytes] = {}
        self._added: dict[str, str] = {}
        if len(self._infos) != len(infos):
            raise Unreadable("holds two parts of one name")
        if any(info.flag_bits & 0x41 for info in infos):
            raise Unreadable("is encrypted; save it without a password first")
        if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
            raise Unreadable("holds a part that is packed as no such document may be")
        if sum(info.file_size for info in infos) > LARGEST:
            raise Unreadable(f"unpacks to more than {LARGEST // 2**20} MiB")

    @property
    def names(self) -> list[str]:
        """Of all parts, as they are written, in their order."""
        return [info.filename for info in self._infos.values()] + list(self._added.values())

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._infos or name.lower() in self._changed

    def part(self, name: str) -> bytes:
        """The bytes of a part."""
        key = name.lower()
        if key in self._changed:
            return self._changed[key]
        if key not in self._infos:
            raise Unreadable(f"lacks its part {name:.80}")
        try:
            return self._zip.read(self._infos[key])
        except (*_TORN, zlib.error, EOFError, RuntimeError):
            raise Unreadable(f"is torn: its part {name:.80} cannot be unpacked") from None

    def xml(self, name: str) -> bytes:
        """The bytes of an XML part, in UTF-8."""
        return xmlbytes.utf8(self.part(name))

    def tree(self, name: str) -> tuple[bytes, Element]:
        """A small XML part and its root."""
        data = self.xml(name)
        return data, xmlbytes.tree(data, name)

    def put(self, name: str, data: bytes) -> None:
        """Change a part, or add one at the end."""
        if name.lower() not in self._infos:
            self._added[name.lower()] = name
        self._changed[name.lower()] = data

    def relations(self, source: str = "") -> list[Relation]:
        """The relationships of a part, or of the package, to parts that are there."""
        name = _relations_name(source)
        if name not in self:
            return []
        found = []
        for element in self.tree(name)[1].children:
            fields = element.attributes
            target = posixpath.join("/", posixpath.dirname(source), unquote(fields.get("Target", "")))
            target = posixpath.normpath(target).lstrip("/")
            if element.name == "Relationship" and fields.get("TargetMode") != "External" and target in self:
                kind = fields.get("Type", "").rpartition("/")[2]
                found.append(Relation(fields.get("Id", ""), kind, target))
        return found

    def relate(self, source: str, kind: str, target: str) -> str:
        """Add a relationship to a part that lies beside or below its source; its id."""
        name = _relations_name(source)
        data = self.xml(name) if name in self else _NEW_RELATIONS.encode()
        root = xmlbytes.tree(data, name)
        taken = {element.attributes.get("Id") for element in root.children}
        id_ = next(f"rId{n}" for n in range(1, len(taken) + 2) if f"rId{n}" not in taken)
        kinds = STRICT_KINDS if any(STRICT_KINDS in e.attributes.get("Type", "") for e in root.children) else KINDS
        if kinds is STRICT_KINDS and kind == "custom-properties":
            kind = "customProperties"
        near = posixpath.relpath(target, posixpath.dirname(source) or ".")
        tag = f"{xmlbytes.prefix(data, root)}Relationship"
        new = f'<{tag} Id="{id_}" Type="{kinds}{kind}" Target="{xmlbytes.escape(near)}"/>'
        self.put(name, splice(data, [xmlbytes.append(data, root.start, root.close, new.encode())]))
        return id_

    def declare(self, name: str, content_type: str) -> None:
        """Give a part its content type."""
        data, root = self.tree(TYPES)
        overrides = [one for one in root.children if one.attributes.get("PartName", "").lower() == f"/{name}".lower()]
        if any(one.attributes.get("ContentType") == content_type for one in overrides):
            return
        tag = f"{xmlbytes.prefix(data, root)}Override"
        new = f'<{tag} PartName="/{xmlbytes.escape(name)}" ContentType="{content_type}"/>'
        edits = [(one.start, one.end, b"") for one in overrides]
        edits.append(xmlbytes.append(data, root.start, root.close, new.encode()))
        self.put(TYPES, splice(data, edits))

    def bytes(self) -> bytes:
        """The whole: parts in their order with their times and kinds of packing, new ones at the end."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as target:
            target.comment = self._zip.comment
            for info in self._infos.values():
                target.writestr(_like(info, info.filename), self.part(info.filename))
            for name in self._added.values():
                target.writestr(_like(self._infos[TYPES.lower()], name), self.part(name))
        return out.getvalue()


def _must_be_zip(data: bytes) -> None:
    must_fit(data)
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise Unreadable("is encrypted; save it without a password first")
        raise Unreadable("is an old binary document (.doc, .xls, .ppt); save it in the new form first")
    if not data.startswith(b"PK\x03\x04"):
        raise Unreadable("is no ZIP file, as such documents are")
    if data.count(b"PK\x01\x02") > MOST:
        raise Unreadable(f"holds more than {MOST:,} parts")


def _relations_name(source: str) -> str:
    folder, name = posixpath.split(source)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _like(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    new = zipfile.ZipInfo(name, info.date_time)
    new.compress_type, new.comment = info.compress_type, info.comment
    new.external_attr, new.create_system = info.external_attr, info.create_system
    return new
