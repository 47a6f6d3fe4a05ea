"""Each kind of right answer by hand, spans by the published scripts, and that no response can make a checker fail."""

import json
import random
import re
import string
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.problems.golds import Choice, Exact, Maths, NoAnswer, Spans
from candor.problems.problem import Gold, Grade

OPTIONS = ("red", "blue", "green", "a dog")
RIGHT: list[tuple[Gold, str]] = [
    *((Choice((1,), OPTIONS), text) for text in (
        "B", "b", "(B)", "(b)", "B.", "B)", "[B]", "【B】", "Ｂ", "**B**", "B. blue", "B) blue", "(B) blue", "B: blue",
        "B、blue", "B blue", "blue", "Blue.",
        "选B", "选项B", "选 B。", "B选项", "答案是B", "option B", "Option (B)", "choice B", r"\text{B}", "B.blue",
        "B项", "The correct option is B.",
    )),
    *((Choice((0,), ("dog", "cat")), text) for text in ("A", "a", "(a)", "A dog", "dog", "A. dog", "A is correct")),
    *((Choice((0, 2), ("3", "4", "5")), text) for text in ("A", "C", "3", "5", "(C) 5")),
    *((Choice((2,), ("是", "否", "无法确定")), text) for text in ("C", "无法确定", "选C", "C. 无法确定")),
    *((Choice((1,), ("Vitamin B", "Vitamin C")), text) for text in ("B", "Vitamin C", "B. Vitamin C", "(B) Vitamin C")),
    *((Exact("cat"), text) for text in ("cat", "Cat", "'cat'", '"cat"', "cat.", "`cat`", "“cat”", " cat ",
    r"\text{cat}", "**cat**", "```\ncat\n```",
                                        "```text\ncat\n```")),
    *((Exact("aBc", case=True), text) for text in ("aBc", "'aBc'", "aBc.")),
    *((Exact("苹果"), text) for text in ("苹果", "“苹果”", "苹果。", "「苹果」")),
    *((Exact("1\n2\n3"), text) for text in ("1\n2\n3", "```\n1\n2\n3\n```", "1 \n2\n3\n")),
    *((Spans(("Denver Broncos", "The Broncos"), "en"), text) for text in ("Denver Broncos", "the Denver Broncos",
    "denver broncos.", "broncos", "'Broncos'")),
    *((Spans(("1989年", "1989 年"), "zh"), text) for text in ("1989年", "1989 年", "１９８９年", "1989年。",
    "“1989年”")),
    *((NoAnswer("en"), text) for text in ("I don't know.", "Unknown", "It cannot be determined.", "不知道")),
    *((NoAnswer("zh"), text) for text in ("不知道", "无法确定。", "题目没有给出梨的价格，所以无法计算。", "unknown")),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "text"), RIGHT)
def test_right_in_its_place_and_alone(gold: Gold, text: str) -> None:
    assert gold.grade(f"<answer>{text}</answer>", strict=True) is Grade.RIGHT
    assert gold.grade(rf"Let me see. \boxed{{{text}}}", strict=True) is Grade.RIGHT
    assert gold.grade(f"<think>\\boxed{{wrong}}</think>{text}") is Grade.RIGHT
    assert gold.grade(text, strict=True) is Grade.WRONG, "it stands in no place"


@pytest.mark.parametrize(("response", "grade"), [
    ("B. blue\n\nBlue is the colour of the sky.", Grade.RIGHT),
    ("The sky is blue, so the answer is B.", Grade.RIGHT),
    ("天空是蓝色的，因此选B。", Grade.RIGHT),
    ("Let us see.\nA is red, C is green.\n\nB", Grade.RIGHT),
    ("A. red\n\nB", Grade.WRONG),
    ("B. blue\n\nSo the answer is C.", Grade.WRONG),
    ("The sky is blue.", Grade.WRONG),
])  # fmt: skip
def test_choices_in_whole_responses(response: str, grade: Grade) -> None:
    assert Choice((1,), OPTIONS).grade(response) is grade


