"""Rollouts: what the rubric is told of each answer, and that answers outlive a rubric that fails."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from candor.errors import TrainingError
from candor.infer import Engine
from candor.problems.families import FAMILIES
from candor.rl.rollout import roll_out
from candor.rl.rubric import Pair, Response, Rubric
from candor.text import Tokenizer, chat
from tests.model.test_hub import TINY
from tests.model.test_transformer import build

CONFIG = dataclasses.replace(TINY, vocab_size=330, num_nextn_predict_layers=0, max_position_embeddings=512)
PROBLEMS = FAMILIES["arithmetic"].generate(0, 3)


class Listening(Rubric):
    """Remembers what it is asked to score."""

    def __init__(self) -> None:
        super().__init__({"seen": 1.0}, batch={"seen": self._seen})
        self.seen: list[Pair] = []

    def _seen(self, pairs: Sequence[Pair]) -> list[float]:
        self.seen += pairs
        return [float(number) for number in range(len(pairs))]


@pytest.mark.parametrize(
    ("form", "template", "opened"),
    [("plain", "v3", False), ("r1_zero", "v3", False), ("chat", "v3", False), ("chat", "r1", True),
     ("{prompt} <think>", "v3", True)],
)  # fmt: skip
def test_what_the_rubric_is_told(form: str, template: str, opened: bool, tmp_path: Path) -> None:
    """Whether the prompt opened the thought is seen from the prompt itself, as it was sampled or kept."""
    tokenizer = Tokenizer.train(["Question: What is 1 + 2? Answer: 3. " * 9], 330)
    tokenizer.chat_template = chat.template(template)
    with Engine(build(CONFIG, torch.float32), tokenizer, compile=False) as engine:
        for _ in range(2):
            (tmp_path / "0.scores").unlink(missing_ok=True)
            rubric = Listening()
            found = roll_out(
                engine, PROBLEMS, rubric, group=2, form=form, max_tokens=5, temperature=1.0, seed=0,
                path=tmp_path / "0.jsonl",
            )  # fmt: skip
            episodes = [one for group in found.episodes for one in group]
            assert [problem for problem, _ in rubric.seen] == [one for one in PROBLEMS for _ in range(2)]
            assert [response for _, response in rubric.seen] == [
                Response(one.text, len(one.token_ids), 5, opened) for one in episodes
            ]
            assert [[one.total for one in group] for group in found.scored] == [[0, 1], [2, 3], [4, 5]]


def test_scores_are_kept_with_the_answers(tmp_path: Path) -> None:
    """A reward that hung, or that a user has changed since, must not change a rollout that was begun."""
    tokenizer = Tokenizer.train(["1 + 2 = 3. " * 9], 330)
    with Engine(build(CONFIG, torch.float32), tokenizer, compile=False) as engine:
        found = []
        for reward in (lambda problem, response: len(response.text), lambda *_: 1 / 0):
            found.append(roll_out(
                engine, PROBLEMS, Rubric({"r": 1.0}, {"r": reward}), group=2, form="plain", max_tokens=5,
                temperature=1.0, seed=0, path=tmp_path / "0.jsonl",
            ))  # fmt: skip
    assert found[0] == found[1] and all(score.total for group in found[0].scored for score in group)


def test_a_question_asked_twice_gets_other_answers(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["1 + 2 = 3. " * 9], 330)
    with Engine(build(CONFIG, torch.float32), tokenizer, compile=False) as engine:
        found = roll_out(
            engine, [PROBLEMS[0]] * 2, Rubric({"format": 1.0}), group=4, form="plain", max_tokens=5, temperature=1.0,
            seed=0, path=tmp_path / "0.jsonl",
        )  # fmt: skip
    assert len({one.token_ids for group in found.episodes for one in group}) == 8


def test_what_was_sampled_outlives_a_rubric_that_stops_the_run(tmp_path: Path) -> None:
    class Broken(Rubric):
        def score_all(self, pairs: Sequence[Pair]) -> list[object]:  # type: ignore[override]
            raise TrainingError("it hangs")

    tokenizer = Tokenizer.train(["1 + 2 = 3. " * 9], 330)
    with Engine(build(CONFIG, torch.float32), tokenizer, compile=False) as engine, pytest.raises(TrainingError):
        roll_out(
            engine, PROBLEMS, Broken({"format": 1.0}), group=2, form="plain", max_tokens=5, temperature=1.0, seed=0,
            path=tmp_path / "0.jsonl",
        )  # fmt: skip
    assert len((tmp_path / "0.jsonl").read_text().splitlines()) == 6
