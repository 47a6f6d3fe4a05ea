"""Mistakes that were seen in the wild, each caught with its clause."""

import base64
import json
from pathlib import Path

import pytest
from PIL import Image

from candor.governance.labels import verify
from candor.governance.labels.record import FIELDS, read_value
from tests.governance.labels.cases import CODE, OTHER

GOOD = dict(zip(FIELDS, ("1", CODE, "n1", "", CODE, "n1", ""), strict=True))
NOTICE = "\n\nAI-generated content (AI生成)\n"


def changed(**fields: object) -> str:
    return json.dumps(GOOD | fields)


def renamed(old: str, new: str) -> str:
    return json.dumps({new if name == old else name: value for name, value in GOOD.items()})


VALUES = {
    "label is a number": (changed(Label=1), "Annex E c)"),
    "label is true": (changed(Label=True), "Annex E c)"),
    "label is 0": (changed(Label="0"), "Annex E c)"),
    "label is 4": (changed(Label="4"), "Annex E c)"),
    "label in words": (changed(Label="AI生成"), "Annex E c)"),
    "label with a space": (changed(Label="1 "), "Annex E c)"),
    "Base64": (base64.b64encode(json.dumps(GOOD).encode()).decode(), "Annex E b)"),
    "no JSON": ("AI生成", "Annex E b)"),
    "Python's quotes": (str(GOOD), "Annex E b)"),
    "a list": (json.dumps([GOOD]), "Annex E b)"),
    "JSON in a string": (json.dumps(json.dumps(GOOD)), "Annex E b)"),
    "wrapped string": (json.dumps({"AIGC": json.dumps(GOOD)}), "Annex E b)"),
    "ReserveCode1": (renamed("ReservedCode1", "ReserveCode1"), "Annex E b)"),
    "Propagator": (renamed("ContentPropagator", "Propagator"), "Annex E b)"),
    "PropatorID": (renamed("PropagateID", "PropatorID"), "Annex E b)"),
    "lower case keys": (json.dumps({name.lower(): value for name, value in GOOD.items()}), "Annex E b)"),
    "five fields": (json.dumps(dict(list(GOOD.items())[:5])), "Annex E b)"),
    "an eighth field": (changed(Model="candor"), "Annex E b)"),
    "a field twice": (json.dumps(GOOD)[:-1] + ', "Label": "2"}', "Annex E b)"),
    "more beside the wrapper": (json.dumps({"Label": "3", "AIGC": GOOD}), "Annex E b)"),
    "another kind of subject": (changed(ContentProducer="0021" + CODE[4:]), "TC260-PG-20252A"),
    "null": (changed(ReservedCode1=None), "Annex E b)"),
    "an object inside": (changed(ReservedCode1={"sig": "x"}), "Annex E b)"),
    "a number as id": (changed(ProduceID=42), "Annex E b)"),
    "Chinese producer": (changed(ContentProducer="深度求索"), "Annex E j)"),
    "a space in the producer": (changed(ContentProducer="Deep Seek"), "Annex E j)"),
    "a space in the id": (changed(ProduceID="n 1"), "Annex E j)"),
    "a backslash": (changed(ReservedCode1="a\\b"), "Annex E j)"),
    "a line break": (changed(ReservedCode1="a\nb"), "Annex E j)"),
    "an emoji": (changed(PropagateID="\U0001f600"), "Annex E j)"),
    "empty producer": (changed(ContentProducer=""), "Annex E d)"),
    "empty id": (changed(ProduceID=""), "Annex E e)"),
    "propagator without id": (changed(PropagateID=""), "Annex E g), h)"),
    "code of 26": (changed(ContentProducer=CODE[:-1]), "TC260-PG-20252A"),
    "code of 28": (changed(ContentProducer=CODE + "1"), "TC260-PG-20252A"),
    "credit code alone": (changed(ContentProducer=CODE[4:22]), "TC260-PG-20252A"),
    "wrong check digit": (changed(ContentProducer=CODE[:21] + "G" + CODE[22:]), "TC260-PG-20252A"),
    "code begins with 01": (changed(ContentProducer="01" + CODE[2:]), "TC260-PG-20252A"),
    "kind of service 7": (changed(ContentProducer=CODE[:22] + "7" + CODE[23:]), "TC260-PG-20252A"),
    "no service but an application": (changed(ContentProducer=CODE[:22] + "00002"), "TC260-PG-20252A"),
    "a propagation code as producer": (changed(ContentProducer=OTHER), "TC260-PG-20252A"),
    "a made-up propagator": (changed(ContentPropagator="9" * 27), "TC260-PG-20252A"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_wrong_value_is_caught_with_its_clause(name: str) -> None:
    value, clause = VALUES[name]
    _, problems = read_value(value)
    assert clause in " ".join(problem.clause for problem in problems), problems
    assert all(problem.mend for problem in problems)


def test_the_right_value_is_not_caught() -> None:
    for value in (json.dumps(GOOD), json.dumps({"AIGC": GOOD})):
        label, problems = read_value(value)
        assert not problems and label is not None and label.values() == GOOD
    assert read_value(json.dumps(GOOD), wrapped=True)[1] and read_value(json.dumps({"AIGC": GOOD}), wrapped=False)[1]


def front(*lines: str) -> str:
    return "\n".join(["---", *lines, "---", "text"]) + NOTICE


MAPPING = [f"  {name}: {json.dumps(value)}" for name, value in GOOD.items()]
META = f"<meta name='AIGC' content='{json.dumps(GOOD)}'>"
FILES = {
    "two front matter keys": ("a.md", front("AIGC:", *MAPPING, "AIGC:", *MAPPING), "6.1 c)"),
    "identical metas": ("a.html", f"<head>{META}{META}</head>text<p>AI生成</p>", "6.1 c)"),
    "another key": ("a.md", front("aigc_label:", *MAPPING), "Annex E a)"),
    "bare number in YAML": ("a.md", front("AIGC:", "  Label: 1", *MAPPING[1:]), "Annex E c)"),
    "a list in YAML": ("a.md", front("AIGC: [1, 2]"), "Annex E b)"),
    "no notice": ("a.md", front("AIGC:", *MAPPING).removesuffix(NOTICE), "5.1"),
    "no metadata": ("a.md", "text" + NOTICE, "6.1"),
    "no generation word": ("a.txt", "text\n\n本文由AI提供\n", "5.1"),
    "no generation word beside a label": (
        "a.md",
        front("AIGC:", *MAPPING).replace(NOTICE, "\n\n以上内容由人工智能撰写。\n"),
        "5.1",
    ),
    "no AI word": ("a.txt", "text\n\n本译文由机器生成，仅供参考\n", "5.1"),
    "English words only": ("a.txt", "text\n\nThis text was generated by AI\n", "5.1"),
    "notice in a code block": ("a.md", front("AIGC:", *MAPPING).removesuffix(NOTICE) + "\n```\nAI生成\n```\n", "5.1"),
    "notice hidden by style": ("a.html", f"<head>{META}</head>text<p style='display: none'>AI生成</p>", "5.1"),
    "notice in a comment": ("a.html", f"<head>{META}</head>text<!-- AI生成 -->", "5.1"),
    "notice in white space": ("a.html", f"<head>{META}</head>text<p hidden>AI生成</p>", "5.1"),
    "label in the last event only": ("a.sse", 'data: {"a":1}\n\ndata: {"AIGC":' + json.dumps(GOOD) + "}\n\n", "6.1"),
    "two events that differ": (
        "a.sse",
        "".join('data: {"AIGC":' + value + "}\n\n" for value in (json.dumps(GOOD), changed(ProduceID="n2"))),
        "6.1 c)",
    ),
    "a string in JSON": ("a.json", json.dumps({"AIGC": "yes", "notice": "AI生成"}), "Annex E b)"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_is_caught_with_its_clause(name: str, tmp_path: Path) -> None:
    file, text, clause = FILES[name]
    (tmp_path / file).write_text(text, encoding="utf-8")
    verdict = verify(tmp_path / file)
    assert verdict.status == "noncompliant"
    assert clause in " ".join(problem.clause for problem in verdict.problems), verdict.problems
    assert all(problem.mend for problem in verdict.problems)


IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.mark.parametrize("source", ["digitalCapture", "humanEdits", "algorithmicMedia", "algorithmicallyEnhanced"])
def test_a_source_type_that_does_not_say_ai_is_no_mark_for_europe(source: str, tmp_path: Path) -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'Iptc4xmpExt:DigitalSourceType="{IPTC}{source}"/></rdf:RDF></x:xmpmeta>'
    )
    Image.new("RGB", (8, 8)).save(tmp_path / "camera.jpg", xmp=packet.encode())
    texts = {
        "a.json": json.dumps({"digitalSourceType": IPTC + source}),
        "a.html": f"<meta name=digitalSourceType content='{IPTC}{source}'><meta name=ai-disclosure content=none>text",
        "a.md": f"---\ndigitalSourceType: {IPTC}{source}\n---\ntext",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for name in (*texts, "camera.jpg"):
        verdict = verify(tmp_path / name, "eu")
        assert verdict.marks[0].value == IPTC + source
        assert verdict.status == "not found", name


@pytest.mark.parametrize("source", ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"])
def test_one_that_says_ai_is(source: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"digitalSourceType": IPTC + source}))
    assert verify(tmp_path / "a.json", "eu").status == "compliant"
    (tmp_path / "a.html").write_text("<meta name=ai-disclosure content=ai-generated>text")
    assert verify(tmp_path / "a.html", "eu").status == "compliant"


def test_bare_source_type_is_caught_for_europe(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"digitalSourceType": "trainedAlgorithmicMedia"}))
    verdict = verify(tmp_path / "a.json", "eu")
    assert verdict.status == "noncompliant" and "IPTC" in verdict.problems[0].clause
