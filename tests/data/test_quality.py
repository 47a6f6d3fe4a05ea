"""Every rule against a slow one written from its definition; bad text is caught for its reason, clean text passes."""

import random
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.data.quality import CHINESE, Limits, QualityConfig, judge, prose
from candor.errors import ConfigError
from candor.view import View
from tests.data.public import CLEAN, clean

STOPS = set("the be to of and that have with".split()) | set("的一是不了在有人我他这为之以而其也于者所与")
FUNCTION = set("a all an are as at by for from if in into is it not on or this using".split()) | set(
    "和或从到将把用并对及中上"
)
INF = float("inf")
ENGLISH_RANGES = {
    "words": (25, 1e6), "prose": (0.05, 1), "word_length": (3, 10), "symbols": (0, 0.1), "letters": (0.8, 1),
    "stop_words": (2, INF), "braces": (0, 0.05), "bullets": (0, 0.9), "ellipses": (0, 0.3), "sentences": (3, INF),
    "ended_lines": (0.12, 1), "short_lines": (0, 0.67), "breaks": (0, 0.3), "repeated_lines": (0, 0.3),
    "repeated_line_characters": (0, 0.2), "repeated_paragraphs": (0, 0.3), "repeated_paragraph_characters": (0, 0.2),
    "top_gram_2": (0, 0.20), "top_gram_3": (0, 0.18), "top_gram_4": (0, 0.16), "repeated_gram_5": (0, 0.15),
    "repeated_gram_6": (0, 0.14), "repeated_gram_7": (0, 0.13), "repeated_gram_8": (0, 0.12),
    "repeated_gram_9": (0, 0.11), "repeated_gram_10": (0, 0.10),
}  # fmt: skip
"""The rules in their order with the figures of Gopher (Table A1), C4 and FineWeb, and our own where they differ."""
CHINESE_RANGES = {
    **{name: limits for name, limits in ENGLISH_RANGES.items() if "gram" not in name},
    "words": (50, 1e6), "word_length": (0, 1e9), "breaks": (0, 0.2),
    "top_gram_4": (0, 0.20), "top_gram_6": (0, 0.18), "top_gram_8": (0, 0.16), "repeated_gram_10": (0, 0.15),
    "repeated_gram_12": (0, 0.14), "repeated_gram_14": (0, 0.13), "repeated_gram_16": (0, 0.12),
    "repeated_gram_18": (0, 0.11), "repeated_gram_20": (0, 0.10),
}  # fmt: skip
HAN = "[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff]"


def words_of(text: str) -> list[str]:
    return [word.lower() for word in re.findall(rf"{HAN}|(?:(?!{HAN})[^\W_])+", text)]


def before_closing(line: str) -> str:
    """A line without closing quotes and brackets, three at most, and never empty."""
    for _ in range(3):
        if len(line) > 1 and line[-1] in "\"'”’」』)）]】》>*_`":
            line = line[:-1]
    return line


