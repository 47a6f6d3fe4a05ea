"""Units behind a number: one name for each, what converts into what, and which words are no unit at all."""

import re
from fractions import Fraction
from functools import lru_cache

_TABLE = """
length mm 1/1000 millimeter millimetre 毫米
length cm 1/100 centimeter centimetre 厘米 公分
length dm 1/10 decimeter decimetre 分米
length m 1 meter metre 米 公尺
length km 1000 kilometer kilometre 千米 公里
inch in 1 inch inches 英寸 "
inch ft 12 foot feet 英尺
inch yd 36 yard 码
mile mi 1 mile 英里
mass mg 1/1000 milligram 毫克
mass g 1 gram 克
mass kg 1000 kilogram kilo 千克 公斤
mass t 1000000 tonne 吨
pound lb 1 pound lbs £ 英镑 磅
pound oz 1/16 ounce 盎司
time s 1 second sec 秒 秒钟
time min 60 minute mins 分钟
time h 3600 hour hr 小时 时
day d 1 day 天 日
day week 7 weeks 周 星期
volume mL 1/1000 ml milliliter millilitre 毫升
volume L 1 l liter litre 升
gallon gallon 1 gal 加仑
gallon quart 1/4 qt 夸脱
gallon pint 1/8 pt 品脱
money $ 1 dollar usd us$ 美元
money cent 1/100 cents ¢ 美分
yuan 元 1 ¥ yuan rmb cny 块 块钱 人民币 圆
yuan 角 1/10 jiao 毛 毛钱
euro € 1 euro eur 欧元
angle ° 1 degree deg 度
celsius °C 1 ℃ celsius 摄氏度
volt V 1 volt 伏 伏特
watt W 1 watt 瓦 瓦特
newton N 1 newton 牛 牛顿
joule J 1 joule 焦 焦耳
"""

Measure = tuple[str, Fraction]
"""What is measured, and how many of its base unit one of these is."""

_KNOWN: dict[str, Measure] = {}
for _dimension, _symbol, _factor, *_names in (line.split() for line in _TABLE.strip().splitlines()):
    for _name in (_symbol, *_names):
        _KNOWN[_name] = (_dimension, Fraction(_factor))

_SHORT = {"分": {"time": Fraction(60), "yuan": Fraction(1, 100)}}
"""Names that are short for one unit beside hours, for another one beside money."""
_AFTER = r"(?:of|long|each|left|longer|more|altogether|old|wide|high|tall|deep|apart|in (?:all|total))\b"
_HEAD = re.compile(rf"([A-Za-z]+) {_AFTER}")
_AMBIGUOUS = frozenset('" in ¢ $ £ € ¥'.split())
"""Names that are something else in running text."""

_HAN = frozenset(name for name in _KNOWN if name > "\u4e00")
NAMES = "|".join(sorted(map(re.escape, {*_KNOWN, *_SHORT} - _AMBIGUOUS), key=len, reverse=True))
"""Units as running text has them behind a number, for a pattern."""
TAIL = re.compile(rf"(?: {_AFTER}[A-Za-z ]{{0,30}}|[长高宽重深])?")
"""What may stand behind a quantity and changes nothing."""
BEHIND = re.compile(
    rf" ?(?:(?:square|cubic|sq\.?) |平方|立方)?(?:{NAMES})s?(?:\^\{{?[23]\}}?)?"
    rf"(?:(?: ?/ ?| per |每)(?:{NAMES}))?(?![A-Za-z0-9_^])"
)
_GLUED = frozenset("mgsh")
"""Letters that are a unit even without a space: 5m. Others are more often a variable: 5t, 5V."""
_NOUN = re.compile(r"[a-z\u4e00-\u9fff][a-z\u4e00-\u9fff './-]*")
_WORD = re.compile("[a-z]+(?:'[a-z]+)?")
_MOST_WORDS, _MOST_HAN = 6, 10
"""Longer than this it is a sentence about the number, not what is counted."""
_LONGEST = 40
"""Characters of the longest name of a unit."""
_NO_UNIT = frozenset(
    "or and not no is are was were be isn't aren't to than at least most if but maybe perhaps probably either neither "
    "wrong incorrect false right correct plus minus over under above below about between through until nor versus vs "
    "mod zero one two three four five six seven eight nine ten eleven twelve hundred thousand million half halves "
    "thirds fourths fifths sixths eighths tenths hundredths thousandths squared cubed factorial doubled halved "
    "negative mil mn bn grand st nd rd th".split()
)
_NO_HAN = re.compile(
    "^的|[零〇一二两三四五六七八九十百千万亿兆半负之来不没无非否错误或和与到至吗呢但多余几超约是对]|以[上下内外]|左右|可能"
    "|[平立]方|阶乘"
)


