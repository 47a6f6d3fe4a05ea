"""PDF: one label in the Info dictionary, a line on every page, and the pages as they were."""

import io
import random
import re
from dataclasses import replace
from functools import cache
from importlib import resources

import pytest
from fontTools import ttLib
from hypothesis import given
from hypothesis import strategies as st

from candor.governance.labels import footer
from candor.governance.labels.carrier import GENERATED, SourceType, Unreadable
from candor.governance.labels.explicit import Notice, notice
from candor.governance.labels.pdf import PDF
from candor.governance.labels.record import Label
from candor.governance.labels.verdict import judge
from tests.governance.labels.cases import FIRST, broken, labels, lawful, many, only_label, saved, survives, xml_text

pypdf = pytest.importorskip("pypdf")
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, RectangleObject, StreamObject  # noqa: E402


def stream(content: bytes) -> StreamObject:
    made = StreamObject()
    made.set_data(content)
    return made


def pdf(texts: list[str], *, info: dict[str, str] | None = None, packet: str = "", rotate: int = 0) -> bytes:
    """A PDF with a page for each text, which must be Latin."""
    writer = pypdf.PdfWriter()
    font = DictionaryObject({NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1")})
    font[NameObject("/BaseFont")] = NameObject("/Helvetica")
    font = writer._add_object(font)
    for text in texts:
        page = writer.add_blank_page(300, 200)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = b"".join(
            b"BT /F1 10 Tf 20 %d Td <%b> Tj ET\n" % (180 - 15 * n, line.encode("latin-1").hex().encode())
            for n, line in enumerate(text.split("\n"))
        )
        page[NameObject("/Contents")] = writer._add_object(stream(drawn))
        page[NameObject("/Rotate")] = NumberObject(rotate)
    writer.add_metadata({"/Title": "title stays", **(info or {})})
    if packet:
        writer.root_object[NameObject("/Metadata")] = writer._add_object(stream(packet.encode()))
    return saved(writer.write)


def opened(data: bytes) -> "pypdf.PdfReader":
    return pypdf.PdfReader(io.BytesIO(data), strict=True)


def drawn(data: bytes) -> list[bytes]:
    return [one.get_object().get_data() for page in opened(data).pages for one in page["/Contents"]]


OTHER = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>t</dc:title>{}'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)


@given(
    texts=st.lists(st.text("ab cd\n"), min_size=1, max_size=4),
    title=xml_text,
    label=labels,
    second=labels,
    xmp=st.booleans(),
)
@many
def test_a_label_reads_back_and_a_second_one_takes_its_place(
    texts: list[str], title: str, label: Label, second: Label, xmp: bool
) -> None:
    data = pdf(texts, info={"/Subject": title}, packet=OTHER.format("") if xmp else "")
    once = PDF.write(data, label, None)
    assert only_label(PDF, once) == label
    source = (SourceType("XMP digitalSourceType", GENERATED),) if label.says_generated else ()
    assert PDF.read(once).marks == source
    assert PDF.write(data, label, None) == once
    twice = PDF.write(once, second, notice())
    assert only_label(PDF, twice) == second
    assert lawful(PDF, twice) == [notice().text]
    assert judge("x", PDF, PDF.read(twice), standard="both").status == "compliant"
    again = PDF.write(twice, second, notice())
    assert (drawn(again), PDF.read(again)) == (drawn(twice), PDF.read(twice))
    before, after, last = opened(data), opened(twice), opened(again)
    assert last.metadata == after.metadata and len(PDF.write(again, second, notice())) == len(again)
    assert [page.extract_text() for page in last.pages] == [page.extract_text() for page in after.pages]
    assert {**before.metadata, "/AIGC": second.json()} == after.metadata
    assert b"first-0001" not in twice
    for old, new in zip(before.pages, after.pages, strict=True):
        assert new["/Contents"][1].get_object().get_data() == old["/Contents"].get_data()
        assert new["/MediaBox"] == old["/MediaBox"]
    if xmp:
        assert b"<dc:title>t</dc:title>" in after.root_object["/Metadata"].get_data()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("position", ["start", "middle", "end"])
@pytest.mark.parametrize("text", ["本文由 AI 生成", "AI-generated: é — (AI生成) 繁體"])
def test_every_page_has_the_notice_once(text: str, position: str, rotate: int) -> None:
    data = pdf(["one", "two", "three"], rotate=rotate)
    once = PDF.write(data, FIRST, Notice(text, position))  # type: ignore[arg-type]
    assert lawful(PDF, once) == [text]
    twice = PDF.write(once, FIRST, notice())
    assert lawful(PDF, twice) == [text]
    assert [len(page["/Contents"]) for page in opened(twice).pages] == [4, 4, 4]
    assert text in opened(twice).pages[1].extract_text().replace("\n", "") or rotate


def test_the_default_notices_are_drawn_with_what_the_file_holds() -> None:
    """Without fonts for Chinese a viewer would show boxes."""
    for label in "123":
        for lang in ("zh", "en"):
            drawn = footer.stream(notice(lang, label=label), (0, 0, 300, 200), 0).decode()
            assert footer.GLYPHS in drawn and footer.CHINESE not in drawn
    with (resources.files(footer.__package__) / "glyphs/notice.ttf").open("rb") as file:
        font = ttLib.TTFont(file)
        glyphs = {chr(code): font.getGlyphID(name) for code, name in font.getBestCmap().items()}
    assert glyphs == {one: glyph for glyph, one in enumerate(footer.CHARACTERS, start=1)}
    page = opened(PDF.write(pdf(["a"]), FIRST, notice("zh"))).pages[0]
    own = page["/Resources"]["/Font"][footer.GLYPHS]["/DescendantFonts"][0]
    assert own["/FontDescriptor"]["/FontFile2"].get_data()[:4] == bytes((0, 1, 0, 0))
    places = own["/CIDToGIDMap"].get_data()
    assert {one: places[2 * ord(one) + 1] for one in footer.CHARACTERS} == glyphs and len(places) == 2 * 0x10000


def test_the_place_of_the_notice_follows_the_page_as_it_is_seen() -> None:
    box = (100.0, 200.0, 500.0, 500.0)
    placed = {turn: re.search(rb"q ([-\d. ]+) cm", footer.stream(notice(), box, turn)) for turn in (0, 90, 180, -90)}
    assert {turn: found and found[1] for turn, found in placed.items()} == {
        0: b"1 0 0 1 100 200",
        90: b"0 1 -1 0 500 200",
        180: b"-1 0 0 -1 500 500",
        -90: b"0 -1 1 0 100 500",
    }


@pytest.mark.parametrize(
    ("content", "before", "behind"),
    [
        (b"q 1 0 0 1 0 0 cm Q", 1, 1),
        (b"q q 2 0 0 2 0 0 cm", 1, 3),
        (b"Q Q 1 g q", 3, 2),
        (b"(q q \\) q) Tj % q\n/q gs [(Q)] TJ", 1, 1),
        (b"q\nQ[(a)]TJ q\0Q", 1, 1),
    ],
)
def test_graphics_states_left_open_are_closed(content: bytes, before: int, behind: int) -> None:
    first, last = footer.balance([content])
    assert (first.count(b"q"), last.count(b"Q")) == (before, behind)


def test_inherited_resources_and_boxes_are_used() -> None:
    reader = opened(pdf(["a", "b"]))
    writer = pypdf.PdfWriter(clone_from=reader)
    for page in writer.pages:
        parent = page["/Parent"].get_object()
        parent[NameObject("/Resources")] = page["/Resources"]
        del page["/Resources"], page["/Contents"]
        page[NameObject("/CropBox")] = RectangleObject((10, 20, 210, 120))
    labelled = PDF.write(saved(writer.write), FIRST, notice())
    assert lawful(PDF, labelled) == [notice().text]
    page = opened(labelled).pages[0]
    assert b"1 0 0 1 10 20 cm" in page["/Contents"][-1].get_object().get_data()
    fonts = (page.get("/Resources") or page["/Parent"]["/Resources"])["/Font"]
    assert {"/F1", footer.LATIN, footer.CHINESE} <= set(fonts)


def test_a_line_of_the_text_counts_where_it_has_both_elements() -> None:
    texts = ["first", "x\ny", "text\nmore"]
    assert lawful(PDF, pdf(texts)) == []
    theirs = pypdf.PdfWriter(clone_from=opened(PDF.write(pdf(texts), FIRST, notice("zh"))))
    line = theirs.pages[0]["/Contents"][-1].get_object()
    line.set_data(b"\n" + line.get_data())
    assert lawful(PDF, saved(theirs.write)) == [notice("zh").text]
    assert len(opened(PDF.write(saved(theirs.write), FIRST, notice())).pages[0]["/Contents"]) == 4
    fenced = pypdf.PdfWriter(clone_from=opened(PDF.write(pdf(["a\n```\nb"]), FIRST, notice("zh"))))
    line = fenced.pages[0]["/Contents"][-1].get_object()
    line.set_data(b"\n" + line.get_data())
    assert lawful(PDF, saved(fenced.write)) == [notice("zh").text]  # three marks are no code block on a page
    unlawful = PDF.read(pdf(["AI-generated content", *texts])).notices
    assert [(seen.text, seen.lawful) for seen in unlawful] == [("AI-generated content", False)]
    empty = PDF.read(pdf([""]))
    assert empty.doubts == ("its pages hold no text; pictures are not looked at",)


@pytest.mark.parametrize(
    ("before", "seen"),
    [
        (b"0 g", True),
        (b"1 1 0 rg", True),
        (b"q 1 g Q", True),
        (b"3 Tr 0 Tr", True),
        (b"1 g", False),
        (b"1 1 1 rg", False),
        (b"0 0 0 0 k", False),
        (b"/CS cs 1 1 1 scn", False),
        (b"3 Tr", False),
        (b"0.1 0 0 0.1 20 20 Tm", False),
    ],
)
def test_a_notice_that_may_not_be_seen_is_no_notice_and_not_held_against_the_file(before: bytes, seen: bool) -> None:
    theirs = pypdf.PdfWriter(clone_from=opened(PDF.write(pdf(["text"]), FIRST, notice("zh"))))
    line = theirs.pages[0]["/Contents"][-1].get_object()
    start = line.get_data().index(b"BT") + 2
    line.set_data(line.get_data()[:start] + b"\n" + before + line.get_data()[start:])
    data = saved(theirs.write)
    assert lawful(PDF, data) == ([notice("zh").text] if seen else [])
    assert judge("x", PDF, PDF.read(data)).status == ("compliant" if seen else "inconclusive")
    assert lawful(PDF, PDF.write(data, FIRST, notice("zh"))) == [notice("zh").text]


def test_labels_in_other_places_are_seen_and_one_is_left() -> None:
    twice = f'<a:AIGC xmlns:a="http://ns.adobe.com/pdfx/1.3/">{FIRST.json()}</a:AIGC>'
    data = pdf(["a"], info={"/AIGC": "{}", "/aigcLabel": FIRST.json()}, packet=OTHER.format(twice))
    found = [(one.name, one.place) for one in PDF.read(data).labels]
    assert found == [("AIGC", "Info dictionary"), ("aigcLabel", "Info dictionary"), ("a:AIGC", "XMP")]
    labelled = PDF.write(data, FIRST, None)
    assert only_label(PDF, labelled) == FIRST
    assert labelled.lower().count(b"aigc") == 1
    assert opened(labelled).metadata["/Title"] == "title stays"


def test_outlines_and_attachments_stay() -> None:
    writer = pypdf.PdfWriter(clone_from=opened(pdf(["a", "b"])))
    for n in range(1100):
        writer.add_outline_item(title=f"chapter {n}", page_number=n % 2)
    writer.add_attachment("data.txt", b"attached")
    after = opened(PDF.write(saved(writer.write), FIRST, notice()))
    assert [one["/Title"] for one in after.outline][-1] == "chapter 1099"
    assert after.attachments["data.txt"] == [b"attached"]


def test_a_long_document_is_labelled_on_every_page() -> None:
    labelled = PDF.write(pdf([f"page {n}" for n in range(300)]), FIRST, notice())
    assert all(footer.seen(page["/Contents"][-1].get_object().get_data()) for page in opened(labelled).pages)


def _encrypted() -> bytes:
    writer = pypdf.PdfWriter(clone_from=opened(pdf(["a"])))
    writer.encrypt("", "owner", algorithm="AES-256")
    return saved(writer.write)


def _signed(*, filled: bool) -> bytes:
    writer = pypdf.PdfWriter(clone_from=opened(pdf(["a"])))
    field = DictionaryObject({NameObject("/FT"): NameObject("/Sig")})
    if filled:
        field[NameObject("/V")] = DictionaryObject({NameObject("/Type"): NameObject("/Sig")})
    kids = DictionaryObject({NameObject("/Kids"): ArrayObject([writer._add_object(field)])})
    form = DictionaryObject({NameObject("/Fields"): ArrayObject([kids]), NameObject("/SigFlags"): NumberObject(3)})
    writer.root_object[NameObject("/AcroForm")] = form
    return saved(writer.write)


def test_signed_files_are_read_and_left_alone() -> None:
    for data in (_signed(filled=True), pdf(["a"]) + b"%/ByteRange [0 1 2 3]"):
        assert PDF.read(data).labels == ()
        with pytest.raises(Unreadable, match="is digitally signed"):
            PDF.write(data, FIRST, None)
    assert only_label(PDF, PDF.write(_signed(filled=False), FIRST, None)) == FIRST


DTD = '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
BAD = {
    "nothing": (b"", "no PDF"),
    "text": (b"plain", "no PDF"),
    "encrypted": (_encrypted(), "is encrypted"),
    "torn": (b"%PDF-1.7\n", "torn"),
    "entities": (pdf(["a"], packet=DTD), "document type"),
    "no XMP": (pdf(["a"], packet="<x"), "not well-formed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_the_reason(name: str) -> None:
    data, why = BAD[name]
    for act in (PDF.read, lambda data: PDF.write(data, FIRST, notice())):
        with pytest.raises(Unreadable, match=why):
            act(data)


@pytest.mark.timeout(20)
def test_forms_that_draw_each_other_again_and_again_are_not_followed() -> None:
    writer = pypdf.PdfWriter(clone_from=opened(pdf(["a"])))
    form = None
    for _ in range(20):
        made = stream(b"/X Do " * 10)
        made.update({NameObject("/Type"): NameObject("/XObject"), NameObject("/Subtype"): NameObject("/Form")})
        made[NameObject("/BBox")] = RectangleObject((0, 0, 9, 9))
        if form:
            inner = DictionaryObject({NameObject("/X"): form})
            made[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): inner})
        form = writer._add_object(made)
    page = writer.pages[0]
    page["/Resources"][NameObject("/XObject")] = DictionaryObject({NameObject("/X"): form})
    page[NameObject("/Contents")] = writer._add_object(stream(b"/X Do " * 10))
    data = saved(writer.write)
    assert PDF.read(data).doubts == ("page 1 holds too much drawing to look for a notice in it",)
    assert lawful(PDF, PDF.write(data, FIRST, notice())) == [notice().text]


@cache
def _small() -> bytes:
    return PDF.write(pdf(["a", "b"], packet=OTHER.format("")), FIRST, notice())


@given(seed=st.integers(0, 2**32), noise=st.binary(max_size=200))
@many
def test_broken_files_never_crash(seed: int, noise: bytes) -> None:
    survives(PDF, noise)
    survives(PDF, b"%PDF-1.7\n" + noise)
    survives(PDF, broken(_small(), random.Random(seed)))


def test_where_a_notice_may_stand_unseen_nothing_is_held_against_the_file() -> None:
    labelled = {name: PDF.write(pdf(texts), FIRST, None) for name, texts in (("bare", [""]), ("long", ["a"] * 7))}
    for data in labelled.values():
        verdict = judge("x", PDF, PDF.read(data))
        assert (verdict.status, verdict.problems) == ("inconclusive", ()) and verdict.notes
    assert "only the first and the last 3 of its 7 pages" in PDF.read(labelled["long"]).doubts[0]
    assert judge("x", PDF, PDF.read(PDF.write(pdf(["a"] * 6), FIRST, None))).status == "noncompliant"
    broken_too = PDF.write(pdf([""]), replace(FIRST, label="7"), None)
    assert judge("x", PDF, PDF.read(broken_too)).status == "noncompliant"
    assert judge("x", PDF, PDF.read(PDF.write(pdf(["a"] * 7), FIRST, notice()))).status == "compliant"
