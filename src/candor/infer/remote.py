"""The engine's interface in front of any OpenAI-compatible server (vLLM, SGLang, llama.cpp, a hosted API).

Prompts given as ids go out as ids. What comes back keeps the server's ids where it sends them (vLLM's
`return_token_ids`); a server that does not leaves `token_ids` empty: text is never tokenised again to guess them.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any

import openai

from candor.errors import Overloaded, RequestError, Unreachable
from candor.infer.params import Chat, Completion, Done, Piece, Prompt, SamplingParams, pair

_EXTENSIONS = ("top_k", "min_p", "repetition_penalty", "stop_token_ids", "ignore_eos")
"""Parameters that OpenAI's API lacks; vLLM and SGLang take them by these names. Sent where they differ from nothing."""

_REFUSALS = (400, 413, 422)
"""Statuses that speak of one request; with any other the server would have refused every one."""

_MALFORMED = (ValueError, TypeError, AttributeError, KeyError, IndexError)
"""What the client raises where an answer is no completion at all."""


class RemoteEngine:
    """Completions from the server at `url` (ending in `/v1`), by the model that it calls `model`.

    >>> RemoteEngine("http://localhost:8000/v1", "my-model").generate(["Hello"], SamplingParams(max_tokens=20))

    `token_ids`: ask for ids, which vLLM gives and other servers may refuse. `concurrency` requests run at a time, each
    tried `retries` more times where the server is busy or cannot be reached, each for at most `timeout` seconds.
    `chat`: prompts are texts that go to `/chat/completions` as a user's message, or a `Chat`; what the server calls
    `reasoning_content` stands in the text between `<think>` and `</think>`.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        chat: bool = False,
        token_ids: bool = False,
        concurrency: int = 32,
        retries: int = 2,
        timeout: float = 600.0,
    ):
        self.model, self.chat, self.token_ids, self.concurrency = model, chat, token_ids, concurrency
        given: dict[str, Any] = {"base_url": url, "api_key": api_key or "none", "max_retries": retries}
        self._connect = partial(openai.OpenAI, **given, timeout=timeout)
        self._client = self._connect()
        self._async = partial(openai.AsyncOpenAI, **given, timeout=timeout)

    def generate(
        self,
        prompts: Sequence[Prompt],
        params: SamplingParams | Sequence[SamplingParams] | None = None,
        *,
        done: Done | None = None,
    ) -> list[Completion]:
        """As `Engine.generate`: a prompt that fails gets completions with `finish_reason` `error`."""
        every = pair(prompts, params)
        places = [0, *itertools.accumulate(one.n for _, one in every)]
        results: dict[int, list[Completion]] = {}
        pool = ThreadPoolExecutor(self.concurrency)
        try:
            asked = {pool.submit(self._one, *one): number for number, one in enumerate(every)}
            for future in as_completed(asked):
                number = asked[future]
                results[number] = future.result()
                for index, completion in enumerate(results[number] if done else ()):
                    done(places[number] + index, completion)  # type: ignore[misc]
        except BaseException:
            self._client.close()  # or the requests that run would be waited for at the end of the process
            self._client = self._connect()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return [completion for number in range(len(every)) for completion in results[number]]

    def _one(self, prompt: Prompt, params: SamplingParams) -> list[Completion]:
        try:
            answer = self._ask(self._client, prompt, params)
            used = answer.usage.prompt_tokens if answer.usage else 0
            made = answer.usage.completion_tokens if answer.usage and params.n == 1 else 0
            choices = sorted(answer.choices, key=lambda choice: choice.index)
            found = [_completion([_piece(choice)], choice.finish_reason, used, made) for choice in choices]
            if len(found) != params.n:
                raise RequestError(f"the server sent {len(found)} answers instead of {params.n}")
            return found
        except (openai.OpenAIError, RequestError, *_MALFORMED) as error:
            problem = error if isinstance(error, RequestError) else _problem(error)
            return [
                Completion(token_ids=(), text="", logprobs=(), finish_reason="error", index=index, error=problem)
                for index in range(params.n)
            ]

    def _ask(self, client: Any, prompt: Prompt, params: SamplingParams, **options: Any) -> Any:
        body = self._body(prompt, params)
        if not self.chat:
            if isinstance(prompt, Chat):
                raise RequestError("a conversation needs a chat server; ask this one for a single text")
            return client.completions.create(**body, **options)
        text = body.pop("prompt")
        if not isinstance(text, str):
            raise RequestError("a chat server takes prompts as text, not as token ids")
        messages = list(text.messages) if isinstance(text, Chat) else [{"role": "user", "content": text}]
        body |= {"messages": messages, "logprobs": bool(params.logprobs)}
        return client.chat.completions.create(**body, **options)

    def likelihood(self, context: str, continuation: str) -> tuple[float, bool]:
        """Log-probability in nats of `continuation` behind `context`, and whether each of its tokens is the likeliest.

        The server must give log-probabilities of a prompt (`echo`), as vLLM and SGLang do for `/completions`.
        """
        whole = context + continuation
        try:
            answer = self._client.completions.create(
                model=self.model, prompt=whole, max_tokens=1, echo=True, logprobs=1, temperature=0
            )
            detail: Any = answer.choices[0].logprobs
            places = zip(detail.text_offset, detail.tokens, strict=True)
            own = [
                number
                for number, (at, token) in enumerate(places)
                if at + len(token) > len(context) and at < len(whole)
            ]
            values = [detail.token_logprobs[number] for number in own]
            best = [max((detail.top_logprobs[number] or {}).values(), default=0.0) for number in own]
            if not values or answer.choices[0].text[: len(whole)] != whole:
                raise ValueError("it did not echo the prompt")
            greedy = all(value >= top for value, top in zip(values, best, strict=True))
            return sum(values), greedy
        except openai.OpenAIError as error:
            raise _problem(error) from error
        except _MALFORMED as error:
            raise Unreachable(
                f"the server at {self._client.base_url} gives no log-probabilities of a prompt ({_said(error)}); "
                "choose tasks that generate, or a server with `echo` for /completions (vLLM, SGLang)"
            ) from error

    async def stream(self, prompt: Prompt, params: SamplingParams | None = None) -> AsyncIterator[Piece | Completion]:
        """As `Engine.stream`."""
        params = params or SamplingParams()
        pieces: list[list[Piece]] = [[] for _ in range(params.n)]
        reasons: dict[int, str] = {}
        thinking: set[int] = set()
        client = self._async()
        try:
            events = await self._ask(client, prompt, params, stream=True)
            async with events:
                async for event in events:
                    for choice in event.choices:
                        piece = _piece(choice, thinking)
                        if choice.finish_reason:
                            reasons[choice.index] = choice.finish_reason
                        if piece.text or piece.token_ids:
                            pieces[choice.index].append(piece)
                            yield piece
            for index, own in enumerate(pieces):
                yield _completion(own, reasons.get(index), index=index)
        except RequestError:
            raise
        except (openai.OpenAIError, *_MALFORMED) as error:
            raise _problem(error) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Unreachable(f"the connection to the server broke ({error}); try again") from error
        finally:
            await client.close()

    def _body(self, prompt: Prompt, params: SamplingParams) -> dict[str, Any]:
        if params.logits_processors:
            raise RequestError("logits_processors are functions of this process; a server cannot run them")
        if params.watermark:
            raise RequestError("a watermark key stays in this process; set the watermark where the server runs")
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


def _piece(choice: Any, thinking: set[int] | None = None) -> Piece:
    """What a choice says; `thinking` holds the answers of a stream that are amid their reasoning."""
    detail = choice.logprobs  # the most likely tokens come by their text only: there are no ids to name them by
    said = getattr(choice, "message", None) or getattr(choice, "delta", None)
    if said is None:
        text, values = choice.text or "", detail.token_logprobs if detail else None
    else:
        text, values = said.content or "", [entry.logprob for entry in detail.content or ()] if detail else None
        thought = (said.model_extra or {}).get("reasoning_content") or ""
        if thinking is None:
            text = f"<think>{thought}</think>{text}" if thought else text
        else:
            if thought and choice.index not in thinking:
                thinking.add(choice.index)
                thought = "<think>" + thought
            if choice.index in thinking and (text or choice.finish_reason):
                thinking.remove(choice.index)
                thought += "</think>"
            text = thought + text
    return Piece(
        text=text.encode(errors="replace").decode(),  # half a character cannot be written down
        token_ids=tuple((choice.model_extra or {}).get("token_ids") or ()),
        logprobs=tuple(value for value in values or () if value is not None),
        index=choice.index,
    )


def _completion(
    pieces: list[Piece], reason: str | None, prompt_tokens: int = 0, completion_tokens: int = 0, index: int = 0
) -> Completion:
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
        completion_tokens=completion_tokens or sum(len(piece.token_ids) for piece in pieces),
    )


def _problem(error: Exception) -> RequestError:
    if isinstance(error, _MALFORMED):
        return Unreachable(f"the server's answer has not the form of OpenAI's API ({_said(error)}); check the URL")
    if isinstance(error, openai.RateLimitError):
        return Overloaded(f"the server is busy ({_said(error)}); try again later")
    if isinstance(error, openai.APIConnectionError):
        return Unreachable(f"the server cannot be reached or took too long ({error}); check the URL and the server")
    refused = isinstance(error, openai.APIStatusError) and error.status_code in _REFUSALS
    return (RequestError if refused else Unreachable)(f"the server refused: {_said(error)}")


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
