"""Dates, ages and quantities, in English and Chinese, by their form.

Only what begins with a digit, a numeral or the name of a month is looked at, so that most of a text is passed over.
"""

import re

from candor.governance.pii.lists import read_list
from candor.governance.pii.spans import Span

_MONTH = rf"(?:Sept|{'|'.join(f'{name}|{name[:3]}' for name in read_list('months_en'))})(?![A-Za-z])\.?"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?!\d)"
_MONTH_NUMBER = r"(?:1[0-2]|0?[1-9])"
_YEAR = r"(?:1[5-9]|20)\d\d(?!\d)"
_CODES = (
    "(?:EUR|USD|GBP|CHF|JPY|CNY|RMB|HKD|TWD|AUD|CAD|NZD|SGD|INR|KRW|BRL|MXN|ZAR|RUB|RUR|UAH|TRL|TRY|PLN|CZK|SKK|HUF|ROL|RON|"
    "BGN|BGL|HRK|SEK|NOK|DKK|ISK|DEM|ATS|FRF|ITL|ESP|PTE|NLG|BEF|FIM|GRD|IEP|SIT|LTL|LVL|EEK|MDL|GEL|AMD|AZN|CYP|MTL|ILS)"
)
_MONEY = (
    r"(?:[A-Z][a-z]+ ){0,2}(?:[Ee]uros?|[Dd]ollars?|[Pp]ounds?(?: sterling)?|[Mm]arks?|[Ff]rancs?|[Ss]chillings?"
    r"|[Ll]iras?"
    r"|[Ll]ire|[Zz]lotys?|[Kk]ron(?:or|er|a|e)|[Cc]rowns?|[Rr]o?ubles?|[Hh]ryvnias?|[Ff]orints?|[Ll]ei|[Ll]evs?|[Yy]uan"
    r"|[Yy]en|[Rr]upees?|[Dd]rachmas?|[Ee]scudos?|[Pp]esetas?|[Gg]uilders?|[Ll]ats|[Ll]itas|[Kk]unas?|[Dd]inars?)"
)
_MEASURE = (
    r"(?:km/h|mph|(?:kilo|centi|milli)?met(?:re|er)s?|kilograms?|grams?|tonn?e?s|lit(?:re|er)s?|hectares?|acres?|miles?"
    r"|square (?:met(?:re|er)s|feet|miles)|feet|foot|inches|pounds|stone|sq\. ?m|km|cm|mm|m2|m²|kg|mg|ha)"
)
_LARGE = r"(?: (?:thousand|million|billion|bn|m))?"
_NUMBER = r"(?:\d{1,3}(?:[,. ]\d{3})+(?!\d)(?:[.,]\d{1,2}(?!\d))?|\d+(?:[.,]\d{1,2}(?!\d))?)"
_YUAN = "[万亿千百]*(?:元|块钱?|美元|美金|欧元|英镑|日元|港[元币]|台币|卢布|韩元|人民币|圆|角)"
_LATIN = re.compile(
    rf"(?P<age>\d{{1,3}}(?:[- ]years?[- ]olds?(?![a-z])|\s?周?岁))"
    rf"|(?P<date>{_DAY}(?:(?:,? (?:and|to|or) |\s?[-–,/]\s?){_DAY}){{0,6}}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?"
    rf"|{_YEAR}(?P<y>[-/.]){_MONTH_NUMBER}(?P=y){_DAY}(?![\w/])"
    rf"|(?:{_DAY}(?P<d>[-/.]){_MONTH_NUMBER}(?P=d)|{_MONTH_NUMBER}/{_DAY}/)(?:{_YEAR}|\d\d(?!\d))(?![\w/])"
    rf"|{_YEAR}(?:\s?[-–/]\s?(?:{_YEAR}|\d\d(?!\d)))?s?(?![A-Za-z0-9/]|[.,]\d|\s?[年%号条页]))"
    rf"|(?P<quantity>{_NUMBER}(?:{_LARGE} (?:{_MONEY}|{_CODES})(?![A-Za-z])(?: \({_CODES}\))?"
    rf"|\s?(?:%|per ?cent(?![a-z]))|[ -]?{_MEASURE}(?![A-Za-z])))",
    re.ASCII,
)
_CHINESE = re.compile(
    rf"(?P<date>(?:{_YEAR}|\d\d)\s?年(?:\s?{_MONTH_NUMBER}\s?月(?:份|\s?{_DAY}\s?[日号])?|代|初|底|末|春|夏|秋|冬)?"
    rf"|{_MONTH_NUMBER}\s?月(?:份|\s?{_DAY}\s?[日号]))"
    rf"|(?P<age>\d{{1,3}}\s?周?岁)"
    rf"|(?P<quantity>{_NUMBER}\s?(?:{_YUAN}|[万亿]?(?:公里|千米|公斤|平方米|平米|厘米|斤|亩|吨|公顷|米)))",
    re.ASCII,
)
_BEFORE = re.compile(
    rf"(?<![A-Za-z])(?:(?P<quantity>(?:{_CODES}|US ?\$|[$€£¥￥])\s?)|(?P<age>(?:[Aa]ged?(?: of|:)?|年龄[:：]?) ?))$"
)
_AMOUNT = re.compile(rf"{_NUMBER}{_LARGE}(?![A-Za-z\d])", re.ASCII)
_MONTH_FIRST = re.compile(
    rf"(?:J(?:an|un|ul)|Feb|Ma[ry]|A(?:pr|ug)|Sep|Oct|Nov|Dec)(?<![A-Za-z]...)[a-z]*\.?"
    rf"(?:\s+{_DAY}(?:\s?[-–]\s?{_DAY})?(?:,?\s+{_YEAR})?|,?\s+(?:of\s+)?{_YEAR})(?![\w])",
    re.ASCII,
)
_HAN_RUN = re.compile("[〇零一二三四五六七八九十百两]+")
_HAN = re.compile(
    "(?P<date>[〇零一二三四五六七八九]{4}年(?:[一二三四五六七八九十]{1,2}月(?:[一二三四五六七八九十]{1,3}[日号])?)?"
    "|[一二三四五六七八九十]{1,2}月[一二三四五六七八九十]{1,3}[日号])"
    f"|(?P<age>[一二三四五六七八九十百]{{1,4}}周?岁)|(?P<quantity>[〇零一二三四五六七八九十百千万亿两]+{_YUAN})"
)
_DIGITS = re.compile(r"\d+", re.ASCII)
_WIDE = {0xFF10 + digit: 0x30 + digit for digit in range(10)}


