"""The checker by a table: what has to count as right and what as wrong.

A false "right" poisons training, a false "wrong" hides what a model can do. Each verdict here was written down by hand
or follows from arithmetic on the gold number; none comes from the checker. Where math-verify is exact, it is asked too.
"""

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest
from math_verify import parse, verify

from candor.problems.golds import Maths
from candor.problems.problem import Grade

PLACES = [
    "<answer>{}</answer>",
    r"\boxed{{{}}}",
    "#### {}",
    "<think>Perhaps 3? Or 41? The answer is 99.</think>\n<answer>{}</answer>",
    "She sells the rest, 7 of them.\n\n<answer>\n{}\n</answer>",
    "先算一共有多少，再减去 2 个。所以\n\\boxed{{{}}}",
    r"<answer>\boxed{{{}}}</answer>",
    "<think>\\boxed{{12345}}</think>It follows that $\\boxed{{{}}}$.",
]
"""Where an answer counts in any mode."""

SAYINGS = [
    "The answer is {}.",
    "So there are 7 of the one and 3 of the other.\nThe final answer is: {}",
    "**Answer:** {}",
    "答案是{}。",
    "先求 7 和 3 的和，\n答案：{}",
    "所以答案为{}",
    "{}",
]
"""Where it also counts when the mode is not strict."""

