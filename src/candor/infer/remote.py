"""The engine's interface in front of any OpenAI-compatible server (vLLM, SGLang, llama.cpp, a hosted API).

Prompts given as ids go out as ids. What comes back keeps the server's ids where it sends them (vLLM's
`return_token_ids`); a server that does not leaves `token_ids` empty: text is never tokenised again to guess them.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import openai

from candor.errors import Overloaded, RequestError
from candor.infer.params import Completion, Piece, Prompt, SamplingParams, pair

_EXTENSIONS = ("top_k", "min_p", "repetition_penalty", "stop_token_ids", "ignore_eos")
"""Parameters that OpenAI's API lacks; vLLM and SGLang take them by these names. Sent where they differ from nothing."""

_MALFORMED = (ValueError, TypeError, AttributeError, KeyError, IndexError)
"""What the client raises where an answer is no completion at all."""


class RemoteEngine:
    """Completions from the server at `url` (ending in `/v1`), by the model that it calls `model`.

    >>> RemoteEngine("http://localhost:8000/v1", "my-model").generate(["Hello"], SamplingParams(max_tokens=20))

    `token_ids`: ask for ids, which vLLM gives and other servers may refuse. `concurrency` requests run at a time, each
    tried `retries` more times where the server is busy or cannot be reached, each for at most `timeout` seconds.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        token_ids: bool = False,
        concurrency: int = 32,
        retries: int = 2,
        timeout: float = 600.0,
    ):
        self.model, self.token_ids, self.concurrency = model, token_ids, concurrency
        given: dict[str, Any] = {"base_url": url, "api_key": api_key or "none", "max_retries": retries}
        self._client = openai.OpenAI(**given, timeout=timeout)
        self._async = partial(openai.AsyncOpenAI, **given, timeout=timeout)

    def generate(
        self, prompts: Sequence[Prompt], params: SamplingParams | Sequence[SamplingParams] | None = None
    ) -> list[Completion]:
        """As `Engine.generate`: a prompt that fails gets completions with `finish_reason` `error`."""
        every = pair(prompts, params)
        with ThreadPoolExecutor(self.concurrency) as pool:
            answers = pool.map(self._one, *zip(*every, strict=True)) if every else ()
            return [completion for answer in answers for completion in answer]

    def _one(self, prompt: Prompt, params: SamplingParams) -> list[Completion]:
        try:
            answer = self._client.completions.create(**self._body(prompt, params))
            used = answer.usage.prompt_tokens if answer.usage else 0
            choices = sorted(answer.choices, key=lambda choice: choice.index)
            found = [_completion([_piece(choice)], choice.finish_reason, used) for choice in choices]
            if len(found) != params.n:
                raise RequestError(f"the server sent {len(found)} answers instead of {params.n}")
            return found
        except (openai.OpenAIError, RequestError, *_MALFORMED) as error:
            problem = error if isinstance(error, RequestError) else _problem(error)
            return [
                Completion(token_ids=(), text="", logprobs=(), finish_reason="error", index=index, error=problem)
                for index in range(params.n)
            ]

    async def stream(self, prompt: Prompt, params: SamplingParams | None = None) -> AsyncIterator[Piece | Completion]:
        """As `Engine.stream`."""
        params = params or SamplingParams()
        pieces: list[list[Piece]] = [[] for _ in range(params.n)]
        reasons: dict[int, str] = {}
        client = self._async()
        try:
            events = await client.completions.create(**self._body(prompt, params), stream=True)
            async with events:
                async for event in events:
                    for choice in event.choices:
                        piece = _piece(choice)
                        if choice.finish_reason:
                            reasons[choice.index] = choice.finish_reason
                        if piece.text or piece.token_ids:
                            pieces[choice.index].append(piece)
                            yield piece
            for index, own in enumerate(pieces):
                yield _completion(own, reasons.get(index), 0, index)
        except RequestError:
            raise
        except (openai.OpenAIError, *_MALFORMED) as error:
            raise _problem(error) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise RequestError(f"the connection to the server broke ({error}); try again") from error
        finally:
            await client.close()

    def _body(self, prompt: Prompt, params: SamplingParams) -> dict[str, Any]:
        if params.logits_processors:
            raise RequestError("logits_processors are functions of this process; a server cannot run them")
        nothing, extra = SamplingParams(), {}
        for name in _EXTENSIONS:
            if (value := getattr(params, name)) != getattr(nothing, name):
                extra[name] = list(value) if isinstance(value, tuple) else value
        if wanted := params.structured_outputs:
            kind, value = next(
                (name, value)
                for name in ("json", "regex", "choice")
                if (value := getattr(wanted, name)) not in (None, ())
            )
            extra["structured_outputs"] = {kind: list(value) if isinstance(value, tuple) else value}
        if self.token_ids:
            extra["return_token_ids"] = True
        body = {
            "model": self.model,
            "prompt": prompt if isinstance(prompt, str) else list(prompt),
            "max_tokens": params.max_tokens,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "n": params.n,
            "seed": params.seed,
            "stop": list(params.stop) or None,
            "presence_penalty": params.presence_penalty or None,
            "frequency_penalty": params.frequency_penalty or None,
            "logit_bias": {str(token): bias for token, bias in params.logit_bias} or None,
            "logprobs": params.logprobs,
        }
        return {name: value for name, value in body.items() if value is not None} | {"extra_body": extra}


def _piece(choice: Any) -> Piece:
    detail = choice.logprobs  # the most likely tokens come by their text only: there are no ids to name them by
    return Piece(
        text=choice.text or "",
        token_ids=tuple((choice.model_extra or {}).get("token_ids") or ()),
        logprobs=tuple(value for value in (detail.token_logprobs or ()) if value is not None) if detail else (),
        index=choice.index,
    )


def _completion(pieces: list[Piece], reason: str | None, prompt_tokens: int, index: int = 0) -> Completion:
    if reason not in ("stop", "length"):
        said = f"ended the answer with {reason!r}" if reason else "ended the stream before the answer was complete"
        raise RequestError(f"the server {said}")
    return Completion(
        text="".join(piece.text for piece in pieces),
        token_ids=tuple(token for piece in pieces for token in piece.token_ids),
        logprobs=tuple(logprob for piece in pieces for logprob in piece.logprobs),
        finish_reason="stop" if reason == "stop" else "length",
        index=pieces[0].index if pieces else index,
        prompt_tokens=prompt_tokens,
    )


def _problem(error: Exception) -> RequestError:
    if isinstance(error, _MALFORMED):
        return RequestError(f"the server's answer has not the form of OpenAI's API ({_said(error)}); check the URL")
    if isinstance(error, openai.RateLimitError):
        return Overloaded(f"the server is busy ({_said(error)}); try again later")
    if isinstance(error, openai.APIConnectionError):
        return RequestError(f"the server cannot be reached or took too long ({error}); check the URL and the server")
    return RequestError(f"the server refused: {_said(error)}")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
