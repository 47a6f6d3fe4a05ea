"""Pages: which can be labelled, what of them a reader sees, their encoding, and how long they may take."""

from xml.etree import ElementTree

import pytest

from candor.governance.labels import Notice, notice
from candor.governance.labels.carrier import Unreadable
from candor.governance.labels.html import HTML
from candor.governance.labels.verdict import judge
from tests.governance.labels.cases import label_of


def seen(page: str) -> bool:
    """Whether a page shows a notice."""
    return any(one.lawful for one in HTML.read(page.encode()).notices)


LAWFUL = [
    "<html><head><title>x</title><body>text",
    "<p hidden>x<p>text",
    "<ul><li hidden>x<li>y</ul>",
    "<dl><dt hidden>x<dd>y</dl>",
    "<table><tr><td hidden>x<td>y<tr hidden><td>x</table>",
    f"<ul hidden>{'<li>x' * 250}</ul>",
    "<div><span hidden>x</div>",
    "<div hidden><table><td></div></table></div>",
    "<svg><path/><title/></svg>",
    "<style>.h{display:none} .tab.on{display:block} @media print{p{display:none}}</style>text",
    "<body><div hidden>never closed",
    "text<script>never closed",
]


@pytest.mark.parametrize("page", LAWFUL)
@pytest.mark.parametrize("position", ["start", "middle", "end"])
def test_a_lawful_page_can_be_labelled(page: str, position: str) -> None:
    written = HTML.write(page.encode(), label_of(), Notice(notice("zh").text, position))  # type: ignore[arg-type]
    assert judge("x", HTML, HTML.read(written)).status == "compliant"
    assert HTML.write(written, label_of(), notice("zh")) == written


XML = '<?xml version="1.0"?>\n'
XHTML = '<html xmlns="http://www.w3.org/1999/xhtml">'


@pytest.mark.parametrize(
    "page",
    [
        f"{XML}{XHTML}<head><title>x</title></head><body><p>x</p></body></html>",
        f"{XHTML}<head/><body><div hidden='hidden'/>text</body></html>",
        f"{XHTML}<head></head><body/></html>",
        f"{XHTML}<p>x</p></html>\n",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x.dtd"><html><head/><body><br/>x</body></html>',
    ],
)
def test_well_formed_pages_stay_so(page: str) -> None:
    for position in ("start", "end"):
        written = HTML.write(page.encode(), label_of(), Notice("AI生成", position))  # type: ignore[arg-type]
        ElementTree.fromstring(written)
        assert judge("x", HTML, HTML.read(written)).status == "compliant"


def test_xml_that_is_no_page_is_refused() -> None:
    with pytest.raises(Unreadable, match="would not stay so"):
        HTML.write(f"{XML}<div>x</div>".encode(), label_of(), notice())


def test_a_line_that_markdown_calls_a_fence_hides_nothing() -> None:
    assert seen("<p>~~~</p><p>AI生成</p>")


STYLES = """
opacity:0.0|opacity:.0|opacity:0%|font:0/0 a|font:italic 0px serif|font-size:0.0em|color:transparent|color:#0000
color:rgba(0,0,0,0)|color:#fff;background:white|left:-9999px|margin-left:-999em|visibility:collapse|display:/**/none
display:none !important|height:0;overflow:hidden|max-height:0px;overflow:hidden|transform:scale(0)|transform:scale(0,1)
clip:rect(0 0 0 0)|clip-path:inset(50%)|content-visibility:hidden
"""
SHOWN = """
opacity:0.5|opacity:1|font:400 10px serif|font-size:0.9em|color:rgb(0,0,0)|color:#fff;background:#000|left:-10px
color:#000|margin-left:-100px|height:0|overflow:hidden|transform:scale(0.5)|color:transparent;-webkit-background-clip:text
"""


def test_what_a_style_hides_does_not_count() -> None:
    for style in STYLES.replace("\n", "|").strip("|").split("|"):
        assert not seen(f'<p style="{style}">AI生成</p>'), style
        assert not seen(f'<div STYLE="{style.upper()}"><p>AI生成</div>'), style
    for style in SHOWN.replace("\n", "|").strip("|").split("|"):
        assert seen(f'<p style="{style}">AI生成</p>'), style


