"""Instructions are checked as the published checker does, on responses made to follow them and not to.

The published checker comes with lm_eval. Two of its checks need data that is fetched from a network: sentences and
capital words go through Punkt trained on these responses (and given their abbreviations), and languages are
compared with the language that a text was written in instead.
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from candor.problems.ifeval import CHECKERS, Instructions
from candor.problems.problem import Grade
from tests.problems.published_ifeval import Followed, prose, published_checker

RELATIONS = ("less than", "at least")


def followed(name: str, response: str, *, loose: bool = False, **kwargs: Any) -> bool:
    """Whether ours says that one instruction is followed."""
    gold = Instructions.of([name], [kwargs])
    assert gold.sound, f"{name} {kwargs}"
    return gold.followed(response, loose=loose)[0]


@pytest.fixture(scope="module")
def theirs() -> Iterator[Followed]:
    """As `followed`, by the published checker."""
    with published_checker() as check:
        yield check


Make = Callable[[random.Random], str]


def pieces(chance: random.Random, *parts: str) -> str:
    """Some of the parts, with words between."""
    drawn = [chance.choice([*parts, *parts, "", prose(chance, 3)]) for _ in range(chance.randint(1, 8))]
    return chance.choice(["", " ", "\n"]).join(drawn)


def of(*parts: str) -> Make:
    return lambda chance: pieces(chance, *parts)


CASES: dict[str, list[tuple[dict[str, Any], Make]]] = {
    "keywords:existence": [({"keywords": ["cat", "Mat"]}, of("CAT", "scatter", "dogmat", "ma t"))],
    "keywords:frequency": [
        ({"keyword": "cat", "frequency": 3, "relation": relation}, of("Cat", "catcat", "ca-t"))
        for relation in RELATIONS
    ],
    "keywords:forbidden_words": [({"forbidden_words": ["cat", "old dog"]}, of("scat", "Cat!", "cats", "Old Dog", "x"))],
    "keywords:letter_frequency": [
        ({"letter": "Q", "let_frequency": 2, "let_relation": relation}, of("q", "Q", "quay", "no"))
        for relation in RELATIONS
    ],
    "length_constraints:number_sentences": [
        ({"num_sentences": 4, "relation": relation}, lambda chance: prose(chance, 20)) for relation in RELATIONS
    ],
    "length_constraints:number_paragraphs": [({"num_paragraphs": 2}, of("***", "\n***\n", " *** ", "One.", "* a"))],
    "length_constraints:number_words": [
        ({"num_words": 12, "relation": relation}, of("ice-cream", "it's", "2,000.5", "snake_case", "…"))
        for relation in RELATIONS
    ],
    "length_constraints:nth_paragraph_first_word": [
        (
            {"num_paragraphs": 2, "nth_paragraph": nth, "first_word": "Cats"},
            of("\n\n", "\n\nCats, ", "\n\n'cats' ", "Cats ", "\n", "\n\n\n"),
        )
        for nth in (1, 2)
    ],
    "detectable_content:number_placeholders": [({"num_placeholders": 2}, of("[name]", "[", "]", "[]", "[a [b] c]"))],
    "detectable_content:postscript": [
        ({"postscript_marker": marker}, of("P.S. Hello", "p. s. x", "P.P.S. I", "p.p. s", "PS", "ps:"))
        for marker in ("P.S.", "P.P.S", "ps:")
    ],
    "detectable_format:number_bullet_lists": [
        ({"num_bullets": 2}, of("\n* One", "\n- Two", "\n  * Three", "\n** no", "a - b", "\n***\n"))
    ],
    "detectable_format:constrained_response": [
        ({}, of("My answer is yes.", "my answer is no.", "My answer is maybe", "My answer is maybe."))
    ],
    "detectable_format:number_highlighted_sections": [
        ({"num_highlights": 2}, of("*one*", "**two**", "* *", "****", "*a\nb*", "***both***", "*"))
    ],
    "detectable_format:multiple_sections": [
        ({"section_spliter": "SECTION", "num_sections": 2}, of("SECTION 1", "\nSECTION2\n", "Section 3", "SECTION X"))
    ],
    "detectable_format:json_format": [
        ({}, lambda chance: chance.choice(["```json\n", "```JSON", "```", ""]) + chance.choice(
            ['{"a": [1, null]}', "{'a': 1}", "[1, 2", "5", '"text"', "", "Sure: {}", "{}"]
        ) + chance.choice(["\n```", "```", "", "\n"]))
    ],
    "detectable_format:title": [({}, of("<<Ode>>", "<< >>", "<<", ">>", "<Ode>", "<<two\nlines>>"))],
    "combination:two_responses": [({}, of("******", "One.", "Two.", "\n******\n", "*"))],
    "combination:repeat_prompt": [
        ({"prompt_to_repeat": "Write a poem. "}, of("write a poem.", "Write a poem", "Sure!"))
    ],
    "startend:end_checker": [
        ({"end_phrase": "Any other questions? "}, of("Any other questions?", '"', "any other", "."))
    ],
    "startend:quotation": [({}, of('"', "'", "Yes.", '""'))],
    "change_case:capital_word_frequency": [
        (
            {"capital_frequency": 3, "capital_relation": relation},
            of("NASA's ", "(UN) ", "U.S. troops ", "CO-OP ", "DON'T ", "A ", "iPhone ", "42 ", "AC/DC, "),
        )
        for relation in RELATIONS
    ],
    "change_case:english_capital": [({}, lambda chance: _cased(chance, str.upper))],
    "change_case:english_lowercase": [({}, lambda chance: _cased(chance, str.lower))],
    "punctuation:no_comma": [({}, of("a, b", "a; b", "1,000"))],
}  # fmt: skip


def _cased(chance: random.Random, case: Callable[[str], str]) -> str:
    """English long enough to be told, in one case or with a slip."""
    text = case(prose(chance, 25))
    return text if chance.random() < 0.5 else text + chance.choice(["X", "x", " 5", "\n*x*"])


def test_all_but_the_language_are_compared() -> None:
    assert set(CASES) | {"language:response_language"} == set(CHECKERS)


@pytest.mark.parametrize("name", CASES)
def test_as_the_published_checker(theirs: Followed, name: str) -> None:
    """Strict and loose, over 300 responses for each set of arguments; both outcomes must have been seen."""
    for kwargs, make in CASES[name]:
        seen = {True: 0, False: 0}
        for seed in range(300):
            response = make(random.Random(f"{name} {seed}"))
            for loose in (False, True):
                expected = theirs(name, response, loose=loose, **kwargs)
                seen[expected] += 1
                assert followed(name, response, loose=loose, **kwargs) == expected, (response, kwargs, loose)
        assert min(seen.values()) >= 10, seen


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three? Four...", 4),
        ("Dr. Smith met Mr. J. R. Jones at 5 p.m. on Monday. They talked.", 2),
        ("It grew 3.5 percent (e.g. in the U.S. and elsewhere). See fig. 3 for more.", 2),
        ('"Why?" she asked. "Because!" I said.', 4),  # as Punkt counts
        ("Well... maybe. No... I mean it.", 3),
        ("A title\n\nAnd a line without an end", 1),
        ("1. Buy milk.\n2. Buy bread.", 2),
        ("今天天气很好。我们去公园吧！你说呢？", 3),
        ("他说：“好！”然后走了。", 2),
        ("价格是3.5元。见example.com。", 2),
        ("", 0),
        ("...", 0),
    ],
)
def test_sentences_by_hand(text: str, count: int) -> None:
    response = text or "!"
    name = "length_constraints:number_sentences"
    assert followed(name, response, num_sentences=count, relation="at least")
    assert not followed(name, response, num_sentences=count + 1, relation="at least")
    assert followed(name, response, num_sentences=count + 1, relation="less than")


def test_sentences_with_abbreviations_as_punkt(theirs: Followed) -> None:
    chance = random.Random(0)
    parts = ["Dr. Lee", "Mr. Ho", "e.g. tea", "the U.S. team", "it costs 3.50 now", "visit example.com soon", "no. 7"]
    for _ in range(200):
        sentences = [f"We like {chance.choice(parts)} and {chance.choice(parts)}" for _ in range(chance.randint(1, 5))]
        text = " ".join(sentence + chance.choice(".!?") for sentence in sentences)
        kwargs = {"num_sentences": len(sentences), "relation": "at least"}
        more = {**kwargs, "num_sentences": len(sentences) + 1}
        for check in (followed, theirs):
            assert check("length_constraints:number_sentences", text, **kwargs), text
            assert not check("length_constraints:number_sentences", text, **more), text


LANGUAGES = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "fi": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan.",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.",
    "sw": "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "bg": "Всички хора се раждат свободни и равни по достойнство и права.",
    "ar": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
    "fa": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.",
    "ur": "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "zh": "人人生而自由，在尊严和权利上一律平等。",
}
"""The first sentence of the Universal Declaration of Human Rights."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_told_from_the_others(language: str) -> None:
    for other, text in LANGUAGES.items():
        assert followed("language:response_language", text, language=language) == (other == language), other


