"""Word, Excel and PowerPoint files: the label as a custom property (TC260-PG-20258A 6.1), the notice where one reads.

Only the parts that hold a label or the notice change; every other part keeps its bytes.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from candor.governance.labels import office, xmlbytes
from candor.governance.labels.carrier import (
    GENERATED,
    SOURCE_TYPE,
    Carrier,
    Found,
    Reading,
    SourceType,
    Unreadable,
    splice,
)
from candor.governance.labels.explicit import Notice, Seen, any_lawful
from candor.governance.labels.package import TYPES, Package
from candor.governance.labels.record import Label, Problem, is_label_name
from candor.governance.labels.xmlbytes import Edit, Element, escape

_CUSTOM = "docProps/custom.xml"
_CUSTOM_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_FORMAT = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"
_NEW = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"/>'
)
_TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
_NEW_STRICT = _NEW.replace(
    "schemas.openxmlformats.org/officeDocument/2006/custom-properties",
    "purl.oclc.org/ooxml/officeDocument/customProperties",
)
_TYPES_STRICT = "http://purl.oclc.org/ooxml/officeDocument/docPropsVTypes"
_SIGNED = re.compile(r"(?:^|/)(?:_xmlsignatures/|vbaProjectSignature)", re.IGNORECASE)


@dataclass(frozen=True)
class _Kind:
    """What differs between the three.

    >>> _Kind("Word document", "document", document_notices, add_to_document)
    """

    name: str
    root: str
    """Root element of the main part."""
    notices: Callable[[Package, str], list[Seen]]
    add: Callable[[Package, str, Notice], None]


def _read(kind: _Kind, data: bytes) -> Reading:
    package, main = _open(kind, data)
    marks = []
    for name in _custom_parts(package):
        for element in package.tree(name)[1].children:
            if element.attributes.get("name", "").lower() == SOURCE_TYPE.lower():
                marks.append(SourceType(SOURCE_TYPE, element.text.strip()[:200]))
    labels = tuple(found for found, _, _ in _labels(package))
    problems = [
        Problem("TC260-PG-20258A 6.1", f"nothing leads to {found.place}", "register it in _rels/.rels: label anew")
        for found in labels
        if not any(one.target in found.place for one in package.relations())
    ]
    problems += _misshapen(package)
    return Reading(labels, tuple(kind.notices(package, main)), tuple(marks), problems=tuple(problems))


def _misshapen(package: Package) -> Iterator[Problem]:
    """What is wrong with the form of the label's custom property, whatever it says."""
    for part in _custom_parts(package):
        for one in package.tree(part)[1].children:
            if not is_label_name(one.attributes.get("name", "")):
                continue
            if (form := one.attributes.get("fmtid", "")).upper() != _FORMAT:
                what = f"{part}: the property's fmtid is {form!r:.60}"
                yield Problem("TC260-PG-20258A 6.1", what, f"it must be {_FORMAT}: label anew")
            if [child.name for child in one.children] != ["lpwstr"]:
                what = f"{part}: the property's type is {' '.join(child.name for child in one.children) or 'none':.60}"
                yield Problem("TC260-PG-20258A 6.1", what, "it must be a text, vt:lpwstr: label anew")


def _write(kind: _Kind, data: bytes, label: Label, notice: Notice | None) -> bytes:
    package, main = _open(kind, data)
    if any(_SIGNED.search(name) for name in package.names):
        raise Unreadable("is digitally signed; a label would break the signature: label it before signing")
    if notice and not any_lawful(kind.notices(package, main)):
        kind.add(package, main, notice)
    cuts: dict[str, list[Edit]] = {}
    for _, name, cut in _labels(package):
        cuts.setdefault(name, []).append(cut)
    for name, edits in cuts.items():
        package.put(name, splice(package.xml(name), edits))
    _put_label(package, label)
    return package.bytes()


