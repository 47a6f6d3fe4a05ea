"""The plain form shows what a disguise hides, and leads back to the place of every character."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.governance.pii.plain import broken_views, numeral_views, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call 138", "call 138"),
        ("电话１３８－１２３４", "电话138-1234"),
        ("ａｂ＠ｃ．ｃｏｍ：（２０１９）", "ab@c.com:(2019)"),
        ("𝟏𝟑𝟖 ١٣٨ १३८", "138 138 138"),
        ("1\u200b3\u20608\ufeff\u00ad", "138"),
        ("①张三②李四", "①张三②李四"),
        ("①③⑧", "138"),
        ("10² m³", "10² m³"),
        ("a\u3000b\u00a0c—d", "a b c-d"),
        ("你好，世界；", "你好，世界；"),
        ("真的？", "真的?"),
    ],
)
def test_form(text: str, shown: str) -> None:
    assert plain(text).text == shown


def test_place_of_what_was_removed_between() -> None:
    form = plain("号1\u200b3\u200b8码")
    assert form.text == "号138码"
    assert form.span(1, 4) == (1, 6)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("一三八一二三四", "1381234"),
        ("壹叁捌-壹贰叁肆", "138-1234"),
        ("幺三八〇零", "13800"),
        ("京A八B二C一", "京A8B2C1"),
        ("138一二三45", "13812345"),
    ],
)
def test_rows_of_numerals_are_digits(text: str, shown: str) -> None:
    assert [view.text for view in numeral_views(plain(text))] == [shown]


@pytest.mark.parametrize("text", ["二十万零三百五十", "一、二、三", "第一章和第二章", "三个和尚", "一二", "abc"])
def test_numbers_in_words_are_left_alone(text: str) -> None:
    assert not [*numeral_views(plain(text))]


def test_view_without_a_line_break() -> None:
    ((view, join),) = broken_views(plain("主机10.216.41.20\n2在线"))
    assert view.text == "主机10.216.41.202在线"
    assert join == view.text.index("2在")
    assert view.span(2, 15) == (2, 16)


@given(st.text())
def test_places_rise_and_stay_inside(text: str) -> None:
    form = plain(text)
    places = [form.span(place, place + 1) for place in range(len(form.text))]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))


@given(st.text(alphabet="１2一二三四五 -\n\u200bAb十", max_size=60))
def test_views_lead_back(text: str) -> None:
    form = plain(text)
    for view in [*numeral_views(form), *(view for view, _ in broken_views(form))]:
        for place in range(len(view.text)):
            start, end = view.span(place, place + 1)
            assert 0 <= start < end <= len(text)
