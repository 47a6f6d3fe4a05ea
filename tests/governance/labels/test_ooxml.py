"""Word, Excel and PowerPoint: one label, one notice, and every other part as it was."""

import io
import random
import re
import zipfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.governance.labels import package, verify, write
from candor.governance.labels.carrier import GENERATED, Carrier, SourceType, Unreadable
from candor.governance.labels.explicit import Notice, notice
from candor.governance.labels.ooxml import DOCX, PPTX, XLSX
from candor.governance.labels.record import Label
from candor.governance.labels.verdict import judge
from tests.governance.labels.cases import (
    FIRST,
    broken,
    labels,
    lawful,
    many,
    only_label,
    parts,
    saved,
    survives,
    xml_text,
    zipped,
)

docx = pytest.importorskip("docx")
openpyxl = pytest.importorskip("openpyxl")
pptx = pytest.importorskip("pptx")
oxml = pytest.importorskip("pptx.oxml.xmlchemy")


def document(texts: list[str], head: str = "") -> bytes:
    file = docx.Document()
    file.core_properties.title = "title stays"
    for text in texts:
        file.add_paragraph(text)
    if head:
        file.sections[0].header.paragraphs[0].text = head
    return saved(file.save)


def workbook(texts: list[str]) -> bytes:
    file = openpyxl.Workbook()
    for row, text in enumerate(texts, start=1):
        file.active.cell(row=row, column=1).value = text
        file.active.cell(row=row, column=1).data_type = "s"
    file.custom_doc_props.append(openpyxl.packaging.custom.StringProperty(name="Team", value="A & B"))
    return saved(file.save)


def presentation(texts: list[str]) -> bytes:
    file = pptx.Presentation()
    for text in texts:
        slide = file.slides.add_slide(file.slide_layouts[6])
        slide.shapes.add_textbox(0, 0, 10**6, 10**6).text_frame.text = text
    return saved(file.save)


def document_texts(data: bytes) -> list[str]:
    return [one.text for one in docx.Document(io.BytesIO(data)).paragraphs]


def workbook_texts(data: bytes) -> list[str]:
    file = openpyxl.load_workbook(io.BytesIO(data))
    return [row[0].value for sheet in file for row in sheet.iter_rows() if row[0].value is not None]


def presentation_texts(data: bytes) -> list[str]:
    slides = pptx.Presentation(io.BytesIO(data)).slides
    return [one.text_frame.text for slide in slides for one in slide.shapes if one.has_text_frame]


KINDS = {
    "docx": (DOCX, document, document_texts),
    "xlsx": (XLSX, workbook, workbook_texts),
    "pptx": (PPTX, presentation, presentation_texts),
}
KIND = pytest.mark.parametrize("kind", KINDS)


def with_property(data: bytes, *properties: str) -> bytes:
    """The file with a part of custom properties as another tool writes it."""
    content = parts(DOCX.write(data, FIRST, None))
    text = "".join(
        f'<property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="{pid}" name="{name}">'
        "<vt:lpwstr>{}</vt:lpwstr></property>"
        for pid, name in enumerate(properties, start=2)
    )
    content["docProps/custom.xml"] = (
        '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties" '
        f'xmlns:vt="http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes">{text}</Properties>'
    ).encode()
    return zipped(content)


@KIND
@given(texts=st.lists(xml_text, min_size=1, max_size=4), label=labels, second=labels)
@many
def test_a_label_reads_back_and_a_second_one_takes_its_place(
    kind: str, texts: list[str], label: Label, second: Label
) -> None:
    carrier, make, content = KINDS[kind]
    data = make(texts)
    once = carrier.write(data, label, None)
    assert only_label(carrier, once) == label
    source = (SourceType("digitalSourceType", GENERATED),) if label.says_generated else ()
    assert carrier.read(once).marks == source
    assert content(once) == content(data)
    assert carrier.write(data, label, None) == once
    twice = carrier.write(once, second, notice())
    assert only_label(carrier, twice) == second
    assert judge("x", carrier, carrier.read(twice), standard="both").status == "compliant"
    assert carrier.write(twice, second, notice()) == twice
    changed = {"[Content_Types].xml", "_rels/.rels", "docProps/custom.xml"}
    before, after = parts(data), parts(once)
    assert list(after) == list(before) + [name for name in after if name not in before]
    assert {name for name in after if before.get(name) != after[name]} <= changed


