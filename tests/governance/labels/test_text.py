"""Round trips of texts, pages, bodies and streams."""

import json
import re

import pytest
import yaml
from c2pa_text import embed_manifest
from hypothesis import example, given
from hypothesis import strategies as st

from candor.governance.labels import Label, Notice, notice
from candor.governance.labels.carrier import Carrier, SourceType, Unreadable, decode
from candor.governance.labels.events import JSON, STREAM, disclosure_header
from candor.governance.labels.html import HTML, SCHEMA
from candor.governance.labels.markdown import MARKDOWN
from candor.governance.labels.record import read_value
from candor.governance.labels.text import TEXT
from candor.governance.labels.verdict import judge
from tests.governance.labels.cases import label_of, labels, many, texts

CARRIERS = {carrier.name: carrier for carrier in (TEXT, MARKDOWN, HTML, JSON, STREAM)}


def twice(carrier: Carrier, data: bytes, label: Label, shown: Notice) -> bytes:
    """Write, read back, write again: the same label, once, compliant, the same bytes."""
    written = carrier.write(data, label, shown)
    reading = carrier.read(written)
    if carrier.metadata:
        assert [read_value(one.value) for one in reading.labels] == [(label, [])]
    verdict = judge("x", carrier, reading)
    assert verdict.status == "compliant", verdict
    assert carrier.write(written, label, shown) == written
    again = carrier.read(carrier.write(written, label_of("n2"), shown))
    if carrier.metadata:
        assert [read_value(one.value)[0] for one in again.labels] == [label_of("n2")]
    assert again.notices == reading.notices
    return written


@many
@given(texts, labels, st.sampled_from(["zh", "en"]), st.sampled_from(["start", "middle", "end"]))
@example("---\ntitle: x\n---\nbody\n", label_of(), "en", "end")
@example("---\nnot front matter", label_of(), "en", "end")
@example("```\nopen", label_of(), "zh", "end")
@example("", label_of(), "zh", "start")
def test_texts(text: str, label: Label, lang: str, position: str) -> None:
    shown = notice(lang, position)  # type: ignore[arg-type]
    plain = twice(TEXT, text.encode(), label, shown)
    assert plain.decode().replace(shown.text, "").split() == text.replace(shown.text, "").split()
    try:
        written = twice(MARKDOWN, text.encode(), label, shown)
    except Unreadable:
        assert text.startswith(("---", "+++"))
        return
    head, body = written.decode().split("\n---\n", 1)
    assert yaml.safe_load(head.removeprefix("---\n"))["AIGC"] == label.values()
    if not text.startswith("---"):
        assert body.replace(shown.text, "").split() == text.replace(shown.text, "").split()


@given(
    st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), st.text("ab:#'\"\n 日", max_size=20) | st.integers())
)
@many
def test_other_front_matter_is_kept(fields: dict[str, str | int]) -> None:
    text = f"---\n{yaml.safe_dump(fields, allow_unicode=True, default_flow_style=False)}---\nbody\n"
    if not fields:
        return
    head = twice(MARKDOWN, text.encode(), label_of(), notice()).decode().split("\n---\n")[0].removeprefix("---\n")
    kept = yaml.safe_load(head)
    assert {name: value for name, value in kept.items() if name not in ("AIGC", "digitalSourceType")} == fields


def test_comments_stay_and_two_labels_become_one() -> None:
    text = "---\n# first\nAIGC:\n  Label: 1\n# kept\ntitle: x\naigc-note: y\n---\nbody\n"
    written = twice(MARKDOWN, text.encode(), label_of(), notice()).decode()
    assert "# first\n# kept\ntitle: x\nAIGC:" in written and "aigc-note" not in written


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encoding_and_line_ends_are_kept(encoding: str) -> None:
    data = "第一行\r\n第二行\r\n".encode(encoding)
    written = twice(TEXT, data, label_of(), notice("zh"))
    decoded = written.decode(encoding)
    assert decoded.startswith("第一行\r\n第二行\r\n") and "\n" not in decoded.replace("\r\n", "")
    assert decode(written).encode(decode(written).text) == written


