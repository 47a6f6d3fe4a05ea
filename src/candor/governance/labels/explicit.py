"""The explicit label (GB 45438-2025 5.1 and 5.6): words that say "made by AI", where a reader sees them.

Both elements must be there: artificial intelligence (人工智能 or AI) and generation (生成 or 合成). The English wording
carries the Chinese one behind it, so that a file that travels is lawful in both places.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from candor.errors import ConfigError

Position = Literal["start", "middle", "end"]

WORDINGS: dict[str, dict[str, str]] = {
    "1": {"zh": "本内容由人工智能生成（AI生成）", "en": "AI-generated content (AI生成)"},
    "2": {"zh": "本内容可能由人工智能生成（可能为AI生成）", "en": "This content may be AI-generated (可能为AI生成)"},
    "3": {"zh": "本内容疑似由人工智能生成（疑似AI生成）", "en": "Suspected AI-generated content (疑似AI生成)"},
}
"""Default notices of files and answers, by what the label says and by language."""
CHAT = {
    "zh": "内容由 AI 生成，请仔细甄别",
    "en": "Answers are AI-generated (AI生成); check what matters",
}
"""The notice that stands continuously in a chat interface (5.6), and with all that the commands have a model write."""
LONGEST_NOTICE = 120
"""Characters of a line that can be a notice; a longer one is a sentence of the text."""
EDGE = 3
"""Lines with text from either end where a notice counts as start or end."""

_AI = r"(?:人工智能|(?<![A-Za-z])(?:AI|A\.I\.)(?![A-Za-z]))"
_MADE = r"(?:生成|合成)"
_THING = (
    "(?:文章|文本|文字|文档|文件|文|内容|回答|回复|答案|图片|图像|图表|图|表格|表|段落|段|网页|页面|音频|视频|语音|报告|作品"
    "|材料|稿件|摘要|译文|代码|对话|消息|信息|结果|幻灯片|输出|部分|素材|画面|声音)"
)
_CHINESE = re.compile(
    # what: "本文", "以上内容", "本服务生成的所有内容"
    rf"(?:(?:本|以上|以下|此|该|这|上述|上文|所有|全部)?(?:篇|份|个|段|服务|平台|次|条|系统)?(?:{_MADE}|输出|提供|展示)?的?"
    rf"(?:所有|全部|部分)?{_THING}{{0,2}})?"
    r"(?:均|皆|全部|部分|完全|可能|疑似|或|或许)*(?:系|为|是|由|经|使用|借助|利用|通过|采用)*(?:可能|疑似)?\s*"
    # by whom: "AI", "DeepSeek AI", "人工智能模型"
    rf"(?:[A-Za-z][\w.\-]{{0,20}}\s?){{0,2}}?{_AI}(?:大?语言)?(?:大?模型|助手|技术|服务|系统|工具)?\s*"
    # what was done
    rf"(?:自动|辅助|所)*\s*{_MADE}(?:[/、与和或]?{_MADE})?的?{_THING}{{0,2}}\s*"
    # nothing more but a bracket or a warning
    r"(?:[（(\[【][^？?]{0,60})?"
    r"(?:[，,。；;、.!！·|—\-]\s*(?:(?:请|仅|不代表|不构成|可能|如有|如|谨慎|注意|经|由|供|参考|内容|准确|版权|使用|最终"
    r"|check|please|may|verify|for|review|edited|ai|this|the)[^？?]*)?)?",
    re.IGNORECASE,
)
_HALF = re.compile(
    # what, always: without it the line may be a heading or a sentence about something else
    rf"(?:(?:本|以上|以下|此|该|这|上述|上文)(?:篇|份|个|段|次|条)?(?:{_THING}){{1,2}}|{_THING})"
    r"(?:均|皆|全部|部分|完全|可能|疑似)*(?:系|为|是)?(?:由|经|使用|借助|利用|通过|采用)"
    # AI did something else than generate, or a machine that is not called AI generated it
    rf"(?:\s*(?:[A-Za-z][\w.\-]{{0,20}}\s?){{0,2}}?{_AI}(?:大?语言)?(?:大?模型|助手|技术|服务|系统|工具)?\s*(?:自动|辅助|所)*"
    r"(?:提供|撰写|创作|制作|输出|编写|写作|写成|完成|回答|产生|产出|整理|翻译|绘制)"
    rf"|(?:机器|机器人|智能助手|大模型|语言模型|大语言模型)(?:自动|辅助|所)*{_MADE})"
    r"的?[，,。；;、.!！]?(?:[，,。；;、.!！]?\s*(?:请|仅|供|可能|如|谨慎|注意)[^？?]*)?",
    re.IGNORECASE,
)
"""A Chinese line that is meant as a notice and has one of the two elements."""
_NOUN = (
    r"(?:content|text|answers?|responses?|images?|documents?|pages?|reports?|articles?|messages?|outputs?|slides?"
    r"|files?)"
)
_DONE = r"(?:generated|synthesi[sz]ed|written|made|created|produced)"
_BE = r"(?:is|are|was|were|(?:has|have) been|may be|may have been)"
_AI_EN = r"(?:AI|A\.I\.|artificial intelligence)"
_ENGLISH = re.compile(
    rf"(?:(?:this|these|all|the above|the following|the)\s+)?(?:{_NOUN}\s+)?(?:{_BE}\s+)?"
    r"(?:fully|partly|partially|automatically|suspected(?:\s+(?:to be|of being))?|possibly)?\s*"
    rf"(?:{_AI_EN}[- ]{_DONE}(?:\s+{_NOUN})?|{_DONE}\s+(?:by|with|using)\s+(?:an?\s+)?(?:[\w.\-]+\s+){{0,2}}?{_AI_EN}"
    r"(?:\s+(?:models?|assistants?|systems?|language models?))?)"
    r"\s*(?:[.;,:(（·|—\-!][^？?]*)?",
    re.IGNORECASE,
)
"""A whole line: a notice says what was made by AI and nothing else; a sentence about generated text goes on."""
_BOTH = re.compile(rf"{_AI}\s*(?:自动|辅助)?\s*{_MADE}")
_DENIED = re.compile(
    r"(?:非|不是|没有|未(?:经|使用|用)?|不(?:含|由|使用|曾|能)|绝不|无法|无|禁止|拒绝|不得)[^，。,.;；]{0,8}(?:AI|人工智能)"
    r"|(?:AI|人工智能)[^，。,.;；]{0,4}(?:未|没有|不|无法|绝不)[^，。,.;；]{0,4}(?:参与|生成|合成)"
    r"|(?:生成|合成)[率]?\s*[：:]\s*(?:否|无|没有|0)"
    r"|(?:\b(?:not|no|non|never|without|free of|free from)\b|n't\b)[^,.;]{0,24}\b(?:AI|artificial intelligence)"
    r"|\b(?:AI|artificial intelligence)\b[^,.;]{0,12}(?:\bnot\b|n't\b)",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    r"(?:特别提示|温馨提示|提示|注意|注|声明|说明|免责声明|标识|note|notice|disclaimer|label)\s*[:：]\s*", re.IGNORECASE
)
_AROUND = " \t*_>#`~|[]<>()（）【】「」『』“”\"'‘’《》-—:：·•"


@dataclass(frozen=True)
class Notice:
    """A visible notice and where it stands. ConfigError for words that are no lawful notice, or more than one line.

    >>> Notice("AI-generated content (AI生成)", "end")
    """

    text: str
    """The words, one line."""
    position: Position = "end"
    """Before the text, in a suitable place inside, or behind it."""

    def __post_init__(self) -> None:
        if "\n" in self.text or "\r" in self.text or not 0 < len(self.text) <= LONGEST_NOTICE:
            raise ConfigError(f"the notice must be one line of 1 to {LONGEST_NOTICE} characters")
        if lacks := missing_elements(self.text):
            raise ConfigError(f"the notice {self.text!r} lacks {lacks} (GB 45438-2025 5.1); for example: {_EXAMPLE}")
        if not is_notice(self.text):
            raise ConfigError(
                f"the notice {self.text!r} reads like a sentence of the text; say what AI made and nothing else, "
                f"for example: {_EXAMPLE}"
            )


_FIRST = "1"
_EXAMPLE = WORDINGS[_FIRST]["zh"]


def notice(lang: str = "en", position: Position = "end", label: str = "1") -> Notice:
    """The default notice for a label in a language. ConfigError for a label or a language that is none."""
    if label not in WORDINGS or lang not in WORDINGS[label]:
        known = ", ".join(WORDINGS[_FIRST])
        raise ConfigError(
            f"no notice for label {label!r} in {lang!r}: labels are {', '.join(WORDINGS)}, languages {known}"
        )
    return Notice(WORDINGS[label][lang], position)


@dataclass(frozen=True)
class Style:
    """How a notice is worded and where it stands, before it is known which label a file ends up with.

    A file that somebody labelled as suspected keeps that label when it is handed on, and its notice must not say more.
    ConfigError, at once, for what would make no lawful notice.

    >>> Style("zh").notice("3").text
    '本内容疑似由人工智能生成（疑似AI生成）'
    """

    lang: str = "en"
    """Language of the default wordings."""
    position: Position = "end"
    """Where it stands."""
    wording: str = ""
    """A wording of one's own, for whatever label; empty takes the default one."""

    def __post_init__(self) -> None:
        if self.position not in get_args(Position):
            raise ConfigError(f"position {self.position!r} of the notice must be {', '.join(get_args(Position))}")
        self.notice(_FIRST)

    def notice(self, label: str) -> Notice:
        """The notice of a file with this label. ConfigError where the label is none."""
        return Notice(self.wording, self.position) if self.wording else notice(self.lang, self.position, label)


