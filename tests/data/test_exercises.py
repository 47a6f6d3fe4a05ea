"""Exercises for pre-training: how often they are right, worked out, tagged or mixed; no test is among them."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from candor import files
from candor.data import CorpusConfig, SourceConfig, build_corpus, fingerprint, read_corpus
from candor.data.exercises import CHECKED, DIRECT, EXERCISES, MIXED, RIGHT, WORKED, exercises, thought
from candor.problems.families import FAMILIES
from candor.records import Document

SUMS = ["arithmetic:1:en", "arithmetic:1:zh"]
HAN = re.compile("[\u4e00-\u9fff]")
ASKED = re.compile(r"(?:Question: |问题：)(.*?)\n(?:Answer:|答案：)[ \n](.*)", re.S)


def texts(tasks: list[str], size: int = 30_000, seed: int = 0) -> list[str]:
    return [document.text for document in exercises(tasks, size, seed)]


@pytest.fixture(scope="module")
def sums() -> list[tuple[str, str, int]]:
    """(question, answer, the right number) of some 8,000 exercises; Python itself works the sums out."""
    found = []
    for text in texts(SUMS, 700_000):
        match = ASKED.fullmatch(text)
        assert match
        terms = re.findall(r"[-+]?\s?\d+", re.sub("[^-+0-9 ]", "", match[1]))
        found.append((match[1], match[2], sum(int(term.replace(" ", "")) for term in terms)))
    return found


def assert_share(hits: int, total: int, share: float) -> None:
    """Within five standard deviations of what is stated."""
    assert abs(hits - share * total) < 5 * (total * share * (1 - share)) ** 0.5, (hits / total, share)


def test_styles_come_as_often_as_stated(sums: list[tuple[str, str, int]]) -> None:
    direct = [(answer, gold) for _, answer, gold in sums if "\n" not in answer]
    worked = [(answer, gold) for _, answer, gold in sums if "boxed" in answer]
    tagged = [(question, answer, gold) for question, answer, gold in sums if answer.startswith("<think>\n")]
    assert len(direct) + len(worked) + len(tagged) == len(sums)
    assert_share(len(direct), len(sums), DIRECT)
    assert_share(len(worked), len(sums), WORKED)
    assert_share(sum(int(answer) == gold for answer, gold in direct), len(direct), RIGHT)
    assert all(re.search(r"\\boxed{(.*)}[.。]$", answer)[1] == str(gold) for answer, gold in worked), "right if worked"  # type: ignore[index]
    assert all(answer.endswith(f"\n</think>\n<answer>{gold}</answer>") for _, answer, gold in tagged)
    other = sum(bool(HAN.search(question)) != ("先算" in answer) for question, answer, _ in tagged)
    assert_share(other, len(tagged), MIXED)
    checked = sum("Wait, let me check." in answer or "等等，检查一下。" in answer for _, answer, _ in tagged)
    assert_share(checked, len(tagged), CHECKED)


def test_the_steps_of_a_thought_are_true(sums: list[tuple[str, str, int]]) -> None:
    equations = [match for _, answer, _ in sums for match in re.findall(r"(\d+) ([+-]) (\d+) = (\d+)", answer) if match]
    assert len(equations) > 5000
    for a, sign, b, c in equations:
        assert int(a) + (int(b) if sign == "+" else -int(b)) == int(c)


def test_a_thought_by_hand() -> None:
    """Calculated steps are told one after the other; other steps stand as they are; a check goes over them again."""
    (problem,) = FAMILIES["arithmetic"].generate(0, 1, 1, "zh")
    problem = replace(problem, solution="3 + 0 = 3\n3 + 7 = 10")
    assert thought(problem) == "先算3 + 0 = 3\n再算3 + 7 = 10"
    assert thought(problem, check=True) == "先算3 + 0 = 3\n再算3 + 7 = 10\n等等，检查一下。\n3 + 0 = 3\n3 + 7 = 10"
    (story,) = FAMILIES["unanswerable"].generate(0, 1, 1, "en")
    assert thought(story) == story.solution


@pytest.mark.parametrize("family", FAMILIES)
def test_no_problem_of_a_test_split_is_among_them(family: str) -> None:
    held = {problem.prompt for seed in range(4) for problem in FAMILIES[family].generate(seed, 60, 1, split="test")}
    asked = [match[1] for text in texts([f"{family}:1:en"], 60_000) if (match := ASKED.fullmatch(text))]
    assert len(asked) > 100 and not held & set(asked)
    known = {problem.prompt for seed in range(500_000, 500_002) for problem in FAMILIES[family].generate(seed, 500, 1)}
    assert set(asked) <= known, "the questions are those of the family, so that the line above can fail"


def test_code_is_shown_as_code_and_free_requests_as_text() -> None:
    """The gold answer of code is a list of calls, which would teach nonsense."""
    for text in texts(["function:1:zh"], 5000):
        code = re.fullmatch(r".*\n答案：\n```python\n(def .*)\n```", text, re.S)
        assert code and "<answer>" not in text
        compile(code[1], "exercise", "exec")
    for text in texts(["requests:1:en", "safety:1:en"], 5000):
        assert re.fullmatch(r"Question: .*\nAnswer: \w.*", text, re.S) and "<think>" not in text


def test_the_same_for_a_seed_and_of_the_size_that_is_wanted() -> None:
    one = list(exercises(SUMS, 20_000, 0))
    assert one == list(exercises(SUMS, 20_000, 0)) != list(exercises(SUMS, 20_000, 1))
    sizes = [len(document.text.encode()) for document in one]
    assert sum(sizes) >= 20_000 > sum(sizes) - sizes[-1]
    assert texts(SUMS, 120_000)[: len(one)] == [document.text for document in one]
    counts = Counter(document.origin.split(",")[0] for document in one)
    assert set(counts) == set(SUMS) and abs(counts[SUMS[0]] - counts[SUMS[1]]) <= 1
    assert {(document.source, document.licence, document.kind) for document in one} == {(EXERCISES, "MIT", "synthetic")}
    assert all(bool(HAN.search(document.text.split("\n")[0])) == (":zh," in document.origin) for document in one)


def test_a_task_named_twice_has_other_problems_the_second_time() -> None:
    """Naming it twice weighs it twice; the same questions with other answers would only contradict each other."""
    both = texts(["words:1:en"] * 2, 60_000)
    first, second = ({text.split("\nAnswer:")[0] for text in both[place::2]} for place in (0, 1))
    assert len(first & second) < 0.2 * min(len(first), len(second))


# In a corpus.


def write(folder: Path) -> str:
    chance = random.Random(0)
    rows = [{"text": " ".join(chance.choices("red green blue white".split(), k=30))} for _ in range(40)]
    path = folder / "text.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_corpus_holds_them_beside_its_text(tmp_path: Path) -> None:
    words = SourceConfig(write(tmp_path), form="made", licence="CC0-1.0")
    config = CorpusConfig((words, SourceConfig(EXERCISES, form="made", tasks=tuple(SUMS), size=20_000)))
    folder = tmp_path / "corpus"
    folder.mkdir()
    build_corpus(config, folder)
    made: list[Document] = [*read_corpus(folder, "train"), *read_corpus(folder, "heldout")]
    asked = {document.text for document in made if document.source == EXERCISES}
    assert asked == set(texts(SUMS, 20_000))
    assert sum(document.source != EXERCISES for document in made) == 40
    shares = files.read_json(folder / "manifest.json")["bytes_by"]
    assert shares["source"][EXERCISES] == sum(len(text.encode()) for text in asked) == shares["licence"]["MIT"]
    assert set(shares["kind"]) == {"public", "synthetic"}


def test_the_fingerprint_knows_the_families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a run would keep a corpus whose exercises would be others today."""
    source = SourceConfig(EXERCISES, tasks=("words:1:en", "words:2:zh", "logic:1:en"), size=9)
    logic = f"logic-{FAMILIES['logic'].version}"
    assert fingerprint(source) == f"words-{FAMILIES['words'].version}+{logic}"
    monkeypatch.setattr(type(FAMILIES["words"]), "version", 99)
    assert fingerprint(source) == f"words-99+{logic}"
