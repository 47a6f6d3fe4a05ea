"""What makes an answer readable, and the form in which a readable one is learnt (R1 2.3.1 and 2.3.3)."""

import keyword
import re
from dataclasses import dataclass

from candor.errors import ConfigError
from candor.problems import Lang, Problem
from candor.problems.code import code_of
from candor.problems.extract import answer_text
from candor.problems.golds import NoAnswer
from candor.problems.prompts import BOXED
from candor.text import THINK_BEGIN, THINK_END
from candor.text.language import language_share, repetition, words


@dataclass(frozen=True)
class Readability:
    """Limits beyond which an answer is not readable. The papers name what is looked at, not how much is too much."""

    min_language: float = 0.9
    """Least share of the words that is in the language of the question."""
    max_repetition: float = 0.3
    """Largest share of the thought, or of the answer, that stood there before."""
    max_words: int = 2000
    """Most words, or Chinese characters, in all."""
    max_paragraph: int = 200
    """Most of them in one paragraph of the thought."""

    def __post_init__(self) -> None:
        for name in ("min_language", "max_repetition"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"readable.{name}={getattr(self, name)} is a share; choose 0 to 1")
        for name in ("max_words", "max_paragraph"):
            if getattr(self, name) < 1:
                raise ConfigError(f"readable.{name}={getattr(self, name)} must be at least 1")


_TAG = re.compile(r"</?(?:think|answer)>")
_SAID = re.compile(r"<answer>.*?</answer>|\\boxed\{[^{}]*\}|```.*?(?:```|\Z)", re.S)
"""Answers and code: they are in the language of neither."""
_SYMBOLS = re.compile(r"\\[A-Za-z]+|(?<![A-Za-z])(?:[A-Za-z]{1,2}(?![A-Za-z])|'[A-Za-z]+'|\"[A-Za-z]+\"|“[A-Za-z]+”)")
"""Commands of LaTeX, names of one or two letters, and quoted strings of letters."""


def parts(response: str) -> tuple[str, str] | None:
    """The thought, and what follows it; None where the response has not both."""
    head, closed, rest = response.rpartition(THINK_END)
    head = head.lstrip()
    return (head.removeprefix(THINK_BEGIN), rest) if closed and head.startswith(THINK_BEGIN) else None


def readable(text: str, lang: Lang, limits: Readability | None = None, *, question: str = "") -> tuple[str, ...]:
    """Codes of what makes a response hard to read; empty where it is readable.

    `no_thought`, `broken_text` (half characters), `empty_thought`, `empty_answer`, `stray_tags`, `language_mix`,
    `repetition`, `too_long`, `long_paragraph`, `code_block` (in the thought). Answers, code and,
    in Chinese, the Latin words of the `question` are no foreign words.
    """
    found, limits = parts(text), limits or Readability()
    if found is None:
        return ("no_thought",)
    thought, rest = found
    share = language_share(_prose(f"{thought}\n{rest}", lang, question), lang)
    checks = {
        "broken_text": "\0" in text or "\ufffd" in text,
        "empty_thought": not thought.strip(),
        "empty_answer": not _TAG.sub("", rest).strip(),
        "stray_tags": bool(_TAG.search(thought)) or _TAG.findall(rest) not in ([], ["<answer>", "</answer>"]),
        "language_mix": share is not None and share < limits.min_language,
        "repetition": max(map(repetition, found)) > limits.max_repetition,
        "too_long": len(words(thought)) + len(words(rest)) > limits.max_words,
        "long_paragraph": max(len(words(line)) for line in thought.split("\n")) > limits.max_paragraph,
        "code_block": "```" in thought,
    }
    return tuple(name for name, holds in checks.items() if holds)


def _prose(text: str, lang: Lang, question: str) -> str:
    """The words that have to be in the language; a Chinese text may hold symbols and words of the question's own."""
    text = _SAID.sub(" ", text)
    if lang == "en":
        return text
    known = set(words(question))
    if "```" in question:  # who follows a program writes down its words
        known.update(word.lower() for word in keyword.kwlist)
    return re.sub(r"[A-Za-z0-9_]+", lambda word: " " if word[0].lower() in known else word[0], _SYMBOLS.sub(" ", text))


_CODE = {"en": "This code does it:", "zh": "代码如下："}
_WORDS = {"en": "My answer: \\boxed{{{}}}", "zh": "我的回答：\\boxed{{{}}}"}


def summary(problem: Problem, answer: str) -> str:
    """One sentence that gives the answer where a chat's question wants it: a box, or for code a fenced block."""
    if problem.form == "code":
        return f"{_CODE[problem.lang]}\n\n```python\n{answer}\n```"
    if problem.form == "free":
        return answer
    return (_WORDS if isinstance(problem.gold, NoAnswer) else BOXED)[problem.lang].format(answer)


def readable_form(problem: Problem, response: str) -> str | None:
    """The thought with a summary that says the response's own answer; None where the response gives none."""
    found = parts(response)
    if found is None:
        return None
    if problem.form == "code":
        answer = code_of(response, entry_point=getattr(problem.gold, "entry_point", ""))
    elif problem.form == "free":
        answer = _TAG.sub("", found[1]).strip()
    else:
        answer = answer_text(response)
    return with_thought(found[0], summary(problem, answer)) if answer else None


def with_thought(thought: str, said: str) -> str:
    """An answer in the form that R1's chat template continues."""
    return f"{THINK_BEGIN}\n{thought.strip()}\n{THINK_END}\n\n{said}"