@lru_cache(maxsize=4096)
def unit(text: str) -> str | None:
    """The unit or the counted things in one writing, "" for nothing; None where the words are more than that.

    >>> unit("centimeters"), unit("duck eggs"), unit("or so")
    ('centimeters', 'duck eggs', None)
    """
    glued = text[:1] not in ("", " ")
    name = " ".join(text.split()).strip("() ")
    if not name:
        return None if text.strip() else ""
    if measure(name):
        return None if glued and len(name) == 1 and name.isascii() and name.isalpha() and name not in _GLUED else name
    name = name.lower()
    if (glued and name[0].isascii()) or not _NOUN.fullmatch(name) or _NO_HAN.search(name.replace("不同", "")):
        return None
    words = _WORD.findall(name)
    long = len(words) > _MOST_WORDS or sum(char > "\u4e00" for char in name) > _MOST_HAN
    if long or words == ["a"] or any((len(word) == 1 and word != "a") or word in _NO_UNIT for word in words):
        return None
    return name


@lru_cache(maxsize=4096)
def measure(name: str) -> Measure | None:
    """Dimension and factor of a unit of the table, of its square or cube, or of one unit per another."""
    if name in _KNOWN or len(name) == 1 or len(name) > _LONGEST:
        return _KNOWN.get(name)
    for other in (name.lower(), name.lower().removesuffix("s") if len(name) > 2 else ""):
        if other in _KNOWN:
            return _KNOWN[other]
    if match := re.fullmatch(r"(.+?) ?(?:/| per |每) ?(.+)", name) or re.fullmatch("每(.+?)(?:行驶|走)?()(.+)", name):
        over, under = measure(match[1]), measure(match[2])
        return (f"{over[0]}/{under[0]}", over[1] / under[1]) if over and under else None
    for power, front, behind in ((2, "square |sq\\.? |平方", "\\^?\\{?2\\}?"), (3, "cubic |立方", "\\^?\\{?3\\}?")):
        if match := re.fullmatch(f"(?:{front})(.+)|(.+?) ?{behind}", name):
            base = measure(match[1] or match[2])
            return (f"{base[0]}^{power}", base[1] ** power) if base else None
    return None


def ratio(this: str, that: str) -> Fraction | None:
    """How many of `that` one of `this` is; 1 where either has no unit; None where they measure different things.

    Counted things need not be named in full: "eggs" are "duck eggs".
    """
    if not this or not that or this == that:
        return Fraction(1)
    one, other = measure(this), measure(that)
    if one and other:
        return one[1] / other[1] if one[0] == other[0] else None
    if one or other:
        return _beside(this, other) if other else None
    if not (this.isascii() and that.isascii()):  # across languages the word is taken on trust
        return Fraction(1) if this.isascii() or that.isascii() or this in that or that in this else None
    sets = [{word.removesuffix("s") for word in text.split()} for text in (this, that)]
    return Fraction(1) if sets[0] <= sets[1] or sets[1] <= sets[0] else None


def size(name: str, like: Measure | None = None) -> Measure | None:
    """As `measure`, also for what is short for a unit beside that of `like`."""
    if like and name in _SHORT and like[0] in _SHORT[name]:
        return like[0], _SHORT[name][like[0]]
    return measure(name)


def _beside(this: str, other: Measure) -> Fraction | None:
    """How many of a known unit a name is that is no unit alone: 分 beside hours, "cm of rope", 厘米丝带."""
    head = _HEAD.match(this)
    name = head[1] if head else next((this[:end] for end in range(4, 0, -1) if this[:end] in _HAN), this)
    one = size(name, other)
    return one[1] / other[1] if one and one[0] == other[0] else None
