"""What audits ask of a model: to go on, how likely a text is, and how surprising each of its tokens."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from candor.evaluate.likelihood import Row, score
from candor.infer import Engine, SamplingParams
from candor.model import Transformer

_BATCH_TOKENS = 4096


class Codec(Protocol):
    """Text to ids and back, as `Tokenizer` does it."""

    bos_id: int

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of ids."""


class Audited(Protocol):
    """A model as audits see it."""

    name: str
    context: int
    """Most tokens that it reads."""

    @property
    def tokenizer(self) -> Codec:
        """Its tokenizer."""

    def asked(self, text: str) -> list[int]:
        """The prompt that a request in words becomes: in the chat template, where it is a model to chat with."""

    def go_on(
        self, prompts: Sequence[Sequence[int]], tokens: int, *, temperature: float = 0.0, seed: int = 0
    ) -> list[list[int]]:
        """What it writes behind each prompt: at most `tokens` ids; the begin token stands in the prompt."""

    def loglik(self, rows: Sequence[Row]) -> list[float]:
        """Log-probability in nats of the predicted tokens of each row, the others are only read."""

    def surprise(self, rows: Sequence[Row]) -> list[NDArray[np.float64]]:
        """For each predicted token (log p - mean) / deviation of log p under the model's own prediction (Min-K%++)."""


class EngineModel:
    """A model of this process behind its engine; with `chat`, requests go through its chat template."""

    def __init__(self, engine: Engine, name: str, *, chat: bool = False):
        self.engine, self.name, self._chat = engine, name, chat
        self.tokenizer = engine.tokenizer
        self.context = engine.model.config.max_position_embeddings

    def asked(self, text: str) -> list[int]:
        """By the tokenizer's template, or behind the begin token."""
        if self._chat:
            return self.tokenizer.encode_chat([{"role": "user", "content": text}])
        return [self.tokenizer.bos_id, *self.tokenizer.encode(text)]

    def go_on(
        self, prompts: Sequence[Sequence[int]], tokens: int, *, temperature: float = 0.0, seed: int = 0
    ) -> list[list[int]]:
        """By the engine; a request that it refuses is raised."""
        params = [
            SamplingParams(temperature=temperature, max_tokens=tokens, seed=seed + number)
            for number in range(len(prompts))
        ]
        found = self.engine.generate(prompts, params)
        for one in found:
            if one.error:
                raise one.error
        return [list(one.token_ids) for one in found]

    def loglik(self, rows: Sequence[Row]) -> list[float]:
        """By whole forward passes."""
        return [value for value, _ in score(self.engine.model, rows)]

    def surprise(self, rows: Sequence[Row]) -> list[NDArray[np.float64]]:
        """By whole forward passes, a few rows at a time."""
        return surprises(self.engine.model, rows)


@torch.inference_mode()
def surprises(model: Transformer, rows: Sequence[Row]) -> list[NDArray[np.float64]]:
    """For each row the standardised log-probability of its predicted tokens: [len(ids) - read] float64.

    (log p(x) - mu) / sigma with mu and sigma the mean and deviation of log p(z), z ~ p (Zhang et al., 2404.02936,
    equation 4).
    """
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(rows)
    left = sorted(range(len(rows)), key=lambda place: len(rows[place][0]))
    device = model.lm_head.weight.device
    while left:
        longest = max(2, len(rows[left[-1]][0]))
        batch = [left.pop() for _ in range(min(len(left), max(1, _BATCH_TOKENS // longest)))]
        ids = torch.zeros((len(batch), longest), dtype=torch.int64)
        for number, place in enumerate(batch):
            ids[number, : len(rows[place][0])] = torch.tensor(rows[place][0])
        hidden = model.hidden(ids[:, :-1].to(device))
        for number, place in enumerate(batch):
            own, read = rows[place]
            logp = model.lm_head(hidden[number, read - 1 : len(own) - 1]).float().log_softmax(-1)  # [N, vocab]
            p = logp.exp()
            mean = (p * logp).sum(-1)
            spread = ((p * logp.square()).sum(-1) - mean.square()).clamp(min=1e-12).sqrt()
            said = logp.gather(-1, ids[number, read : len(own), None].to(device)).squeeze(-1)
            found[place] = ((said - mean) / spread).double().cpu().numpy()
    return found
