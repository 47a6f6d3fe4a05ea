"""How a problem is put to a model, and how a worked answer to it looks."""

import hashlib
import re
from dataclasses import dataclass

from candor.errors import ConfigError
from candor.problems.golds import NoAnswer
from candor.problems.problem import Form, Lang, Problem


@dataclass(frozen=True)
class Format:
    """Words around a question."""

    text: dict[Lang, str]
    """With {prompt} where the question stands."""
    stop: dict[Lang, str]
    """What begins when a model goes on to a question of its own."""


_R1_ZERO = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant "
    "first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning "
    "process and answer are enclosed within <think>...</think> and <answer>...</answer> tags, respectively, i.e., "
    "<think> reasoning process here </think> <answer> answer here </answer>. User: {prompt}. Assistant:"
)
"""Table 1 of the R1 paper, to the letter."""

FORMATS = {
    "plain": Format(
        {"en": "Question: {prompt}\nAnswer:", "zh": "问题：{prompt}\n答案："}, {"en": "\nQuestion:", "zh": "\n问题："}
    ),
    "r1_zero": Format({"en": _R1_ZERO, "zh": _R1_ZERO}, {"en": "User:", "zh": "User:"}),
}
"""By name; `chat` is the model's own template."""

_HINTS: dict[Form, dict[Lang, str]] = {
    "value": {
        "en": "Please reason step by step, and put your final answer within \\boxed{}.",
        "zh": "请逐步推理，并把最终答案放在 \\boxed{} 中。",
    },
    "option": {
        "en": "Put the letter of the right option within \\boxed{}.",
        "zh": "请把正确选项的字母放在 \\boxed{} 中。",
    },
    "span": {
        "en": "Answer with a few words of the text, within \\boxed{}.",
        "zh": "请用原文中的词语作答，并放在 \\boxed{} 中。",
    },
    "code": {"en": "Write the code in one fenced block.", "zh": "请把代码写在一个代码块中。"},
    "free": {"en": "", "zh": ""},
}
"""What a chat's message says of the form of the answer."""


def check_format(name: str) -> None:
    """ConfigError for a format that is neither known nor a text with {prompt}."""
    if name not in FORMATS and name != "chat" and "{prompt}" not in name:
        raise ConfigError(f"format={name!r} must be chat, {', '.join(FORMATS)} or a text that holds {{prompt}}")


def asked(problem: Problem, name: str) -> str:
    """What a model is asked with: a text to continue, or in format `chat` a user's message."""
    if name == "chat":
        return "\n".join(filter(None, (problem.prompt, _HINTS[problem.form][problem.lang])))
    template = FORMATS[name].text[problem.lang] if name in FORMATS else name
    return template.replace("{prompt}", problem.prompt)


def stop_of(problem: Problem, name: str) -> tuple[str, ...]:
    """Texts at which an answer in this format is over."""
    return (FORMATS[name].stop[problem.lang],) if name in FORMATS else ()


def seed_of(seed: int, problem: Problem, index: int) -> int:
    """A seed of its own for each answer to a problem, so that it does not depend on what else is asked."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{problem.id}|{index}".encode()).digest()[:4], "big")


BOXED: dict[Lang, str] = {"en": "The answer is \\boxed{{{}}}.", "zh": "答案是 \\boxed{{{}}}。"}
"""The sentence that gives an answer where a chat's question wants it."""


def worked(problem: Problem) -> str:
    """A right answer with its steps, as examples show it."""
    if problem.form == "code":
        return f"```python\n{problem.solution}\n```"
    if problem.form == "free" and problem.solution:
        return problem.solution
    gold = str(problem.gold)
    return gold if problem.options or problem.form == "span" else "\n#### ".join(filter(None, (problem.solution, gold)))


_THOUGHT: dict[Lang, str] = {
    "en": "Let me work it out step by step.\n{steps}Let me check: {check}. That fits, so I keep it.",
    "zh": "我一步一步来想。\n{steps}检查一下：{check}。没有问题，就是它了。",
}
_CHECKS: dict[str, dict[Lang, str]] = {
    "case": {"en": "{} comes out as it should", "zh": "{} 的结果也对"},
    "unknown": {
        "en": "what is missing could be anything, and the answer changes with it",
        "zh": "缺的那个量取不同的值，答案就会不同",
    },
    "request": {"en": "this is what was asked for", "zh": "这正是题目要的"},
    "again": {"en": "going through it once more, I get {} again", "zh": "从头再看一遍，得到的还是“{}”"},
}
_EQUATION = re.compile(r"(?<![^\s:：])(\(-\d+\)|-?\d+) ([-+*/]) (\(-\d+\)|-?\d+) = (-?\d+)$", re.M)


def steps_of(problem: Problem) -> str:
    """The worked steps without the answer that they end in; empty where the solution is nothing but the answer."""
    if problem.form in ("code", "free"):
        return ""
    return f"\n{problem.solution}".removesuffix(f"\n{problem.gold}").strip("\n")


def reflective(problem: Problem) -> str:
    """A right answer in R1-Zero's tags, with a thought that goes through the steps and checks what came out (R1 2.3.1).

    The check undoes the last sum of the steps where they hold one.
    """
    gold, steps = str(problem.gold), steps_of(problem)
    thought = _THOUGHT[problem.lang].format(steps=steps and f"{steps}\n", check=_check(problem, steps))
    answer = worked(problem) if problem.form == "code" else problem.solution if problem.form == "free" else gold
    return f"<think>\n{thought}\n</think>\n<answer>{answer}</answer>"


def _check(problem: Problem, steps: str) -> str:
    for a, sign, b, c in reversed(_EQUATION.findall(steps)):
        left, right, result = (int(text.strip("()")) for text in (a, b, c))
        sums = {
            "+": left + right,
            "-": left - right,
            "*": left * right,
            "/": result if right * result == left else None,
        }
        if right and sums[sign] == result:
            undo = {"+": "-", "-": "+", "*": "/", "/": "*"}[sign]
            return f"{f'({c})' if result < 0 else c} {undo} {b} = {left}"
    lines = str(problem.gold).split("\n")
    if problem.form == "code":
        return _CHECKS["case"][problem.lang].format(lines[-1].strip().replace(",)", ")"))
    kind = "unknown" if isinstance(problem.gold, NoAnswer) else "request" if problem.form == "free" else "again"
    return _CHECKS[kind][problem.lang].format(", ".join(lines))
