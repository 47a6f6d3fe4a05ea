"""Evaluations from the prompt to the figures, with models that say what the test wants."""

import json
import math
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from candor.errors import ConfigError, DataError, RequestError, Unreachable
from candor.evaluate import result as results
from candor.evaluate.likelihood import Likelihood, LikelihoodDone
from candor.evaluate.result import compare_folders, read_result, samples_of
from candor.evaluate.run import evaluate
from candor.evaluate.statistics import Comparison
from candor.evaluate.task import Task, problems_of, texts_of
from candor.problems import Grade
from candor.problems.golds import Maths
from tests.evaluate.conftest import Scripted

SUMS = Task(name="arithmetic", n=20)


def value(prompt: str) -> int:
    """What the chain at the end of a prompt comes to: numbers with + and - only, as level 1 has them."""
    chain = re.findall(r"[-+]?\s*\d+", prompt.rsplit("Question:", 1)[-1])
    return sum(int(re.sub(r"\s", "", number)) for number in chain)


def chance(p: float) -> Scripted:
    """Right with probability `p`, by the seed of the request."""
    return Scripted(lambda prompt, seed: f"#### {value(prompt) + (random.Random(seed).random() >= p)}")


def test_the_figures_of_a_model_that_is_always_right_or_never(tmp_path: Path) -> None:
    good, samples = evaluate(SUMS, chance(1.0))
    assert good.figures["pass@1"].value == 1 and good.figures["pass@1"].stderr == 0
    assert all(sample.grade is Grade.RIGHT and sample.answer == sample.gold for sample in samples)
    bad, _ = evaluate(SUMS, chance(0.0))
    assert bad.figures["pass@1"].value == 0 and bad.figures["answered"].value == 1
    silent, _ = evaluate(SUMS, Scripted(lambda prompt, seed: "hm"))
    assert silent.figures["pass@1"].value == 0 and silent.figures["answered"].value == 0
    lost, _ = evaluate(SUMS, Scripted(lambda prompt, seed: "I do not know."))
    assert lost.figures["abstained"].value == 1 and lost.figures["pass@1"].value == 0


def test_intervals_of_a_model_that_answers_at_random_hold_the_truth() -> None:
    """The whole way from the seeds of the requests to the interval: 95% intervals, 100 seeds."""
    held = 0
    for seed in range(100):
        result, _ = evaluate(replace(SUMS, n=40, k=2, seed=seed), chance(0.3))
        figure = result.figures["pass@1"]
        assert figure.low is not None and figure.high is not None
        held += figure.low <= 0.3 <= figure.high
    assert held >= 90


def test_pass_at_k_and_majority_come_from_the_samples() -> None:
    task = replace(SUMS, k=8)
    result, samples = evaluate(task, chance(0.4))
    groups = [[one.grade is Grade.RIGHT for one in samples[start : start + 8]] for start in range(0, 160, 8)]
    assert result.figures["pass@1"].value == pytest.approx(sum(map(sum, groups)) / 160)
    assert result.figures["pass@8"].value == pytest.approx(sum(map(any, groups)) / 20)
    two = sum(1 - math.comb(8 - sum(one), 2) / math.comb(8, 2) for one in groups) / 20
    assert result.figures["pass@2"].value == pytest.approx(two)
    # Wrong answers are all the same one here: the majority is right where more than half are, half right at a tie.
    votes = [1.0 if sum(one) > 4 else 0.5 if sum(one) == 4 else 0.0 for one in groups]
    assert result.figures["majority@8"].value == pytest.approx(sum(votes) / 20)
    assert list(result.figures)[:5] == ["pass@1", "pass@2", "pass@4", "pass@8", "majority@8"]


def test_a_seed_gives_the_same_answers_whatever_else_is_asked() -> None:
    few, _ = evaluate(SUMS, few_subject := chance(0.5))
    _, many = evaluate(replace(SUMS, n=20, k=3), chance(0.5))
    _, again = evaluate(SUMS, chance(0.5))
    assert [one.response for one in many if one.index == 0] == [one.response for one in again]
    _, other = evaluate(replace(SUMS, seed=1), chance(0.5))
    assert [one.response for one in other] != [one.response for one in again]
    assert len(few_subject.asked) == few.samples == 20