NUMBERS = {
    "18": (
        [
            "18", "18.0", "18.00", "+18", "１８", "18 eggs", "$18", "18 dollars", "18元", "￥18", "18 个", "18个鸡蛋",
            "十八", "拾捌",
            "eighteen", "Eighteen eggs", r"18\text{ eggs}", "x = 18", "9 * 2 = 18", "16 - 3 + 5 = 18", "**18**", "018",
            "18 km",
            r"\$18", "US$18", "18（元）", "一共18个", "$18$", r"\text{18}",
        ],
        ["17", "19", "180", "1.8", "-18", "8", "1", "81", "118", "18.01", "1/8", "8/1", "eighty", "八十", "二十",
        "18 17", "1,8"],
    ),
    "1,080": (
        [
            "1080", "1,080", "1，080", "1 080", r"1{,}080", r"1\,080", "１０８０", "1080.0", "$1,080",
            "1,080.00 dollars", "1.08e3",
            r"1.08 \times 10^3", "1.08×10³", "一千零八十", "壹仟零捌拾", "one thousand and eighty", "1080元",
            "1,080 km", "0.108万",
        ],
        ["1,08", "108", "10,80", "1.080", "1.08", "1081", "1079", "10800", "1, 080", "1;080", "1.08e4", "一千八",
        "一千八十万", "80"],
    ),
    "-5": (
        ["-5", "−5", "－5", "- 5", "-5.0", "负五", "minus five", "negative 5", "-$5", "$-5", "-5 degrees", r"-5^\circ",
        "零下5 = -5"],
        ["5", "+5", "--5", "5-", "-4", "-50", "-0.5", "五", "0-5", "±5"],
    ),
    "0": (["0", "0.0", "zero", "零", "〇", "0 eggs", "-0", "$0", "0元", "0%", "x=0"], ["1", "10", "O", "o", "none",
    "-1", "0.1", "00:00"]),
    "0.5": (
        [
            "0.5", ".5", "0.50", "1/2", "½", r"\frac{1}{2}", r"\dfrac12", r"\frac 1 2", "50%", r"50\%", "５０％",
            "50 percent", "二分之一",
            "百分之五十", "零点五", "one half", "2/4", "5e-1", r"5 \times 10^{-1}", "0.5 km", "0.5千克", "x = 0.5",
        ],
        ["0.05", "5", "0.5%", "0.51", "0.49", "1/3", "2/1", "500%", "-0.5", "0,5", "1/2/3", "0.5.0", "1:2:3", ".05"],
    ),
    "3/4": (
        [
            "3/4", "3 / 4", r"\frac{3}{4}", r"\dfrac{3}{4}", r"\tfrac34", "¾", "0.75", "75%", "四分之三", "4分之3",
            "6/8",
            "three quarters", "three fourths", "３/４", "$\\frac{3}{4}$", r"\left(\frac{3}{4}\right) = \frac{3}{4}",
        ],
        ["4/3", "3", "4", "34", "3.4", "0.34", "3/40", "3/4/1", "-3/4", "75", "0.75%", "3-4", "三分之四", "1 3/4",
        r"\frac{3}{4}4"],
    ),
    "7/4": (
        ["7/4", "1 3/4", r"1\frac{3}{4}", "1¾", "1.75", "175%", "一又四分之三", "1又3/4", r"\frac{7}{4}", "1 3/4 cups"],
        ["1/34", "13/4", "3/4", "1.34", "1 4/3", "1 - 3/4", "1, 3/4", "4/7"],
    ),
    "1/3": (
        ["1/3", r"\frac13", "三分之一", "⅓", "2/6", "one third", "one-third", r"0.\overline{3}", r"p = \frac{1}{3}"],
        ["0.3", "0.33", "0.333", "0.3333333333", "33%", "33.33%", "3", "1/30", "3/1", "33.3333333333%",
        r"0.\overline{33}4"],
    ),
    "12%": (
        ["12%", "12 %", r"12\%", "１２％", "12 percent", "百分之十二", "百分之12", "12", "0.12", "3/25", "12.0%",
        "12个百分点"],
        ["12.5%", "1.2%", "0.12%", "1.2", "1200", "1200%", "12%%", "-12%", "120%", "百分之二十"],
    ),
    "20000": (
        ["20000", "20,000", "2万", "两万", "二万", "2万元", "2 万", "2e4", r"2\times10^4", "20 thousand",
        "twenty thousand", "贰万", "20 000"],
        ["2", "2千", "20", "2 000", "20,00", "200000", "两千", "2万5千", "20万", "two thousand", "二", "2万亿"],
    ),
    "321": (
        ["321", "三百二十一", "叁佰贰拾壹", "three hundred and twenty-one", "three hundred twenty one", "３２１",
        "321名学生", "321."],
        ["三百二十", "三二", "123", "三百零二十一一", "3 2 1", "3,21", "3,2,1", "three two one", "300", "21", "321321"],
    ),
    "2.5": (["2.5", "2½", "5/2", "两点五", "二点五", "2.50元", "250%", r"2\frac12", "2.5 hours", "2.5小时"], ["25", "2",
    "5", "2,5", "2.5.1", "2:5", "2-5"]),
    "5 km": (
        ["5 km", "5", "5km", "5 kilometers", "5千米", "5公里", "5000 m", "5000米", r"5\text{ km}", r"5 \mathrm{km}",
        "五千米"],
        ["5 m", "5 cm", "5 kg", "50 km", "0.5 km", "5 miles", "5 km/h", "5 km^2", "5元", "500 m"],
    ),
    "12 cm^2": (
        ["12 cm^2", "12", r"12\text{ cm}^2", "12 cm²", "12平方厘米", "12 square centimeters", "0.0012 m^2",
        "12 square cm"],
        ["12 cm", "12 m^2", "12厘米", "12 cm^3", "120 mm^2"],
    ),
    "60": (["60 km/h", "60千米/时", "60 miles per hour", "60°", r"60^\circ", "60 degrees", "60 次", "六十"],
    ["60 to 70", "6", "600", "60-70", "60~70"]),
    "1000000": (
        ["1000000", "1,000,000", "1 million", "one million", "100万", "一百万", "1e6", r"10 \times 10^5", "$1 million",
        "100万元"],
        ["1", "1 billion", "100", "10万", "一百", "1e7", "1,000,00", "million"],
    ),
}  # fmt: skip
"""Gold number: writings that are right, and ones that are wrong."""