pages = st.lists(
    st.sampled_from(
        [
            "<p>",
            "</p>",
            "<div hidden>",
            "</div>",
            "<head>",
            "</head>",
            "<body>",
            "</body>",
            "<!-- x -->",
            "<meta name=a>",
            "<br/>",
            "<pre>",
            "</pre>",
            "<script>1</script>",
            "<!doctype html>",
            "<html>",
            "<title>t</title>",
            "&amp;",
        ]
    )
    | st.text("ab <&日\n", max_size=12),
    max_size=25,
).map("".join)


@many
@given(pages, labels)
@example("<html><head></head><body>x</body></html>", label_of())
def test_pages(page: str, label: Label) -> None:
    written = HTML.write(page.encode(), label, notice())
    reading = HTML.read(written)
    added = (
        r'<meta name="AIGC"[^>]*>(<script type="application/ld\+json">[^<]*</script>)?|<p class="aigc-notice".*?</p>'
    )
    assert re.sub(added, "", written.decode()) == page
    assert [read_value(one.value) for one in reading.labels] == [(label, [])]
    twice(HTML, page.encode(), label, notice())


def test_whole_pages() -> None:
    for page in (
        "<html><head><title>x</title></head><body><p>a</p></body></html>",
        "<!doctype html>\n<html lang=zh>\n<body>正文</body></html>",
        "<p>a</p>",
        "",
        "<head><meta name=AIGC content=1><META NAME='aigc' CONTENT='2'></head><body>x",
    ):
        written = twice(HTML, page.encode(), label_of(), notice("zh"))
        assert HTML.read(written).marks == (SourceType("schema.org digitalSourceType", SCHEMA),)


_names = st.text(max_size=5).filter(lambda name: name.lower() != "aigc")  # inside a body, that is refused
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in ("notice", "digitalSourceType") and "aigc" not in name.lower()),
    values,
)


@many
@given(bodies, labels, st.sampled_from([None, 2]), st.booleans())
def test_bodies(body: dict[str, object], label: Label, indent: int | None, ascii: bool) -> None:
    text = json.dumps(body, indent=indent, ensure_ascii=ascii)
    if not ascii and "\0" in text:
        return
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return
    written = json.loads(twice(JSON, data, label, notice()))
    assert written.pop("AIGC") == label.values()
    assert ("digitalSourceType" in written) == label.says_generated
    written.pop("digitalSourceType", None), written.pop("notice")
    assert written == body


@many
@given(st.lists(bodies, min_size=1, max_size=4), labels)
def test_streams(events: list[dict[str, object]], label: Label) -> None:
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    written = twice(STREAM, text.encode(), label, notice()).decode()
    back = [json.loads(line[6:]) for line in written.split("\n") if line.startswith("data: {")]
    assert back[0].pop("AIGC") == label.values() and (len(back) == 1 or back[-1].pop("AIGC") == label.values())
    for one in back:
        one.pop("digitalSourceType", None), one.pop("notice", None)
    assert back == events


@many
@given(st.binary(max_size=400), st.sampled_from(sorted(CARRIERS)))
@example(b"---\n&a [*a]\n---\n", "Markdown")
@example(b"---\na: &a [b]\nAIGC: *a\n---\n", "Markdown")
@example(b"---\n!!python/object:os.system x\n---\n", "Markdown")
@example(b"<![", "HTML page")
@example(b"[" * 100_000, "JSON object")
@example(b'{"a":' * 50_000, "JSON object")
@example(b'{"a":1e999999}', "JSON object")
@example(b"<div>" * 20_000, "HTML page")
def test_random_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    for work in (lambda: CARRIERS[name].read(data), lambda: CARRIERS[name].write(data, label_of(), notice())):
        try:
            work()
        except Unreadable as error:
            assert str(error)


def test_a_c2pa_manifest_is_seen_and_not_broken() -> None:
    signed = embed_manifest("a text", b"\x00\x01 manifest")
    assert TEXT.read(signed.encode()).manifest == b"\x00\x01 manifest"
    with pytest.raises(Unreadable, match="C2PA"):
        TEXT.write(signed.encode(), label_of(), notice())