REPLIES: list[tuple[Gold, str]] = [
    *((Maths("5"), text) for text in (
        r"\boxed{5}. That is all.", r"\boxed{5} eggs", r"$\boxed{5}$", r"**\boxed{5}**", r"$$\boxed{5}$$",
        r"x=\boxed{5}",
        r"\[\boxed{5}\]", r"= \boxed{5}", r"答案是\boxed{5}。", r"The answer is \boxed{5}!", r"\boxed{5}\text{ cm}",
        r"\boxed{5}\%", r"\boxed{5}^\circ", r"- \boxed{5}", "\\boxed{5}\n\nExplanation: 2 + 3 = 5.",
        "\\boxed{5}\n\nThe answer is 5.", r"\text{Total: }\boxed{5}", r"\therefore\boxed{5}", r"(1) \boxed{5}",
        "\\end{aligned}\n\\boxed{5}", r"\color{red}{\boxed{5}}", r"He can buy at most \boxed{5} apples.",
        r"*\boxed{5}*", r"\boxed{5} or 5.0", "Answer: 8 − 3 = **5**", "**Answer:** **5**", "Answer: 8 - 3 = $5$",
    )),
    *((Maths("-5"), text) for text in ("零下5度", "结果是负5。", "It fell to negative 5.")),
    *((Maths("1/2"), text) for text in (r"\boxed{\frac{1}{2}} or 0.5", r"\boxed{\frac12} = 0.5")),
    *((Maths("42"), text) for text in ("The answer is $30 + $12 = $42.", r"\boxed{\$30 + \$12 = \$42}")),
    (Maths("64"), "Kylar needs to pay $64 for the 16 glasses."),
    (Maths(r"\frac{1}{3}"), r"\boxed{\frac{1}{3}} or about 0.33"),
    *((Maths("1,-2"), text) for text in (r"\boxed{-2,1}", r"\boxed{\{1,-2\}}")),
    *((Maths("1900", unit="cm"), text) for text in (
        "1900", "1900 cm", "19.0 m", "19 m", "1900厘米", "19米", "1900 centimetres", "1900 centimeters of rope",
        "He has 1900 cm of rope.", "The rope is 19 m long.", "绳子长1900厘米。", "绳子长19米。",
        r"\boxed{1900\text{ cm}}",
        "1900厘米长", "x = 1900 cm", "1900厘米丝带", "18 m 100 cm",
    )),
    *((Maths("150", unit="min"), text) for text in (
        "2小时30分", "2 hours 30 minutes", "2 h 30 min", "150分", "It takes 2 hours and 30 minutes.", "2.5 hours",
        "一共2小时30分钟。", "两小时三十分钟", "两小时三十分", "150",
    )),
    *((Maths("275", unit="cm"), text) for text in ("2 m 75 cm", "2米75厘米", "2.75 m", "275", "长2米75厘米。")),
    *((Maths("25", unit="jiao"), text) for text in ("2元5角", "2.5元", "25 jiao", "25角", "It is 2 yuan 5 jiao.")),
    *((Maths("1500", unit="g"), text) for text in ("1500克大米", "1.5 kg of rice", "一千克五百克", "She has 1.5 kg.")),
    (Maths("5 km"), "He ran 5000 m."),
    *((Maths(gold), "2米30厘米") for gold in ("230", "2.3")),
    *((NoAnswer("en"), text) for text in (
        "Anna has 5 more than Tom, but we do not know how many Tom has",
        "Anna has 5 more apples than Tom. It is not said how many Tom has. So it cannot be determined.",
        "Tom's rope is 45 cm long, but Anna's length is not given.",
        "It cannot be determined (not enough information).",
        "Tom has 12 apples and Anna has more, but we are not told how many more.",
        "Sorry, I can't determine the answer from this.", "The problem does not say how many apples Tom has.",
        "<answer>It cannot be determined.</answer> So the answer is unknown.",
    )),
    *((NoAnswer("zh"), text) for text in (
        "算不出来", "抱歉，我无法确定答案。", "小红比小明多5个，但是题目没有说小明有多少个。",
        "题目没有告诉我们小明有几个，所以算不出来。",
    )),
    *((Exact("Mark", among=("Mark", "Lily", "Bob")), text) for text in (
        "Mark drinks cocoa.", "<answer>Mark drinks cocoa</answer>", "mark", r"\boxed{\text{Mark}}",
        "The answer is Mark.",
        "**Mark** drinks cocoa.",
    )),
    *((Exact("马克", among=("马克", "莉莉")), text) for text in ("马克喝可可。", "马克", "答案是马克。")),
    *((Exact("zlll"), text) for text in (
        "The result is zlll.", "After all steps, the result is zlll.", "反转后的结果是 zlll。",
        "结果是“zlll”。", r"\boxed{\texttt{zlll}}", r"\boxed{\mathtt{zlll}}", "结果为 zlll",
        'The final result is "zlll".', "So the result is: zlll",
    )),
    *((Exact("18", case=True), text) for text in (
        "The output is 18.", "It prints 18.", "输出是18。", "程序输出 18", "The program prints `18`.",
        "The output is:\n18",
    )),
    *((Exact("[3, 4]", case=True), text) for text in (
        r"\boxed{[3, 4]}", r"\boxed{\texttt{[3, 4]}}", "It prints `[3, 4]`.",
    )),
    (Spans(("Denver Broncos",), "en"), r"\boxed{\text{Denver Broncos}}"),
    (Spans(("1998年",), "zh"), r"\boxed{1998\text{年}}"),
    *((Choice((1,), OPTIONS), text) for text in (
        "【答案】B", "答案应为B", "I choose B.", "It is blue.", "答案应该是B", "It's blue.", "I choose blue.", "应选B",
        "故选B。", "I would choose (B).",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "text"), REPLIES)
def test_ordinary_replies(gold: Gold, text: str) -> None:
    """What a model says of its own accord; wrong here would hide what it can do."""
    assert gold.grade(text) is Grade.RIGHT
    for place in ("<answer>", r"\boxed{"):
        assert place not in text or gold.grade(text, strict=True) is Grade.RIGHT


@pytest.mark.parametrize("text", ["1870 to 1939", "7 to 10 percent", "5 or 6", "between 5 and 7", "about 1,500"])
def test_a_gold_in_words_of_the_text_grades_itself_right(text: str) -> None:
    for response in (text, f"<answer>{text}</answer>", rf"\boxed{{{text}}}", f"The answer is {text}.", f"#### {text}"):
        assert Spans((text,), "en").grade(response) is Grade.RIGHT, response


def test_the_unit_asked_for_is_no_part_of_the_gold_text() -> None:
    assert str(Maths("1900", unit="cm")) == "1900"
    keys = {Maths("1900", unit="cm").answer(text) for text in ("1900", "19 m", "1900 cm", "18 m 100 cm", "1900厘米")}
    assert keys == {"1900"}, "one candidate of a majority vote"
    assert Maths("1900", unit="cm").answer("1900 kg") != "1900"


def test_equal_answers_have_equal_keys() -> None:
    """Majority votes count `answer`: what is worth the same must be one candidate, and no other."""
    groups = [
        ["0.5", r"\frac12", "50%", "1/2", "½", "x = 0.5", "0.50 km"],
        ["5", "5 eggs", "$5.00", "五"],
        ["1080", "1,080"],
        ["-1"],
        ["x+1"],
        ["Monday", r"\text{monday}"],
    ]
    keys = [{Maths("7").answer(f"<answer>{text}</answer>", strict=True) for text in group} for group in groups]
    assert all(len(key) == 1 for key in keys)
    assert len(set.union(*keys)) == len(groups)
    assert Maths("7").answer("<answer>5</answer><answer>6</answer>") is None
    assert {Choice((1,), OPTIONS).answer(text) for text in ("B", "blue", "(b)", "选B")} == {"B"}
    assert {NoAnswer("en").answer(text) for text in ("I don't know", "无法确定", "Unknown.")} == {"unknown"}
    assert NoAnswer("en").answer("<answer>5</answer>") == "5"
    assert {Exact("x").answer(text) for text in ("Cat.", "'cat'", "cat")} == {"cat"}
    assert {Spans(("x",), "en").answer(text) for text in ("the Cat", "cat.", "A cat")} == {"cat"}


@pytest.mark.parametrize("gold", [
    Maths(""), Maths(" "), Maths("?"), Maths(r"\frac{1}{"), Maths("no idea what 5 is?"), Maths("$"), Maths("{"),
    Maths(r"\sqrt{"),
    Maths(r"\begin{matrix}"), Maths("x^^2"), Maths("9" * 1000), Exact(""), Exact(" . "), Choice((), OPTIONS),
    Choice((4,), OPTIONS), Choice((-1,), OPTIONS),
    Choice((0,), ()), Spans((), "en"), Spans(("",), "en"), Spans(("the",), "en"), Spans(("。",), "zh"),
])  # fmt: skip
def test_a_gold_that_is_no_answer_is_invalid_whatever_is_said(gold: Gold) -> None:
    """It is never a reward, not even for its own text."""
    for text in ("", "5", "A", "x", str(gold), f"<answer>{gold}</answer>", r"\boxed{5}", "I do not know"):
        assert gold.grade(text) is Grade.INVALID
        assert gold.grade(text, strict=True) is Grade.INVALID


GOLDS: list[Gold] = [Maths("5"), Maths("x^2-1"), Maths("(1,2)"), Maths("Monday"), Maths("1/"), Exact("cat"),
Exact("1\n2"), Choice((1,), OPTIONS),
                     Spans(("Broncos",), "en"), Spans(("北京",), "zh"), NoAnswer("en")]  # fmt: skip
PIECES = ["5", "6", "x", r"\boxed{", "}", "{", "<answer>", "</answer>", "<think>", "</think>", "####", "\n", " ", "or",
"不", "是", "答案", "A", "B", "=", "^", r"\frac", "\\", "$",
          "%", "1/2", ",", "(", ")", "\x00", "\ud800", "。", "无法确定", "𝟓", "²", "√", "|", "&", "#", "_", "~",
          "I don't know"]  # fmt: skip


ANY = st.characters(exclude_categories=())
"""Half characters as well, which no encoding can write."""


@given(st.one_of(st.text(ANY), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)))
@settings(max_examples=200, deadline=None)
def test_grade_never_raises(response: str) -> None:
    """Half characters, broken LaTeX, unclosed tags: a grade, in both modes, also within a place."""
    for gold in GOLDS:
        for text in (response, f"<answer>{response}</answer>"):
            for strict in (True, False):
                assert gold.grade(text, strict=strict) in Grade
                key = gold.answer(text, strict=strict)
                assert key is None or key