def test_everything_is_kept_and_nothing_is_asked_twice(tmp_path: Path) -> None:
    first, samples = evaluate(SUMS, chance(0.5), tmp_path)
    subject = chance(0.5)
    second, again = evaluate(SUMS, subject, tmp_path)
    assert not subject.asked and second == replace(first, reused=20) and again == samples
    assert read_result(tmp_path / "arithmetic-1-en.json") == first
    assert samples_of(first, tmp_path) == samples
    assert len({sample.problem for sample in samples}) == 20


@pytest.mark.parametrize("after", [0, 1, 7, 39])
def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, after: int) -> None:
    """The figures are those of a run that was never stopped, and each question was asked once."""
    task = replace(SUMS, k=2)
    whole, kept = evaluate(task, chance(0.5))
    steady = chance(0.5)

    def until(prompt: str, seed: int) -> str | KeyboardInterrupt:
        return KeyboardInterrupt() if len(killed.asked) > after else str(steady.say(prompt, seed))

    killed = Scripted(until)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        evaluate(task, killed, tmp_path)
    assert not (tmp_path / "arithmetic-1-en.json").exists()
    path = tmp_path / "arithmetic-1-en.samples.jsonl"
    path.write_bytes(path.read_bytes() + b'{"place": 3, "resp')  # cut off in the middle of a line
    rest = chance(0.5)
    result, samples = evaluate(task, rest, tmp_path)
    assert len(rest.asked) == 40 - after
    assert samples == kept and result.figures == whole.figures


def test_a_server_that_fails_midway_is_an_error_and_keeps_the_answers(tmp_path: Path) -> None:
    steady = chance(0.5)

    def flaky(prompt: str, seed: int) -> str | Exception:
        down = 5 <= len(subject.asked) <= 9
        return Unreachable("the server cannot be reached") if down else steady.say(prompt, seed)

    subject = Scripted(flaky)
    with pytest.raises(Unreachable, match=r"5 requests failed.*cannot be reached.*run the same command again"):
        evaluate(SUMS, subject, tmp_path)
    assert not (tmp_path / "arithmetic-1-en.json").exists()
    rest = chance(0.5)
    evaluate(SUMS, rest, tmp_path)
    assert len(rest.asked) == 5


def test_a_server_that_is_down_is_not_asked_to_the_end() -> None:
    subject = Scripted(lambda prompt, seed: Unreachable("down"))
    with pytest.raises(Unreachable, match="down"):
        evaluate(replace(SUMS, n=500), subject)
    assert len(subject.asked) <= 20


def test_a_refused_request_is_counted_and_scores_nothing(tmp_path: Path) -> None:
    steady = chance(1.0)
    subject = Scripted(lambda prompt, seed: RequestError("too long") if "9" in prompt else steady.say(prompt, seed))
    result, samples = evaluate(SUMS, subject, tmp_path)
    refused = [sample for sample in samples if "9" in sample.prompt]
    assert 0 < len(refused) < 20 and result.invalid == len(refused)
    assert all(sample.grade is Grade.INVALID and sample.error == "too long" for sample in refused)
    assert result.figures["pass@1"].value == 1 - len(refused) / 20


def test_where_everything_is_refused_there_is_no_score(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"every request was refused.*too long"):
        evaluate(SUMS, Scripted(lambda prompt, seed: RequestError("too long")), tmp_path)
    assert evaluate(SUMS, chance(1.0), tmp_path)[0].figures["pass@1"].value == 1  # the mended command works