def slow(text: str) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The figure of each rule for one document, in its order, and the ranges of its language."""
    words = words_of(text)
    plain = prose(text)
    chinese = len(re.findall(HAN, plain)) * 3 >= max(len(words_of(plain)), 1)
    written = max(len("".join(text.split())), 1)
    return figures(plain, words, written, chinese), CHINESE_RANGES if chinese else ENGLISH_RANGES


def figures(text: str, all_words: Sequence[str], written: int, chinese: bool) -> dict[str, float]:
    """Figures of prose that stands in a document of `all_words` and of `written` characters without spaces."""
    words = words_of(text)
    spelt = [word for word in words if not re.match(HAN, word)]
    stops = STOPS | FUNCTION if len(words) < 100 else STOPS
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    cores = [before_closing(line) for line in lines]
    ended = [core[-1] in ".!?。！？…；;:：．" for core in cores]
    short = [len(line) <= (10 if chinese else 30) and not end for line, end in zip(lines, ended, strict=True)]
    inner = [
        sum(
            line[at] in ".!?。！？…．" and at != len(core) - 1 and bool(re.match(rf"\s|{HAN}", line[at + 1]))
            for at in range(len(line) - 1)
        )
        for line, core in zip(lines, cores, strict=True)
    ]
    told = [
        end or (len(line) >= (100 if chinese else 300) and stops > 0)
        for line, end, stops in zip(lines, ended, inner, strict=True)
    ]
    n, m = max(len(words), 1), max(len(lines), 1)
    found = {
        "words": len(all_words),
        "prose": len(words) / max(len(all_words), 1),
        "word_length": sum(map(len, spelt)) / max(len(spelt), 1),
        "symbols": len(re.findall(r"#|…+|\.{3,}", text)) / n,
        "letters": sum(not re.fullmatch(r"\d+", word) for word in words) / n,
        "stop_words": len(stops & set(words)),
        "braces": (text.count("{") + text.count("}")) / max(len(text), 1),
        "bullets": sum(line[0] in "-*•●◦‣·" for line in lines) / m,
        "ellipses": sum(core.endswith(("...", "…")) for core in cores) / m,
        "sentences": sum(inner) + sum(ended),
        "ended_lines": sum(told) / m,
        "short_lines": sum(short) / m,
        "breaks": len(lines) / n,
    }
    paragraphs = [part.strip() for part in re.split(r"\n(?:[^\S\n]*\n)+", text) if part.strip()]
    for name, parts in (("line", lines), ("paragraph", paragraphs)):
        lower = [part.lower() for part in parts]
        again = [part for at, part in enumerate(lower) if part in lower[:at]]
        found[f"repeated_{name}s"] = len(again) / max(len(parts), 1)
        found[f"repeated_{name}_characters"] = sum(map(len, again)) / written
    size = written + (150 if chinese else 300)
    for length in (4, 6, 8) if chinese else (2, 3, 4):
        runs = Counter(tuple(words[at : at + length]) for at in range(len(words) - length + 1))
        most = max((count * sum(map(len, run)) for run, count in runs.items() if count > 1), default=0)
        found[f"top_gram_{length}"] = most / size
    for length in (10, 12, 14, 16, 18, 20) if chinese else (5, 6, 7, 8, 9, 10):
        seen, covered = set(), set()
        for at in range(len(words) - length + 1):
            run = tuple(words[at : at + length])
            if run in seen:
                covered |= set(range(at, at + length))
            seen.add(run)
        found[f"repeated_gram_{length}"] = sum(len(words[at]) for at in covered) / size
    return found


def verdict(text: str) -> str:
    found, ranges = slow(text)
    return next((name for name, (low, high) in ranges.items() if not low <= found[name] <= high), "")


def reasons(texts: Sequence[str]) -> list[str]:
    return judge(texts, View(texts), QualityConfig()).reasons


def check(texts: Sequence[str]) -> None:
    """All figures and verdicts of a batch."""
    result = judge(texts, View(texts), QualityConfig())
    for place, text in enumerate(texts):
        found, ranges = slow(text)
        assert list(found) == list(ranges)
        for name, value in found.items():
            assert result.figures[name][place] == pytest.approx(value), (name, text)
        assert result.reasons[place] == verdict(text), text


# Texts made to measure.

CHANCE = random.Random(0)
VOCABULARY = ["".join(CHANCE.choices(string.ascii_lowercase, k=CHANCE.choice([4, 5, 6, 7]))) for _ in range(4000)]
GLYPHS = [chr(code) for code in range(0x4E10, 0x9000) if chr(code) not in STOPS | FUNCTION]


def sentence(number: int, size: int = 12, stop: str = "the {} of") -> str:
    """An English sentence of no other's words, with stop words."""
    mine = VOCABULARY[number * size : (number + 1) * size]
    return f"{stop.format(mine[0])} {' '.join(mine[1:])}.".strip().capitalize()


def clause(number: int, size: int = 20, stop: str = "的是") -> str:
    """The same in Chinese."""
    return "".join(GLYPHS[number * size : (number + 1) * size]) + stop + "。"


def many(count: int, first: int = 0, glue: str = "\n", **how: object) -> str:
    return glue.join(sentence(first + number, **how) for number in range(count))  # type: ignore[arg-type]


def many_zh(count: int, first: int = 0, glue: str = "\n", **how: object) -> str:
    return glue.join(clause(first + number, **how) for number in range(count))  # type: ignore[arg-type]


def plain_words(count: int, first: int = 0) -> str:
    return " ".join(VOCABULARY[first : first + count])


