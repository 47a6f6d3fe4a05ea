"""Whether a text says that there is no answer to give, and no more than that."""

import re

from candor.problems.numbers import bare, number, plain

_SENTENCE = re.compile(r"(?<=[!?])\s+|(?<=\.)\s+|(?<=[。！？；;])|\n+")
_ASIDE = re.compile(r"[(（][^()（）]*[)）]")
_FIND_OUT = (
    r"(?:known?|tell|told|say|said|sure|certain|determined?|answer(?:ed)?|calculated?|computed?|inferr?(?:ed)?|found|"
    r"find|established?|decided?|deduced?|concluded?|work(?:ed)? (?:it )?out|figured? out|solved?|ascertain(?:ed)?)"
)
_UNKNOWN = re.compile(
    r"\b(?:do|does|did)(?: not|n['’]t) (?:really |actually )?"
    r"(?:know\b(?! why| how to)|have (?:enough|sufficient|any) "
    r"|(?:say|state|tell|mention|specify|give|provide|reveal)\b)"
    r"|\b(?:can(?:not| not|['’]t)|could(?: not|n['’]t)|impossible to|not possible to|unable to|not able to|no way to)"
    rf" (?:be )?(?:\w+ly )?{_FIND_OUT}\b"
    r"|\b(?:no idea|no one knows|nobody knows|no answer|indeterminate)\b"
    r"|\bun(?:answerable|determined|determinable|knowable|clear)\b"
    r"|(?:\bnot|n['’]t) (?:enough|sufficient|adequate)\b"
    r"|\b(?:insufficient|missing|lacks?(?: the)?(?: necessary)?) (?:information|data|context|detail)"
    r"|(?:\bnot|n['’]t) (?:stated|given|told|mentioned|provided|specified|answerable|determinable|known|said"
    r"|disclosed)\b"
    r"|\b(?:is|are|was|remains?) (?:still )?unknown\b|^\W*(?:the answer:? )?(?:unknown|n/a)\W*$"
    r"|不知道|不清楚|不确定|不得而知|不详|[答算求]不[出上]来?|无答案|没有答案|未知(?!数)"
    r"|(?:无法|不能|没法|没办法|难以|不可能|无从)[^，。,.]{0,8}?"
    r"(?:确定|判断|得知|知道|知晓|回答|作答|解答|推断|推出|计算|算出|得出|求出|确认)"
    r"|(?:信息|条件|数据|资料|线索)\w{0,2}不(?:足|够|全|完整)|缺[少乏][^，。,.]{0,8}?(?:信息|条件|数据)"
    r"|没有?(?:足够|说|写)|[没未]有?(?:提到|提及|说明|给出|告诉|告知|提供|交代)",
    re.I,
)
_HINTS = ("no", "n't", "n’t", "un", "imp", "ins", "mis", "lack", "inde", "n/a", *"不无没未缺难")
"""One of these is in whatever _UNKNOWN finds; they are looked for first because that takes no time."""
_COMMITS = re.compile(
    r"\b(?:but|maybe|perhaps|probably|guess|however|though|although|answer is|assuming|suppose|let's say)\b"
    r"|\bi (?:think|believe)\b|但|不过|可是|然而|也许|可能|大概|或许|估计|猜|应该是|答案[是为]"
    r"|(?:^\W*|[,，:：;；=]\s*)(?:it(?:'s| is) |就?是|约)?\W{0,2}\d",
    re.I,
)
_REASON = re.compile(
    r"\b(?:because|since|as|for|due|from|without|the|it|there|no|not|sorry|given)\b"
    r"|[因由没未不无缺题文]|抱歉|对不起|所以",
    re.I,
)
_POLITE = re.compile(r"(?:sorry|please|let me know|i hope|hope|feel free|if you|抱歉|对不起|请|如果|希望)", re.I)
_CLAIMS = re.compile(r"answer (?:is|would be)\s+\S|答案[是为]\s*\S", re.I)
_RESULT = re.compile(
    r"=\s*[^\w\s]{0,3}\s*\d"
    r"|\b(?:total|sum|answer|result|difference|remainder)\b[^.,;!?\n\d]{0,20}?"
    r"\b(?:is|are|was|equals|would be|comes to)\s+(?:about |exactly )?[^\w\s]{0,3}\d"
    r"|\b(?:it|that|this|which)(?:['’]s| is| would be)\s+[^\w\s]{0,3}\d[\d.,]*[^\w\s]*\s*(?:$|or\b)"
    r"|\b(?:that|this|which) (?:makes|gives|leaves|equals)\s+[^\w\s]{0,3}\d"
    r"|(?:答案|结果|总数|总和|总共|合计)(?:就?[是为]|等于|[:：])\s*\d",
    re.I,
)
"""A figure as a result; figures of the question, which a reason quotes, come in other words."""
_OR = re.compile(r"\d[\d.,]*\s*\S{0,12}?\s*(?:\bor\b|或者?|还是)\W*(?:\S{1,8}\W*){0,2}$", re.I)
_REST = re.compile(
    r"\b(?:the (?:rest|others?)|(?:every|any|no)thing else)\b.{0,20}?\b(?:is|are|remains?|was)\b"
    r"|(?:其余|其[他它])的?(?:都|就|则|是|还)*(?:不|未|无|没)",
    re.I,
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, and its lines."""
    return [sentence.strip() for sentence in _SENTENCE.split(text) if sentence.strip()]


def unsure(text: str) -> bool:
    """Whether words of not knowing are in a text."""
    low = text.lower()
    return any(hint in low for hint in _HINTS) and bool(_UNKNOWN.search(text))


def declines(text: str) -> bool:
    """Whether the end of a text says that this is not known or cannot be, and the text states no result."""
    if not any(hint in text.lower() for hint in _HINTS):
        return False
    text = bare(text)
    outside = _ASIDE.sub(" ", text)
    text = outside if re.search(r"\w", outside) else text
    parts = [one for one in sentences(text) if not _POLITE.match(one) or _UNKNOWN.search(one)]
    if not parts:
        return False
    said = re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r"\1", parts[-1])
    matches = list(_UNKNOWN.finditer(said))
    if not matches:
        return False
    before = said[: matches[0].start()]
    claimed = [one for one in parts[:-1] if not _UNKNOWN.search(one)] + [before]
    if any(_CLAIMS.search(one) for one in claimed) or _OR.search(before):
        return False
    if any(number(clause) is not None for one in claimed for clause in re.split("[,，]", one)):
        return False
    if any(_RESULT.search(plain(one)) for one in (*parts[:-1], said)):
        return False
    if _REST.search(said) and re.search(r"\d", text):
        return False
    rest = said[matches[-1].end() :]
    behind = re.match(r"\s*[,，;；—]\s*(\S.*)", rest)
    return not (_COMMITS.search(rest) or (behind and not _REASON.search(behind[1])))