def _open(kind: _Kind, data: bytes) -> tuple[Package, str]:
    package = Package(data)
    main = next((one.target for one in package.relations() if one.kind == "officeDocument"), "")
    if TYPES not in package or not main:
        raise Unreadable(f"is a ZIP file, but no {kind.name}")
    _, root, _, _ = next(iter(xmlbytes.events(package.xml(main), main)))
    if xmlbytes.split(root)[1] != kind.root:
        raise Unreadable(f"is an Office file, but no {kind.name}")
    return package, main


def _custom_parts(package: Package) -> list[str]:
    """The parts with custom properties; one in the usual place counts also where nothing leads to it."""
    kinds = ("custom-properties", "customProperties")
    parts = list(dict.fromkeys(one.target for one in package.relations() if one.kind in kinds))
    return parts or [_CUSTOM] * (_CUSTOM in package)


def _labels(package: Package) -> Iterator[tuple[Found, str, Edit]]:
    """Each label with its part and the edit that takes it out; also one in the document's other properties."""
    for part in _custom_parts(package):
        for element in package.tree(part)[1].children:
            if is_label_name(name := element.attributes.get("name", "")):
                yield Found(name, element.text, part, wrapped=False), part, (element.start, element.end, b"")
    kinds = ("core-properties", "coreProperties", "extended-properties", "extendedProperties")
    for part in dict.fromkeys(one.target for one in package.relations() if one.kind in kinds):
        for element in package.tree(part)[1].children:
            if is_label_name(element.name) or _is_label(element):
                place = f"{element.name} in {part}"
                yield Found("AIGC", element.text, place), part, (element.inner, element.close, b"")


def _is_label(element: Element) -> bool:
    text = element.text.strip()
    return not element.children and text.startswith("{") and ("AIGC" in text or "ContentProducer" in text)


def _put_label(package: Package, label: Label) -> None:
    strict = any("purl.oclc.org" in one.attributes.get("Type", "") for one in package.tree("_rels/.rels")[1].children)
    parts = _custom_parts(package)
    if not parts:
        package.put(_CUSTOM, (_NEW_STRICT if strict else _NEW).encode())
    part = (parts or [_CUSTOM])[0]
    data, root = package.tree(part)
    if root.name != "Properties":
        raise Unreadable(f"holds no properties in its part {part:.80}")
    new = {"AIGC": label.json()} | ({SOURCE_TYPE: GENERATED} if label.says_generated else {})
    names = {name.lower() for name in new}
    others = [one for one in root.children if one.attributes.get("name", "").lower() not in names]
    edits = [(one.start, one.end, b"") for one in root.children if one not in others]
    pid = max([1, *(xmlbytes.whole(one.attributes.get("pid", "")) for one in others)])
    tag = f"{xmlbytes.prefix(data, root)}property"
    types = _TYPES_STRICT if "purl.oclc.org" in root.space else _TYPES
    written = "".join(
        f'<{tag} fmtid="{_FORMAT}" pid="{pid + more}" name="{name}">'
        f'<vt:lpwstr xmlns:vt="{types}">{escape(value)}</vt:lpwstr></{tag}>'
        for more, (name, value) in enumerate(new.items(), start=1)
    )
    edits.append(xmlbytes.append(data, root.start, root.close, written.encode()))
    package.put(part, splice(data, edits))
    package.declare(part, _CUSTOM_TYPE)
    if not any(one.target == part for one in package.relations()):
        package.relate("", "custom-properties", part)


def _carrier(suffixes: tuple[str, ...], kind: _Kind) -> Carrier:
    return Carrier(kind.name, suffixes, "TC260-PG-20258A 6.1", partial(_read, kind), partial(_write, kind))


DOCX = _carrier(
    (".docx", ".dotx", ".docm", ".dotm"),
    _Kind("Word document", "document", office.document_notices, office.add_to_document),
)
XLSX = _carrier(
    (".xlsx", ".xltx", ".xlsm", ".xltm"),
    _Kind("Excel workbook", "workbook", office.workbook_notices, office.add_to_workbook),
)
PPTX = _carrier(
    (".pptx", ".potx", ".pptm", ".potm"),
    _Kind("PowerPoint presentation", "presentation", office.presentation_notices, office.add_to_presentation),
)
