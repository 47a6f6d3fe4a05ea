"""What a request asks for and what it gets: names and meaning are vLLM's."""

import operator
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from torch import Tensor

from candor.errors import CandorError, ConfigError
from candor.governance.watermark import WatermarkKey

LogitsProcessor: TypeAlias = Callable[[Sequence[int], Sequence[int], Tensor], Tensor]
"""`processor(prompt_ids, generated_ids, logits [vocab] float32) -> logits`; it may write into the given tensor."""

Prompt: TypeAlias = str | Sequence[int]
"""Text, or token ids, taken as they are. Before text the engine puts the begin token; a server decides for itself."""


class Chat(str):
    """A conversation for a server that applies its own template. As a text it is what the user said last.

    >>> Chat([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}, ...]).messages
    """

    messages: tuple[Mapping[str, Any], ...]

    def __new__(cls, messages: Sequence[Mapping[str, Any]]) -> "Chat":
        """The messages of `/chat/completions`, the last one a user's."""
        chat = super().__new__(cls, messages[-1]["content"])
        chat.messages = tuple(messages)
        return chat


FinishReason: TypeAlias = Literal["stop", "length", "cancelled", "error"]

TopLogprobs: TypeAlias = tuple[tuple[int, float], ...]
"""The most likely (token id, log-probability) at one place, the best first."""


def _several(value: Any) -> tuple[Any, ...]:
    """What the user gave as a tuple: one text, one function, a list, a dict of token id to bias."""
    if isinstance(value, Mapping):
        return tuple((int(key), float(number)) for key, number in value.items())
    return (value,) if isinstance(value, str) or callable(value) else tuple(value)