def missing_elements(text: str) -> str:
    """Which element of 5.1 b) a wording lacks, in words; nothing where it is lawful."""
    if _DENIED.search(text):
        return "the statement itself: it denies it"
    lacks = []
    if not re.search(_AI, text):
        lacks.append("the AI element (人工智能 or AI)")
    if not re.search(_MADE, text):
        lacks.append("the generation element (生成 or 合成)")
    return " and ".join(lacks)


def is_notice(line: str, *, eu: bool = False) -> bool:
    """Whether one line of a text is a notice: short, with both elements, not denied, and nothing else beside them.

    `eu` takes English wordings too that lack the Chinese elements.
    """
    bare = _bare(line)
    if not 0 < len(bare) <= LONGEST_NOTICE or _DENIED.search(bare):
        return False
    if _CHINESE.fullmatch(bare):
        return True
    return _ENGLISH.fullmatch(bare) is not None and (eu or _BOTH.search(line) is not None)


def _is_half(line: str) -> bool:
    """Whether a Chinese line says what AI did and lacks one of the elements."""
    bare = _bare(line)
    return 0 < len(bare) <= LONGEST_NOTICE and not _DENIED.search(bare) and _HALF.fullmatch(bare) is not None


def _bare(line: str) -> str:
    """A line without the marks around it: markup, brackets, quotes, pictures, and "Note:"."""
    line = " ".join(line.split())
    if len(line) > 2 * LONGEST_NOTICE:
        return line
    while line and (line[0] in _AROUND or unicodedata.category(line[0]) in ("So", "Sk", "Mn", "Cf")):
        line = line[1:]
    line = _PREFIX.sub("", line, count=1) if _PREFIX.match(line) else line
    return line.strip(_AROUND)


@dataclass(frozen=True)
class Seen:
    """A line of a text that speaks of AI where notices stand.

    >>> Seen("AI生成", "end", lawful=True)
    """

    text: str
    """The line."""
    position: Position
    """Where."""
    lawful: bool
    """Whether both elements are there."""


def any_lawful(seen: Iterable[Seen]) -> bool:
    """Whether one of the notices has both elements."""
    return any(one.lawful for one in seen)


def notices(lines: list[str]) -> list[Seen]:
    """The notices in the lines that a reader sees; also those at an edge that lack an element."""
    plain = [line for line in lines if line.strip()]
    found = []
    for place, line in enumerate(plain):
        back = len(plain) - 1 - place
        position: Position = "middle" if min(place, back) >= EDGE else "start" if place <= back else "end"
        if is_notice(line):
            found.append(Seen(line.strip(), position, True))
        elif position != "middle" and (is_notice(line, eu=True) or _is_half(line)):
            found.append(Seen(line.strip(), position, False))
    return found
