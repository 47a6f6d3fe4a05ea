"""Generation on one machine: the prompt in one pass, then one token at a time on the latent cache."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from candor.errors import ConfigError
from candor.model import LatentCache, Transformer
from candor.text import StreamDecoder, Tokenizer


@dataclass(frozen=True)
class SamplingParams:
    """How to choose tokens; names and meaning are vLLM's."""

    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token."""
    top_p: float = 1.0
    """Keep the smallest set of tokens whose probabilities sum to at least this."""
    top_k: int = 0
    """Keep this many most likely tokens; 0 keeps all."""
    max_tokens: int = 128
    """Most tokens to generate."""
    seed: int | None = None
    """Seed of this request; none draws one."""
    stop: tuple[str, ...] = ()
    """Texts that end the generation; they are not part of the result."""

    def __post_init__(self) -> None:
        checks = {
            "temperature": (self.temperature >= 0, "0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (self.top_k >= 0, "0 (all) or more"),
            "max_tokens": (self.max_tokens >= 1, "1 or more"),
            "seed": (self.seed is None or -(2**63) <= self.seed < 2**64, "a whole number of 64 bits"),
            "stop": (all(self.stop), "non-empty texts"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ConfigError(f"{name}={getattr(self, name)!r} must be {wanted}")


@dataclass(frozen=True)
class Completion:
    """What one request produced.

    >>> Completion(token_ids=(52, 9, 1), text="two", logprobs=(-0.2, -1.1, -0.3), finish_reason="stop")
    """

    token_ids: tuple[int, ...]
    """Generated ids, the end-of-sentence token included where it ended the text."""
    text: str
    """Decoded text without special tokens, cut before a stop text."""
    logprobs: tuple[float, ...]
    """Log-probability of each token under the model's own distribution (temperature 1, nothing cut), in nats."""
    finish_reason: str
    """`stop` (end token or stop text) or `length`."""


def sample(logits: Tensor, params: SamplingParams, generator: torch.Generator) -> int:
    """One token id from logits [vocab]."""
    if params.temperature == 0:
        return int(logits.argmax())
    logits = (logits.double() - logits.max()) / params.temperature  # at most 0, so that no temperature overflows
    if 0 < params.top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(params.top_k).values[-1], float("-inf"))
    probabilities = logits.softmax(-1)
    if params.top_p < 1:
        ordered, index = probabilities.sort(descending=True, stable=True)
        ordered[ordered.cumsum(-1) - ordered >= params.top_p] = 0
        probabilities = torch.zeros_like(probabilities).scatter_(-1, index, ordered)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def generate(
    model: Transformer, tokenizer: Tokenizer, prompt_ids: list[int], params: SamplingParams
) -> Iterator[str | Completion]:
    """Yield the text piece by piece, never half a character or part of a stop text, then the Completion."""
    config, device = model.config, model.lm_head.weight.device
    if not prompt_ids:
        raise ConfigError("the prompt has no tokens; give at least the begin token")
    if bad := [i for i in prompt_ids if not 0 <= i < config.vocab_size]:
        raise ConfigError(f"token id {bad[0]} is outside the model's vocabulary of {config.vocab_size}")
    room = config.max_position_embeddings - len(prompt_ids)
    if room < 1:
        raise ConfigError(
            f"the prompt has {len(prompt_ids)} tokens, the model's context is {config.max_position_embeddings}; "
            "shorten it"
        )
    generator = torch.Generator(device="cpu")
    generator.manual_seed(params.seed) if params.seed is not None else generator.seed()
    limit = min(params.max_tokens, room)
    cache = LatentCache(config, 1, len(prompt_ids) + limit, model.lm_head.weight.dtype, device)
    decoder, text, shown = StreamDecoder(tokenizer, skip_special_tokens=True), "", 0
    ids: list[int] = []
    logprobs: list[float] = []
    reason = "length"
    step = torch.tensor([prompt_ids], device=device)
    held = max((len(stop) for stop in params.stop), default=1) - 1  # the tail that may become a stop text
    for _ in range(limit):
        with torch.inference_mode():
            logits = model.lm_head(model.hidden(step, cache=cache)[0, -1]).float().cpu()
        token = sample(logits, params, generator)
        ids.append(token)
        logprobs.append(float(logits.log_softmax(-1)[token]))
        if token == tokenizer.eos_id:
            reason = "stop"
            break
        text += decoder.push(token)
        if found := [at for stop in params.stop if (at := text.find(stop)) >= 0]:
            text, reason = text[: min(found)], "stop"
            break
        if shown < len(text) - held:
            yield text[shown : len(text) - held]
            shown = len(text) - held
        step = torch.tensor([[token]], device=device)
    if reason == "length" or ids[-1] == tokenizer.eos_id:
        text += decoder.finish()
    if shown < len(text):
        yield text[shown:]
    yield Completion(tuple(ids), text, tuple(logprobs), reason)