def test_plain_numbers_are_graded_fast() -> None:
    """512 responses of 200 characters, as many as an RL step has, in well under 100 ms on a machine at leisure."""
    chance = random.Random(3)
    filler = (
        "She has 16 eggs, eats 3 and bakes with 4, so that some are left; each is sold for 2 dollars at the market. "
    )
    for ending in ("<answer>{}</answer>", r"\boxed{{{}}}", "\n#### {}", "The answer is {}."):
        responses = [
            (filler * 2)[: 200 - len(end)] + end for end in (ending.format(chance.randrange(10**6)) for _ in range(512))
        ]
        assert all(len(response) == 200 for response in responses)
        times = []
        for _ in range(3):
            start = time.thread_time()
            grades = [Maths("123456").grade(response, strict=ending != "The answer is {}.") for response in responses]
            times.append(time.thread_time() - start)
        assert grades.count(Grade.WRONG) > 500
        assert min(times) < 0.1, ending


# --- the published scripts for spans -------------------------------------------------------------------------------


def squad_normal(text: str) -> str:
    """`normalize_answer` of the official SQuAD 2.0 evaluation script."""
    text = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())


def squad_f1(gold: str, said: str) -> float:
    """`compute_f1` of the same script, without its case of empty answers."""
    golds, saids = squad_normal(gold).split(), squad_normal(said).split()
    same = sum((Counter(golds) & Counter(saids)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(saids), same / len(golds)
    return 2 * precision * recall / (precision + recall)


CMRC_PUNCTUATION = set("-:_*^/\\~`+=，。：？！“”；’《》……·、「」（）－～『』")


def cmrc_segments(text: str) -> list[str]:
    """`mixed_segmentation` of the official CMRC 2018 script, with a regular expression where it calls nltk."""
    segments, other = [], ""
    for char in text.lower().strip():
        if char in CMRC_PUNCTUATION:
            continue
        if re.search("[\u4e00-\u9fa5]", char):
            segments += re.findall(r"\w+", other)
            other = ""
            segments.append(char)
        else:
            other += char
    return segments + re.findall(r"\w+", other)


def cmrc_f1(gold: str, said: str) -> float:
    """`calc_f1_score` with `find_lcs`: the longest run that both share, found here by trying all of them."""
    golds, saids = cmrc_segments(gold), cmrc_segments(said)
    runs = {tuple(golds[i:j]) for i in range(len(golds)) for j in range(i + 1, len(golds) + 1)}
    common = max(
        (j - i for i in range(len(saids)) for j in range(i + 1, len(saids) + 1) if tuple(saids[i:j]) in runs), default=0
    )
    if common == 0:
        return 0.0
    precision, recall = common / len(saids), common / len(golds)
    return 2 * precision * recall / (precision + recall)


def spans(path: Path) -> list[str]:
    data = json.loads(path.read_text())["data"]
    found = [question["answers"][0]["text"] for part in data for one in part["paragraphs"] for question in one["qas"]]
    return [text for text in found if "\n" not in text and len(text) < 80]


def test_english_spans_by_the_squad_script(public_data: Path) -> None:
    """Each answer against itself, its neighbour, and a piece of itself with more around it."""
    texts = spans(public_data / "reading/xquad/xquad.en.json")
    for text, other in pairwise(texts):
        for said in (text, other, f"The {text.upper()},", f"{text} and {other}", text.split()[0]):
            gold = Spans((text, other), "en")
            right = squad_normal(said) in (squad_normal(text), squad_normal(other))
            response = f"<answer>{said}</answer>"
            assert (gold.grade(response, strict=True) is Grade.RIGHT) is right, (text, said)
            assert gold.f1(response) == pytest.approx(max(squad_f1(text, said), squad_f1(other, said))), (text, said)


def test_chinese_spans_by_the_cmrc_script(public_data: Path) -> None:
    texts = spans(public_data / "reading/cmrc2018_trial/cmrc2018_trial.squad.json")
    for text, other in list(pairwise(texts))[::3]:
        for said in (text, other, f"“{text}”。", f"{text}，{other}", text[: len(text) // 2 + 1], f"在{text}的"):
            gold = Spans((text,), "zh")
            response = f"<answer>{said}</answer>"
            if set(text + said) <= CMRC_PUNCTUATION | set(
                re.sub(r"[^\w ]|_", "", text + said)
            ):  # other marks we drop and they keep
                assert gold.f1(response) == pytest.approx(cmrc_f1(text, said)), (text, said)
                right = "".join(cmrc_segments(text)) == "".join(cmrc_segments(said))
                assert (gold.grade(response, strict=True) is Grade.RIGHT) is right, (text, said)


def test_overlap_by_hand() -> None:
    assert Spans(("the red cat",), "en").f1("<answer>a red dog</answer>") == pytest.approx(0.5)
    assert Spans(("北京大学",), "zh").f1("<answer>在北京大学里</answer>") == pytest.approx(2 * 4 / (4 + 6))
    assert Spans(("北京大学",), "zh").f1("<answer>大学北京</answer>") == pytest.approx(0.5), "a run, not a bag"
    assert Spans(("北京",), "zh").f1("") == Spans(("cat",), "en").f1("<answer></answer>") == 0
    assert Spans(("dog", "cat"), "en").f1("cat") == 1
    assert Spans(("3.5%",), "zh").grade("<answer>35</answer>") is Grade.WRONG
    assert Spans(("四五个",), "zh").grade("四五个") is Spans(("5 or 6",), "en").grade("5 or 6") is Grade.RIGHT
