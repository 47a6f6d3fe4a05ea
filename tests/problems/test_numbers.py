"""Numbers read back from writers that were written for the test: printf, Chinese numerals, English number words."""

import random
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.problems.numbers import figures, number, plain, quantity
from candor.problems.units import measure, ratio, unit

DIGITS = "零一二三四五六七八九"
FORMAL = str.maketrans("一二三四五六七八九十百千", "壹贰叁肆伍陆柒捌玖拾佰仟")
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def chinese(value: int) -> str:
    """As it is read aloud: group by group of four, 零 for a gap, 十 without 一 in front."""
    for size, name in ((10**8, "亿"), (10**4, "万")):
        if value >= size:
            high, low = divmod(value, size)
            gap = "零" if 0 < low < size // 10 else ""
            return chinese(high) + name + gap + (chinese(low) if low else "")
    text, zero = "", False
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // size % 10
        if digit:
            text += ("零" if zero and text else "") + DIGITS[digit] + name
        zero = not digit
    return text.removeprefix("一") if text.startswith("一十") else text or "零"


def english(value: int) -> str:
    for size, name in ((10**6, "million"), (10**3, "thousand"), (100, "hundred")):
        if value >= size:
            high, low = divmod(value, size)
            return f"{english(high)} {name}" + (f" {'and ' if size == 100 else ''}{english(low)}" if low else "")
    if value < 20:
        return ONES[value]
    return TENS[value // 10] + (f"-{ONES[value % 10]}" if value % 10 else "")


def test_the_writers_by_hand() -> None:
    assert [chinese(value) for value in (0, 10, 15, 105, 1005, 20300, 100000001)] == [
        "零", "十", "十五", "一百零五", "一千零五", "二万零三百", "一亿零一",
    ]  # fmt: skip
    assert english(1_234_567) == (
        "one million two hundred and thirty-four thousand five hundred and sixty-seven"
    )  # fmt: skip


@pytest.mark.parametrize("start", range(0, 10000, 2500))
def test_every_number_below_ten_thousand(start: int) -> None:
    for value in range(start, start + 2500):
        text = chinese(value)
        assert number(text) == value, text
        assert number(text.translate(FORMAL)) == value, text
        assert number(text.replace("零", "〇") + "元") == value, text
        assert number(english(value)) == value, english(value)
        assert number(f"{value:,}") == number(f"{value:,} eggs") == number(f"{value}个") == value
        assert number(f"负{text}") == number(f"minus {english(value)}") == -value


def test_large_numbers() -> None:
    chance = random.Random(1)
    for value in (chance.randrange(10 ** chance.randrange(4, 12)) for _ in range(3000)):
        assert number(chinese(value)) == value, chinese(value)
        assert number(f"{value:,}") == number(f"{value:,}".replace(",", " ")) == number(str(value)) == value
        assert number(f"{value:,}".replace(",", "，")) == number(f"{value:,}".replace(",", "{,}")) == value
        if value < 10**9:
            assert number(english(value)) == value, english(value)
        assert number(f"{value}万") == number(f"{value} 万元") == value * 10**4
        assert number(f"{value / 100:.2f}亿") == Fraction(f"{value / 100:.2f}") * 10**8


def test_colloquial_chinese() -> None:
    """A lone digit behind a unit counts the next lower unit; 千 before a unit of measure belongs to it."""
    cases = {
        "三百二": 320,
        "两千五": 2500,
        "两万三": 23000,
        "一亿二": 120_000_000,
        "一千二百三": 1230,
        "两百零五": 205,
        "二〇二四": 2024,
    }
    cases |= {
        "两千克": 2,
        "五千米": 5,
        "一百千克": 100,
        "三千克": 3,
        "三千人": 3000,
        "3万5千": 35000,
        "1亿2000万": 120_000_000,
    }
    for text, value in cases.items():
        assert number(text) == value, text
    for text in (
        "十百",
        "百千",
        "三百百",
        "二万三万",
        "一二十",
        "3万5",
        "点五",
        "零零十",
        "一起",
        "一定",
        "一样",
    ):
        assert number(text) is None, text


@given(st.integers(-(10**30), 10**30), st.integers(0, 12))
def test_decimals_are_exact(value: int, places: int) -> None:
    """No float takes part: 0.1 + 0.2 and thirty digits stay what they are."""
    digits = str(abs(value)).zfill(places + 1)
    text = "-" * (value < 0) + digits[: len(digits) - places] + ("." + digits[-places:] if places else "")
    assert number(text) == Fraction(value, 10**places)
    assert number(text.replace("-", "−")) == Fraction(value, 10**places)
    assert number(f"{value}e-{places}") == number(rf"{value} \times 10^{{-{places}}}") == Fraction(value, 10**places)
    assert number(f"{text}%") == number(rf"{text}\%") == Fraction(value, 100 * 10**places)


@given(st.integers(1, 999), st.integers(2, 999), st.integers(1, 99))
def test_fractions(over: int, under: int, whole: int) -> None:
    value = Fraction(over, under)
    for text in (
        f"{over}/{under}",
        rf"\frac{{{over}}}{{{under}}}",
        rf"\dfrac {{{over}}} {{{under}}}",
        f"{over} / {under}",
    ):
        assert number(text) == (None if over % under == 0 else value), "an even division is a sum still to be done"
        assert number(f"-{text}") == (None if over % under == 0 else -value)
    assert number(f"{under}分之{over}") == number(f"{chinese(under)}分之{chinese(over)}") == value
    if over < under:
        assert number(f"{whole} {over}/{under}") == number(rf"{whole}\frac{{{over}}}{{{under}}}") == whole + value
        assert number(f"{chinese(whole)}又{chinese(under)}分之{chinese(over)}") == whole + value
    else:
        assert number(f"{whole} {over}/{under}") is None


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """An exception here would end a training run."""
    for one in (text, f"5{text}", f"{text}5", rf"\frac{{{text}}}{{2}}", f"三{text}", f"five {text}", f"$5 {text}"):
        found = quantity(one)
        assert found is None or isinstance(found.value, Fraction)
        list(figures(plain(one)))


@given(st.text(alphabet="0123456789.,/ -+$%eE×十百千万点三分之又\\{}", max_size=12))
def test_what_looks_like_a_number_is_one_or_none(text: str) -> None:
    """If several ASCII numbers stand apart, there is no one number."""
    found = quantity(text)
    assert found is None or abs(found.value) < 10**120


def test_nothing_huge_is_computed() -> None:
    start = time.process_time()
    for text in (
        "1e999999999",
        "10^999999",
        r"1 \times 10^{99999999}",
        "9" * 100_000,
        "1e-999999999",
        "万" * 1000,
        "1" + ",000" * 5000,
        "1e101",
    ):
        assert number(text) is None, text[:20]
    assert number("1e100") == 10**100
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("text", "value", "percent", "name"),
    [
        ("18 duck eggs", 18, False, "duck eggs"), ("$5", 5, False, "$"), ("5 dollars", 5, False, "dollars"), ("￥5", 5,
        False, "元"),
        ("20%", 20, True, ""), ("百分之二十", 20, True, ""), ("20% of them", 20, True, "of them"), ("3.5 kg",
        Fraction(7, 2), False, "kg"),
        ("60 km/h", 60, False, "km/h"), ("30°", 30, False, "°"), ("12 cm²", 12, False, "cm^2"), ("6种不同的方法", 6,
        False, "种不同的方法"),
        ("$1.5 million", 1_500_000, False, "$"), ("5 times", 5, False, "times"), ("8 more apples", 8, False,
        "more apples"),
    ],
)  # fmt: skip
def test_percent_and_units_travel_along(text: str, value: int, percent: bool, name: str) -> None:
    found = quantity(text)
    assert found is not None
    assert (found.value, found.percent, found.unit) == (value, percent, name)