def test_header() -> None:
    header = disclosure_header('a "model"', "Example", 7)
    assert header == r'mode=ai-originated; model="a \"model\""; provider="Example"; date=@7'


@pytest.mark.parametrize("encoding", ["big5", "shift_jis", "euc-jp", "euc-kr", "iso-8859-1", "utf-16-le"])
def test_text_in_an_encoding_that_cannot_be_told_is_refused(encoding: str) -> None:
    texts = {
        "big5": "這是一個測試，用來看看編碼。",
        "shift_jis": "これはテストです。",
        "euc-jp": "これはテストです。",
        "euc-kr": "이것은 한국어로 쓴 글입니다. 부호화를 알 수 없으면 거절해야 합니다. 그래서 조금 길게 씁니다.",
        "iso-8859-1": "café naïve",
        "utf-16-le": "这是一段中文",
    }
    data = texts[encoding].encode(encoding)
    for carrier in (TEXT, MARKDOWN, HTML):
        with pytest.raises(Unreadable, match="save it as UTF-8"):
            carrier.write(data, label_of(), notice("zh"))
    with pytest.raises(Unreadable, match="zero bytes"):
        TEXT.read("plain".encode("utf-16-le"))
    long = "这是一段用来检验的中文，共有三十多个字，应当照常读取和写回，不得拒绝。朱镕基。"
    assert decode(long.encode("gbk")).text == long


# Bodies and streams that must be refused or seen


@pytest.mark.parametrize("text", ['{"a":1,}', '{"a":1,,"b":2}', '{,"a":1}', '{"a":[1,]}'])
def test_a_comma_too_many_is_no_json(text: str) -> None:
    for carrier, body in ((JSON, text), (STREAM, f"data: {text}\n\n")):
        with pytest.raises(Unreadable, match="is no JSON"):
            carrier.read(body.encode())


def test_a_label_inside_a_member_is_seen_and_no_second_one_is_put_on_top() -> None:
    for body, way in (
        ({"data": {"AIGC": label_of().values()}}, "inside data"),
        ({"a": 1, "x": [0, {"y": {"aigc": label_of().values()}}]}, "inside x.1.y"),
    ):
        (found,) = JSON.read(json.dumps(body).encode()).labels
        assert way in found.place and read_value(found.value)[0] == label_of()
        for carrier, text in ((JSON, json.dumps(body)), (STREAM, f"data: {json.dumps(body)}\n\n")):
            with pytest.raises(Unreadable, match=f"has its label {way}"):
                carrier.write(text.encode(), label_of(), notice())
    twice = f'{{"data":{{"AIGC":{label_of().json()[:-1]},"Label":"2"}}}}}}'
    assert "twice" in str(read_value(JSON.read(twice.encode()).labels[0].value)[1])


def test_a_notice_of_another_meaning_is_not_overwritten() -> None:
    for value in ('"maintenance at noon"', "null", '["AI生成"]'):
        with pytest.raises(Unreadable, match="rename it"):
            JSON.write(f'{{"notice":{value}}}'.encode(), label_of(), notice())
        assert JSON.write(f'{{"notice":{value}}}'.encode(), label_of(), None)


def test_the_labels_of_all_events_are_compared() -> None:
    events = [{"AIGC": label_of(number).values(), "notice": "AI生成"} for number in ("n1", "n2", "n1")]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    reading = STREAM.read(text)
    assert [one.place for one in reading.labels] == ["event 1", "event 2"]
    assert judge("x", STREAM, reading).status == "noncompliant"
    assert judge("x", STREAM, STREAM.read(STREAM.write(text, label_of("n3"), notice()))).label == label_of("n3")


def test_half_characters_can_be_printed() -> None:
    value = '{"Label":"1","ContentProducer":"\\ud800"}'
    body = f'{{"AIGC":{value},"notice":"AI生成（\\udfff）","digitalSourceType":"\\ud800","aigc\\ud800":"\\ud800"}}'
    for reading in (JSON.read(body.encode()), STREAM.read(f"data: {body}\n\n".encode())):
        for found in reading.labels:
            (found.name + found.value + str(read_value(found.value))).encode()
        ("".join(mark.value for mark in reading.marks) + reading.notices[0].text).encode()