@dataclass(frozen=True)
class StructuredOutput:
    """What the text must look like: one of three.

    >>> StructuredOutput(json={"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]})
    """

    json: dict[str, Any] | str | None = None
    """A JSON schema."""
    regex: str | None = None
    """A regular expression that the whole text matches."""
    choice: tuple[str, ...] = ()
    """Texts of which it is one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "choice", _several(self.choice))
        if (self.json is not None) + (self.regex is not None) + bool(self.choice) != 1:
            raise ConfigError("structured_outputs takes exactly one of json, regex and choice")


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How to choose tokens. A single stop text, a list, or a dict of biases will do where a tuple stands."""

    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token."""
    top_p: float = 1.0
    """Keep the smallest set of tokens whose probabilities sum to at least this."""
    top_k: int = 0
    """Keep this many most likely tokens; 0 keeps all."""
    max_tokens: int = 128
    """Most tokens to generate."""
    seed: int | None = None
    """Seed of this request; none draws one. The answers of one prompt take seed, seed + 1, ..."""
    stop: tuple[str, ...] = ()
    """Texts that end the generation; they are not part of the result."""
    min_p: float = 0.0
    """Keep tokens at least this fraction as likely as the most likely one."""
    n: int = 1
    """Answers to one prompt."""
    repetition_penalty: float = 1.0
    """Divides positive logits of tokens of the prompt and the answer, multiplies negative ones; 1 does nothing."""
    presence_penalty: float = 0.0
    """Taken off the logits of tokens that the answer holds already."""
    frequency_penalty: float = 0.0
    """Taken off as often as the answer holds the token."""
    logit_bias: tuple[tuple[int, float], ...] = ()
    """(token id, what is added to its logit)."""
    stop_token_ids: tuple[int, ...] = ()
    """Tokens that end the generation besides the end token; kept in `token_ids`, not in the text."""
    ignore_eos: bool = False
    """Go on behind the end token."""
    logprobs: int = 0
    """This many most likely tokens are reported at each place."""
    tempered_logprobs: bool = False
    """Report log-probabilities at this temperature, those that tokens are drawn with; else at temperature 1."""
    structured_outputs: StructuredOutput | None = None
    """What the text must look like."""
    logits_processors: tuple[LogitsProcessor, ...] = ()
    """Functions that change the logits before a token is chosen, in order."""
    watermark: WatermarkKey | None = None
    """Key to mark the choice of tokens by; never in training or evaluation. Structured output, code blocks and tool
    calls are not marked."""

    def __post_init__(self) -> None:
        for name in ("stop", "stop_token_ids", "logit_bias", "logits_processors"):
            object.__setattr__(self, name, _several(getattr(self, name)))
        for name in ("top_k", "max_tokens", "n", "logprobs", "seed"):
            if (value := getattr(self, name)) is not None:
                try:
                    object.__setattr__(self, name, operator.index(value))
                except TypeError:
                    raise ConfigError(f"{name}={value!r} must be a whole number") from None
        checks = {
            "temperature": (0 <= self.temperature < float("inf"), "0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (self.top_k >= 0, "0 (all) or more"),
            "min_p": (0 <= self.min_p <= 1, "from 0 to 1"),
            "max_tokens": (self.max_tokens >= 1, "1 or more"),
            "n": (self.n >= 1, "1 or more"),
            "seed": (self.seed is None or -(2**63) <= self.seed < 2**64, "a whole number of 64 bits"),
            "stop": (all(isinstance(stop, str) and stop for stop in self.stop), "non-empty texts"),
            "repetition_penalty": (0 < self.repetition_penalty < float("inf"), "above 0"),
            "presence_penalty": (abs(self.presence_penalty) < float("inf"), "a number"),
            "frequency_penalty": (abs(self.frequency_penalty) < float("inf"), "a number"),
            "logit_bias": (all(bias < float("inf") for _, bias in self.logit_bias), "pairs of token id and number"),
            "logprobs": (self.logprobs >= 0, "0 or more"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ConfigError(f"{name}={getattr(self, name)!r} must be {wanted}")
        if self.watermark and self.tempered_logprobs:
            raise ConfigError(
                "a watermark with tempered_logprobs: training must know how its tokens were drawn; leave out one"
            )

    @property
    def shapes_logits(self) -> bool:
        """Whether logits are changed token by token, besides temperature and cuts."""
        return (
            self.repetition_penalty != 1
            or self.presence_penalty != 0
            or self.frequency_penalty != 0
            or bool(self.logit_bias or self.logits_processors or self.structured_outputs)
        )


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What became certain since the piece before, for streams.

    >>> Piece(text="tw", token_ids=(52, 9), logprobs=(-0.2, -1.1), index=0)
    """

    text: str
    """Never half a character or part of a stop text; may be empty."""
    token_ids: tuple[int, ...]
    """The tokens that were generated since."""
    logprobs: tuple[float, ...]
    """Their log-probabilities, as in `Completion`."""
    index: int = 0
    """Which of the prompt's `n` answers."""
    top_logprobs: tuple[TopLogprobs, ...] = ()
    """As in `Completion`."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What one request produced.

    >>> Completion(token_ids=(52, 9, 1), text="two", logprobs=(-0.2, -1.1, -0.3), finish_reason="stop")
    """

    token_ids: tuple[int, ...]
    """Generated ids, the end-of-sentence token included where it ended the text."""
    text: str
    """Decoded text without special tokens, cut before a stop text."""
    logprobs: tuple[float, ...]
    """Log-probability of each token under the model's own distribution (temperature 1 unless `tempered_logprobs`,
    nothing cut), in nats."""
    finish_reason: FinishReason
    """`stop` (end token, stop text or end of the structure), `length`, `cancelled`, or `error`."""
    index: int = 0
    """Which of the prompt's `n` answers."""
    top_logprobs: tuple[TopLogprobs, ...] = ()
    """One for each token, with `SamplingParams.logprobs` entries."""
    prompt_tokens: int = 0
    """Length of the prompt."""
    completion_tokens: int = 0
    """Length of the answer; 0 where a server does not tell it of one answer alone."""
    cached_tokens: int = 0
    """Tokens of it that were taken from a request with the same beginning."""
    error: CandorError | None = None
    """Why there is no answer, where `finish_reason` is `error`."""


Done: TypeAlias = Callable[[int, Completion], None]
"""`done(place, completion)`: told of each completion as it comes, at its place in the result, from any thread."""


class Generator(Protocol):
    """What can be asked for completions: an engine of this process, or a server."""

    def generate(
        self,
        prompts: Sequence[Prompt],
        params: SamplingParams | Sequence[SamplingParams] | None = None,
        *,
        done: Done | None = None,
    ) -> list[Completion]:
        """Complete all prompts: `n` completions of the first, then of the second, ..."""

    def stream(self, prompt: Prompt, params: SamplingParams | None = None) -> AsyncIterator[Piece | Completion]:
        """The pieces of each of the `n` answers as they come, and each one's Completion."""


def pair(
    prompts: Sequence[Prompt], params: SamplingParams | Sequence[SamplingParams] | None
) -> list[tuple[Prompt, SamplingParams]]:
    """Each prompt with its parameters: one for all, one for each, or the defaults."""
    if isinstance(prompts, str) or (prompts and isinstance(prompts[0], int)):
        raise ConfigError("prompts is one prompt; give a list of them")
    every = params if isinstance(params, Sequence) else [params or SamplingParams()] * len(prompts)
    if len(every) != len(prompts):
        raise ConfigError(f"there are {len(prompts)} prompts and {len(every)} sampling parameters")
    return list(zip(prompts, every, strict=True))
