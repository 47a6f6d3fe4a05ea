"""What a model thinks of given tokens: whole forward passes over padded batches, the longest texts first."""

from collections.abc import Callable, Sequence

import torch

from candor.errors import RequestError
from candor.model import Transformer
from candor.model.heads import IGNORE, token_logprobs
from candor.text import Tokenizer

Likelihood = tuple[float, bool] | RequestError
"""Log-probability of a continuation in nats and whether each of its tokens is the likeliest; or why there is none."""

LikelihoodDone = Callable[[int, Likelihood], None]
"""`done(place, likelihood)`: told of each as it comes."""

Row = tuple[Sequence[int], int]
"""Token ids, and how many of them (1 or more) are only read; the others are predicted."""


def score(
    model: Transformer,
    rows: Sequence[Row],
    *,
    batch_tokens: int = 8192,
    done: LikelihoodDone | None = None,
) -> list[tuple[float, bool]]:
    """For each row the sum of log-probabilities of its predicted tokens, and whether each of them is the likeliest."""
    device = model.lm_head.weight.device
    found = [(0.0, True)] * len(rows)
    left = sorted(range(len(rows)), key=lambda place: len(rows[place][0]))
    while left:
        longest = max(2, len(rows[left[-1]][0]))
        batch = [left.pop() for _ in range(min(len(left), max(1, batch_tokens // longest)))]
        ids = torch.zeros((len(batch), longest), dtype=torch.int64)
        targets = torch.full((len(batch), longest - 1), IGNORE)
        for row, place in enumerate(batch):
            own, read = rows[place]
            ids[row, : len(own)] = torch.tensor(own)
            targets[row, read - 1 : len(own) - 1] = ids[row, read : len(own)]
        with torch.inference_mode():
            hidden = model.hidden(ids[:, :-1].to(device))
            logprobs, likeliest = token_logprobs(hidden, model.lm_head.weight, targets.to(device))
        sums, greedy = logprobs.double().sum(-1).tolist(), likeliest.all(-1).tolist()
        for place, *one in zip(batch, sums, greedy, strict=True):
            found[place] = (one[0], one[1])
            if done:
                done(place, found[place])
    return found


def likelihoods(
    model: Transformer, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], *, done: LikelihoodDone | None = None
) -> list[Likelihood]:
    """What each (context, continuation) is worth, both read behind the begin token.

    The seam is where lm-eval has it: blanks at the end of the context belong to the continuation, and its tokens are
    those of the whole text behind as many as the context alone has. A pair over the model's context is refused.
    """
    most = model.config.max_position_embeddings
    contexts = tokenizer.encode_batch([context.rstrip() for context, _ in pairs])
    wholes = tokenizer.encode_batch([context + continuation for context, continuation in pairs])
    found: list[Likelihood] = [
        RequestError(f"the text has {len(ids)} tokens, the model's context is {most}; shorten it") for ids in wholes
    ]
    places = [place for place, ids in enumerate(wholes) if len(ids) <= most]

    def tell(number: int, value: Likelihood) -> None:
        if done:
            done(places[number], value)

    for place, refused in enumerate(found):
        if done and len(wholes[place]) > most:
            done(place, refused)
    rows: list[Row] = [([tokenizer.bos_id, *wholes[place]], 1 + len(contexts[place])) for place in places]
    for place, value in zip(places, score(model, rows, done=tell), strict=True):
        found[place] = value
    return found
