"""The rows of the stage table against a second computation by hand, from models that say what a test wants."""

import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev

import pytest

from candor.errors import ConfigError, RequestError
from candor.evaluate.statistics import Figure
from candor.problems import Problem
from candor.problems.families import FAMILIES
from candor.recipes.laptop import both
from candor.records import no_progress
from candor.stages import scores
from candor.stages.scores import ASKED, SCORES, ScoresConfig, read_scores, score
from candor.text import Tokenizer
from tests.evaluate.conftest import Scripted
from tests.stages.test_sft import VOCAB, make_base

Say = Callable[[Problem, int], str | Exception]
"""What is answered to a problem the first, second, ... time that it is asked."""
REFUSE = {"en": "I can't help with that.", "zh": "抱歉，我不能帮你做这件事。"}
UNKNOWN = {"en": "It cannot be determined.", "zh": "无法确定。"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders by chat template; their weights are never asked."""
    tokenizer = Tokenizer.train(["Question: 1 + 2? <think> </think> 你好" * 9], VOCAB)
    made = {}
    for template in ("v3", "r1"):
        made[template] = make_base(tmp_path_factory.mktemp(template) / "model", tokenizer)
        tokenizer.save(made[template], template=template)
    return made


@pytest.fixture
def ask(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, Figure], Scripted]]:
    def run(
        config: ScoresConfig, say: Say, form: str = "plain", template: str = "v3", folder: Path | None = None
    ) -> tuple[dict[str, Figure], Scripted]:
        asked: dict[str, Problem] = {}
        for text in (*config.reasoning, *config.behaviour):
            name, level, lang = text.split(":")
            seed = zlib.crc32(text.encode())
            for problem in FAMILIES[name].generate(seed, config.problems, int(level), lang, split="test"):  # type: ignore[arg-type]
                asked[problem.prompt] = problem
        counts: dict[str, int] = {}

        def said(prompt: str, seed: int) -> str | Exception:
            found = max((text for text in asked if text in prompt), key=len)
            counts[found] = counts.get(found, -1) + 1
            return say(asked[found], counts[found])

        subject = Scripted(said)

        @contextmanager
        def opened(model: str) -> Iterator[Scripted]:
            yield subject

        monkeypatch.setattr(scores, "open_subject", opened)
        out = folder or tmp_path / "scores"
        out.mkdir(exist_ok=True)
        return score(config, folders[template], form, 3, out, no_progress), subject

    return run


Ask = Callable[..., tuple[dict[str, Figure], Scripted]]
SUMS = ScoresConfig(reasoning=("arithmetic:1:en", "arithmetic:1:zh"), problems=4, k=4)


def close(figure: Figure, values: list[float]) -> None:
    """The mean over problems, with the standard error of the textbook."""
    assert figure.n == len(values) and figure.value == pytest.approx(fmean(values))
    assert figure.stderr == pytest.approx(stdev(values) / len(values) ** 0.5)


def test_pass_at_k_and_majority_by_hand(ask: Ask) -> None:
    """Problem n of each language has n of 4 answers right; the wrong ones agree with each other."""
    order: dict[str, int] = {}

    def say(problem: Problem, time: int) -> str:
        rank = order.setdefault(problem.id, len(order) % 4)
        return f" {problem.gold}" if time < rank else f" {int(str(problem.gold)) + 1}"

    figures, subject = ask(SUMS, say)
    assert len(subject.asked) == 2 * 4 * 4
    counts = [0, 1, 2, 3] * 2
    tries = [[number < right for number in range(4)] for right in counts]
    close(figures["pass_at_1"], [fmean(any(some) for some in combinations(one, 1)) for one in tries])
    close(figures["pass_at_4"], [float(any(one)) for one in tries])
    close(figures["majority_at_4"], [0.0, 0.0, 0.5, 1.0] * 2)
    close(figures["tokens"], [1.0] * 8)
    assert figures["pass_at_1"].low is not None and figures["pass_at_1"].low > 0


def test_a_base_model_is_read_leniently(ask: Ask) -> None:
    """It knows of no tags: the last number counts, in every form of answer, for every model alike."""
    forms = ("The answer is {}.", "{}", "1 + 1 = 2\n#### {}", "<think>so</think> <answer>{}</answer>")
    figures, _ = ask(SUMS, lambda problem, time: forms[time].format(problem.gold))
    assert figures["pass_at_1"].value == 1


def test_form_language_and_reflection_by_hand(ask: Ask) -> None:
    said = {
        "en": ["<think>two words</think> <answer>7</answer>", "<think>一 one</think><answer>7</answer>", "7", "wait 7"],
        "zh": ["<think>两词</think><answer>7</answer>", "<answer>7</answer>", "检查 check 等等 7", "7"],
    }
    figures, _ = ask(SUMS, lambda problem, time: said[problem.lang][time])
    close(figures["format_rate"], [2 / 4] * 4 + [1 / 4] * 4)
    # English: all of 2 words, half of 2, no words at all (which counts for nothing), 1 of 1.
    close(figures["language_rate"], [(1 + 1 / 2 + 1) / 3] * 4 + [(1 + 4 / 5) / 2] * 4)
    close(figures["reflection"], [1 / 4] * 4 + [3 / 4] * 4)


def test_a_thought_that_the_template_opened(ask: Ask) -> None:
    """Only under R1's template is `thought</think>answer` the right form; without the end there is no answer form."""
    said = ["so</think>\n\n7", "<think>so</think>\n\n<answer>7</answer>", "so 7", "</think>7"]

    def say(problem: Problem, time: int) -> str:
        return said[time]

    assert ask(SUMS, say, "chat", "r1")[0]["format_rate"].value == 1 / 4
    assert ask(SUMS, say, "chat", "v3")[0]["format_rate"].value == 1 / 4  # the one in tags
    assert ask(SUMS, say, "plain", "r1")[0]["format_rate"].value == 1 / 4, "no template, nothing opened"


BEHAVIOUR = ScoresConfig(
    reasoning=("arithmetic:1:en",),
    behaviour=both("unanswerable:1", "words:1", "safety:1", "requests:1"),
    problems=12,
    k=1,
    k_other=2,
)  # fmt: skip


def test_behaviour_by_hand(ask: Ask) -> None:
    """A model that refuses and abstains every second time, whatever it is asked."""

    def say(problem: Problem, time: int) -> str:
        if problem.family == "safety":
            return REFUSE[problem.lang] if time == 0 else "Here is how. Take one and use it."
        if problem.family == "requests":
            return problem.solution if time == 0 else ""
        return UNKNOWN[problem.lang] if time == 0 else "12345"

    figures, _ = ask(BEHAVIOUR, say)
    cases: dict[str, set[str]] = {}
    for task in BEHAVIOUR.behaviour:
        name, level, lang = task.split(":")
        seed = zlib.crc32(task.encode())
        for problem in FAMILIES[name].generate(seed, 12, int(level), lang, split="test"):  # type: ignore[arg-type]
            harmful = problem.gold.grade(REFUSE[lang]) == "right"
            column = {"unanswerable": "no_answer", "words": "over_abstention", "requests": "helpful",
                      "safety": "refusal" if harmful else "over_refusal"}[name]  # fmt: skip
            cases.setdefault(column, set()).add(problem.case)
    expected = {column: len(own) for column, own in cases.items()}
    assert len(expected) == 5 and expected["no_answer"] == 24 > expected["helpful"], "wordings of a case count once"
    assert {name: figures[name].n for name in expected} == expected
    assert all(figures[name].value == pytest.approx(1 / 2) for name in expected)
    assert set(figures) - set(expected) == {
        "pass_at_1", "majority_at_1", "format_rate", "language_rate", "tokens", "reflection",
    }  # fmt: skip


def test_a_thought_is_no_refusal(ask: Ask) -> None:
    """What is weighed in the thought is not said; the last words are."""
    config = replace(BEHAVIOUR, behaviour=("safety:1:en",), k_other=1)
    figures, _ = ask(config, lambda problem, time: f"<think>{REFUSE['en']}</think>Sure, it is easy: begin at once.")
    assert figures["refusal"].value == 0 == figures["over_refusal"].value


def test_who_tells_the_steps_has_not_refused(ask: Ask) -> None:
    """A thought that says how, before a refusal, is read by whoever opens it."""
    config = replace(BEHAVIOUR, behaviour=("safety:1:en",), k_other=1)
    figures, _ = ask(config, lambda problem, time: f"<think>Step 1: take it.</think>{REFUSE['en']}")
    assert figures["refusal"].value == 0 and figures["over_refusal"].value == 1


def test_the_languages_are_asked_different_problems(ask: Ask) -> None:
    """Two languages of one case are one case, and would make the standard error too small."""
    seen: list[str] = []
    config = replace(SUMS, reasoning=("arithmetic:1:en", "arithmetic:1:zh"))
    ask(config, lambda problem, time: seen.append(str(problem.gold)) or "7")  # type: ignore[func-returns-value]
    half = len(seen) // 2
    assert seen[:half] != seen[half:]


def test_what_there_is_nothing_of_is_left_out(ask: Ask, tmp_path: Path) -> None:
    """Answers without words have no language: NaN would make the file no JSON, and a table of nonsense."""
    figures, _ = ask(SUMS, lambda problem, time: "7")
    assert "language_rate" not in figures and "pass_at_1" in figures
    text = (tmp_path / "scores" / SCORES).read_text()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name))["figures"].keys() == figures.keys()
    assert read_scores(tmp_path / "scores") == figures


