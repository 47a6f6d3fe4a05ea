"""Reward models: a transformer with a scalar head that says how helpful or how safe an answer is (R1 B.3.1)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from candor import files
from candor.errors import DataError, ModelError
from candor.model import Transformer
from candor.model.hub import load_model, write_model
from candor.problems.extract import final_answer
from candor.problems.prompts import asked
from candor.rl.rubric import LEARNT, BatchReward, Pair
from candor.text import Message, Tokenizer
from candor.train.step import Loss

Kind = Literal["helpfulness", "safety"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Each general question belongs to one of the two, and gets the reward of that one alone."""

_HEAD, _CARD = "reward_head.safetensors", "reward.json"
_VERSION = 2
"""Goes up with every change of how a chat is shown to the model."""
_BATCH_TOKENS = 16384


class RewardModel(Transformer):
    """A transformer without MTP modules whose last state becomes one number. Its output head takes no part.

    >>> model = RewardModel.load("runs/helpful/model", torch.device("cpu"))
    >>> model.scores([[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]])
    [0.93]
    """

    def __init__(self, model: Transformer, tokenizer: Tokenizer, kind: Kind):
        """Take over the weights of `model`; the head is zero."""
        with torch.device("meta"):
            super().__init__(replace(model.config, num_nextn_predict_layers=0))
        own = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("mtp.")}
        self.load_state_dict(own, assign=True)
        self.compute_dtype, self.tokenizer, self.kind = model.compute_dtype, tokenizer, kind
        self.lm_head.requires_grad_(False)
        weight = self.lm_head.weight
        wide = torch.promote_types(weight.dtype, torch.float32)
        self.reward_head = nn.Linear(self.config.hidden_size, 1, dtype=wide, device=weight.device)
        nn.init.zeros_(self.reward_head.weight)
        nn.init.zeros_(self.reward_head.bias)

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "RewardModel":
        """Read what `save` wrote, in eval mode; ModelError for a folder that is no reward model."""
        folder = Path(folder)
        if not (folder / _CARD).is_file():
            raise ModelError(f"{folder} is no reward model (it has no {_CARD}); train one with candor train rm")
        card = files.read_json(folder / _CARD)
        kind, version = (card.get("kind"), card.get("version")) if isinstance(card, dict) else (None, None)
        if kind not in KINDS or version != _VERSION:
            raise ModelError(
                f"{folder / _CARD} says kind {kind!r}, version {version!r}; this program reads {' and '.join(KINDS)} "
                f"of version {_VERSION}, so train the model again"
            )
        dtype = torch.float32 if torch.device(device).type == "cpu" else None
        model = cls(load_model(folder, dtype=dtype, device=device), Tokenizer.load(folder), kind)
        try:
            model.reward_head.load_state_dict(load_file(folder / _HEAD))
        except (OSError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"{folder / _HEAD} cannot be read ({reason}); export the model again") from None
        return model.eval()

    def save(self, folder: Path, dtype: torch.dtype | None = None) -> None:
        """Write a model folder that every engine reads, with the head and what it judges beside it, all or nothing.

        `dtype` is that of the weights (default: the model's own); the head keeps its own.
        """
        own = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("reward_head.")}
        with torch.device("meta"):
            plain = Transformer(self.config)
        plain.load_state_dict(own, assign=True)
        with files.atomic_dir(folder) as tmp:
            write_model(plain, tmp, dtype or self.lm_head.weight.dtype)
            self.tokenizer.save(tmp)
            files.atomic_write(tmp / _HEAD, to_bytes(self.reward_head.state_dict()))
            files.write_json(tmp / _CARD, {"kind": self.kind, "version": _VERSION})

    def encode(self, chat: Sequence[Message]) -> list[int]:
        """Ids of a chat that ends with the assistant, the last answer with its thought, which templates leave out.

        By the template v3, whatever the folder's own is: what is behind the thought is read as it is written.
        """
        if not chat or chat[-1]["role"] != "assistant":
            raise DataError("a chat to judge must end with the assistant; add its answer")
        tokenizer = self.tokenizer
        prompt = tokenizer.encode_chat(chat[:-1], template="v3", add_generation_prompt=True)
        return [*prompt, *tokenizer.encode(chat[-1]["content"]), tokenizer.eos_id]

    def rewards(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B] of chats [B, S] int64, padded on the right behind `lengths` [B] tokens."""
        rows = torch.arange(len(tokens), device=tokens.device)
        last = self.hidden(tokens)[rows, lengths - 1]  # [B, D]
        return self.reward_head(last.to(self.reward_head.weight.dtype)).squeeze(-1)

    @torch.inference_mode()
    def logits(self, every: Sequence[Sequence[int]]) -> list[float]:
        """Logits of chats as ids, chats of like length side by side, without gradient."""
        order = sorted(range(len(every)), key=lambda place: len(every[place]), reverse=True)
        found = [0.0] * len(every)
        while order:
            some = order[: max(1, _BATCH_TOKENS // len(every[order[0]]))]
            order = order[len(some) :]
            tokens, lengths = pad([every[place] for place in some], self.tokenizer.pad_id)
            device = self.lm_head.weight.device
            for place, logit in zip(some, self.rewards(tokens.to(device), lengths.to(device)).tolist(), strict=True):
                found[place] = logit
        return found

    def scores(self, chats: Sequence[Sequence[Message]]) -> list[float]:
        """The sigmoid of the logit: the chance that an answer is safe; of helpfulness only the order has a meaning.

        NaN for a chat that the model's context does not hold.
        """
        every = [self.encode(chat) for chat in chats]
        fitting = [place for place, ids in enumerate(every) if len(ids) <= self.config.max_position_embeddings]
        found = [math.nan] * len(chats)
        for place, logit in zip(fitting, self.logits([every[place] for place in fitting]), strict=True):
            found[place] = (1 + math.tanh(logit / 2)) / 2
        return found


def judged_text(response: str, kind: Kind) -> str:
    """What of a response is judged: the final answer of its helpfulness, all of its safety (R1 B.3.1)."""
    return final_answer(response) if kind == "helpfulness" else response


def pad(every: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids side by side, [B, longest] int64, and their lengths, [B] int64."""
    lengths = [len(ids) for ids in every]
    tokens = torch.full((len(every), max(lengths)), pad_id)
    for row, ids in enumerate(every):
        tokens[row, : len(ids)] = torch.tensor(ids)
    return tokens, torch.tensor(lengths)