@KIND
@pytest.mark.parametrize("position", ["start", "middle", "end"])
def test_the_notice_is_added_once_and_the_text_stays(kind: str, position: str) -> None:
    carrier, make, content = KINDS[kind]
    data = make(["one & <two>", "two", "three", "four", "five", "six", "seven"])
    wanted = Notice("本文由 AI 生成（本文由 AI 生成 & <checked> <checked>）", position)  # type: ignore[arg-type]
    labelled = carrier.write(data, FIRST, wanted)
    assert lawful(carrier, labelled) == [wanted.text]
    texts = content(labelled)
    assert [one for one in texts if one != wanted.text] == content(data)
    assert texts.count(wanted.text) == (7 if kind == "pptx" else 1)
    if kind == "docx":
        assert texts.index(wanted.text) == (0 if position == "start" else len(texts) - 1)


@pytest.mark.parametrize("text", ["AI生成", "This text is AI-generated (AI生成)."])
@KIND
def test_a_lawful_notice_that_is_there_already_is_enough(kind: str, text: str) -> None:
    carrier, make, content = KINDS[kind]
    data = make([text, "b"])
    assert content(carrier.write(data, FIRST, notice())) == content(data)


@KIND
def test_a_line_that_markdown_calls_a_fence_hides_nothing(kind: str) -> None:
    carrier, make, _ = KINDS[kind]
    assert lawful(carrier, make(["a", "```", "AI生成"])) == ["AI生成"]


def test_a_notice_in_a_header_counts_and_one_that_nobody_sees_does_not() -> None:
    assert lawful(DOCX, document(["a"] * 9, head="AI生成")) == ["AI生成"]
    content = parts(document(["AI生成", "b"]))
    main = content["word/document.xml"]
    content["word/document.xml"] = main.replace(b"<w:r><w:t>", b"<w:r><w:rPr><w:vanish/></w:rPr><w:t>")
    assert lawful(DOCX, zipped(content)) == []
    file = openpyxl.load_workbook(io.BytesIO(workbook(["a"])))
    file.create_sheet("secret")["A1"] = "AI生成"
    assert lawful(XLSX, saved(file.save)) == ["AI生成"]
    file["secret"].sheet_state = "hidden"
    assert lawful(XLSX, saved(file.save)) == []
    file.active.oddFooter.center.text = "AI生成"
    assert lawful(XLSX, saved(file.save)) == ["AI生成"]


def test_other_names_and_doubles_are_seen_and_one_is_left() -> None:
    data = with_property(document(["a"]), "AIGC", "aigc_label", "Company", "AIGC")
    assert [found.name for found in DOCX.read(data).labels] == ["AIGC", "aigc_label", "AIGC"]
    labelled = DOCX.write(data, FIRST, None)
    assert only_label(DOCX, labelled) == FIRST
    custom = parts(labelled)["docProps/custom.xml"].decode()
    assert re.findall('pid="(.*?)" name="(.*?)"', custom) == [
        ("4", "Company"),
        ("5", "AIGC"),
        ("6", "digitalSourceType"),
    ]


def test_a_label_in_the_comments_field_is_seen_and_taken_over() -> None:
    file = docx.Document()
    file.core_properties.comments = '{"AIGC":' + FIRST.json() + "}"
    data = saved(file.save)
    assert [found.place for found in DOCX.read(data).labels] == ["description in docProps/core.xml"]
    assert only_label(DOCX, DOCX.write(data, FIRST, None)) == FIRST


def test_other_properties_stay_and_other_libraries_read_the_label() -> None:
    file = openpyxl.load_workbook(io.BytesIO(XLSX.write(workbook(["a"]), FIRST, notice())))
    values = {one.name: one.value for one in file.custom_doc_props.props}
    assert values == {"Team": "A & B", "AIGC": FIRST.json(), "digitalSourceType": GENERATED}
    assert file.sheetnames == ["Sheet", "AI生成 AI-generated"]
    assert file.active.title == "Sheet"


