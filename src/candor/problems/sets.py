"""What a row of each published problem set says: its question, its right answer and, where there are, steps to it.

A row without a field that its set has is a DataError with the place; one whose answer cannot be understood stays a
problem that nobody can get right, so that it is counted.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import DataError
from candor.problems.code import Tests
from candor.problems.golds import Choice, Maths, NoAnswer, Spans
from candor.problems.ifeval import Instructions
from candor.problems.numbers import number
from candor.problems.problem import Gold, Lang, Question, Unreadable
from candor.rows import Row

# Fields.


def value(row: Row, *names: str) -> Any:
    """The first of the fields that is there and not null."""
    for name in names:
        if row.fields.get(name) is not None:
            return row.fields[name]
    raise DataError(
        f"{row.where} has no field {' or '.join(map(repr, names))}; it has: {', '.join(map(str, row.fields))}; "
        "check that the file and its split are those of the set"
    )


def text(row: Row, *names: str) -> str:
    """As `value`, and a text; without the space around it."""
    return str(_typed(row, str, *names)).strip()


def _typed(row: Row, kind: type, *names: str) -> Any:
    found = value(row, *names)
    if not isinstance(found, kind):
        field = " or ".join(map(repr, names))
        raise DataError(f"{row.where}: field {field} is a {type(found).__name__}, not a {kind.__name__}; mend the row")
    return found


def _list(row: Row, name: str, kind: type) -> list[Any]:
    found = _typed(row, list, name)
    if not all(isinstance(each, kind) for each in found):
        raise DataError(f"{row.where}: field {name!r} is not a list of {kind.__name__} alone; mend the row")
    return list(found)


def _lines(row: Row, name: str) -> str:
    """A field of lines, listed or in one text; empty where it is missing or null."""
    found = row.fields.get(name)
    return "\n".join(_list(row, name, str)) if found is not None and not isinstance(found, str) else found or ""


# Maths.


def _number(found: object) -> Gold:
    written = str(found).strip()
    return Maths(written.removesuffix(".0")) if number(written) is not None else Unreadable(f"{written!r} is no number")


def gsm8k(row: Row) -> Question:
    """`answer` holds worked steps, in them `<<48/2=24>>` for a calculator, then `#### 24`, which is no step."""
    steps, mark, last = re.sub(r"<<.*?>>", "", text(row, "answer")).rpartition("####")
    return Question(
        text(row, "question"), _number(last) if mark else Unreadable("the answer has no ####"), steps.strip()
    )


def math(row: Row) -> Question:
    """MATH and MATH-500: the answer has a field, or stands in the last \\boxed of the solution."""
    steps = text(row, "solution")
    answer = text(row, "answer") if "answer" in row.fields else boxed(steps)
    level = re.search(r"\d+", str(row.fields.get("level", "")))
    return Question(
        text(row, "problem"),
        Maths(answer) if answer else Unreadable("the solution has no \\boxed answer"),
        steps,
        difficulty=int(level[0]) if level else 0,
    )


def boxed(steps: str) -> str | None:
    """What the last `\\boxed{...}` or `\\fbox{...}` holds (`\\boxed 5` counts too), None where there is none."""
    marks = list(re.finditer(r"\\(?:boxed|fbox)\s*", steps))
    rest = steps[marks[-1].end() :] if marks else ""
    if not rest.startswith("{"):
        return re.split(r"[$\s]", rest)[0] or None
    depth = 0
    for brace in re.finditer(r"\\.|[{}]", rest, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0 and brace[0] == "}":
            return rest[1 : brace.start()].strip() or None
    return None


def svamp(row: Row) -> Question:
    """A story, and a question about it."""
    return Question(f"{text(row, 'Body')} {text(row, 'Question')}", _number(value(row, "Answer")))


def cmath(row: Row) -> Question:
    """The grade of the school, 1 to 6, is the difficulty."""
    grade = row.fields.get("grade")
    return Question(
        text(row, "input", "question"), _number(value(row, "golden")), difficulty=grade if isinstance(grade, int) else 0
    )


def mgsm(row: Row) -> Question:
    """Lines of question and number, or rows with `answer_number`, whose first eight also have steps in `answer`."""
    worked = "answer_number" in row.fields and row.fields.get("answer") is not None
    return Question(
        re.sub(r"^(?:Question|问题)\s*[:：]\s*", "", text(row, "question")),
        _number(value(row, "answer_number", "answer")),
        re.sub(r"^(?:Step-by-Step Answer|逐步解答)\s*[:：]\s*", "", text(row, "answer") if worked else ""),
    )


# Choices.


def lettered(row: Row) -> Question:
    """MMLU and C-Eval: options in `choices` or `A`, `B`, ...; the answer is a letter or an index.

    The letters are what is scored, as published.
    """
    options = _list(row, "choices", str) if "choices" in row.fields else [text(row, name) for name in "ABCD"]
    letters = tuple(chr(65 + index) for index in range(len(options)))
    found = value(row, "answer")
    right = letters.index(found.strip()) if isinstance(found, str) and found.strip() in letters else found
    known = type(right) is int and 0 <= right < len(options)
    lines = [f"{letter}. {option}" for letter, option in zip(letters, options, strict=True)]
    return Question(
        "\n".join([text(row, "question"), *lines]),
        Choice((right,), tuple(options)) if known else Unreadable(f"{found!r} is none of {', '.join(letters)}"),
        str(row.fields.get("explanation") or ""),
        options=letters,
    )


def safetybench(row: Row) -> Question:
    """A question on safety with two to five options, of which the index of the right one is given."""
    fields = {"question": text(row, "question"), "choices": value(row, "options"), "answer": value(row, "answer")}
    return lettered(Row(fields, row.where, row.origin))


def safetybench_key(source: str) -> dict[str, Any]:
    """The answers that stand beside `test_zh.json` in `test_answers_zh.json`; none where the rows have their own."""
    path = Path(source)
    if not path.name.startswith("test_"):
        return {}
    answers = path.with_name(path.name.replace("test_", "test_answers_", 1))
    if not answers.is_file():
        raise DataError(f"{path} has its answers in {answers.name}, which is not beside it; put it there")
    found = files.read_json(answers)
    try:
        return {number: one["answer"] for number, one in found.items()}
    except (AttributeError, TypeError, KeyError):
        raise DataError(f"{answers} is no object of answers by question; replace it by the published file") from None


def truthfulqa(row: Row, *, mc: int) -> Question:
    """MC1 has one true answer, MC2 several; rows of the CSV, of `mc_task.json`, or of the hub.

    As published, the texts of the answers are scored after the question alone, which therefore does not list them.
    Answers that are empty in the file are left out: an empty text has probability 1. "Unknown", which two questions
    list as true and as false, counts as false, as in `mc_task.json`.
    """
    if f"mc{mc}_targets" in row.fields:
        targets = _typed(row, dict, f"mc{mc}_targets")
        if set(targets) == {"choices", "labels"}:
            place = Row(targets, row.where, row.origin)
            choices, values = _list(place, "choices", str), _list(place, "labels", int)
            if len(choices) != len(values):
                raise DataError(f"{row.where} has {len(choices)} choices and {len(values)} labels; mend the row")
            targets = dict(zip(choices, values, strict=True))
    else:
        true = [text(row, "Best Answer")] if mc == 1 else text(row, "Correct Answers").split(";")
        targets = dict.fromkeys(true, 1) | dict.fromkeys(text(row, "Incorrect Answers").split(";"), 0)
    labels = {option.strip(): label for option, label in targets.items() if option.strip()}
    right = tuple(index for index, label in enumerate(labels.values()) if label == 1)
    known = 0 < len(right) < len(labels) and (mc == 2 or len(right) == 1)
    return Question(
        text(row, "question", "Question"),
        Choice(right, tuple(labels)) if known else Unreadable(f"{len(right)} of {len(labels)} answers are true"),
        options=tuple(labels),
    )


# Reading.


def questions(row: Row) -> Iterator[Row]:
    """The questions of an article in the SQuAD form; rows of the hub already are one question each."""
    if "paragraphs" not in row.fields:
        yield row
        return
    for paragraph in _list(row, "paragraphs", dict):
        place = Row(paragraph, row.where, row.origin)
        for qa in _list(place, "qas", dict):
            name = qa.get("id", "?")
            yield Row({**qa, "context": text(place, "context")}, f"{row.where} {name}", f"{row.origin}:{name}")


def squad(row: Row, *, lang: Lang, unanswerable: bool = False) -> Question:
    """A passage and a question, answered by a span of the passage or, where `unanswerable`, perhaps by none."""
    answers = value(row, "answers")
    if isinstance(answers, dict):
        found = _list(Row(answers, row.where, row.origin), "text", str)
    else:
        found = [text(Row(each, row.where, row.origin), "text") for each in _list(row, "answers", dict)]
    spans = tuple(dict.fromkeys(found))
    gold: Gold = Spans(spans, lang) if spans else Unreadable("it has no answer")
    if unanswerable and (row.fields.get("is_impossible") or not spans):
        gold = NoAnswer(lang)
    return Question(f"{text(row, 'context')}\n\n{text(row, 'question')}", gold)


# Instructions and code.


def ifeval(row: Row) -> Question:
    """A prompt with the instructions in it."""
    ids, kwargs = _list(row, "instruction_id_list", str), _list(row, "kwargs", dict)
    return Question(text(row, "prompt"), Instructions.of(ids, kwargs))


def humaneval(row: Row) -> Question:
    """The prompt is the head of a function, which the `check` of its tests is given."""
    prompt, name = _typed(row, str, "prompt"), text(row, "entry_point")
    gold = Tests(entry_point=name, tests=_typed(row, str, "test"), prefix=prompt)
    return Question(prompt, gold, prompt + str(row.fields.get("canonical_solution") or ""))


def mbpp(row: Row) -> Question:
    """A task in words with its tests, which say how the function is called."""
    tests, code = _list(row, "test_list", str), text(row, "code").replace("\r\n", "\n")
    setup = text(row, "test_setup_code") if row.fields.get("test_setup_code") else _lines(row, "test_imports")
    name = _called(code, tests)
    return Question(
        f"{text(row, 'text', 'prompt')}\n\nYour code should pass these tests:\n\n" + "\n".join(tests),
        Tests(entry_point=name, tests="\n".join([setup, *tests])) if name else Unreadable("no function is tested"),
        code,
    )


def _called(code: str, tests: list[str]) -> str:
    """The function of the code that the tests call."""
    defined = set(re.findall(r"^def (\w+)", code, re.MULTILINE))
    return next((name for name in re.findall(r"(\w+)\s*\(", "\n".join(tests)) if name in defined), "")