@pytest.mark.parametrize("text", [
    "5 or so", "5 is wrong", "5 to", "5 not", "5 squared", "5 cubed", "5 halves", "5 hundredths", "5 mil", "5 k", "5k",
    "5x", "5 x", "5th", "5!",
    "5 and a half", "5 (or 6)", "5 but maybe more", "5的平方", "5多个", "5左右", "5以上", "5个半", "5不对", "5来个",
    "5 apples for each of the seven children",
    "5 for the first and more for the second", "$5 km", "5 €€", "5 $ 6", "5%5", "5 percent 6", "(5", "[5]", "5]", "|5|",
    "5;6", "5..", "5..6", "V", "½½",
])  # fmt: skip
def test_words_that_change_the_number(text: str) -> None:
    assert quantity(text) is None


def test_units_convert() -> None:
    """By the definitions of the units."""
    pairs = {("km", "m"): 1000, ("cm", "米"): Fraction(1, 100), ("kg", "克"): 1000, ("hours", "min"): 60, ("dollars",
    "cents"): 100, ("元", "角"): 10,
             ("m^2", "cm^2"): 10**4, ("平方米", "square cm"): 10**4, ("km/h", "m/s"): Fraction(5, 18), ("千米/时",
             "km per hour"): 1, ("L", "毫升"): 1000,
             ("centimeters", "厘米"): 1, ("feet", "inches"): 12, ("weeks", "天"): 7, ("度", r"degrees"): 1, ("立方米",
             "dm^3"): 1000}  # fmt: skip
    for (this, that), factor in pairs.items():
        assert ratio(this, that) == factor, (this, that)
        assert ratio(that, this) == 1 / Fraction(factor)
    for this, that in (
        ("km", "kg"),
        ("m", "m^2"),
        ("$", "元"),
        ("m/s", "m"),
        ("apples", "pears"),
        ("cm", "apples"),
        ("个苹果", "个梨"),
        ("day", "h"),
    ):
        assert ratio(this, that) is None, (this, that)
    assert ratio("", "km") == ratio("eggs", "") == ratio("eggs", "duck eggs") == ratio("个", "个苹果") == 1
    assert measure("apples") is None
    assert unit("5") is None


def test_figures_of_running_text() -> None:
    """Names, list marks, indices and times hold digits and no number."""
    text = "1. In B4 and x_1, the 2nd of 1,234 eggs (3.5 kg, 20%) at 12:30 cost $5.50; "
    text = plain(text + "3/4 left, 1 1/2 more, 10-7=3, -2°, v1.2.3.")
    assert [str(what.amount) for *_, what in figures(text)] == [
        "1234",
        "7/2",
        "1/5",
        "11/2",
        "3/4",
        "3/2",
        "10",
        "7",
        "3",
        "-2",
    ]