def test_properties_under_another_name_are_found_and_unregistered_ones_are_registered() -> None:
    content = parts(DOCX.write(document(["a"]), FIRST, None))
    moved = {name: data.replace(b"docProps/custom.xml", b"docProps/mine.xml") for name, data in content.items()}
    moved["docProps/mine.xml"] = moved.pop("docProps/custom.xml")
    assert only_label(DOCX, zipped(moved)) == FIRST
    assert "docProps/custom.xml" not in parts(DOCX.write(zipped(moved), FIRST, None))
    content["_rels/.rels"] = re.sub(rb'<Relationship [^>]*custom.xml"/>', b"", content["_rels/.rels"])
    assert DOCX.read(zipped(content)).problems[0].what == "nothing leads to docProps/custom.xml"
    mended = DOCX.write(zipped(content), FIRST, None)
    assert only_label(DOCX, mended) == FIRST
    assert not DOCX.read(mended).problems


def test_the_strict_form_and_utf_16_are_read_and_written() -> None:
    strict = {
        name: data.replace(
            b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
            b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        ).replace(
            b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        )
        for name, data in parts(document(["a"])).items()
    }
    strict["_rels/.rels"] = strict["_rels/.rels"].decode().replace("UTF-8", "UTF-16").encode("utf-16")
    labelled = DOCX.write(zipped(strict), FIRST, notice())
    assert only_label(DOCX, labelled) == FIRST
    assert lawful(DOCX, labelled)
    content = parts(labelled)
    assert b"purl.oclc.org/ooxml/officeDocument/customProperties" in content["docProps/custom.xml"]
    assert b"purl.oclc.org/ooxml/officeDocument/relationships/customProperties" in content["_rels/.rels"]


MACROS = {
    ".docm": (document, b"wordprocessingml.document", b"ms-word.document", "word"),
    ".xlsm": (workbook, b"spreadsheetml.sheet", b"ms-excel.sheet", "xl"),
    ".pptm": (presentation, b"presentationml.presentation", b"ms-powerpoint.presentation", "ppt"),
}
MACRO_TYPE = b'<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/>'


@pytest.mark.parametrize("suffix", MACROS)
def test_a_document_with_macros_keeps_them_and_its_content_type(suffix: str, tmp_path: Path) -> None:
    make, plain, enabled, folder = MACROS[suffix]
    plain, enabled = b"openxmlformats-officedocument." + plain + b".main", enabled + b".macroEnabled.main"
    content = parts(make(["a"]))
    types = content["[Content_Types].xml"].replace(plain, enabled).replace(b"<Default", MACRO_TYPE + b"<Default", 1)
    main = next(name for name in content if name.startswith(f"{folder}/_rels/") and name.count("/") == 2)
    project = b'<Relationship Id="rIdM" Type="http://schemas.microsoft.com/office/2006/relationships/vbaProject" '
    content |= {
        "[Content_Types].xml": types,
        main: content[main].replace(b"</Relationships>", project + b'Target="vbaProject.bin"/></Relationships>'),
        f"{folder}/vbaProject.bin": bytes(range(256)),
    }
    assert enabled in types
    path = tmp_path / f"a{suffix}"
    path.write_bytes(zipped(content))
    write(path, FIRST)
    after = parts(path.read_bytes())
    assert enabled in after["[Content_Types].xml"] and b"rIdM" in after[main]
    assert after[f"{folder}/vbaProject.bin"] == bytes(range(256))
    assert verify(path).status == "compliant"
    if suffix == ".xlsm":
        assert openpyxl.load_workbook(path, keep_vba=True).vba_archive is not None


def test_signed_files_are_refused() -> None:
    content = parts(workbook(["a"])) | {"xl/vbaProject.bin": bytes(range(256))}
    for name in ("_xmlsignatures/sig1.xml", "xl/vbaProjectSignature.bin"):
        with pytest.raises(Unreadable, match="is digitally signed"):
            XLSX.write(zipped(content | {name: b""}), FIRST, None)
        assert XLSX.read(zipped(content | {name: b""})).labels == ()


def test_folders_and_ways_of_packing_stay() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("word/", b"")
        for name, data in parts(document(["a"])).items():
            file.writestr(zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6)), data, len(data) % 2 * zipfile.ZIP_DEFLATED)
    labelled = DOCX.write(out.getvalue(), FIRST, notice())
    with zipfile.ZipFile(out) as before, zipfile.ZipFile(io.BytesIO(labelled)) as after:
        for old, new in zip(before.infolist(), after.infolist(), strict=False):
            assert (old.filename, old.date_time, old.compress_type) == (new.filename, new.date_time, new.compress_type)
    assert lawful(DOCX, labelled) == [notice().text]


