"""Answers as micro-batches for the policy loss, and what a model says of their tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from candor.model import Transformer
from candor.model.branches import Branches
from candor.model.heads import logprobs_and_entropy
from candor.rl.rollout import Episode


@dataclass(frozen=True)
class PolicyBatch:
    """Answers with what the loss needs of them. Letters: N tokens, B answers of up to A, filled up on the right."""

    tokens: Tensor
    """[N] int64: the prompts, each of them once, then the answers without their last tokens."""
    layout: Branches
    """Where prompts and answers stand in `tokens`."""
    answers: Tensor
    """[B, A] int64: the answers."""
    mask: Tensor
    """[B, A] bool: where an answer has a token; the other tensors have no meaning elsewhere."""
    advantages: Tensor
    """[B] float32."""
    sampler: Tensor
    """[B, A]: the sampler's log-probabilities."""
    old: Tensor | None = None
    """[B, A]: the trainer's, before the first step on these answers; None where the first step is the only one."""
    reference: Tensor | None = None
    """[B, A]: the reference model's."""

    def to(self, device: torch.device) -> "PolicyBatch":
        """The same on another device."""
        return replace(self, **{name: one.to(device) for name, one in vars(self).items() if one is not None})


def answer_logprobs(model: Transformer, batch: PolicyBatch, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the answers' tokens, with gradient, and 0 where there is none; [B, A].

    Also the mean entropy of the model there, in nats, without gradient. Both of the policy that samples at this
    temperature.
    """
    states = model.branched(batch.tokens, batch.layout)
    before = states.index_select(0, batch.layout.sources()[batch.mask])
    before = before if temperature == 1 else before / temperature
    found, entropy = logprobs_and_entropy(before, model.lm_head.weight, batch.answers[batch.mask])
    return found.new_zeros(batch.mask.shape).masked_scatter(batch.mask, found), entropy


def batches_of(episodes: Sequence[Episode], values: Sequence[float], *, micro_tokens: int) -> list[PolicyBatch]:
    """Micro-batches of up to `micro_tokens` tokens, a prompt with all its answers where that fits.

    Answers of like length come together: attention pads them.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, one in enumerate(episodes):
        groups.setdefault(one.prompt_ids, []).append(place)
    some: list[int] = []
    batches, tokens = [], 0
    order = sorted(groups.items(), key=lambda item: max(len(episodes[place].token_ids) for place in item[1]))
    for prompt, places in order:
        started = False
        for place in places:
            own = max(0, len(episodes[place].token_ids) - 1)
            more = own + (0 if started else len(prompt))
            if some and tokens + more > micro_tokens:
                batches.append(_batch([episodes[at] for at in some], [values[at] for at in some]))
                some, tokens, more = [], 0, own + len(prompt)
            some.append(place)
            started, tokens = True, tokens + more
    if some:
        batches.append(_batch([episodes[at] for at in some], [values[at] for at in some]))
    return batches


def _batch(episodes: list[Episode], values: list[float]) -> PolicyBatch:
    prompts = list(dict.fromkeys(one.prompt_ids for one in episodes))
    number = {prompt: at for at, prompt in enumerate(prompts)}
    lengths = torch.tensor([len(one.token_ids) for one in episodes])
    mask = torch.arange(max(1, int(lengths.max()))) < lengths[:, None]

    def filled(lines: Iterable[Sequence[float]], like: Tensor) -> Tensor:
        flat = torch.tensor([value for line in lines for value in line], dtype=like.dtype)
        return like.masked_scatter(mask, flat)

    read = [*prompts, *(one.token_ids[:-1] for one in episodes)]
    return PolicyBatch(
        tokens=torch.tensor([token for line in read for token in line]),
        layout=Branches(
            torch.tensor([len(prompt) for prompt in prompts]),
            (lengths - 1).clamp(min=0),
            torch.tensor([number[one.prompt_ids] for one in episodes]),
        ),
        answers=filled((one.token_ids for one in episodes), torch.zeros(mask.shape, dtype=torch.int64)),
        mask=mask,
        advantages=torch.tensor(values),
        sampler=filled((one.logprobs for one in episodes), torch.zeros(mask.shape)),
    )