EXPRESSIONS = {
    r"\frac{\sqrt{2}}{2}": (
        [r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", r"\sqrt{2}/2", r"\dfrac{\sqrt2}{2}", "sqrt(2)/2", "√2/2",
        r"x = \frac{\sqrt{2}}{2}"],
        [r"\sqrt{2}", "0.7071", "0.707107", r"\frac{\sqrt{3}}{2}", "1/2", r"\frac{2}{\sqrt{2}}",
        r"-\frac{\sqrt{2}}{2}"],
    ),
    r"2\sqrt{3}": ([r"2\sqrt{3}", r"\sqrt{12}", r"2 \cdot \sqrt 3", "2sqrt(3)", "2*sqrt(3)"], [r"3\sqrt{2}", "2", "12",
    r"\sqrt{13}", "3.4641", r"2\sqrt[3]{3}"]),
    r"2\pi": ([r"2\pi", "2π", "2*pi", r"\pi\cdot 2", r"2\pi\text{ cm}"], ["2", r"\pi", "6.28", "6.283185307", r"\pi^2",
    r"2+\pi"]),
    "x^2-1": (
        ["x^2-1", "(x-1)(x+1)", "(x+1)(x-1)", "-1+x^2", "x**2 - 1", "x^{2} - 1", "(x-1)*(x+1)", "y = x^2-1",
        "x²-1".replace("²", "^2")],
        ["x^2+1", "x^2", "x-1", "(x-1)^2", "x^3-1", "x^2-1.0001", "y^2-1", "0", "1", "x^2-2", "x(x-1)"],
    ),
    "(x+1)^2": (["(x+1)^2", "x^2+2x+1", "(1+x)^2", "(x+1)(x+1)", "1+2x+x^2"], ["x^2+2x+2", "x^2+1", "x+1", "(x-1)^2",
    "x^2+2x"]),
    "x^{10}": (["x^{10}", "x^10", r"x^5 \cdot x^5"], ["x^1", "10x", "x^9", "0", "x^{100}"]),
    r"\frac{x+1}{2}": ([r"\frac{x+1}{2}", "(x+1)/2", r"\frac{1}{2}x+\frac12", "0.5x+0.5", "0.5(x+1)"], ["x+1/2",
    r"\frac{x}{2}", r"\frac{x+1}{3}", "0.5x"]),
    "(3,4)": (["(3,4)", "(3, 4)", r"\left(3,4\right)", "(3.0,4)", "$(3,4)$", "（3，4）"], ["(4,3)", "[3,4]", "(3,4]",
    "3", "7", "(3,4,5)", "34", r"\{3,4\}"]),
    "[1,2)": (["[1,2)", "[1, 2)", r"\left[1,2\right)", r"1 \le x < 2"], ["(1,2)", "[1,2]", "(1,2]", "[1,3)", "1",
    "1.5"]),
    r"(-\infty, 3)": ([r"(-\infty, 3)", r"(-\infty,3)", "x < 3", "(-∞, 3)", "(-inf, 3)"], [r"(-\infty, 3]",
    r"(3, \infty)", "x > 3", "3", r"x \le 3"]),
    r"\{1,2\}": ([r"\{1,2\}", r"\{2,1\}", "1,2", "2, 1", "1 and 2", r"x=1 \text{ or } x=2"], [r"\{1,3\}", "1", "2",
    "1,2,3", "3", "(1,2)", r"\{1\}"]),
    "-1, 1": (["-1, 1", "1, -1", r"\pm 1", "±1", "-1 and 1"], ["1", "-1", "1, 1", "-1, 0, 1", "0"]),
    r"\begin{pmatrix}1&2\\3&4\end{pmatrix}": (
        [r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}"],
        [r"\begin{pmatrix}1&2\\3&5\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}", "1", "10"],
    ),
    "x=5": (["x=5", "5", "x = 5", "$x=5$", "5.0", "10/2 = 5"], ["y=5", "x=6", "6", "x", "5x", "x+5", "x=5y",
    "x=5, y=6"]),
    "y=2x+1": (["y=2x+1", "2x+1", "y = 1 + 2x", "y=2(x+0.5)"], ["y=2x", "y=x+1", "2x-1", "1", "z=3x"]),
    "x^2+y^2=4": (["x^2+y^2=4", "y^2+x^2=4", "x^2+y^2-4=0", "4 = x^2+y^2"], ["x^2+y^2=2", "x^2-y^2=4", "4", "x^2+y^2"]),
    r"\text{Monday}": ([r"\text{Monday}", "Monday", "monday", r"\textbf{Monday}", "Monday."], ["Tuesday", "Mon", "1",
    "Monday or Tuesday", "not Monday"]),
    r"\text{(B)}": (["(B)", "B", r"\text{(B)}", r"\text{B}"], ["A", "(A)", "b", "AB", "(A) or (B)", "8"]),
    "101_2": (["101_2", "101_{2}"], ["101_3", "101", "5", "1012", "110_2"]),
    "3+4i": (["3+4i", "4i+3", "3 + 4i"], ["3-4i", "7", "4+3i", "3+4", "5"]),
    r"\frac{3}{4}x": ([r"\frac{3}{4}x", r"\frac{3x}{4}", "0.75x", "3x/4"], ["3/4", "4x/3", "0.75", "0.7500001x"]),
    "2^{10}": (["1024", "2^{10}", "2^10"], ["1023", "20", "210", "10^2"]),
    "3:4": (["3:4", "3 : 4", "3：4"], ["4:3", "34", "7", "3:40"]),
    r"8\pi\text{ cm}^2": (
        [r"8\pi\text{ cm}^2", r"8\pi", "8π 平方厘米", "8π cm^2", r"8\pi \text{ square cm}"],
        [r"8\pi\text{ cm}", r"8\pi\text{ m}^2", "8", "8 cm^2", "8π 厘米"],
    ),
    r"\sqrt{2}": (
        [r"\sqrt{2}", r"x = \sqrt{2}", r"\sqrt{8} - \sqrt{2}", "√2", r"\sqrt{2} km"],
        [r"2 = \sqrt{2}", r"\sqrt{2} = 2", r"\sqrt{2} \approx 1.414", r"\sqrt{2}x/x", r"\sqrt{2}\cdot\frac{0}{0}",
        "1.4142135623730951"],
    ),
    "[2, 5]": (["[2, 5]", "[2,5]", r"2 \le x \le 5", r"x \in [2, 5]", "2 <= x <= 5"], ["(2,5)", "2,5", r"2 < x < 5",
    r"\{2,5\}", "2"]),
    r"\frac{3 \pm \sqrt{5}}{2}": (
        [r"\frac{3 \pm \sqrt{5}}{2}", r"\frac{3+\sqrt5}{2}, \frac{3-\sqrt5}{2}", r"x = \frac{3 \pm \sqrt{5}}{2}"],
        [r"\frac{3+\sqrt5}{2}", r"\frac{3-\sqrt5}{2}", r"\frac{3 \pm \sqrt{5}}{3}", "3/2"],
    ),
    "no": (["no", "No", "No."], ["yes", "none", "not", "on", "yes or no"]),
    r"\ln 2": ([r"\ln 2", r"\ln(2)", "ln 2", "ln(2)"], [r"\ln 3", "2", "0.693", r"\log_{10} 2"]),
    r"45^\circ": ([r"45^\circ", "45", "45°", "45 degrees", r"45^{\circ}", "45度"], [r"54^\circ", "45 cm", "4.5",
    r"\frac{\pi}{3}"]),
}  # fmt: skip
"""Gold expression, as in MATH: answers that are right, and ones that are wrong."""