def test_a_problem_without_a_readable_gold_is_counted_and_not_asked(tmp_path: Path) -> None:
    rows = [{"question": "What is 2 + 3?", "answer": "#### 5"}, {"question": "What is 2 + 4?", "answer": "six"}]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    subject = chance(1.0)
    result, _ = evaluate(Task(name="gsm8k", data=str(tmp_path / "set.jsonl")), subject)
    assert (result.problems, result.unreadable) == (1, 1) and len(subject.asked) == 1
    (tmp_path / "set.jsonl").write_text(json.dumps(rows[1]))
    with pytest.raises(ConfigError, match="none of its 1 problems has a readable gold"):
        evaluate(Task(name="gsm8k", data=str(tmp_path / "set.jsonl")), subject)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        ("no json\n", "not JSON"),
        ('{"q": 1}\n', "no field 'answer'"),
        ("[1, 2]\n", "not an object"),
        ("", "holds no"),
    ],
)
def test_data_that_cannot_be_used_is_a_clear_error(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "set.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=says):
        evaluate(Task(name="gsm8k", data=str(path)), chance(1.0))


def test_answers_to_other_settings_are_not_mixed(tmp_path: Path) -> None:
    evaluate(SUMS, chance(0.5), tmp_path)
    for other in (replace(SUMS, seed=1), replace(SUMS, temperature=0.0), replace(SUMS, format="r1_zero")):
        with pytest.raises(ConfigError, match="choose another --out"):
            evaluate(other, chance(0.5), tmp_path)


def test_other_code_grades_again_without_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(SUMS, chance(1.0), tmp_path)
    path = tmp_path / "arithmetic-1-en.json"
    path.write_text(path.read_text().replace('"value": 1.0', '"value": 0.25'))
    assert evaluate(SUMS, chance(1.0), tmp_path)[0].figures["pass@1"].value == 0.25  # kept as it is
    monkeypatch.setattr(results, "code_version", lambda: "another")
    subject = chance(1.0)
    result, _ = evaluate(SUMS, subject, tmp_path)
    assert not subject.asked and result.figures["pass@1"].value == 1


def test_a_mended_gold_grades_again_without_asking(tmp_path: Path) -> None:
    data, out = tmp_path / "set.jsonl", tmp_path / "out"
    data.write_text(json.dumps({"question": "What is 2 + 2?", "answer": "#### 5"}))
    task = Task(name="gsm8k", data=str(data))
    assert evaluate(task, Scripted(lambda prompt, seed: "#### 4"), out)[0].figures["pass@1"].value == 0
    data.write_text(json.dumps({"question": "What is 2 + 2?", "answer": "#### 4"}))
    subject = Scripted(lambda prompt, seed: "#### 5")
    result, samples = evaluate(task, subject, out)
    assert result.figures["pass@1"].value == 1 and samples[0].gold == "4" and not subject.asked


@pytest.mark.parametrize("change", ["", "half", "doubled"])
def test_answers_that_were_changed_are_not_taken_for_finished(tmp_path: Path, change: str) -> None:
    result, samples = evaluate(SUMS, chance(0.5), tmp_path)
    path = tmp_path / "arithmetic-1-en.samples.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text({"": "", "half": "".join(lines[:9]), "doubled": "".join(lines * 2)}[change])
    with pytest.raises(DataError, match="was changed since it was graded"):
        samples_of(result, tmp_path)
    subject = chance(0.5)
    again, same = evaluate(SUMS, subject, tmp_path)
    assert len(subject.asked) == {"": 20, "half": 11, "doubled": 0}[change]
    assert (again.figures, same) == (result.figures, samples)


BAD_LINES = [
    '{"place": 99, "response": "x"}',
    '{"response": "x"}',
    '{"place": "0", "response": "x"}',
    '{"place": 0, "response": null}',
    '{"place": 0}',
    '{"place": 0, "response": 5}',
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_is_no_answer_is_named(tmp_path: Path, line: str) -> None:
    result, _ = evaluate(SUMS, chance(0.5), tmp_path)
    path = tmp_path / "arithmetic-1-en.samples.jsonl"
    path.write_text(path.read_text() + line.replace("{", f'{{"evaluation": "{result.evaluation}", ', 1) + "\n")
    with pytest.raises(DataError, match=r"samples.jsonl:21 is no answer of this evaluation"):
        evaluate(SUMS, chance(0.5), tmp_path)


def test_a_checker_that_fails_is_counted_and_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Maths, response: str, *, strict: bool = False) -> Grade:
        if response == "#### 7":
            raise ZeroDivisionError("no")
        return real(self, response, strict=strict)

    real = Maths.grade
    monkeypatch.setattr(Maths, "grade", broken)
    subject = Scripted(lambda prompt, seed: "#### 7" if seed % 2 else f"#### {value(prompt)}")
    result, samples = evaluate(SUMS, subject)
    failed = [sample for sample in samples if sample.grade is Grade.INVALID]
    assert 0 < len(failed) == result.invalid and all("ZeroDivisionError" in sample.error for sample in failed)
    assert result.figures["pass@1"].value == 1 - len(failed) / 20


# Words.


def test_the_words_of_the_formats() -> None:
    (problem,) = problems_of(replace(SUMS, n=1))
    (plain,) = texts_of(SUMS, [problem])
    assert plain == f"Question: {problem.prompt}\nAnswer:"
    (zero,) = texts_of(replace(SUMS, format="r1_zero"), [problem])
    assert zero.startswith("A conversation between User and Assistant.") and zero.endswith(
        f"User: {problem.prompt}. Assistant:"
    )
    (chat,) = texts_of(replace(SUMS, format="chat"), [problem])
    assert chat.startswith(problem.prompt) and chat.endswith("put your final answer within \\boxed{}.")
    (own,) = texts_of(replace(SUMS, format="Q {prompt} {x} A"), [problem])
    assert own == f"Q {problem.prompt} {{x}} A"
    (chinese,) = problems_of(replace(SUMS, n=1, lang="zh"))
    assert texts_of(replace(SUMS, lang="zh"), [chinese]) == [f"问题：{chinese.prompt}\n答案："]


def test_examples_are_worked_and_never_those_that_are_asked() -> None:
    problems = problems_of(SUMS)
    texts = texts_of(replace(SUMS, num_fewshot=3), problems)
    head = texts[0].removesuffix(f"Question: {problems[0].prompt}\nAnswer:")
    assert all(text.startswith(head) for text in texts) and head.count("Question:") == 3 == head.count("#### ")
    assert not any(problem.prompt in head for problem in problems)


def test_a_hint_does_not_tell_what_the_answer_is(tmp_path: Path) -> None:
    """Questions of SQuAD 2 with and without an answer are put in the same words."""
    rome = [{"text": "Rome", "answer_start": 0}]
    questions = [
        {"id": "1", "question": "What is old?", "answers": rome, "is_impossible": False},
        {"id": "2", "question": "What is new?", "answers": [], "is_impossible": True},
    ]
    passage = {"context": "Rome is old.", "qas": questions}
    (tmp_path / "squad.json").write_text(json.dumps({"version": "v2.0", "data": [{"paragraphs": [passage]}]}))
    task = Task(name="squad2", data=str(tmp_path / "squad.json"), format="chat")
    problems = problems_of(task)
    first, second = (
        text.removeprefix(problem.prompt) for text, problem in zip(texts_of(task, problems), problems, strict=True)
    )
    assert first == second and "few words of the text" in first
    subject = Scripted(lambda prompt, seed: "\\boxed{Rome}" if "old?" in prompt else "I do not know.")
    result, _ = evaluate(task, subject)
    assert result.figures["pass@1"].value == 1 and result.figures["f1"].n == 1


def test_an_example_of_code_is_code() -> None:
    task = replace(SUMS, name="function", n=1, num_fewshot=1)
    (text,) = texts_of(task, problems_of(task))
    assert text.count("```python\ndef f(") == 1 and "####" not in text


def test_a_chat_goes_through_the_template() -> None:
    subject = chance(1.0)
    evaluate(replace(SUMS, n=1, format="chat"), subject)
    assert subject.asked[0].startswith("<chat>")


def test_the_prompt_hash_tells_prompts_apart() -> None:
    hashes = {
        evaluate(task, chance(1.0))[0].prompt_hash
        for task in (SUMS, replace(SUMS, problem_seed=1), replace(SUMS, num_fewshot=1), replace(SUMS, n=19))
    }
    assert len(hashes) == 4
    assert evaluate(replace(SUMS, seed=5), chance(1.0))[0].prompt_hash in hashes  # the same questions


# Choices.


def choices(tmp_path: Path) -> Task:
    rows = [
        ["Which is a colour?", "red", "seven", "a very long answer", "up", "A"],
        ["Which is a number?", "red", "seven", "a very long answer", "up", "B"],
        ["Which is long?", "red", "seven", "a very long answer", "up", "C"],
    ]
    lines = [",".join(row) for row in rows]
    (tmp_path / "mmlu.csv").write_text("\n".join(lines) + "\n")
    return Task(name="mmlu", data=str(tmp_path / "mmlu.csv"))


def test_the_likeliest_option_is_the_answer(tmp_path: Path) -> None:
    """Of letters, as MMLU is scored: ` B` is likeliest here, whatever is asked."""
    like = {" A": -2.0, " B": -1.0, " C": -3.0, " D": -4.0}
    subject = Scripted(lambda prompt, seed: "", lambda context, option: like[option])
    result, samples = evaluate(choices(tmp_path), subject, tmp_path / "out")
    assert result.kind == "choose" and len(subject.asked) == 12
    assert [sample.response for sample in samples] == ["B"] * 3
    assert [sample.grade for sample in samples] == [Grade.WRONG, Grade.RIGHT, Grade.WRONG]
    assert result.figures["acc"].value == pytest.approx(1 / 3)
    whole = sum(map(math.exp, like.values()))
    assert result.figures["mass"].value == pytest.approx(sum(math.exp(like[f" {c}"]) / whole for c in "ABC") / 3)
    again = Scripted(lambda prompt, seed: "")
    assert evaluate(choices(tmp_path), again, tmp_path / "out")[0] == replace(result, reused=3) and not again.asked


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_options_without_a_likelihood_score_nothing(tmp_path: Path, odd: float) -> None:
    """A model whose weights are broken says `nan`; the first option must not win by that."""
    subject = Scripted(
        lambda prompt, seed: "", lambda context, option: odd if "colour" in context else -ord(option[-1])
    )
    result, samples = evaluate(choices(tmp_path), subject)
    assert result.invalid == 1 and samples[0].grade is Grade.INVALID and str(odd) in samples[0].error
    assert result.figures["acc"].value == 0 and result.figures["mass"].value < 1
    with pytest.raises(RequestError, match="every request was refused"):
        evaluate(choices(tmp_path), Scripted(lambda prompt, seed: "", lambda context, option: odd))


def test_a_server_that_fails_amid_likelihoods_is_an_error(tmp_path: Path) -> None:
    class Failing(Scripted):
        def likelihood(self, pairs: Sequence[tuple[str, str]], done: LikelihoodDone) -> list[Likelihood]:
            for place in range(len(pairs)):
                done(place, (-1.0, False) if place < 5 else Unreachable("down"))
            return []

    with pytest.raises(Unreachable, match="down"):
        evaluate(choices(tmp_path), Failing(lambda prompt, seed: ""), tmp_path / "out")
    assert not (tmp_path / "out" / "mmlu.json").exists()


def test_a_chat_chooses_by_its_words(tmp_path: Path) -> None:
    subject = Scripted(lambda prompt, seed: "I think of colours. \\boxed{A}")
    result, _ = evaluate(replace(choices(tmp_path), format="chat"), subject)
    assert result.kind == "generate" and result.figures["pass@1"].value == pytest.approx(1 / 3)


# Two runs beside each other.


def test_two_runs_are_compared_problem_by_problem(tmp_path: Path) -> None:
    task = replace(SUMS, n=60, k=2)
    evaluate(task, chance(0.9), tmp_path / "good")
    evaluate(task, chance(0.3), tmp_path / "bad")
    found = compare_folders(tmp_path / "good", tmp_path / "bad")["arithmetic-1-en"]
    assert isinstance(found, Comparison)
    good, bad = (read_result(tmp_path / name / "arithmetic-1-en.json").figures["pass@1"] for name in ("good", "bad"))
    assert found.difference == pytest.approx(good.value - bad.value)
    assert found.p_value < 0.001 and found.n == 60 and found.better > found.worse
    same = compare_folders(tmp_path / "good", tmp_path / "good")["arithmetic-1-en"]
    assert isinstance(same, Comparison) and same.difference == 0 and same.p_value == 1


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    evaluate(SUMS, chance(0.9), tmp_path / "a")
    evaluate(replace(SUMS, problem_seed=7), chance(0.9), tmp_path / "b")
    evaluate(replace(SUMS, difficulty=2), Scripted(lambda prompt, seed: "1"), tmp_path / "c")
    assert "same prompts" in str(compare_folders(tmp_path / "a", tmp_path / "b")["arithmetic-1-en"])
    assert "no such task" in str(compare_folders(tmp_path / "a", tmp_path / "c")["arithmetic-1-en"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "arithmetics"}, "there is no task 'arithmetics'; known: arithmetic"),
        ({"n": 0}, "has no end"),
        ({"k": 0}, "at least 1"),
        ({"format": "fancy"}, "must be chat, plain, r1_zero or a text"),
        ({"name": "gsm8k", "data": "x", "num_fewshot": 2}, "fewshot_data"),
        ({"name": "gsm8k", "data": "x", "difficulty": 2}, "no language or difficulty"),
        ({"name": "gsm8k"}, "--data gsm8k=PATH, or from the hub --data gsm8k=hf:openai/gsm8k:main"),
        ({"lang": "fr"}, "must be en or zh"),
    ],
)
def test_settings_that_cannot_work(change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        replace(SUMS, **change)  # type: ignore[arg-type]