def test_language_and_capitals_together() -> None:
    english, german = LANGUAGES["en"], LANGUAGES["de"]
    assert followed("change_case:english_capital", english.upper())
    assert not followed("change_case:english_capital", english)
    assert not followed("change_case:english_capital", german.upper())
    assert followed("change_case:english_lowercase", english.lower())
    assert not followed("change_case:english_lowercase", german.lower())
    assert not followed("change_case:english_lowercase", LANGUAGES["zh"])
    assert followed("language:response_language", "12345", language="fr"), "nothing to tell a language by"
    assert followed("change_case:english_capital", "HELLO WORLD"), "short, and close to languages of no instruction"
    assert followed("language:response_language", LANGUAGES["zh"], language="zh-cn")


# Chinese.


@pytest.mark.parametrize(
    ("name", "kwargs", "good", "bad"),
    [
        ("keywords:existence", {"keywords": ["春天", "花"]}, "春天的花开了。", "春天来了。"),
        ("keywords:frequency", {"keyword": "花", "frequency": 2, "relation": "at least"}, "花儿，红花。", "花儿。"),
        ("keywords:forbidden_words", {"forbidden_words": ["天气"]}, "今天不错。", "今天天气不错。"),
        ("keywords:forbidden_words", {"forbidden_words": ["AI"]}, "他在OpenAIR工作。", "这是AI技术。"),
        ("keywords:letter_frequency", {"letter": "的", "let_frequency": 2, "let_relation": "at least"},
         "我的家，你的家。", "我的家。"),
        ("length_constraints:number_words", {"num_words": 7, "relation": "at least"},
         "我喜欢用GPU训练。", "我喜欢用GPU练。"),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "第一段。\n***\n第二段。", "只有一段。"),
        ("length_constraints:nth_paragraph_first_word",
         {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "周末"},
         "工作。\n\n“周末去哪儿？”", "周末。\n\n工作。"),
        ("detectable_content:number_placeholders", {"num_placeholders": 2}, "寄给[姓名]，［地址］。", "寄给[姓名]。"),
        ("detectable_content:postscript", {"postscript_marker": "附："}, "再见。\n附：带伞。", "再见。\n带伞。"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "要点：\n* 一\n* 二", "要点：\n* 一"),
        ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "这很*重要*。", "这很重要。"),
        ("detectable_format:multiple_sections", {"section_spliter": "章节", "num_sections": 2},
         "章节 1\n开头\n章节二\n结尾", "章节 1\n开头"),
        ("detectable_format:json_format", {}, '```json\n{"城市": "北京"}\n```', "城市：北京"),
        ("detectable_format:title", {}, "<<春>>\n花开了。", "《春》\n花开了。"),
        ("combination:two_responses", {}, "好的。\n******\n不行。", "好的。\n******\n好的。"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "写一首诗。"}, "写一首诗。\n春眠不觉晓", "好的。写一首诗。"),
        ("startend:end_checker", {"end_phrase": "还有问题吗？"}, "“就这样。还有问题吗？”", "还有问题吗？没有。"),
        ("startend:quotation", {}, "“春眠不觉晓。”", "春眠不觉晓。"),
        ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"},
         "使用GPU和CPU训练", "使用GPU训练"),
        ("punctuation:no_comma", {}, "红的、白的。", "红的，白的。"),
        ("language:response_language", {"language": "zh"}, "今天天气很好，我们去公园。",
         "Let us go to the park today."),
    ],
)  # fmt: skip
def test_chinese(name: str, kwargs: dict[str, Any], good: str, bad: str) -> None:
    assert followed(name, good, **kwargs)
    assert not followed(name, bad, **kwargs)