def test_a_presentation_without_slides_takes_a_label() -> None:
    labelled = PPTX.write(presentation([]), FIRST, notice())
    assert only_label(PPTX, labelled) == FIRST
    assert lawful(PPTX, labelled) == []


def _bomb() -> bytes:
    content = parts(document(["a"]))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)
        file.writestr("bomb.bin", bytes(2**22))
    return out.getvalue()


def test_a_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "LARGEST", 2**22)
    with pytest.raises(Unreadable, match="unpacks to more"):
        DOCX.read(_bomb())


ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body/></w:document>'
)
BAD = {
    "nothing": (b"", "no ZIP"),
    "text": (b"PK but no", "no ZIP"),
    "encrypted": (bytes.fromhex("D0CF11E0A1B11AE1") + "EncryptedPackage".encode("utf-16-le"), "is encrypted"),
    "old": (bytes.fromhex("D0CF11E0A1B11AE1"), "old binary"),
    "torn": (document(["a"])[:-1000], "torn ZIP"),
    "no office": (zipped({"a.txt": b"a"}), "no Word document"),
    "workbook": (workbook(["a"]), "no Word document"),
    "entities": (zipped(parts(document(["a"])) | {"word/document.xml": ENTITIES}), "document type"),
    "no XML": (zipped(parts(document(["a"])) | {"word/document.xml": b"<w"}), "not well-formed"),
    "deep": (zipped(parts(document(["a"])) | {"_rels/.rels": b"<a>" * 999 + b"</a>" * 999}), "deeper"),
    "twice": (zipped(parts(document(["a"])) | {"WORD/document.xml": b""}), "two parts"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_the_reason(name: str) -> None:
    data, why = BAD[name]
    for act in (DOCX.read, lambda data: DOCX.write(data, FIRST, notice())):
        with pytest.raises(Unreadable, match=why):
            act(data)


@KIND
@given(seed=st.integers(0, 2**32), noise=st.binary(max_size=200))
@many
def test_broken_files_never_crash(kind: str, seed: int, noise: bytes) -> None:
    carrier = KINDS[kind][0]
    _survives_all(carrier, _small(kind), random.Random(seed), noise)


@cache
def _small(kind: str) -> bytes:
    return KINDS[kind][1](["a"])


def _survives_all(carrier: Carrier, data: bytes, rng: random.Random, noise: bytes) -> None:
    survives(carrier, noise)
    survives(carrier, broken(data, rng))
    content = parts(data)
    xml = [name for name in content if name.endswith((".xml", ".rels"))]
    name = rng.choice(["[Content_Types].xml", "_rels/.rels", *xml])
    survives(carrier, zipped(content | {name: broken(content[name], rng)}))
    survives(carrier, zipped(content | {name: noise}))
    survives(carrier, zipped({key: value for key, value in content.items() if key != name}))


# What a reader does not see


SPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def body(content: str) -> bytes:
    """A document with this WordprocessingML as its body, and a style H that hides and one that builds on it."""
    whole = parts(document(["a"]))
    text = f'<w:document xmlns:w="{SPACE}"><w:body>{content}</w:body></w:document>'
    styles = (
        f'<w:styles xmlns:w="{SPACE}"><w:style w:styleId="H"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:styleId="I"><w:basedOn w:val="H"/></w:style><w:style w:styleId="J"><w:basedOn w:val="H"/><w:rPr>'
        '<w:vanish w:val="0"/></w:rPr></w:style></w:styles>'
    )
    return zipped(whole | {"word/document.xml": text.encode(), "word/styles.xml": styles.encode()})


def run(run: str = "", paragraph: str = "") -> str:
    return f"<w:p><w:pPr>{paragraph}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>AI生成</w:t></w:r></w:p>"


def row(*cells: str) -> str:
    return f"<w:tr>{''.join(f'<w:tc>{cell}</w:tc>' for cell in cells)}</w:tr>"


UNSEEN = {
    "hidden": run("<w:vanish/>"),
    "character style": run('<w:rStyle w:val="I"/>'),
    "paragraph style": run("", '<w:pStyle w:val="H"/>'),
    "white": run('<w:color w:val="FFFFFF"/>'),
    "the colour of paper": run('<w:color w:val="auto" w:themeColor="background1"/>'),
    "tiny": run('<w:sz w:val="2"/>'),
    "moved away": f"<w:moveFrom>{run()}</w:moveFrom>",
    "deleted": f"<w:del>{run()}</w:del>",
    "a value of a table": f"<w:tbl>{row(run(), '<w:p><w:r><w:t>12</w:t></w:r></w:p>')}</w:tbl>",
}
SEEN = {
    "once hidden": run("<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>"),
    "shown style": run('<w:rStyle w:val="J"/>'),
    "shown again": run('<w:rStyle w:val="H"/><w:vanish w:val="0"/>'),
    "white on black": run('<w:color w:val="FFFFFF"/><w:shd w:fill="000000"/>'),
    "white in a black cell": "<w:tbl><w:tr><w:tc><w:tcPr><w:shd w:fill='112233'/></w:tcPr>"
    + run('<w:color w:val="FFFFFF"/>')
    + "</w:tc></w:tr></w:tbl>",
    "small": run('<w:sz w:val="14"/>'),
    "alone in its row": f"<w:tbl>{row(run(), '<w:p/>')}</w:tbl>",
}


@pytest.mark.parametrize("name", [*UNSEEN, *SEEN])
def test_text_that_is_hidden_in_a_document_is_no_notice(name: str) -> None:
    assert lawful(DOCX, body(UNSEEN.get(name) or SEEN[name])) == ([] if name in UNSEEN else ["AI生成"])


def test_hidden_rows_and_columns_and_values_of_a_table_are_no_notice() -> None:
    file = openpyxl.Workbook()
    file.active["B3"] = "AI生成"
    assert lawful(XLSX, saved(file.save)) == ["AI生成"]
    file.active.row_dimensions[3].hidden = True
    assert lawful(XLSX, saved(file.save)) == []
    file.active.row_dimensions[3].hidden = False
    file.active.column_dimensions["B"].hidden = True
    assert lawful(XLSX, saved(file.save)) == []
    file.active.column_dimensions["B"].hidden = False
    file.active["C3"] = 12
    assert lawful(XLSX, saved(file.save)) == []


def test_shapes_that_are_hidden_or_off_the_slide_are_no_notice() -> None:
    file = pptx.Presentation()
    slide = file.slides.add_slide(file.slide_layouts[6])
    shape = slide.shapes.add_textbox(0, 0, 10**6, 10**6)
    shape.text_frame.text = "AI生成"
    assert lawful(PPTX, saved(file.save)) == ["AI生成"]
    for left, top in ((-(10**6), 0), (file.slide_width, 0), (0, file.slide_height), (0, -2 * 10**6)):
        shape.left, shape.top = left, top
        assert lawful(PPTX, saved(file.save)) == []
    shape.left = shape.top = 0
    assert lawful(PPTX, saved(file.save)) == ["AI生成"]
    (words,) = shape.text_frame.paragraphs[0].runs
    words.font.size = pptx.util.Pt(1)
    assert lawful(PPTX, saved(file.save)) == []
    words.font.size = pptx.util.Pt(9)
    words.font.color.rgb = pptx.dml.color.RGBColor(0, 0, 0)
    words._r.rPr.find(".//{*}srgbClr").append(oxml.OxmlElement("a:alpha"))
    words._r.rPr.find(".//{*}alpha").set("val", "0")
    assert lawful(PPTX, saved(file.save)) == []
    words._r.rPr.find(".//{*}alpha").set("val", "100000")
    assert lawful(PPTX, saved(file.save)) == ["AI生成"]
    shape._element.nvSpPr.cNvPr.set("hidden", "1")
    assert lawful(PPTX, saved(file.save)) == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"D5CDD505", b"D5CDD506", "fmtid"),
        (b"vt:lpwstr", b"vt:blob", "type is blob"),
        (b"vt:lpwstr", b"vt:lpstr", "type is lpstr"),
    ],
)
def test_a_property_of_another_form_is_a_problem_and_is_mended(old: bytes, new: bytes, what: str) -> None:
    content = parts(DOCX.write(document(["a"]), FIRST, notice()))
    content["docProps/custom.xml"] = content["docProps/custom.xml"].replace(old, new)
    problems = DOCX.read(zipped(content)).problems
    assert [one.clause for one in problems] == ["TC260-PG-20258A 6.1"] and what in problems[0].what
    assert not DOCX.read(DOCX.write(zipped(content), FIRST, notice())).problems
