"""Names, addresses and organisations by cue, title and ending: whole, and not where there are none."""

import gc

import pytest

from candor.governance.pii import identifiers
from candor.governance.pii.names import again, find_names, grown
from candor.governance.pii.rules import Rule
from candor.governance.pii.spans import TYPES, Span, class_of


def found(text: str, kind: str) -> list[str]:
    return [text[span.start : span.end] for span in find_names(text) if span.type == kind]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Then Mr John Smith left.", "Mr John Smith"), ("My name is Ada Lovelace.", "Ada Lovelace"),
        ("by Ms E. Willmott, lawyer", "Ms E. Willmott"), ("Mrs Anna van der Berg wrote", "Mrs Anna van der Berg"),
        ("我叫李娜，今年", "李娜"), ("联系人：欧阳锋", "欧阳锋"), ("请找王建国先生。", "王建国"), ("王老师来了", "王"),
        ("收件人 赵敏", "赵敏"),
    ],
)  # fmt: skip
def test_people_are_found_whole(text: str, name: str) -> None:
    assert name in found(text, "person")


@pytest.mark.parametrize(
    "text",
    ["the mister left", "Dear all", "经济学教授", "高级工程师", "文学教授", "我是老师", "联系人：", "名字很好听"],
)
def test_where_nobody_is_named_nobody_is_found(text: str) -> None:
    assert found(text, "person") == []


@pytest.mark.parametrize(
    ("kind", "text", "whole"),
    [
        ("address", "at 12 High Street, London", "12 High Street"), 
        ("address", "住浙江省杭州市西湖区文三路12号", "浙江省杭州市西湖区文三路12号"),
        ("organisation", "of Braun & Smith Ltd today", "Braun & Smith Ltd"), 
        ("organisation", "就读于杭州第二中学", "杭州第二中学"),
        ("handle", "ask @ada_l about it", "@ada_l"), ("location", "他来自苏州", "苏州"),
    ],
)  # fmt: skip
def test_places_and_organisations(kind: str, text: str, whole: str) -> None:
    assert any(whole in one for one in found(text, kind)), found(text, kind)


def test_a_name_is_found_again_but_no_word_that_it_is_part_of() -> None:
    text = "Mr Long met Ann Braun. Braun took a long way; Brauns did not."
    people = [Span(0, 7, "person", "direct", "title"), Span(12, 21, "person", "direct", "x")]
    assert sorted({text[span.start : span.end] for span in again(text, people)}) == [
        "Ann",
        "Ann Braun",
        "Braun",
        "Long",
    ]
    assert {span.start for span in again(text, people) if text[span.start : span.end] == "Braun"} == {16, 23}


def test_a_chinese_name_is_not_cut() -> None:
    assert grown("王小明ada@x.org", Span(0, 2, "person", "direct", "x")).end == 3
    assert grown("王小明天来", Span(0, 2, "person", "direct", "x")).end == 2


def test_every_rule_has_a_type_that_masking_knows() -> None:
    """A tag of another type would be found again."""
    assert identifiers
    rules = [one for one in gc.get_objects() if type(one) is Rule]
    assert len(rules) > 50
    for rule in rules:
        assert rule.type in TYPES and (rule.type == "url" or rule.identifier_class == class_of(rule.type)), rule.name