def test_curly_quotes_do_not_wrap_english(theirs: Followed) -> None:
    assert not followed("startend:quotation", "“Yes.”")
    assert not theirs("startend:quotation", "“Yes.”")


# The gold.


GOLD = Instructions.of(
    ["punctuation:no_comma", "keywords:existence", "detectable_format:title"],
    [{"keywords": None}, {"keywords": ["cat"], "num_words": None}, {}],
)


def test_right_where_all_are_followed() -> None:
    assert GOLD.kwargs == ((), (("keywords", ("cat",)),), ())
    assert hash(GOLD) == hash(Instructions(GOLD.ids, GOLD.kwargs))
    assert GOLD.grade("<<My cat>> It sleeps.") == Grade.RIGHT
    assert GOLD.grade("My cat sleeps, always.") == Grade.WRONG
    assert GOLD.followed("My cat sleeps, always.") == [False, True, False]
    assert str(GOLD) == "punctuation:no_comma(); keywords:existence(keywords=('cat',)); detectable_format:title()"


def test_loose_forgives_a_first_line_and_asterisks() -> None:
    assert GOLD.followed("Sure, here it is:\n<<My cat>>", loose=True) == [True, True, True]
    assert GOLD.followed("Sure, here it is:\n<<My cat>>") == [False, True, True]
    assert GOLD.grade("Sure, here it is:\n<<My cat>>") == Grade.WRONG
    assert followed("startend:end_checker", "**The end.**", loose=True, end_phrase="The end.")
    assert not followed("startend:end_checker", "**The end.**", end_phrase="The end.")


