"""One answer on its way: its tokens, its text, and when it ends."""

import random
from collections.abc import Callable, Sequence

from candor.errors import CandorError
from candor.governance.watermark import Mark, Places
from candor.infer.params import Completion, FinishReason, Piece, SamplingParams, TopLogprobs
from candor.text import StreamDecoder, Tokenizer


class Request:
    """One of a prompt's answers; `sink` gets the pieces, where `streaming`, and the completion."""

    def __init__(
        self,
        prompt: list[int],
        params: SamplingParams,
        index: int,
        limit: int,
        tokenizer: Tokenizer,
        sink: Callable[[Piece | Completion], None],
        *,
        streaming: bool,
    ):
        self.prompt, self.params, self.index, self.limit = prompt, params, index, limit
        self.sink, self.streaming = sink, streaming
        # As text: Python takes the absolute value of a number.
        self.random = random.Random(None if params.seed is None else str(params.seed + index))
        self.grammar = None
        if params.structured_outputs:
            from candor.infer.grammar import Grammar

            self.grammar = Grammar(params.structured_outputs, tokenizer)
        self._places = Places(tokenizer.token_bytes) if params.watermark and not self.grammar else None
        self.cancelled = False
        self.cached = 0
        """Prompt tokens that were not computed again."""
        self.ids: list[int] = []
        self._logprobs: list[float] = []
        self._top: list[TopLogprobs] = []
        self._decoder = StreamDecoder(tokenizer, skip_special_tokens=True)
        self._ends = {*params.stop_token_ids} | (set() if params.ignore_eos else {tokenizer.eos_id})
        self._held = max((len(stop) for stop in params.stop), default=1) - 1
        self._text: list[str] = []
        self._tail = ""  # not shown yet: it may become a stop text
        self._told = 0

    def mark(self, ahead: Sequence[int] = ()) -> Mark | None:
        """What the next token is to be marked by, or the one behind the drafts `ahead`."""
        context = self._places.context(ahead) if self._places else None
        return Mark(self.params.watermark, context) if self.params.watermark and context else None

    def take(self, token: int, logprob: float, top: TopLogprobs) -> FinishReason | None:
        """Take the next token in; the reason to finish, or None to go on."""
        self.ids.append(token)
        self._logprobs.append(logprob)
        if self._places:
            self._places.push(token)
        if self.params.logprobs:
            self._top.append(top)
        complete = self.grammar is not None and self.grammar.accept(token)
        if token in self._ends:
            self._tail += self._decoder.finish()
            return "stop"
        self._tail += self._decoder.push(token)
        if stops := [at for stop in self.params.stop if (at := self._tail.find(stop)) >= 0]:
            self._tail = self._tail[: min(stops)]
            return "stop"
        if complete or len(self.ids) >= self.limit:
            self._tail += self._decoder.finish()
            return "stop" if complete else "length"
        if cut := max(0, len(self._tail) - self._held):
            self._text.append(self._tail[:cut])
            self._tail = self._tail[cut:]
        if self.streaming:
            self._tell(self._text[-1] if cut else "")
        return None

    def _tell(self, text: str) -> None:
        new = slice(self._told, len(self.ids))
        self._told = len(self.ids)
        self.sink(
            Piece(
                text=text,
                token_ids=tuple(self.ids[new]),
                logprobs=tuple(self._logprobs[new]),
                index=self.index,
                top_logprobs=tuple(self._top[new]),
            )
        )

    def finish(self, reason: FinishReason, error: CandorError | None = None) -> None:
        """Send what is left, and the completion."""
        self._text.append(self._tail)
        if self.streaming and (self._tail or self._told < len(self.ids)):
            self._tell(self._tail)
        self.sink(
            Completion(
                token_ids=tuple(self.ids),
                text="".join(self._text),
                logprobs=tuple(self._logprobs),
                finish_reason=reason,
                index=self.index,
                top_logprobs=tuple(self._top),
                prompt_tokens=len(self.prompt),
                completion_tokens=len(self.ids),
                cached_tokens=self.cached,
                error=error,
            )
        )