FAMILIES: dict[str, tuple[str, Callable[[int], str], range]] = {
    "words": ("words", lambda k: "It is. It was the. And so. " + plain_words(k) + " of it.", range(10, 22)),
    "words zh": ("words", lambda k: "这是。那是。还有。" + "".join(GLYPHS[:k]) + "的。", range(36, 50)),
    "prose": ("prose", lambda k: many(6) + "\n" + "| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |\n" * k, range(194, 206)),
    "prose zh": ("prose", lambda k: many_zh(4) + "\n" + "| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |\n" * k, range(204, 216)),
    "short words": ("word_length", lambda k: many(4) + " " + " ".join(f"{chr(97 + i % 26)}{chr(97 + i // 26)}"
                                                                      for i in range(k)), range(112, 128)),
    "long words": ("word_length", lambda k: many(4) + " " + " ".join(VOCABULARY[i] * 3 for i in range(k)),
                   range(34, 44)),
    "hash signs": ("symbols", lambda k: many(10) + " #" * k, range(10, 18)),
    "hash signs zh": ("symbols", lambda k: many_zh(10) + "#" * k, range(18, 28)),
    "ellipses within": ("symbols", lambda k: many(10) + "".join(f" and... {i}x" for i in range(k)), range(14, 24)),
    "numbers": ("letters", lambda k: many(8) + "\n" + " ".join(str(1000 + i) for i in range(k)), range(20, 40)),
    "numbers zh": ("letters", lambda k: many_zh(8) + "\n" + "，".join(str(1000 + i) for i in range(k)), range(35, 55)),
    "stop words": ("stop_words", lambda k: many(12, stop="{}") + " " + " ".join(["with", "have"][:k]), range(3)),
    "few words": ("stop_words", lambda k: many(4, stop="{}") + " " + " ".join(["using", "on"][:k]), range(3)),
    "stop words zh": ("stop_words", lambda k: many_zh(9, stop="") + "的者"[:k], range(3)),
    "braces": ("braces", lambda k: many(8) + " {" * k + " }" * k, range(12, 25)),
    "bullets": ("bullets", lambda k: "\n".join(("- " if i < k else "") + sentence(i) for i in range(40)),
                range(34, 40)),
    "bullets zh": ("bullets", lambda k: "\n".join(("• " if i < k else "") + clause(i) for i in range(40)),
                   range(34, 40)),
    "ellipses": ("ellipses", lambda k: "\n".join(sentence(i, 30) + ("..)" if i < k else "") for i in range(20)),
                 range(4, 9)),
    "ellipses zh": ("ellipses", lambda k: "\n".join(clause(i) + ("……" if i < k else "") for i in range(20)),
                    range(4, 9)),
    "sentences": ("sentences", lambda k: " ".join(VOCABULARY[:40]) + " the of. End" * k + "\nEnd.", range(1, 4)),
    "sentences zh": ("sentences", lambda k: "".join(GLYPHS[:60]) + "的是。末" * k + "\n末。", range(1, 4)),
    "ended lines": ("ended_lines", lambda k: "\n".join(sentence(i)[: None if i < k else -1] for i in range(50)),
                    range(4, 9)),
    "ended lines zh": ("ended_lines", lambda k: "\n".join(clause(i)[: None if i < k else -1] for i in range(50)),
                       range(4, 9)),
    "long lines": ("ended_lines", lambda k: "\n".join(many(5 if i < k else 3, 5 * i, glue=" ")[:-1]
                                                      for i in range(50)), range(4, 9)),
    "long lines zh": ("ended_lines", lambda k: "\n".join(many_zh(5 if i < k else 3, 5 * i, glue="")[:-1]
                                                         for i in range(50)), range(4, 9)),
    "short lines": ("short_lines", lambda k: many(20) + "\n" + "\n".join(plain_words(3, 900 + 3 * i)
                                                                          for i in range(k)), range(36, 46)),
    "short lines zh": ("short_lines", lambda k: many_zh(20) + "\n" + "\n".join("".join(GLYPHS[900 + 8 * i :][:8])
                                                                              for i in range(k)), range(36, 46)),
    "breaks": ("breaks", lambda k: many(10) + "\n" + "\n".join(plain_words(2, 900 + 2 * i) + "."
                                                               for i in range(k)), range(76, 86)),
    "breaks zh": ("breaks", lambda k: many_zh(10) + "\n" + "\n".join("".join(GLYPHS[900 + 4 * i :][:4]) + "。"
                                                                   for i in range(k)), range(165, 176)),
    "repeated lines": ("repeated_lines", lambda k: many(20, size=30) + "\nSo it ended." * (k + 1), range(5, 13)),
    "repeated lines zh": ("repeated_lines", lambda k: many_zh(20, size=60) + "\n却说。" * (k + 1), range(5, 13)),
    "repeated long lines": ("repeated_line_characters", lambda k: many(20) + "\n" + many(1, size=k, first=30) +
                            ("\n" + many(1, size=k, first=30)) * 2, range(8, 40, 2)),
    "repeated long lines zh": ("repeated_line_characters", lambda k: many_zh(20) + "\n" + many_zh(1, size=k, first=30) +
                               ("\n" + many_zh(1, size=k, first=30)) * 2, range(10, 80, 4)),
    "repeated paragraphs": ("repeated_paragraphs", lambda k: "\n\n".join(
        f"{many(3, first=3 * i)}" for i in range(20)) + "\n\nSo it ended." * (k + 1), range(5, 13)),
    "repeated paragraphs zh": ("repeated_paragraphs", lambda k: "\n\n".join(
        f"{many_zh(3, first=3 * i)}" for i in range(20)) + "\n\n却说。" * (k + 1), range(5, 13)),
    "two words": ("top_gram_2", lambda k: many(20) + "".join(
        f" {VOCABULARY[900 + i]} extraordinary misunderstandings" for i in range(k)) + ".", range(10, 20)),
    "three words": ("top_gram_3", lambda k: many(20) + "".join(
        f" {VOCABULARY[900 + i]} ab wonderful cd" for i in range(k)) + ".", range(20, 40)),
    "four words": ("top_gram_4", lambda k: many(20) + "".join(
        f" {VOCABULARY[900 + 2 * i]} over under above below {VOCABULARY[901 + 2 * i]}" for i in range(k)) + ".",
        range(14, 24)),
    "four characters zh": ("top_gram_4", lambda k: many_zh(20) + "".join(
        f"{GLYPHS[900 + 2 * i]}欢迎光临{GLYPHS[901 + 2 * i]}" for i in range(k)) + "。", range(38, 48)),
    "a sentence again": ("repeated_gram_5", lambda k: many(20, glue=" ") + " " + many(k, glue=" "), range(1, 9)),
    "a sentence again zh": ("repeated_gram_10", lambda k: many_zh(20, glue="") + many_zh(k, glue=""), range(1, 9)),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_turns_where_its_definition_says(family: str) -> None:
    """Texts that grow by one word, line or sign: the rule lets them pass up to its threshold and not beyond."""
    rule, make, counts = FAMILIES[family]
    texts = [make(count) for count in counts]
    expected = [verdict(text) for text in texts]
    assert {rule, ""} <= set(expected), expected
    check(texts)


PIECES = st.sampled_from([
    "The end", "the END", "of it.", "It is so...", "and that", "天地玄黄。", "这是的", "不了", "宇宙洪荒！", "12", "x1",
    "3.14", "# ", "#", "{", "}", "- ", "…", "……", "....", ".", "?”", "。」", ")", "*", "•", " ", "\n", "\n\n",
    "\n \n", "\u3000", "responsibility", "a b", "menu", "with have to",
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=40).map("".join), min_size=1, max_size=4))
def test_all_figures_of_any_text_are_those_of_the_slow_rules(texts: list[str]) -> None:
    check(texts)


