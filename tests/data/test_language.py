"""The language of a text, whatever else stands in it; nothing is no language."""

import json
from pathlib import Path

import pytest

from candor.data.language import language
from tests.data.public import clean

SENTENCES = {
    "en": "The committee will meet again on Thursday to discuss the budget of the coming year with the mayors.",
    "fr": "Le comité se réunira de nouveau jeudi pour discuter du budget de l’année prochaine avec les maires.",
    "de": "Der Ausschuss tritt am Donnerstag erneut zusammen, um über den Haushalt des nächsten Jahres zu beraten.",
    "pt": "A comissão voltará a reunir-se na quinta-feira para discutir o orçamento do próximo ano com os prefeitos.",
    "vi": "Ủy ban sẽ họp lại vào thứ Năm để thảo luận về ngân sách của năm tới với các thị trưởng thành phố.",
    "ja": "委員会は木曜日に再び開かれ、来年度の予算について市長たちと話し合う予定である。",
    "ko": "위원회는 내년 예산을 논의하기 위해 목요일에 다시 회의를 열 예정이라고 시장이 말했다.",
    "ru": "Комитет снова соберётся в четверг, чтобы обсудить бюджет на следующий год вместе с мэрами городов.",
    "zh": "委员会将于星期四再次开会，与各位市长讨论明年的预算。",
}
CODE = "\n".join(f"def step_{number}(value): return value + {number}" for number in range(60))


@pytest.mark.parametrize("code", SENTENCES)
def test_sentences(code: str) -> None:
    assert language(SENTENCES[code]) == code
    assert language((SENTENCES[code] + "\n") * 50) == code


@pytest.mark.parametrize(("text", "expected"), [
    ("委員會將於星期四再次開會，與各位市長討論明年的預算。", "zh"),
    ("佢哋聽日先至會返嚟㗎，我哋唔使等佢喇。", "zh"),
    ("滕王高阁临江渚，佩玉鸣鸾罢歌舞。", "zh"),
    ("使用 React 的 useState 和 useEffect 来管理组件的状态和副作用。", "zh"),
    ("漢字とかなを交ぜて書く。", "ja"),
    ("このアプリをインストールしてください。", "ja"),
    ("The word 北京 means northern capital, and 南京 means southern capital, as every child learns.", "en"),
])  # fmt: skip
def test_scripts_that_mix(text: str, expected: str) -> None:
    assert language(text) == expected


@pytest.mark.parametrize(
    "text", ["", " \n\t", "12345 678 90", "。。。！？", "👍👍", "— … —", "3.14 + 2.72 = 5.86", "§ 5 ¶ 3"]
)
def test_no_letter_no_language(text: str) -> None:
    assert language(text) == ""


def test_documentation_that_begins_with_code() -> None:
    assert language(f"```python\n{CODE}\n```\n{SENTENCES['zh'] * 5}") == "zh"
    assert language(f"```python\n{CODE}\n```\n{SENTENCES['en'] * 5}") == "en"


@pytest.mark.parametrize(("name", "expected"), [
    ("en_books/books by 3000", "en"), ("en_docs/rust_book", "en"), ("en_docs/tldr_en", "en"),
    ("zh_novels/novels to 1000", "zh"), ("zh_docs/oi_wiki", "zh"), ("zh_docs/tldr_zh", "zh"),
])  # fmt: skip
def test_public_texts(public_data: Path, name: str, expected: str) -> None:
    """At most one document in a hundred is taken for another language: lists of names and the like."""
    texts = clean(public_data, name)[::7]
    wrong = [text for text in texts if language(text) != expected]
    assert len(wrong) <= len(texts) / 100


def test_the_same_paragraphs_in_both_languages(public_data: Path) -> None:
    for code in ("en", "zh"):
        path = public_data / "reading" / "xquad" / f"xquad.{code}.json"
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        texts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
        assert len(texts) > 200
        assert sum(language(text) != code for text in texts) <= len(texts) / 100, "but for lists of names"
