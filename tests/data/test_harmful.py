"""The harmful-text filter: what it finds and what it leaves on texts it has not seen, and the keyword banks."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.data.harmful import BLOCK, CLASSES, WEIGHTS, HarmfulClassifier, KeywordBank, Match, Vocabulary, Windows
from candor.data.harmful_heldout import CHINESE, ENGLISH
from candor.data.harmful_text import CLEAN, Lang, harmful_texts
from candor.data.harmful_training import report, train
from candor.errors import DataError
from candor.view import DIGIT, LETTER, View


@pytest.fixture(scope="module")
def classifier() -> HarmfulClassifier:
    return HarmfulClassifier.load()


@pytest.fixture(scope="module")
def figures(classifier: HarmfulClassifier) -> dict[str, float]:
    return report(classifier, n=4000)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", CLASSES)
def test_nine_in_ten_harmful_documents_are_found_with_their_class(figures: dict[str, float], name: str, lang: str):
    assert figures[f"{name}/{lang}"] >= 0.9


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_clean_documents_of_harmful_subjects_stay(figures: dict[str, float], lang: str):
    assert figures[f"{CLEAN}/{lang}"] <= 0.02


@pytest.mark.parametrize(
    "name, size",
    [
        ("text/en_books/books.jsonl", 3000),
        ("text/zh_novels/novels.jsonl", 1000),
        ("text/en_docs/react_dev.jsonl", 3000),
        ("text/en_docs/rust_book.jsonl", 3000),
        ("text/en_docs/tldr_en.jsonl", 3000),
        ("text/zh_docs/oi_wiki.jsonl", 1000),
        ("text/zh_docs/react_zh.jsonl", 1000),
        ("text/zh_docs/tldr_zh.jsonl", 1000),
    ],
)
def test_books_and_manuals_stay(classifier: HarmfulClassifier, public_data: Path, name: str, size: int):
    path = public_data / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
    pieces = [text[i : i + size] for text in texts for i in range(0, len(text), size)][::2]
    verdicts = [one for i in range(0, len(pieces), 50) for one in classifier.verdict(View(pieces[i : i + 50]))]
    assert sum(map(bool, verdicts)) <= 0.005 * len(pieces)


@pytest.mark.parametrize("lang, least, characters", [("en", 60, 18_000), ("zh", 120, 3_000)])
def test_a_harmful_paragraph_in_a_clean_document_of_3000_words_is_found(
    classifier: HarmfulClassifier, lang: Lang, least: int, characters: int
):
    heldout = harmful_texts(5, 400, lang, "heldout")
    clean = "\n\n".join(text for text, label in heldout if label == CLEAN)[:characters]
    bad = [(text, label) for text, label in heldout if label != CLEAN and View([text]).word_count[0] > least]
    alone = classifier.verdict(View([text for text, _ in bad]), 0.9)
    sure = [one for one, verdict in zip(bad, alone, strict=True) if verdict == one[1]][:40]
    half = len(clean) // 2
    assert classifier.verdict(View([clean])) == [""]
    found = classifier.verdict(View([f"{clean[:half]}\n\n{text}\n\n{clean[half:]}" for text, _ in sure]))
    right = [verdict == label for verdict, (_, label) in zip(found, sure, strict=True)]
    assert len(sure) == 40 and sum(right) >= 34


def test_the_shipped_weights_are_those_of_the_recipe(classifier: HarmfulClassifier):
    made = train()
    assert WEIGHTS.stat().st_size < 400_000
    texts = [text for lang in ("en", "zh") for text, _ in harmful_texts(3, 300, lang, "heldout")]  # type: ignore[arg-type]
    np.testing.assert_allclose(made.scores(View(texts)), classifier.scores(View(texts)), atol=1e-3)


def test_the_splits_share_no_sentence_and_each_seed_has_its_documents():
    def sentences(split: str) -> set[str]:
        texts = (text for lang in ("en", "zh") for text, _ in harmful_texts(0, 500, lang, split))  # type: ignore[arg-type]
        return {
            part.strip()
            for text in texts
            for part in re.split(r"(?<=[.!?。！？])\s+|(?<=[。！？])", text)
            if part.strip()
        }

    shared = {one for one in sentences("train") & sentences("heldout") if len(one) > 12}
    assert not shared
    assert ENGLISH.keys() == CHINESE.keys() == {*CLASSES, CLEAN}
    assert harmful_texts(4, 50, "zh", "train") == harmful_texts(4, 50, "zh", "train")
    assert harmful_texts(4, 50, "zh", "train") != harmful_texts(5, 50, "zh", "train")


# Windows.


def slow_windows(texts: list[str], vocabulary: Vocabulary) -> list[list[set[int]]]:
    """Rows of each window of each document, word by word."""
    found = []
    for text in texts:
        view = View([text])
        count = int(view.word_count[0])
        blocks = max(1, -(-count // BLOCK) - 1)
        windows: list[set[int]] = [set() for _ in range(blocks)]
        for n in (1, 2, 3):
            for place in range(count - n + 1):
                hashed = view.words[place] if n == 1 else view.hash_grams(np.array([place]), n)[0]
                row = np.flatnonzero(vocabulary.keys == int(hashed) >> 32)
                for one in {place // BLOCK, place // BLOCK - 1} & set(range(blocks)) if len(row) else ():
                    windows[one].add(int(row[0]))
        found.append(windows)
    return found


def test_windows_are_those_of_a_slow_reading(classifier: HarmfulClassifier):
    texts = [text for text, _ in harmful_texts(6, 30, "en", "heldout")] + ["", "猫。" * 150, "?!", "a b c " * 100]
    got: Windows = classifier.vocabulary.windows(View(texts))
    for document, want in enumerate(slow_windows(texts, classifier.vocabulary)):
        own = range(got.first[document], got.first[document + 1])
        assert [set(got.row[got.of == window].tolist()) for window in own] == want
    assert len(got.of) == len(set(zip(got.of.tolist(), got.row.tolist(), strict=True)))
    sizes = [got.size[got.first[d]] for d in (30, 31, 32, 33)]
    assert sizes == [0, 150, 0, 200] and got.size[got.first[33] : got.first[34]].tolist() == [200, 200]


def test_a_document_scores_the_same_alone_and_among_others(classifier: HarmfulClassifier):
    texts = [text for text, _ in harmful_texts(7, 40, "zh", "heldout")]
    alone = np.concatenate([classifier.scores(View([text])) for text in texts])
    assert classifier.scores(View(texts)).dtype == np.float32
    np.testing.assert_allclose(classifier.scores(View(texts)), alone, rtol=1e-5)


def test_empty_documents_and_views_are_clean(classifier: HarmfulClassifier):
    assert classifier.scores(View([])).shape == (0, 4)
    assert classifier.verdict(View(["", " \n", "..."])) == ["", "", ""]


def test_weights_that_are_none_say_so(tmp_path: Path):
    (tmp_path / "bad.npz").write_bytes(b"no weights")
    (tmp_path / "torn.npz").write_bytes(WEIGHTS.read_bytes()[:50_000])
    (tmp_path / "bent.npz").write_bytes(WEIGHTS.read_bytes().replace(b"keys", b"kex_"))
    for name in ("bad.npz", "torn.npz", "bent.npz", "absent.npz"):
        with pytest.raises(DataError, match=name):
            HarmfulClassifier.load(tmp_path / name)


def test_saved_weights_load_again(classifier: HarmfulClassifier, tmp_path: Path):
    classifier.save(tmp_path / "new.npz")
    assert (tmp_path / "new.npz").read_bytes() == WEIGHTS.read_bytes()


# Keyword banks.


def brute(terms: dict[str, str], text: str) -> list[Match]:
    """Every term at every place."""

    def low(part: str) -> str:
        return "".join(c.lower() if len(c.lower()) == 1 else c for c in part)

    def spelt(character: str) -> bool:
        return View([character]).kinds[0] in (LETTER, DIGIT)

    found = []
    for term, kind in terms.items():
        for start in range(len(text) - len(term) + 1):
            end = start + len(term)
            if low(text[start:end]) != low(term):
                continue
            before = start > 0 and spelt(text[start - 1]) and spelt(term[0])
            behind = end < len(text) and spelt(text[end]) and spelt(term[-1])
            if not before and not behind:
                found.append(Match(start, end, term, kind))
    return sorted(found)


letters = st.text("aAbß1-_ 赌场İΣσカ", max_size=4)
TERMS = st.dictionaries(letters.map(str.strip).filter(bool), st.sampled_from(CLASSES), max_size=6)


@given(TERMS, st.text("aAbß1-_ 赌场İΣσカ\n", max_size=30))
def test_a_bank_finds_what_trying_each_term_everywhere_finds(terms: dict[str, str], text: str):
    unlike = {term.lower(): term for term in terms}
    terms = {term: terms[term] for term in unlike.values()}
    assert KeywordBank(terms.items()).find(text) == brute(terms, text)


def test_words_are_whole_and_han_is_found_anywhere(tmp_path: Path):
    path = tmp_path / "bank.txt"
    path.write_text("\ufeff# a note\n\nass\nfree money\tspam\n代开发票\tspam\r\nＱＱ群\n", encoding="utf-8")
    bank = KeywordBank.read(str(path))
    assert len(bank) == 4
    assert [(one.term, one.kind) for one in bank.find("Class assets, Ass! FREE MONEY; free moneys")] == [
        ("ass", "keyword"),
        ("free money", "spam"),
    ]
    assert bank.find("专业代开发票加ass群") == [Match(2, 6, "代开发票", "spam"), Match(7, 10, "ass", "keyword")]
    assert bank.find("") == []


def test_a_hundred_thousand_terms(tmp_path: Path):
    terms = [f"word{i}x" for i in range(60_000)] + [
        f"词{chr(0x4E00 + i % 20000)}{chr(0x4E00 + i // 7)}" for i in range(60_000)
    ]
    path = tmp_path / "large.txt"
    path.write_text("\n".join(f"{term}\tspam" for term in dict.fromkeys(terms)), encoding="utf-8")
    bank = KeywordBank.read(path)
    assert len(bank) >= 100_000
    text = f"see {terms[41_234].upper()} and not {terms[7]}y, 这里{terms[-1]}那里"
    assert [one.term for one in bank.find(text)] == [terms[41_234], terms[-1]]
    assert bank.find("plain words, 平常的话。" * 1000) == []


@pytest.mark.parametrize(
    "content, message",
    [
        (b"good\n\xff\xfe bad\n", r"bank\.txt, line 2: not UTF-8 .*save"),
        (b"one\ttwo\tthree\n", r"bank\.txt, line 1: 2 tabs; write"),
        (b"# note\n\tspam\n", r"bank\.txt, line 2: nothing before the tab"),
        (b"term\t\n", r"bank\.txt, line 1: nothing behind the tab"),
        (b"a\x00b\n", r"bank\.txt, line 1: .*take it out"),
        (b"Term\tspam\nterm\thate\n", r"bank\.txt, line 2: 'term' is 'hate' here and 'spam' in line 1; keep one"),
        (b"# nothing\n\n", r"bank\.txt: no terms; write one a line"),
    ],
)
def test_a_bad_bank_names_the_line_and_the_mend(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "bank.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        KeywordBank.read(tmp_path / "bank.txt")


def test_a_bank_that_is_not_there(tmp_path: Path):
    with pytest.raises(DataError, match=r"absent\.txt.*name a text file"):
        KeywordBank.read(tmp_path / "absent.txt")