@pytest.mark.parametrize("name", CLEAN)
def test_figures_and_verdicts_of_real_text(public_data: Path, name: str) -> None:
    """Of two documents of a file, but for those with characters that the slow rules do not know."""
    known = [
        text for text in clean(public_data, name) if not re.search("[^\\0-\u024f\u2000-\u303f\u4e00-\uffff]", text)
    ]
    check([text[:5000] for text in random.Random(1).sample(known, 2)])


def test_company_changes_no_verdict(public_data: Path) -> None:
    """Good and bad, English and Chinese: alone, all together, and in another order."""
    texts = [text for text, _ in BAD.values()] + ["", " \n", "word", "the of. the of."]
    for name in CLEAN:
        texts += [text[:6000] for text in random.Random(2).sample(clean(public_data, name), 6)]
    alone = [reasons([text])[0] for text in texts]
    order = random.Random(3).sample(range(len(texts)), len(texts))
    assert reasons(texts) == alone
    assert reasons([texts[place] for place in order]) == [alone[place] for place in order]
    together, single = judge(texts, View(texts), QualityConfig()), judge(texts[:1], View(texts[:1]), QualityConfig())
    for rule, values in single.figures.items():
        assert together.figures[rule][0] == values[0]
    assert "" in alone and len(set(alone)) > 8