def as_batch_reward(model: RewardModel) -> BatchReward:
    """The reward of a rubric: helpfulness of the final answer to `requests`, safety of the whole response to `safety`.

    It abstains from all other families. An answer that is not there, as where the thought did not end, helps nobody: 0.
    One that is too long to judge gets NaN, so that the rubric takes it out.
    """

    def reward(pairs: Sequence[Pair]) -> list[float | None]:
        values: list[float | None] = [None] * len(pairs)
        chats: dict[int, list[Message]] = {}
        for place, (problem, response) in enumerate(pairs):
            if problem.family != LEARNT[model.kind]:
                continue
            said = judged_text(response.whole, model.kind)
            if not said and model.kind == "helpfulness":
                values[place] = 0.0
                continue
            question = {"role": "user", "content": asked(problem, "chat")}
            chats[place] = [question, {"role": "assistant", "content": said}]
        for place, score in zip(chats, model.scores(list(chats.values())), strict=True):
            values[place] = score
        return values

    return reward


# Training


@dataclass(frozen=True)
class Item:
    """A pair or a verdict as ids.

    >>> Item(asked="9f31...", chats=((0, 4, 9, 1), (0, 4, 7, 1)))
    """

    asked: str
    """`asked_id`."""
    chats: tuple[tuple[int, ...], ...]
    """The chosen and the rejected answer behind the question, or the one that is judged."""
    safe: bool = True
    """What is said of the one."""


@dataclass(frozen=True)
class RewardBatch:
    """Chats side by side; of pairs first those with the chosen answers, then those with the rejected ones."""

    tokens: Tensor
    """[B, S] int64, padded on the right."""
    lengths: Tensor
    """[B] int64."""
    safe: Tensor | None
    """[B] float: 1 where the answer is safe; None for pairs."""


def batch_of(items: Sequence[Item], pad_id: int) -> RewardBatch:
    """One micro-batch."""
    first = [item.chats[0] for item in items]
    if len(items[0].chats) == 1:
        return RewardBatch(*pad(first, pad_id), torch.tensor([float(item.safe) for item in items]))
    return RewardBatch(*pad([*first, *(item.chats[1] for item in items)], pad_id), None)


def reward_loss(model: Transformer, batch: RewardBatch) -> Loss:
    """Sum over pairs of -log sigmoid(chosen - rejected) (Bradley-Terry), or over verdicts of binary cross-entropy."""
    assert isinstance(model, RewardModel)
    device = model.lm_head.weight.device
    logits = model.rewards(batch.tokens.to(device), batch.lengths.to(device))
    if batch.safe is None:
        chosen, rejected = logits.chunk(2)
        margin = chosen - rejected
    else:
        margin = logits * (2 * batch.safe.to(device) - 1)  # log sigmoid(-x) = log(1 - sigmoid(x))
    loss = -F.logsigmoid(margin).sum()
    return Loss(loss, {"loss": loss, "accuracy": right(margin).sum()}, None)


def right(margin: Tensor) -> Tensor:
    """1 where the margin is on the right side, a half where there is none."""
    return (margin.detach().sign() + 1) / 2
