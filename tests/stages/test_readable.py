"""What is called readable, and the form that readable answers are learnt in."""

import dataclasses

import pytest

from candor.data.dialogues import Dialogue
from candor.data.examples import ChatForm
from candor.errors import ConfigError
from candor.problems import Grade, Problem
from candor.problems.families import FAMILIES
from candor.problems.golds import Maths, NoAnswer
from candor.problems.problem import Lang
from candor.problems.prompts import reflective
from candor.stages.readable import Readability, readable, readable_form
from candor.text import Tokenizer

SEVEN = Problem(family="t", version=1, lang="en", prompt="3 + 4?", gold=Maths("7"))
SIEBEN = dataclasses.replace(SEVEN, lang="zh", prompt="3 加 4？")
GOOD = "<think>Three and four make seven.</think> <answer>7</answer>"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (GOOD, ()),
        ("<think>\n3 + 4 = 7\n</think>\n\nThe answer is \\boxed{7}.", ()),
        ("<think>三加四是七</think> <answer>7</answer>", ("language_mix",)),
        ("<think>Three and four, that is 七个, so it is 七</think> 7", ("language_mix",)),
        ("<think>Three and four</think> 所以答案是七", ("language_mix",)),
        (f"<think>{'Wait. ' * 30}</think> 7", ("repetition",)),
        (f"<think>Three and four</think> {'7 ' * 30}", ("repetition",)),
        ("7", ("no_thought",)),
        ("", ("no_thought",)),
        ("<think>Three and four", ("no_thought",)),
        ("Three</think> 7", ("no_thought",)),
        ("So <think>Three</think> 7", ("no_thought",)),
        ("<think> \n</think> 7", ("empty_thought",)),
        ("<think>Three and four</think>", ("empty_answer",)),
        ("<think>Three and four</think> <answer> </answer>", ("empty_answer",)),
        ("<think>Three<think>and</think>four</think> 7", ("stray_tags",)),
        ("<think>Three and <answer>7</answer></think> 7", ("stray_tags",)),
        ("<think>Three and four</think> <answer>7</answer><answer>7</answer>", ("stray_tags",)),
        ("<think>Three and four</think> <answer>7", ("stray_tags",)),
        ("<think>Three \ufffd four</think> 7", ("broken_text",)),
        ("<think>Three \0 four</think> 7", ("broken_text",)),
        ("<think>So:\n```python\n3 + 4\n```</think> 7", ("code_block",)),
        ("<think></think>", ("empty_thought", "empty_answer")),
    ],
)
def test_what_is_not_readable_says_why(text: str, codes: tuple[str, ...]) -> None:
    assert readable(text, "en") == codes


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("<think>三加四等于七。</think> <answer>7</answer>", ()),
        ("<think>设 x 为总数，x = \\frac{14}{2}，所以 f(x) 是 \\boxed{seven}</think> <answer>seven</answer>", ()),
        ("<think>字母倒过来就是“zsks”。</think> zs", ()),
        ("<think>然后 xs 里加上 True</think> <answer>True</answer>", ("language_mix",)),
        ("<think>First three, then four. 七</think> <answer>7</answer>", ("language_mix",)),
    ],
)
def test_symbols_are_no_foreign_words_in_chinese(text: str, codes: tuple[str, ...]) -> None:
    assert readable(text, "zh") == codes


def test_a_chinese_text_may_say_the_words_of_its_question() -> None:
    text = "<think>Python 程序里 total 加上三，再 append 一次，条件是 True</think> 7"
    program = "这个 Python 程序输出什么？\n```python\ntotal.append(3)\n```"
    assert readable(text, "zh") == ("language_mix",)
    assert readable(text, "zh", question=program) == ()


def test_limits_can_be_moved() -> None:
    text = f"<think>{' '.join(f'w{number}' for number in range(100))}</think> fine"
    assert readable(text, "en") == ()
    assert readable(text, "en", Readability(max_paragraph=99)) == ("long_paragraph",)
    assert readable(text, "en", Readability(max_words=100)) == ("too_long",)
    assert readable("<think>Three 七</think> 7", "en", Readability(min_language=0.5)) == ()
    for wrong in ({"min_language": 1.5}, {"max_repetition": -1}, {"max_words": 0}, {"max_paragraph": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Readability(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("problem", "response", "form"),
    [
        (SEVEN, GOOD, "<think>\nThree and four make seven.\n</think>\n\nThe answer is \\boxed{7}."),
        (SIEBEN, "<think>加</think><answer>答案是7</answer>", "<think>\n加\n</think>\n\n答案是 \\boxed{7}。"),
        (SEVEN, "<think>x</think> It is \\boxed{8}.", "<think>\nx\n</think>\n\nThe answer is \\boxed{8}."),
        (SEVEN, "<think>x</think> <answer>7</answer> no, <answer>8</answer>", None),
        (SEVEN, "<think>x</think> \n", None),
        (SEVEN, "\\boxed{7}", None),
        (
            dataclasses.replace(SEVEN, gold=NoAnswer("en")),
            "<think>x</think> <answer>Nobody can tell.</answer>",
            "<think>\nx\n</think>\n\nMy answer: \\boxed{Nobody can tell.}",
        ),
        (
            dataclasses.replace(SEVEN, form="free"),
            "<think>x</think>\n<answer>Dear Ann,\n\nhello!</answer>",
            "<think>\nx\n</think>\n\nDear Ann,\n\nhello!",
        ),
        (
            dataclasses.replace(SIEBEN, form="code"),
            "<think>x</think>\n<answer>def f():\n    return 7</answer>",
            "<think>\nx\n</think>\n\n代码如下：\n\n```python\ndef f():\n    return 7\n```",
        ),
    ],
)
def test_the_form_says_the_responses_own_answer(problem: Problem, response: str, form: str | None) -> None:
    """A wrong answer stays wrong: the form must not mend what the thought does not lead to."""
    assert readable_form(problem, response) == form


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_familys_worked_answers_are_readable_and_their_form_is_right(name: str, lang: Lang) -> None:
    """Else no draft of that family could ever be kept, or a kept one would be learnt with its answer lost."""
    family = FAMILIES[name]
    for difficulty in (1, 5):
        for problem in family.generate(7, 2 if family.form == "code" else 10, difficulty, lang):
            response = reflective(problem)
            assert readable(response, lang, question=problem.prompt) == ()
            form = readable_form(problem, response)
            assert form and problem.gold.grade(form, strict=True) is Grade.RIGHT
            assert readable(form, lang, question=problem.prompt) == ()


def test_the_form_is_what_the_chat_template_of_r1_goes_on_with() -> None:
    tokenizer = Tokenizer.train([GOOD] * 4, 320)
    form = readable_form(SEVEN, GOOD)
    messages = ({"role": "user", "content": "3 + 4?"}, {"role": "assistant", "content": form})
    (example,) = ChatForm(tokenizer, "r1").encode(Dialogue(messages=messages, origin="team-automatic"))
    prompt = tokenizer.encode_chat(messages[:1], template="r1")
    assert example.ids[: len(prompt)].tolist() == prompt and not example.learnt[: len(prompt)].any()
    said = tokenizer.decode(example.ids[len(prompt) : -1].tolist())
    assert said == "Three and four make seven.\n</think>\n\nThe answer is \\boxed{7}."
