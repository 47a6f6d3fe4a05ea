"""The visible notice in documents, workbooks and presentations: what a reader sees in them, and one notice more."""

import posixpath
import re
from collections.abc import Iterator

from candor.governance.labels import xmlbytes
from candor.governance.labels.carrier import Unreadable, splice
from candor.governance.labels.explicit import LONGEST_NOTICE, Notice, Position, Seen, notices
from candor.governance.labels.package import KINDS, STRICT_KINDS, Package
from candor.governance.labels.paragraphs import OFF, hidden_styles, on_slide, paragraphs
from candor.governance.labels.xmlbytes import Edit, escape, split, whole

SHEET = "AI生成 AI-generated"
"""Name of the worksheet that holds the notice of a workbook."""
BOX = "AIGC notice"
"""Name of the text box that holds the notice of a slide."""
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_FIELD_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|\d+|[A-Za-z])')


def document_notices(package: Package, main: str) -> list[Seen]:
    """What stands in a document's text, headers and footers; text in hidden runs and code styles is left out."""
    hidden = hidden_styles(package, main)
    found = notices(paragraphs(xmlbytes.events(package.xml(main), main), hidden))
    for relation in package.relations(main):
        if relation.kind in ("header", "footer"):
            position: Position = "start" if relation.kind == "header" else "end"
            read = xmlbytes.events(package.xml(relation.target), relation.target)
            lines = paragraphs(read, hidden, tables=False)
            found += [Seen(seen.text, position, seen.lawful) for seen in notices(lines)]
    return list(dict.fromkeys(found))


def presentation_notices(package: Package, main: str) -> list[Seen]:
    """What stands on a presentation's slides, hidden ones and shapes left out, and the same words once."""
    lines = []
    size = _size(package, main)
    for name in _slides(package, main):
        data = package.xml(name)
        _, _, attributes, _ = next(iter(xmlbytes.events(data, name)))
        if attributes.get("show") not in OFF:
            lines += paragraphs(on_slide(xmlbytes.events(data, name), *size))
    return notices(list(dict.fromkeys(lines)))


def workbook_notices(package: Package, main: str) -> list[Seen]:
    """What stands in the cells, headers and footers of a workbook's sheets, hidden ones left out."""
    targets = {relation.id: relation for relation in package.relations(main)}
    shared: list[str] = []
    for relation in targets.values():
        if relation.kind == "sharedStrings":
            shared = list(_strings(package.xml(relation.target), relation.target))
    lines: list[str] = []
    for sheet in package.tree(main)[1].walk():
        target = targets.get(_relation_id(sheet.attributes)) if sheet.name == "sheet" else None
        if target and target.kind == "worksheet" and sheet.attributes.get("state", "visible") == "visible":
            lines += _cells(package.xml(target.target), target.target, shared)
    return list(dict.fromkeys(notices(lines)))


def add_to_document(package: Package, main: str, notice: Notice) -> None:
    """A paragraph at the start of the body, else at its end before the last section's properties."""
    data = package.xml(main)
    space = split(next(iter(xmlbytes.events(data, main)))[1])[0]
    new = (
        f'<w:p xmlns:w="{escape(space)}"><w:r><w:rPr><w:sz w:val="18"/></w:rPr>'
        f'<w:t xml:space="preserve">{escape(notice.text)}</w:t></w:r></w:p>'
    )
    edit = _inside(data, main, "body", "sectPr", new, at_start=notice.position == "start")
    package.put(main, splice(data, [edit]))


