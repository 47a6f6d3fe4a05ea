"""From logits to tokens, for a whole batch at once, each row by its own parameters and its own random numbers."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from candor.errors import RequestError
from candor.infer.params import SamplingParams

_COLD, _HOT = 1e-30, 1e30
"""Temperatures below and above are taken for 0 and for this."""
_HEAD = 128
"""Most likely tokens that are looked at first for top_p; few distributions need more."""


def shape(logits: Tensor, params: SamplingParams, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """Penalties, bias and processors on logits [vocab] float32, in the order of vLLM; structure comes after."""
    logits = logits.clone()
    if params.repetition_penalty != 1:
        seen = torch.tensor(sorted({*prompt, *answer}), device=logits.device)
        values = logits[seen]
        penalty = params.repetition_penalty
        logits[seen] = torch.where(values > 0, values / penalty, values * penalty)
    if answer and (params.presence_penalty or params.frequency_penalty):
        counts = Counter(answer)
        ids = torch.tensor(list(counts), device=logits.device)
        times = torch.tensor([float(count) for count in counts.values()], device=logits.device)
        logits[ids] -= params.frequency_penalty * times + params.presence_penalty
    for token, bias in params.logit_bias:
        logits[token] += bias
    for processor in params.logits_processors:
        changed = processor(tuple(prompt), tuple(answer), logits)
        if not isinstance(changed, Tensor) or changed.shape != logits.shape:
            raise RequestError(f"a logits processor must return logits of shape {list(logits.shape)}")
        logits = changed
    return logits


def distribution(logits: Tensor, rows: Sequence[SamplingParams]) -> Tensor:
    """Logits [B, vocab] -> the probabilities that each row draws from, [B, vocab] float32.

    Temperature, then top_k, min_p and top_p, as in vLLM; a temperature of 0 puts all on the most likely token. No row
    depends on the others.
    """
    cold = [row.temperature < _COLD for row in rows]
    heat = [[1.0 if is_cold else min(row.temperature, _HOT)] for is_cold, row in zip(cold, rows, strict=True)]
    probabilities = ((logits - logits.amax(-1, keepdim=True)) / torch.tensor(heat, device=logits.device)).softmax(-1)
    if any(row.top_k or row.min_p or row.top_p < 1 for row in rows):
        probabilities = _cut(probabilities, rows)
    if greedy := [index for index, is_cold in enumerate(cold) if is_cold]:
        probabilities[greedy] = 0
        probabilities[greedy, logits[greedy].argmax(-1)] = 1
    return probabilities


def _cut(shares: Tensor, rows: Sequence[SamplingParams]) -> Tensor:
    """The probabilities [B, vocab] that top_k, min_p and top_p leave, normalised again."""

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=shares.dtype, device=shares.device)[:, None]

    V = shares.shape[-1]
    if largest := max((row.top_k for row in rows if row.top_k < V), default=0):
        best = shares.topk(largest).values
        place = torch.tensor([[(row.top_k or 1) - 1] for row in rows], device=shares.device).clamp(max=largest - 1)
        least = best.gather(-1, place) * column([float(0 < row.top_k < V) for row in rows])
        shares = shares.masked_fill(shares < least, 0)
    if any(row.min_p for row in rows):
        shares = shares.masked_fill(shares < column([row.min_p for row in rows]) * shares.amax(-1, keepdim=True), 0)
    if any(row.top_p < 1 for row in rows):
        wanted = column([row.top_p for row in rows]) * shares.sum(-1, keepdim=True)
        index = shares.topk(min(_HEAD, V)).indices.sort(-1).values  # of equals the first comes first
        if (shares.gather(-1, index).sum(-1, keepdim=True) < wanted).any():
            index = torch.arange(V, device=shares.device).expand_as(shares)
        ordered, order = shares.gather(-1, index).sort(dim=-1, descending=True, stable=True)
        kept = torch.where(ordered.double().cumsum(-1) - ordered < wanted, ordered, 0.0)
        nucleus = torch.zeros_like(shares).scatter_(-1, index.gather(-1, order), kept)
        shares = torch.where(column([row.top_p for row in rows]) < 1, nucleus, shares)
    cut = column([float(0 < row.top_k < V or row.min_p > 0 or row.top_p < 1) for row in rows])
    return torch.where(cut > 0, shares / shares.sum(-1, keepdim=True), shares)


def draw(probabilities: Tensor, chances: Sequence[float]) -> Tensor:
    """One token for each row of [B, vocab] by its number from [0, 1): the inverse of the distribution function."""
    sums = probabilities.cumsum(-1)  # in float64 inside
    all_of_them = sums[:, -1:]
    wanted = torch.tensor(chances, dtype=sums.dtype, device=sums.device)[:, None] * all_of_them
    # Rounding may put the wanted sum on the last one; below it there is a token with some probability.
    wanted = torch.minimum(wanted, torch.nextafter(all_of_them, torch.zeros_like(all_of_them)))
    tokens = torch.searchsorted(sums, wanted, right=True)[:, 0]
    return tokens.clamp(max=sums.shape[1] - 1)  # sums that are no numbers have no place