def find_dates(text: str) -> list[Span]:
    """Dates, ages and quantities of a text, in order; the rules are "date", "age" and "quantity"."""
    if not text.isascii():
        text = text.translate(_WIDE)  # one to one
    found = [Span(*one.span(), "date", "quasi", "date") for one in _MONTH_FIRST.finditer(text)]
    end = 0
    for run in _DIGITS.finditer(text):
        if run.start() >= end and (one := _at(text, *run.span())):
            found.append(one)
            end = one.end
    if not text.isascii():
        for run in _HAN_RUN.finditer(text):
            if one := _span(_HAN.match(text, run.start())):
                found.append(one)
    return found


def _at(text: str, start: int, end: int) -> Span | None:
    """What begins with, or shortly before, the digits from start to end."""
    before = _BEFORE.search(text, max(0, start - 9), start)
    if before and (amount := _AMOUNT.match(text, start)):
        kind = before.lastgroup or ""
        if kind == "quantity" or end - start <= 3:
            return Span(before.start(), amount.end() if kind == "quantity" else end, kind, "quasi", kind)
    if one := _span(_CHINESE.match(text, start)):
        return one
    if start and (text[start - 1] in "/.-_" or (text[start - 1].isascii() and text[start - 1].isalnum())):
        return None
    if start > 1 and text[start - 1] == "," and text[start - 2].isdigit():
        return None
    return _span(_LATIN.match(text, start))


def _span(found: re.Match[str] | None) -> Span | None:
    if found is None:
        return None
    kind = next(name for name in ("date", "age", "quantity") if found[name] is not None)
    return Span(*found.span(), kind, "quasi", kind)