def add_to_workbook(package: Package, main: str, notice: Notice) -> None:
    """A last worksheet with the notice in its first cell; nothing else of the workbook is touched."""
    data, root = package.tree(main)
    sheets = next((one for one in root.children if one.name == "sheets"), None)
    if sheets is None:
        raise Unreadable("is a workbook without sheets")
    number = next(n for n in range(1, 10**6) if f"{posixpath.dirname(main)}/worksheets/sheet{n}.xml" not in package)
    name = posixpath.join(posixpath.dirname(main), f"worksheets/sheet{number}.xml")
    package.put(
        name,
        (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            f'<worksheet xmlns="{escape(root.space)}"><cols><col min="1" max="1" width="60" customWidth="1"/></cols>'
            '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t xml:space="preserve">'
            f"{escape(notice.text)}</t></is></c></row></sheetData></worksheet>"
        ).encode(),
    )
    package.declare(name, _SHEET_TYPE)
    id_ = package.relate(main, "worksheet", name)
    titles = {one.attributes.get("name", "").lower() for one in sheets.children}
    title = next(t for n in range(1, 10**6) if (t := SHEET if n == 1 else f"{SHEET} {n}").lower() not in titles)
    numbers = [whole(one.attributes.get("sheetId", "")) for one in sheets.children]
    relations = (STRICT_KINDS if "purl.oclc.org" in root.space else KINDS)[:-1]
    new = (
        f'<{xmlbytes.prefix(data, sheets)}sheet xmlns:r="{relations}" name="{escape(title)}" '
        f'sheetId="{max(numbers, default=0) + 1}" r:id="{id_}"/>'
    )
    package.put(main, splice(data, [xmlbytes.append(data, sheets.start, sheets.close, new.encode())]))


def add_to_presentation(package: Package, main: str, notice: Notice) -> None:
    """A text box at the lower edge of every slide; the upper one for a notice at the start."""
    wide, high = _size(package, main)
    for name in _slides(package, main):
        data = package.xml(name)
        ids, spaces = [1], {}
        for kind, tag, attributes, _ in xmlbytes.events(data, name):
            if kind == "start":
                space, local, _ = split(tag)
                spaces[local] = space
                if local == "cNvPr":
                    ids.append(whole(attributes.get("id", "")))
        drawing = spaces["sld"].replace("presentationml", "drawingml") if "sld" in spaces else ""
        top = 0 if notice.position == "start" else high - high // 20
        new = _BOX.format(
            p=escape(spaces.get("sld", "")),
            a=escape(drawing),
            id=max(ids) + 1,
            name=BOX,
            top=top,
            wide=wide,
            high=high // 20,
            text=escape(notice.text),
        )
        package.put(name, splice(data, [_inside(data, name, "spTree", "extLst", new, at_start=False)]))


_BOX = (
    '<p:sp xmlns:p="{p}" xmlns:a="{a}"><p:nvSpPr><p:cNvPr id="{id}" name="{name}"/><p:cNvSpPr txBox="1"/><p:nvPr/>'
    '</p:nvSpPr><p:spPr><a:xfrm><a:off x="0" y="{top}"/><a:ext cx="{wide}" cy="{high}"/></a:xfrm>'
    '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom><a:noFill/></p:spPr><p:txBody><a:bodyPr wrap="square" '
    'anchor="ctr"><a:normAutofit/></a:bodyPr><a:lstStyle/><a:p><a:pPr algn="r"/><a:r><a:rPr sz="1000"/>'
    "<a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
)


def _size(package: Package, main: str) -> tuple[int, int]:
    """Width and height of the slides."""
    size = next((one.attributes for one in package.tree(main)[1].children if one.name == "sldSz"), {})
    return whole(size.get("cx", "")) or 9144000, whole(size.get("cy", "")) or 6858000


def _slides(package: Package, main: str) -> list[str]:
    """The slides in the order in which they are shown."""
    targets = {one.id: one.target for one in package.relations(main) if one.kind == "slide"}
    shown = [one for one in package.tree(main)[1].walk() if one.name == "sldId"]
    return list(dict.fromkeys(targets[id_] for one in shown if (id_ := _relation_id(one.attributes)) in targets))