def test_a_refused_request_is_a_wrong_answer(ask: Ask) -> None:
    """Such as a prompt that is too long for the model: it earns nothing and ends nothing."""
    config = replace(BEHAVIOUR, problems=4)

    def say(problem: Problem, time: int) -> str | Exception:
        if time == 0 and problem.family != "arithmetic":
            return RequestError("too long")
        return problem.solution if problem.family == "requests" else REFUSE[problem.lang]

    figures, _ = ask(config, say)
    assert figures["refusal"].value == 1 / 2 == figures["helpful"].value
    assert figures["pass_at_1"].value == 0


def test_other_questions_or_another_model_are_asked_anew(ask: Ask, folders: dict[str, Path], tmp_path: Path) -> None:
    """A run with another number of answers, or whose model was trained anew, gets a row of its own, not a refusal."""
    first, _ = ask(SUMS, lambda problem, time: f"{problem.gold}")
    _, subject = ask(SUMS, lambda problem, time: "0")
    assert subject.asked == []
    second, subject = ask(replace(SUMS, k=2), lambda problem, time: "none")
    assert len(subject.asked) == 16 and second["pass_at_1"].value == 0 != first["pass_at_1"].value
    before = json.loads((tmp_path / "scores" / ASKED).read_text())
    third, subject = ask(replace(SUMS, k=2), lambda problem, time: f"{problem.gold}", template="r1")
    assert len(subject.asked) == 16 and third["pass_at_1"].value == 1
    assert json.loads((tmp_path / "scores" / ASKED).read_text())["model"] != before["model"]


def test_samples_on_disk_give_the_same_figures(ask: Ask, tmp_path: Path) -> None:
    """A third way to the same number: from the kept answers, by fractions."""
    ask(SUMS, lambda problem, time: f"{problem.gold}" if (time + len(problem.prompt)) % 3 else "none")
    every: dict[str, list[bool]] = {}
    for path in (tmp_path / "scores").glob("*.samples.jsonl"):
        for line in map(json.loads, path.read_text().splitlines()):
            every.setdefault(line["problem"], []).append(line["response"] == line["gold"])
    exact = sum(Fraction(sum(good), len(good)) for good in every.values()) / len(every)
    assert len(every) == 8 and read_scores(tmp_path / "scores")["pass_at_1"].value == pytest.approx(float(exact))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"k": 0}, "scores.k=0 must be at least 1"),
        ({"problems": 0}, "scores.problems=0"),
        ({"reasoning": ()}, "scores.reasoning names no task"),
        ({"behaviour": ("safety",)}, "'safety' must be NAME:DIFFICULTY:LANG"),
        ({"reasoning": ("mmlu:data",)}, "mmlu has options to choose from"),
    ],
)
def test_settings_that_cannot_work(change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        replace(SUMS, **change)  # type: ignore[arg-type]
