"""Conversations with a model, turn by turn; the answers are kept, so that a test that was stopped goes on."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from candor.evaluate.answers import Answers, ask
from candor.evaluate.safety.audit import Respond
from candor.evaluate.safety.judges import Turns
from candor.evaluate.subject import Subject
from candor.infer import Completion, SamplingParams
from candor.infer.params import Prompt
from candor.records import Progress, no_progress
from candor.text import Message


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a model is asked.

    >>> Asking(max_tokens=1024, temperature=0.0)
    """

    max_tokens: int = 512
    """Most tokens of an answer."""
    temperature: float = 0.6
    """0 takes the most likely token."""
    top_p: float = 0.95
    """Share of the probability that is sampled from."""
    seed: int = 0
    """Seed of the sampling."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer."""


def responder(
    subject: Subject, asking: Asking, kept: Path | None = None, progress: Progress = no_progress, label: str = "safety"
) -> Respond:
    """Asks `subject` in its chat template, all conversations of a turn in one go.

    Answers stay in `kept`-1.jsonl, -2.jsonl, ..., a file for each turn, which hold what the model said: they are no
    report. A request that the model refused (too long a prompt) has no answer; a server that fails is Unreachable, and
    the next run asks only for what is missing.
    """

    def respond(asked: Sequence[Turns]) -> list[tuple[str | None, ...]]:
        heard: list[list[str | None]] = [[] for _ in asked]
        for turn in range(max(map(len, asked), default=0)):
            places = [place for place, turns in enumerate(asked) if len(turns) > turn and None not in heard[place]]
            talks = [_messages(asked[place][: turn + 1], heard[place]) for place in places]
            said = _round(
                subject, asking, talks, kept and kept.with_name(f"{kept.name}-{turn + 1}.jsonl"), progress, label
            )
            for place, answer in zip(places, said, strict=True):
                heard[place].append(answer)
        return [(*own, *[None] * (len(turns) - len(own))) for turns, own in zip(asked, heard, strict=True)]

    return respond


def _messages(turns: Turns, heard: Sequence[str | None]) -> list[Message]:
    found: list[Message] = []
    for turn, answer in zip(turns, [*heard, None], strict=True):
        found.append({"role": "user", "content": turn})
        if answer is not None:
            found.append({"role": "assistant", "content": answer})
    return found


def _round(
    subject: Subject, asking: Asking, talks: Sequence[list[Message]], kept: Path | None, progress: Progress, label: str
) -> list[str | None]:
    """The next answer of each conversation."""
    parts = [subject.fingerprint, asdict(asking), talks]
    evaluation = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    answers = Answers(kept, evaluation, len(talks))

    def request(place: int) -> tuple[Prompt, SamplingParams]:
        talk = talks[place]
        number = hashlib.sha256(json.dumps([asking.seed, talk]).encode()).digest()[:4]
        params = SamplingParams(
            temperature=asking.temperature,
            top_p=asking.top_p,
            max_tokens=asking.max_tokens,
            stop=asking.stop,
            seed=int.from_bytes(number) >> 1,
        )
        return subject.chat(talk if len(talk) > 1 else str(talk[0]["content"])), params

    try:
        rows = ask(subject, answers, request, _kept, progress, label)
    finally:
        answers.close()
    return [None if row.get("error") else subject.opening + row["response"] for row in rows]


def _kept(one: Completion) -> dict[str, Any]:
    return {"response": one.text, "finish_reason": one.finish_reason, "tokens": one.completion_tokens}


def asker(subject: Subject, asking: Asking) -> Callable[[Sequence[str]], list[str | None]]:
    """One answer to each text, for a model that judges; None where it gives none, for whatever reason."""

    def asked(texts: Sequence[str]) -> list[str | None]:
        params = [SamplingParams(temperature=0, max_tokens=asking.max_tokens, seed=asking.seed) for _ in texts]
        found: list[str | None] = [None] * len(texts)

        def done(place: int, one: Completion) -> None:
            if not one.error and one.finish_reason != "error":
                found[place] = subject.opening + one.text

        subject.generate([subject.chat(text) for text in texts], params, done)
        return found

    return asked