def verdicts(table: dict[str, tuple[list[str], list[str]]]) -> list[tuple[str, str, Grade]]:
    grades = (Grade.RIGHT, Grade.WRONG)
    return [
        (gold, text, grade)
        for gold, both in table.items()
        for texts, grade in zip(both, grades, strict=True)
        for text in texts
    ]


def short(value: object) -> str:
    """An id for pytest, which shall not be as long as the longest response."""
    return ascii(value)[:50]


@pytest.mark.parametrize(("gold", "text", "grade"), verdicts(NUMBERS), ids=short)
def test_numbers(gold: str, text: str, grade: Grade) -> None:
    """Each writing in each place, in both modes; in a sentence it never counts where the mode is strict."""
    for place in PLACES:
        for strict in (True, False):
            assert Maths(gold).grade(place.format(text), strict=strict) is grade, (place, strict)
    for saying in SAYINGS:
        assert Maths(gold).grade(saying.format(text), strict=True) is Grade.WRONG, saying
        assert Maths(gold).grade(saying.format(text)) is grade, saying


@pytest.mark.parametrize(("gold", "text", "grade"), verdicts(EXPRESSIONS), ids=short)
def test_expressions(gold: str, text: str, grade: Grade) -> None:
    for place in PLACES[:3]:
        assert Maths(gold).grade(place.format(text), strict=True) is grade, place
    assert Maths(gold).grade(SAYINGS[0].format(text)) is grade


def test_the_table_is_large() -> None:
    """Cases that fell out by an edit would weaken the test without a sign."""
    assert len(list(verdicts(NUMBERS))) + len(list(verdicts(EXPRESSIONS))) >= 500


# --- gold answers of public sets -----------------------------------------------------------------------------------