def test_what_the_pages_own_rules_hide_does_not_count() -> None:
    hidden = [
        "<style>.h{display:none}</style><p class='a h'>AI生成</p>",
        "<style>#h{visibility:hidden}</style><div id=h><p>AI生成</p></div>",
        "<p class=h>AI生成</p><style>/* x */ p.x, p.h {color:red; display: none}</style>",
        "<style>.wrap > .h{display:none}</style><div class=wrap><p class=h>AI生成</p></div>",
        "<style>@media screen{.h{display:none}}</style><p class=h>AI生成</p>",
        "<style>@import 'x'; @layer a{.h{opacity:0}}</style><p class=h>AI生成</p>",
    ]
    shown = [
        "<style>.h{display:none}</style><p class=H>AI生成</p>",
        "<style>.wrap .h{display:none}</style><p class=h>AI生成</p>",
        "<style>.h{display:none} .h.on{display:block}</style><p class='h on'>AI生成</p>",
        "<style>.h{display:none}</style><p class=h style='display:block'>AI生成</p>",
        "<style>@media print{.h{display:none}}</style><p class=h>AI生成</p>",
        "<style media=print>.h{display:none}</style><p class=h>AI生成</p>",
        "<style>.h:hover{display:none} .h + p{display:none}</style><p class=h>AI生成</p>",
        "<!-- <style>.h{display:none}</style> --><p class=h>AI生成</p>",
    ]
    for page in hidden:
        assert not seen(page), page
    for page in shown:
        assert seen(page), page


def test_elements_that_are_not_shown_do_not_count() -> None:
    for tag in ("dialog", "details", "canvas", "video", "audio", "object", "datalist", "noembed", "noframes", "xmp"):
        assert not seen(f"<{tag}>\n<p>AI生成</p></{tag}>"), tag
    assert not seen("<div hidden/>AI生成") and not seen("<textarea></p></div><p>AI生成</textarea>")
    assert not seen("<span hidden><div>x</span>AI生成</div>") and not seen("<p popover>AI生成</p>")
    for page in ("<dialog open>AI生成</dialog>", "<details open>AI生成</details>"):
        assert seen(page), page
    assert seen("<details><summary>AI生成</summary>x</details>")


@pytest.mark.parametrize(
    ("charset", "text"),
    [("gbk", "正文"), ("big5", "測試"), ("shift_jis", "テスト"), ("iso-8859-1", "café"), ("euc-kr", "본문")],
)
@pytest.mark.parametrize("meta", ['<meta charset="{}">', "<META http-equiv=x content='text/html; charset={}'>"])
def test_the_declared_encoding_is_honoured(charset: str, text: str, meta: str) -> None:
    page = f"<head>{meta.format(charset)}</head><body>{text}</body>".encode(charset)
    written = HTML.write(page, label_of(), notice("zh"))
    assert text in written.decode(charset)
    assert judge("x", HTML, HTML.read(written)).status == "compliant"
    with pytest.raises(Unreadable, match="save it as UTF-8"):
        HTML.read(f"<head>{meta.format('big5')}</head>".encode() + b"\xff\xff")


BAD = ["<a ", '<a x="', "<a x='y", "<!--", "<?", "<![", "<!x", "</", "</a ", "<script>", "<a =", "<a/"]
GOOD = ["<div>", "<p><button><b>", "<b>", "<div></p>", "<li><span>", "&", "<", "<table><td>", "<a x='>", "a<b>"]


@pytest.mark.timeout(120)
def test_no_page_takes_long() -> None:
    styled = "<style>" + ".a .b{left:0}" * 3000 + "</style>" + "<p class='a b'>x</p>" * 3000
    chain = "<style>.x .b{left:0}</style>" + "<b class=b>" * 3000
    for piece in (*BAD, *GOOD, styled, chain):
        try:
            HTML.read((piece * (2**17 // len(piece) or 1)).encode())
            assert piece not in BAD[:7], piece
        except Unreadable:
            assert piece not in GOOD[4:7], piece