# What is bad.

MENU = "Home\nProducts\nAbout us\nContact\nLog in\nSign up\nCareers\nBlog\nPress\nInvestors\nHelp centre\nStore finder"
MENU_ZH = (
    "首页\n新闻中心\n产品展示\n关于我们\n联系我们\n会员登录\n免费注册\n招贤纳士\n在线留言\n网站地图\n友情链接\n收藏本站"
)
RIVER = (
    "The river rises in the hills to the north of the town and winds past the old mill before it reaches the sea. "
    "Boats that carry grain have used it for centuries. In winter it freezes, and children skate on it with joy."
)
RIVER_ZH = (
    "这条河发源于城北的山中，绕过古老的磨坊，最后流入大海。几百年来，运粮的船只一直在河上往来。"
    "到了冬天，河水结成厚厚的冰，孩子们便在上面滑行嬉戏，十分快乐。岸边的老人们看着，也都笑了。"
)
SALAD = random.Random(4)
CHARACTERS = "".join(SALAD.choices(string.ascii_letters + string.digits + string.punctuation.replace("<", ""), k=1500))
SPAM = ["cheap shoes", "discount sneakers", "buy shoes online", "best running shoes", "shoes sale", "free shipping"]
SPAM_ZH = ["特价机票", "打折机票", "机票预订", "便宜酒店", "酒店预订", "旅游线路", "团购优惠"]
NUMBERS = "\n".join(" ".join(str(SALAD.randrange(10**4)) for _ in range(8)) for _ in range(40))
BAD: dict[str, tuple[str, set[str]]] = {
    "keywords": (
        ", ".join(SALAD.choice(SPAM) for _ in range(80)) + ".",
        {"stop_words", "sentences", "top_gram_2", "top_gram_3"},
    ),
    "keywords zh": ("，".join(SALAD.choice(SPAM_ZH) for _ in range(80)) + "。", {"stop_words", "sentences"}),
    "keywords with function words": (
        " ".join(f"Buy {SALAD.choice(SPAM)} for men and the best {SALAD.choice(SPAM)} with us." for _ in range(25)),
        {"top_gram_2", "top_gram_3", "top_gram_4", "repeated_gram_5"},
    ),
    "a line twenty times": (
        "\n".join([RIVER, *["Click the picture to enlarge it."] * 20]), {"repeated_lines"},
    ),
    "a line twenty times zh": ("\n".join([RIVER_ZH, *["点击图片可以放大查看。"] * 20]), {"repeated_lines"}),
    "a menu": ("\n".join([MENU] * 2), {"stop_words"}),
    "a menu above a text": (
        "\n".join([MENU, MENU.replace("s", "z"), "Sitemap of the shop", RIVER.replace(". ", ".\n"), many(2)]),
        {"short_lines"},
    ),
    "a menu above a text zh": (
        "\n".join([MENU_ZH, MENU_ZH.replace("们", "店"), RIVER_ZH.replace("。", "。\n")]),
        {"short_lines"},
    ),
    "a menu in bullets": (
        "\n".join("- " + line for line in [*MENU.split("\n"), *(f"{x} of the {y}" for x, y in zip(MENU.split("\n"),
                  reversed(MENU.split("\n")), strict=True))]), {"bullets", "short_lines"},
    ),
    "a menu zh": (f"{MENU_ZH}\n企业文化\n发展历程", {"stop_words", "sentences", "short_lines"}),
    "numbers": ("The table of the results.\n" + NUMBERS, {"letters"}),
    "numbers zh": ("各项结果的统计表如下，单位是元。\n" + NUMBERS, {"letters"}),
    "numbers between bars": (
        "The results of the year.\n" + "\n".join(f"| {line.replace(' ', ' | ')} |" for line in NUMBERS.split("\n")),
        {"prose"},
    ),
    "word salad": (" ".join(SALAD.choice(VOCABULARY) for _ in range(200)) + ". Yes. No.", {"stop_words"}),
    "word salad zh": ("".join(SALAD.choice(GLYPHS) for _ in range(200)) + "。好。对。", {"stop_words"}),
    "links": (
        "\n".join(f"[{plain_words(5, 40 * i)} of the](https://example.com/{i})" for i in range(30)),
        {"sentences", "ended_lines"},
    ),
    "links zh": (
        "\n".join(f"[{''.join(GLYPHS[30 * i :][:14])}的是](https://example.com/{i})" for i in range(30)),
        {"sentences", "ended_lines"},
    ),
    "addresses": (
        "The sites of friends.\n" + "\n".join(f"https://example{i}.com/page/{i}?ref=friend" for i in range(60)),
        {"prose"},
    ),
    "addresses zh": (
        "友情链接：\n" + "\n".join(f"http://www.example{i}.cn/index/{i}.html" for i in range(60)), {"prose"},
    ),
    "teasers": (
        "\n".join(f"{many(1, first=i)[:-1]} and this is what the neighbours said..." for i in range(15)),
        {"ellipses", "repeated_gram_5"},
    ),
    "teasers zh": ("\n".join(f"{''.join(GLYPHS[30 * i :][:25])}的是……" for i in range(15)), {"ellipses"}),
    "random characters": (CHARACTERS, {"stop_words", "word_length"}),
    "random long words": (
        " ".join("".join(SALAD.choices(string.ascii_lowercase, k=16)) for _ in range(90)) + ".", {"word_length"},
    ),
    "random characters zh": (
        "".join(chr(SALAD.randrange(0x4E00, 0x9FA5)) for _ in range(400)), {"stop_words", "sentences"},
    ),
    "hashtags": (
        RIVER + "\n" + " ".join(f"#{word}" for word in VOCABULARY[:40]), {"symbols"},
    ),
    "hashtags zh": (
        RIVER_ZH + "\n" + " ".join(f"#{''.join(GLYPHS[i : i + 3])}" for i in range(60)), {"symbols"},
    ),
    "one paragraph repeated": ("\n\n".join([RIVER] * 4), {"repeated_lines"}),
    "one paragraph repeated zh": ("\n\n".join([RIVER_ZH] * 4), {"repeated_lines"}),
    "one paragraph in two lines repeated": (
        "\n\n".join([many(12), *[RIVER.replace(". ", ".\n")] * 3]), {"repeated_lines", "repeated_line_characters"},
    ),
    "a sentence in one line repeated": (
        " ".join([RIVER, *["It is said that the mill was built by the monks of the abbey."] * 6]),
        {"top_gram_2", "top_gram_3", "top_gram_4", "repeated_gram_5"},
    ),
    "a sentence in one line repeated zh": (
        RIVER_ZH + "据说这座磨坊是当年山上修道院里的僧人们亲手建造起来的。" * 6,
        {"top_gram_4", "top_gram_6", "top_gram_8", "repeated_gram_10"},
    ),
    "style sheets": (
        RIVER + "\n" + "\n".join(f".{word} {{ color: red; }} .{word}:hover {{ color: {i}px }}"
                                 for i, word in enumerate(VOCABULARY[:60])), {"braces"},
    ),
    "too short": ("The page of the shop was not found. It is gone. Go back to the start.", {"words"}),
    "too short zh": ("您访问的页面不存在。请返回首页。或者联系我们。", {"words"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_text_is_rejected_for_what_is_bad_about_it(kind: str) -> None:
    text, fitting = BAD[kind]
    assert reasons([text])[0] in fitting


@pytest.mark.parametrize("name", CLEAN)
def test_few_documents_of_clean_text_are_rejected(public_data: Path, name: str) -> None:
    """Less than one in twenty of each file: novels, and documentation with code, lists and links."""
    texts = clean(public_data, name)
    texts = texts[:: 2 if len(texts) < 400 else 3]
    counted: Counter[str] = Counter()
    for at in range(0, len(texts), 256):
        counted.update(reasons(texts[at : at + 256]))
    assert len(texts) - counted[""] < 0.05 * len(texts), counted


def test_good_text_in_both_languages() -> None:
    assert reasons([RIVER, RIVER_ZH, many(30), many_zh(30)]) == [""] * 4


# Prose.


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([
    "a", "词", " ", "\n", "`", "``", "```", "~~~", "$", "$$", "|", "# ", "<", ">", "<b>", "</b>", "{/*", "*/}", "](",
    "[", ")", "(", "https://a.b/c", "---", "***", "5", "/",
]), max_size=30).map("".join))  # fmt: skip
def test_prose_keeps_every_place(text: str) -> None:
    """As long as before, breaks where they stood, and each character as it was or a space."""
    plain = prose(text)
    assert len(plain) == len(text)
    assert all(new == old or (new == " " and old != "\n") for new, old in zip(plain, text, strict=True))


@pytest.mark.parametrize(("text", "left"), [
    ("Use it:\n\n```js\nlet x = {a: 1};\n```\nDone.", "Use it:\n\nDone."),
    ("A ~~~ is no code.", "A ~~~ is no code."),
    ("~~~\ncode\n~~~", ""),
    ("Call `f(x)` with care.", "Call `f(x)` with care."),
    ("Print the version:\n\n`tool --version`", "Print the version:"),
    ("It is $E = mc^2$ and\n$$\na\nb\n$$\nso.", "It is and\nso."),
    ("It cost $5 in May and $6 in June.", "It cost $5 in May and $6 in June."),
    ("It cost $5-$6.", "It cost $5-$6."),
    ("Rows:\n| a | b |\n|---|---|\n| 1 | 2 |\nEnd.", "Rows:\nEnd."),
    ("## Heading of it\n#tag", "Heading of it\n#tag"),
    ("One.\n\n---\n\nTwo.\n* * *", "One.\n\nTwo."),
    ("- an item\n-- a dash", "- an item\n-- a dash"),
    ("<Note>\nA <b>bold</b> word.</Note>", "A bold word."),
    ("Let a < b and c > d.", "Let a < b and c > d."),
    ("A heading {/*a-heading*/}", "A heading"),
    ("body { color: red }", "body { color: red }"),
    ("See [the guide](https://example.com/a_(b)) first (or not).", "See [the guide] first (or not)."),
    ("More at https://example.com/a?b=c#d, or <https://example.com>.", "More at , or ."),
    ("更多信息：https://example.com/页。", "更多信息： 页。"),
])  # fmt: skip
def test_prose_by_hand(text: str, left: str) -> None:
    def words(one: str) -> list[list[str]]:
        return [line.split() for line in one.split("\n") if line.split()]

    assert words(prose(text)) == words(left)


def test_a_language_is_that_of_the_prose() -> None:
    """Chinese documentation is Chinese however much code stands in it."""
    text = RIVER_ZH + "\n```\n" + plain_words(400) + "\n```\n"
    assert "top_gram_8" in judge([text], View([text]), QualityConfig()).figures
    assert reasons([text]) == [""]


def test_limits_that_do_not_fit_each_other() -> None:
    with pytest.raises(ConfigError, match="top_grams and max_top_gram must be equally long"):
        Limits(top_grams=(2, 3))
    with pytest.raises(ConfigError, match="top_grams and then repeated_grams must rise"):
        Limits(top_grams=(4, 3, 2))


@pytest.mark.parametrize(("text", "limits", "chinese"), [(RIVER, Limits(max_words=41), False),
                                                        (RIVER_ZH, Limits(max_words=80), True)])  # fmt: skip
def test_each_language_has_its_own_limits(text: str, limits: Limits, chinese: bool) -> None:
    own, other = QualityConfig(**{"chinese" if chinese else "english": limits}), QualityConfig()
    config = QualityConfig(english=limits) if chinese else QualityConfig(chinese=limits)
    assert judge([text], View([text]), own).reasons != [""]
    assert judge([text], View([text]), other).reasons == judge([text], View([text]), config).reasons == [""]
    assert other.chinese == CHINESE