def _cells(data: bytes, what: str, shared: list[str]) -> Iterator[str]:
    """The short texts of a sheet, its header first and its footer last; hidden rows and columns are left out.

    A cell beside another that is filled is left out too: it is a value of a table, not a notice.
    """
    wanted, kind_of_cell, text = "", "", ""
    head, foot, cells = list[str](), list[str](), list[str]()
    row: list[list[str]] = []
    hidden: list[tuple[int, int]] = []
    column, unseen = 0, False
    for kind, name, attributes, _ in xmlbytes.events(data, what):
        if kind == "text":
            text += name if wanted and len(text) <= LONGEST_NOTICE else ""
            continue
        local = split(name)[1]
        if local == "col" and kind == "start" and _is_hidden(attributes, "width"):
            hidden.append((whole(attributes.get("min", "")), whole(attributes.get("max", ""))))
        elif local == "row":
            cells += row[0] if len(row) == 1 else []
            row, column, unseen = [], 0, kind == "start" and _is_hidden(attributes, "ht")
        elif local == "c" and kind == "start":
            kind_of_cell = attributes.get("t", "")
            column = _column(attributes.get("r", "")) or column + 1
        elif local in ("v", "is") or local.endswith(("Header", "Footer")):
            if kind == "start":
                wanted, text = local, ""
                continue
            if wanted in ("v", "is") and text and not unseen and not any(low <= column <= top for low, top in hidden):
                place = whole(text)
                value = "".join(shared[place : place + 1]) if wanted == "v" and kind_of_cell == "s" else text
                worded = kind_of_cell in ("s", "str", "inlineStr")
                row += [value.split("\n") if worded else []] if value.strip() else []
            elif wanted not in ("", "v", "is"):
                pieces = re.split("&[LCR]", text)
                (head if local.endswith("Header") else foot).extend(_FIELD_CODE.sub("", one) for one in pieces)
            wanted = ""
    return iter(line for line in [*head, *cells, *foot] if line.strip() and len(line) <= LONGEST_NOTICE)


def _is_hidden(attributes: dict[str, str], size: str) -> bool:
    return attributes.get("hidden", "0") not in OFF or re.fullmatch(r"0+\.?0*", attributes.get(size, "")) is not None


def _column(reference: str) -> int:
    """The number of a cell's column, from its reference."""
    number = 0
    match = re.match("[A-Z]{1,3}", reference)
    for one in match[0] if match else "":
        number = number * 26 + ord(one) - 64
    return number


def _strings(data: bytes, what: str) -> Iterator[str]:
    """The shared strings, longer ones cut just behind what a notice may have; how they are read aloud is left out."""
    text, wanted, aside = "", False, False
    for kind, name, _, _ in xmlbytes.events(data, what):
        if kind == "text":
            text += name if wanted and not aside and len(text) <= LONGEST_NOTICE else ""
            continue
        local = split(name)[1]
        if local == "t":
            wanted = kind == "start"
        elif local == "rPh":
            aside = kind == "start"
        elif local == "si":
            if kind == "end":
                yield text
            text = ""


def _inside(data: bytes, what: str, parent: str, last: str, new: str, *, at_start: bool) -> Edit:
    """The edit that puts a child into the first element `parent`: first, or last but before a child named `last`."""
    depth, start, before = 0, -1, -1
    for kind, name, _, at in xmlbytes.events(data, what):
        if kind == "text":
            continue
        local = split(name)[1]
        if start < 0:
            if kind == "start" and local == parent:
                start = at
                if at_start and data[(inner := xmlbytes.tag_end(data, at)) - 2 : inner] != b"/>":
                    return inner, inner, new.encode()
        elif kind == "start":
            if not depth:
                before = at if local == last else -1
            depth += 1
        elif depth:
            depth -= 1
        else:
            return (before, before, new.encode()) if before >= 0 else xmlbytes.append(data, start, at, new.encode())
    raise Unreadable(f"is torn: {what} has no {parent}")


def _relation_id(attributes: dict[str, str]) -> str:
    return next((value for name, value in attributes.items() if "/relationships id" in name), "")