def test_the_reasoning_is_not_judged() -> None:
    assert GOLD.grade("<think>First, a title, then</think>\n\n<<My cat>>") == Grade.RIGHT
    assert GOLD.grade("First, a title</think><<My cat>>") == Grade.RIGHT  # the prompt may have opened it
    assert GOLD.grade("<think><<My cat>> fits") == Grade.WRONG
    assert GOLD.answer("<think>a, b</think>\n\n<<My cat>>\n") == "<<My cat>>"
    assert GOLD.answer("<think><<My cat>>") is None
    first = {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "cats"}
    assert followed("length_constraints:nth_paragraph_first_word", "<think>x</think>\n\nCats sleep.", **first)


@pytest.mark.parametrize("response", ["", " \n", "<think>", "x</think>"])
def test_nothing_follows_nothing(response: str) -> None:
    """No comma is in an empty response, yet it is no answer."""
    assert Instructions.of(["punctuation:no_comma"], [{}]).grade(response) == Grade.WRONG
    assert not followed("punctuation:no_comma", response, loose=True)


@pytest.mark.parametrize(
    ("ids", "kwargs"),
    [
        (["keywords:unheard_of"], [{}]),
        (["punctuation:no_comma", "keywords:unheard_of"], [{}, {}]),
        ([], []),
        (["punctuation:no_comma"], []),
        (["punctuation:no_comma"], [{"comma": "，"}]),
        (["keywords:existence"], [{}]),
        (["keywords:existence"], [{"keywords": []}]),
        (["keywords:existence"], [{"keywords": [" "]}]),
        (["keywords:existence"], [{"keywords": "cat"}]),
        (["length_constraints:number_words"], [{"num_words": 5, "relation": "exactly"}]),
        (["length_constraints:number_words"], [{"num_words": "5", "relation": "at least"}]),
        (["keywords:letter_frequency"], [{"letter": "", "let_frequency": 2, "let_relation": "less than"}]),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_is_invalid(ids: list[str], kwargs: list[dict[str, Any]]) -> None:
    """Else a broken row would be a reward for every answer, or for none."""
    gold = Instructions.of(ids, kwargs)
    assert gold.grade("A cat.") == Grade.INVALID
    assert gold.followed("A cat.") == [False] * len(ids)


@pytest.mark.parametrize(
    "response",
    [
        "." * 20_000,
        "?!" * 10_000,
        "*" * 20_000,
        "[" * 20_000,
        "<<" * 10_000,
        "A-" * 10_000,
        "a. " * 7_000,
        "\n" * 20_000,
    ],
)
def test_degenerate_responses_take_no_time(response: str) -> None:
    """Models repeat themselves; a regular expression that backtracks would stop the training."""
    arguments: dict[str, dict[str, Any]] = {name: cases[0][0] for name, cases in CASES.items()}
    gold = Instructions.of(list(arguments), list(arguments.values()))
    start = time.process_time()
    assert len(gold.followed(response + "x", loose=True)) == 24
    assert time.process_time() - start < 3