def check(text: str, right: list[str], wrong: list[str]) -> None:
    """The gold text itself and its other writings are right, wrong ones wrong, in both modes."""
    for answer, grade in (
        [(text, Grade.RIGHT)] + [(one, Grade.RIGHT) for one in right] + [(one, Grade.WRONG) for one in wrong]
    ):
        assert Maths(text).grade(f"So 2 of 3.\n#### {answer}", strict=True) is grade, (text, answer)
        assert Maths(text).grade(f"<answer>{answer}</answer>", strict=True) is grade, (text, answer)
        assert Maths(text).grade(f"所以一共是这么多。答案是{answer}。") is grade, (text, answer)


def wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) for char in text)


def whole(text: str) -> tuple[list[str], list[str]]:
    value = int(text.replace(",", ""))
    right = [
        str(value),
        f"{value:,}",
        f"{value}.0",
        f"{value}元",
        wide(str(value)),
        rf"\text{{{value}}}",
        f"x = {value}",
    ]
    return right, [
        str(value + 1),
        f"{value - 1:,}",
        f"{value}.1",
        f"{value}1",
        f"{value} or {value + 1}",
        f"-{value}1",
        f"{value}/7",
    ]


def test_gsm8k(public_data: Path) -> None:
    rows = [json.loads(line) for line in (public_data / "math/gsm8k/test.jsonl").read_text().splitlines()]
    for index, row in enumerate(rows):
        text = row["answer"].split("####")[1].strip()
        check(text, *(whole(text) if index % 4 == 0 else ([], [])))
        assert Maths(text).grade(row["answer"], strict=True) is Grade.RIGHT
    assert len(rows) == 1319


def test_cmath(public_data: Path) -> None:
    """Whole numbers, decimals, fractions and percentages."""
    rows = [json.loads(line) for line in (public_data / "math/cmath/cmath_dev.jsonl").read_text().splitlines()]
    for row in rows:
        text = row["golden"]
        if text.isdigit():
            check(text, *whole(text))
        elif text.endswith("%"):
            check(
                text,
                [text[:-1], rf"{text[:-1]}\%", f"百分之{text[:-1]}", wide(text)],
                [f"1{text}", f"{int(text[:-1]) + 1}%", f"0.{text}"],
            )
        else:
            over, under = Fraction(text).as_integer_ratio()
            right = [
                f"{over}/{under}",
                rf"\frac{{{over}}}{{{under}}}",
                f"{under}分之{over}",
                f"{text}千克",
                f"${text}$",
            ]
            check(
                text,
                right,
                [f"{over + under}/{under}", f"{under}/{over}", f"{over}", f"0.{text}%", f"-{text}", f"{over}.{under}7"],
            )
    assert len(rows) == 600


def test_svamp(public_data: Path) -> None:
    rows = json.loads((public_data / "math/svamp/SVAMP.json").read_text())
    for row in rows:
        value = Fraction(str(row["Answer"]))
        wrong = [str(value + 1), str(value - 1), f"{value}, {value + 1}"]
        check(str(row["Answer"]), [str(value)] if value.denominator == 1 else [], wrong)
    assert len(rows) == 1000


def test_plain_numbers_as_math_verify_sees_them() -> None:
    """Another program's verdict on numbers in ASCII, where its rounding to six digits decides nothing."""
    chance = random.Random(5)
    numbers = [Fraction(over, under) for over in range(-9, 30, 3) for under in (1, 2, 3, 4, 5, 8)] + [
        Fraction(12345),
        Fraction(10**6),
    ]
    alike = 0
    for _ in range(400):
        gold = chance.choice(numbers)
        value = gold if chance.random() < 0.5 else chance.choice(numbers)
        texts = [chance.choice(ascii_writings(one)) for one in (gold, value)]
        parsed = [parse(rf"\boxed{{{text}}}", parsing_timeout=None) for text in texts]
        theirs = verify(*parsed, timeout_seconds=None)
        assert theirs is (gold == value), "or math-verify is no judge here"
        alike += theirs
        assert (Maths(texts[0]).grade(rf"\boxed{{{texts[1]}}}", strict=True) is Grade.RIGHT) is theirs, texts
    assert 150 < alike < 350


def ascii_writings(value: Fraction) -> list[str]:
    if value.denominator == 1:
        return [str(value), f"{int(value):,}", f"{int(value)}.0", f"{int(value)}.00"]
    over, under = value.as_integer_ratio()
    fractions = [f"{over}/{under}", rf"\frac{{{over}}}{{{under}}}", rf"\dfrac{{{2 * over}}}{{{2 * under}}}"]
    return [*fractions, str(float(value))] if under != 3 else fractions
