"""Masking: what stands in the place of what, offsets, and that masking again changes nothing."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.errors import ConfigError
from candor.governance import pii
from candor.governance.pii.masking import Action, Masking, general, hide_tags, mask, surrogate
from candor.governance.pii.spans import Span

LETTER = "王小明（35岁）住在浙江省杭州市，电话13800138000；王小明生于1990年3月5日。Mr John Smith, john@example.org."
KEY = b"sixteen bytes or more"


def test_tags_name_the_type() -> None:
    text = pii.mask("我叫王小明，电话13800138000").text
    assert text == "我叫<person>，电话<phone>"


def test_redaction_says_nothing_of_what_it_covers() -> None:
    text = pii.mask(LETTER, Masking("redact")).text
    assert set(re.findall("█+", text)) == {"████"} and "1380013" not in text and "王小明" not in text


def test_surrogates_are_the_same_within_a_conversation_only() -> None:
    first = pii.mask(LETTER, Masking("surrogate", key=KEY, conversation="a")).text
    names = re.findall("<person:[a-z]{8}>", first)
    assert names[0] == names[1] and len(set(names)) == 2
    assert first == pii.mask(LETTER, Masking("surrogate", key=KEY, conversation="a")).text
    other = pii.mask(LETTER, Masking("surrogate", key=KEY, conversation="b")).text
    assert not set(re.findall(":[a-z]{8}>", first)) & set(re.findall(":[a-z]{8}>", other))
    assert not set(re.findall(":[a-z]{8}>", first)) & set(
        re.findall(":[a-z]{8}>", pii.mask(LETTER, Masking("surrogate", key=KEY[::-1], conversation="a")).text)
    )


def test_spellings_of_a_value_have_one_surrogate() -> None:
    assert len({surrogate(one, "phone", KEY, "a") for one in ("138-0013-8000", "13800138000", "１３８ 0013 8000")}) == 1
    assert surrogate("Mr Smith", "person", KEY, "a") == surrogate("Smith", "person", KEY, "a")
    assert surrogate("Smith", "person", KEY, "a") != surrogate("Smith", "organisation", KEY, "a")


def test_surrogates_need_a_key() -> None:
    with pytest.raises(ConfigError, match="at least 16 bytes"):
        pii.mask("x", Masking("surrogate", key=b"short"))


@pytest.mark.parametrize(
    ("value", "kind", "wider"),
    [
        ("31 May 1991", "date", "1990s"), ("二〇一九年", "date", ""), ("2004年", "date", "2000s"),
        ("35岁", "age", "30-39"),
        ("aged 7", "age", "0-9"), ("EUR 4,684.40", "quantity", "1e3"), ("12,000元", "quantity", "1e4"),
        ("浙江省杭州市", "address", "浙江"), ("Linz", "location", ""), ("王小明", "person", ""),
    ],
)  # fmt: skip
def test_values_are_made_general(value: str, kind: str, wider: str) -> None:
    assert general(value, kind) == wider


def test_only_what_is_asked_for_is_masked() -> None:
    assert pii.mask(LETTER, Masking(types=["phone"])).text == LETTER.replace("13800138000", "<phone>")
    assert "1990年3月5日" in pii.mask(LETTER, Masking(classes=["direct"])).text
    assert {span.identifier_class for span in pii.mask(LETTER, Masking(classes=["quasi"])).spans} == {"quasi"}


def test_a_tag_hides_nothing() -> None:
    """Whoever writes a name in the manner of a tag does not get it past."""
    for text in ("<13800138000>", "<person:13800138000>", "<location:王小明>", "<John Smith>", "<date:19900305s>"):
        assert hide_tags(text) == text, text
    assert hide_tags("a<person>b<age:30-39>") == "a▒▒▒▒▒▒▒▒b▒▒▒▒▒▒▒▒▒▒▒"


def test_what_shows_only_afterwards_is_masked_too() -> None:
    """A finder that sees the second only where the first is gone."""

    def find(text: str) -> list[Span]:
        word = "second" if "first" not in text else "first"
        return [Span(one.start(), one.end(), "person", "direct", "x") for one in re.finditer(word, hide_tags(text))]

    done = mask("second first second", find, Masking())
    assert done.text == "<person> <person> <person>"
    assert [(span.start, span.end) for span in done.spans] == [(0, 6), (7, 12), (13, 19)]


PARTS = st.sampled_from(
    ["王小明", "我叫", "Mr ", "Smith", "13800138000", "１３８", "-", "\n", " ", "<person>", "<age:30-39>", "<", ">",
     "████", "1990年", "三十五岁", "号", "@", "a.b@c.de", "\u200b", "11010519491231002X", "\ud800",
     "\U0001f600", "the", "浙江省"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=80), st.lists(PARTS, max_size=12).map("".join), st.text(st.characters(), max_size=40)
)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(["tag", "redact", "surrogate", "generalise"]))
def test_any_text_can_be_masked_and_masking_again_changes_nothing(text: str, action: Action) -> None:
    found = pii.find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in found)
    assert all(first.end <= second.start for first, second in pairwise(found))
    done = pii.mask(text, Masking(action, key=KEY))
    assert all(0 <= span.start < span.end <= len(text) for span in done.spans)
    again = pii.mask(done.text, Masking(action, key=KEY))
    assert again.text == done.text and again.spans == ()


@settings(max_examples=100, deadline=None)
@given(st.lists(PARTS, max_size=12).map("".join))
def test_what_is_left_of_a_text_is_what_no_span_covers(text: str) -> None:
    done = pii.mask(text, Masking("redact"))
    kept = [one for place, one in enumerate(text) if not any(s.start <= place < s.end for s in done.spans)]
    assert done.text.replace("████", "") == "".join(kept).replace("████", "")


@pytest.mark.parametrize(
    "text",
    [
        "我的微信<wxid_abcdefghijklm>", "我的微信号：<lihuazhang>", "<zhang_wei:浙江>", "138<person>0013<age>8000",
        "<date:1380s>", "<age:13-80>", "<location:王小明>",
    ],
)  # fmt: skip
def test_no_tag_of_ones_own_hides_anything(text: str) -> None:
    """What a tag may hold is what masking writes, and a tag tears no number apart."""
    hidden = pii.mask(text).text
    assert hide_tags(text).replace("▒", "") == text.replace("<person>", "").replace("<age>", "")
    assert not any(part in hidden for part in ("wxid", "lihua", "0013", "浙江"))


def test_masking_comes_to_an_end_that_stays() -> None:
    for text in ("a@" * 40, "Mr " * 50, "王" * 60, "1 " * 90):
        done = pii.mask(text).text
        assert pii.mask(done).text == done


def test_unknown_types_are_refused() -> None:
    with pytest.raises(ConfigError, match="there is no type 'mobil'"):
        pii.mask("x", Masking(types=["mobil"]))
