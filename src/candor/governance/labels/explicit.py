"""The explicit label (GB 45438-2025 5.1 and 5.6): words that say "made by AI", where a reader sees them.

Both elements must be there: artificial intelligence (人工智能 or AI) and generation (生成 or 合成). The English wording
carries the Chinese one behind it, so that a file that travels is lawful in both places.
"""

import re
from dataclasses import dataclass
from typing import Literal

from candor.errors import ConfigError

Position = Literal["start", "middle", "end"]

WORDINGS = {
    "zh": "本内容由人工智能生成（AI生成）",
    "en": "AI-generated content (AI生成)",
}
"""Default notices of files and answers, by language."""
CHAT = {
    "zh": "内容由 AI 生成，请仔细甄别",
    "en": "Answers are AI-generated (AI生成); check what matters",
}
"""The notice that stands continuously in a chat interface (5.6)."""
LONGEST = 120
"""Characters of a line that can be a notice; a longer one is a sentence of the text."""
EDGE = 3
"""Lines with text from either end where a notice counts as start or end."""

_AI = re.compile(r"人工智能|(?<![A-Za-z])(?:AI|A\.I\.)(?![A-Za-z])")
_GENERATION = re.compile("生成|合成")
_AI_EU = re.compile(r"人工智能|(?<![A-Za-z])(?:AI|A\.I\.|artificial intelligence)(?![A-Za-z])", re.IGNORECASE)
_GENERATION_EU = re.compile(r"生成|合成|generat|synthe|\bwritten\b|\bmade\b|\bcreated\b|\bproduced\b", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:非|不是|没有|未(?:经|使用|用)?|不(?:含|由|使用)|无|禁止|拒绝|不得)[^，。,.;；]{0,8}(?:AI|人工智能)"
    r"|(?:AI|人工智能)[^，。,.;；]{0,4}(?:未|没有|不)(?:参与|生成|合成)"
    r"|\b(?:not|no|non|never|without|free of)\b[^,.;]{0,24}\b(?:AI|artificial intelligence)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"(?:(?:本|以上|以下|此|该)?(?:部分)?(?:文|文章|文字|文本|内容|回答|图|图片|文件|文档|表格?|段|网页|音频|视频)?"
    r"(?:均|皆|全部|部分)?(?:系|为|是|由|经|使用|借助)?\s*(?:AI|人工智能)"
    r"|(?:(?:generated|written|made|created|produced|synthe\w+) (?:by|with)\b[^,.]{0,10}?"
    r"|(?:this|the above|the following|all|these|answers?|content|text|images?|document|page)\b[^,.]{0,40}?)?"
    r"\b(?:AI|artificial))",
    re.IGNORECASE,
)
"""How a notice begins, and a sentence about generated text seldom does."""
_ABOUT = re.compile(
    "(?:生成|合成)的(?!内容|文本|文字|图|回答|文章|结果|部分|音|视)|(?:生成|合成)(?:技术|模型|能力|时代|算法)"
)
_MARKUP = re.compile(r"[*_>#`~|\[\]<>]+|\s+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


@dataclass(frozen=True)
class Notice:
    """A visible notice and where it stands.

    >>> Notice("AI-generated content (AI生成)", "end")
    """

    text: str
    """The words, one line."""
    position: Position = "end"
    """Before the text, in a suitable place inside, or behind it."""

    def __post_init__(self) -> None:
        if "\n" in self.text or "\r" in self.text or not 0 < len(self.text) <= LONGEST:
            raise ConfigError(f"the notice must be one line of 1 to {LONGEST} characters")
        if lacks := missing_elements(self.text):
            raise ConfigError(
                f"the notice {self.text!r} lacks {lacks} (GB 45438-2025 5.1); for example: {WORDINGS['zh']}"
            )
        if not is_notice(self.text):
            raise ConfigError(
                f"the notice {self.text!r} reads like a sentence of the text; begin with what was made by AI, "
                f"for example: {WORDINGS['zh']}"
            )


def notice(lang: str = "en", position: Position = "end") -> Notice:
    """The default notice in a language; English where there is none."""
    return Notice(WORDINGS.get(lang, WORDINGS["en"]), position)


def missing_elements(text: str) -> str:
    """Which element of 5.1 b) a wording lacks, in words; nothing where it is lawful."""
    if _DENIED.search(text):
        return "the statement itself: it denies it"
    lacks = []
    if not _AI.search(text):
        lacks.append("the AI element (人工智能 or AI)")
    if not _GENERATION.search(text):
        lacks.append("the generation element (生成 or 合成)")
    return " and ".join(lacks)


def is_notice(line: str, *, eu: bool = False) -> bool:
    """Whether one line of a text is a notice: short, with both elements, not denied, and about the text it stands in.

    `eu` takes any wording, also one without the Chinese element.
    """
    line = _MARKUP.sub(" ", line).strip(" ()（）【】-—:：·")
    if not 0 < len(line) <= LONGEST or _DENIED.search(line) or _ABOUT.search(line):
        return False
    ai, generation = (_AI_EU, _GENERATION_EU) if eu else (_AI, _GENERATION)
    return _OPENING.match(line) is not None and ai.search(line) is not None and generation.search(line) is not None


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


def notices(lines: list[str]) -> list[Seen]:
    """The notices in the lines of a text, code blocks left out; also those at an edge that lack an element."""
    plain = [line for line in prose_lines(lines) if line.strip()]
    found = []
    for place, line in enumerate(plain):
        back = len(plain) - 1 - place
        position: Position = "middle" if min(place, back) >= EDGE else "start" if place <= back else "end"
        if is_notice(line):
            found.append(Seen(line.strip(), position, True))
        elif position != "middle" and is_notice(line, eu=True):
            found.append(Seen(line.strip(), position, False))
    return found


def prose_lines(lines: list[str]) -> list[str]:
    """The lines outside fenced code blocks; an unclosed block reaches to the end."""
    kept, fence = [], ""
    for line in lines:
        match = _FENCE.match(line)
        if fence:
            if match and match[1][0] == fence[0] and len(match[1]) >= len(fence) and not match[2].strip():
                fence = ""
            continue
        if match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
            continue
        kept.append(line)
    return kept


def open_fence(lines: list[str]) -> bool:
    """Whether a fenced code block is still open behind the last line."""
    return len(prose_lines([*lines, "x"])) == len(prose_lines(lines))


def with_notice(text: str, notice: Notice) -> str:
    """A plain text or Markdown text with the notice as a paragraph of its own, never inside a code block.

    Where a block is left open at the end, the notice goes to the start. "middle" is the paragraph break nearest to
    the middle that lies outside code; without one it is the end.
    """
    lines = text.split("\n")
    if notice.position == "middle":
        breaks = [
            place for place, line in enumerate(lines) if not line.strip() and not open_fence(lines[:place]) and place
        ]
        if breaks:
            place = min(breaks, key=lambda one: abs(one - len(lines) // 2))
            return "\n".join([*lines[:place], "", notice.text, *lines[place:]])
    if notice.position == "start" or open_fence(lines):
        return f"{notice.text}\n\n{text}" if text else f"{notice.text}\n"
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return f"{text}{gap}{notice.text}\n"
