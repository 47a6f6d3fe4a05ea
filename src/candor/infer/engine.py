"""The engine: many requests share each step of one model, join and leave at any step, and do not disturb each other.

One thread steps (`batch.py` says what a step is); `generate` and `stream` hand requests to it from any other.
"""

import asyncio
import atexit
import functools
import operator
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from candor.errors import CandorError, ConfigError, EngineClosed, ModelError, Overloaded, RequestError
from candor.infer.batch import Batch, first_line
from candor.infer.params import Completion, Done, Piece, Prompt, SamplingParams, pair
from candor.infer.request import Request
from candor.infer.steps import step_for
from candor.model import Transformer
from candor.text import Tokenizer


@dataclass(frozen=True)
class EngineStats:
    """What an engine is doing and has done.

    >>> EngineStats(running=3, waiting=0, used_tokens=412, kept_tokens=1200, bytes_per_token=1280, steps=96, ...)
    """

    running: int
    """Requests that have a row of the cache."""
    waiting: int
    """Requests in the queue."""
    used_tokens: int
    """Cached tokens of running requests."""
    kept_tokens: int
    """Cached tokens of ended requests, given up as soon as room is needed."""
    bytes_per_token: int
    """Size of a cached token."""
    steps: int
    """Decoding steps taken."""
    drafted: int
    """Tokens that the MTP module proposed."""
    accepted: int
    """Those of them that were kept."""


class Engine:
    """Generates for many requests at once on one device.

    >>> with Engine(load_model(path), Tokenizer.load(path)) as engine:
    ...     engine.generate(["Hello", "你好"], SamplingParams(temperature=0, max_tokens=20))

    `max_sequences` run at a time, `max_waiting` more may queue. `cache_tokens` bounds the cache, counted as rows times
    the longest row (default: a quarter of the device's memory); `prefill_tokens` bounds how much of prompts is read
    between two tokens of the running ones. `num_speculative_tokens` drafts so many a step with the MTP module.
    `compile`: True or False; None compiles on a CPU that has a C++ compiler (ten seconds, once on a machine).
    Compiled on a CPU, an answer is the same to the last bit whatever else runs, float32 or bfloat16 weights alike;
    activations are float32 there. The model is put into eval mode. Close the engine, or use it as a context.
    """

    def __init__(
        self,
        model: Transformer,
        tokenizer: Tokenizer,
        *,
        max_sequences: int = 64,
        max_waiting: int = 1024,
        cache_tokens: int | None = None,
        prefill_tokens: int = 2048,
        num_speculative_tokens: int = 0,
        compile: bool | None = None,
    ):
        least = {"max_sequences": max_sequences, "max_waiting": max_waiting, "prefill_tokens": prefill_tokens}
        for name, value in {**least, "cache_tokens": 1 if cache_tokens is None else cache_tokens}.items():
            if value < 1:
                raise ConfigError(f"{name}={value} must be at least 1")
        if num_speculative_tokens < 0:
            raise ConfigError(f"num_speculative_tokens={num_speculative_tokens} must be 0 or more")
        if num_speculative_tokens and not model.mtp:
            raise ConfigError(
                f"num_speculative_tokens={num_speculative_tokens}: the model has no MTP module to draft with"
            )
        if tokenizer.vocab_size > model.config.vocab_size:
            raise ModelError(
                f"the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}; they do not "
                "belong together"
            )
        self.model, self.tokenizer, self.max_waiting = model.eval(), tokenizer, max_waiting
        self._batch = Batch(
            step_for(model, compile),
            model.config,
            model.lm_head.weight.device,
            max_sequences=max_sequences,
            cache_tokens=cache_tokens,
            prefill_tokens=prefill_tokens,
            speculate=num_speculative_tokens,
        )
        self._waiting: deque[Request] = deque()
        self._between: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._closed, self._pid = False, os.getpid()
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="candor-engine", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # a thread that dies inside PyTorch would abort the process

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what runs and end the thread."""
        if self._pid != os.getpid():
            return  # a forked process has the object but not the thread
        self._not_from_within()
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join()
        atexit.unregister(self.close)

    # Requests

    def generate(
        self,
        prompts: Sequence[Prompt],
        params: SamplingParams | Sequence[SamplingParams] | None = None,
        *,
        done: Done | None = None,
    ) -> list[Completion]:
        """Complete all prompts: `n` completions of the first, then of the second, ...

        `params` is one for all or one for each. A prompt that cannot be served gets completions with `finish_reason`
        `error` and the `error`; the others go on. `done` is called with each completion when it is there, from the
        engine's thread, which waits for it; an error that it raises ends this call.
        """
        results: list[Completion | None] = []
        left = threading.Semaphore(0)
        requests: list[Request] = []

        troubles: list[BaseException] = []

        def sink(place: int, event: Piece | Completion) -> None:
            assert isinstance(event, Completion)
            results[place] = event
            try:
                if done and not troubles:
                    done(place, event)
            except BaseException as error:
                troubles.append(error)
            left.release()

        try:
            for prompt, one in pair(prompts, params):
                first = len(results)
                results += [None] * one.n
                sinks = [functools.partial(sink, first + index) for index in range(one.n)]
                try:
                    new = self._requests(prompt, one, sinks, streaming=False)
                except CandorError as error:
                    for index in range(one.n):
                        results[first + index] = failed = _failed(index, error)
                        if done:
                            done(first + index, failed)
                    continue
                requests += new
            # All at once: which of them share a batch must not depend on how fast this thread is, since the last bits
            # of their log-probabilities do.
            self._submit(requests, wait=True)
            for _ in requests:
                left.acquire()
                if troubles:
                    raise troubles[0]
        except BaseException:
            self._cancel(requests)
            raise
        return [result for result in results if result is not None]

    async def stream(self, prompt: Prompt, params: SamplingParams | None = None) -> AsyncIterator[Piece | Completion]:
        """Yield the pieces of each of the `n` answers as they come, and each one's Completion.

        Raises RequestError for a request that cannot be served, Overloaded where the queue has no room for all answers.
        Leaving the loop early cancels what is left.
        """
        params = params or SamplingParams()
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Piece | Completion]()

        def sink(event: Piece | Completion) -> None:
            try:
                loop.call_soon_threadsafe(events.put_nowait, event)
            except RuntimeError:  # the loop is closed: nobody listens any more
                for request in requests:
                    request.cancelled = True

        requests = self._requests(prompt, params, [sink] * params.n, streaming=True)
        self._submit(requests, wait=False)
        try:
            left = len(requests)
            while left:
                event = await events.get()
                if isinstance(event, Completion):
                    left -= 1
                    if event.error:
                        raise event.error
                yield event
        finally:
            self._cancel(requests)

    def _requests(
        self, prompt: Prompt, params: SamplingParams, sinks: Sequence[Callable[[Any], None]], *, streaming: bool
    ) -> list[Request]:
        """One for each sink, checked against the model; RequestError where they cannot be served."""
        known, context = self.model.config.vocab_size, self.model.config.max_position_embeddings
        if not isinstance(prompt, str | Sequence | np.ndarray | Tensor):
            raise RequestError(f"a prompt is text or token ids, not {type(prompt).__name__}")
        ids = [self.tokenizer.bos_id, *self.tokenizer.encode(prompt)] if isinstance(prompt, str) else list(prompt)
        if not ids:
            raise RequestError("the prompt has no tokens; give at least the begin token")
        for token in (*ids, *params.stop_token_ids, *(token for token, _ in params.logit_bias)):
            if not hasattr(token, "__index__") or not 0 <= operator.index(token) < known:
                raise RequestError(f"token id {token!r} is outside the model's vocabulary of {known}")
        if len(ids) >= context:
            raise RequestError(f"the prompt has {len(ids)} tokens, the model's context is {context}; shorten it")
        limit = min(params.max_tokens, context - len(ids))
        ids = [operator.index(token) for token in ids]
        requests = [
            Request(ids, params, index, limit, self.tokenizer, sink, streaming=streaming)
            for index, sink in enumerate(sinks)
        ]
        need, room = self._batch.need(requests[0]), self._batch.cache
        if not room.fits(1, need):
            raise RequestError(
                f"prompt and answer take {need} cached tokens, the engine has {room.max_tokens}; lower max_tokens or "
                "raise cache_tokens"
            )
        return requests

    def _not_from_within(self) -> None:
        if threading.current_thread() is self._thread:
            raise RequestError("a logits processor cannot call the engine that runs it")

    def _submit(self, requests: Sequence[Request], *, wait: bool) -> None:
        self._not_from_within()
        if self._pid != os.getpid():
            raise EngineClosed  # a forked process has the object but not the thread
        left = list(requests)
        with self._wake:
            if not wait and not self._closed and len(self._waiting) + len(left) > self.max_waiting:
                raise Overloaded(f"{len(self._waiting)} requests are waiting already; try again later")
            while left or self._closed:
                if self._closed:
                    raise EngineClosed
                # Below 0 where those that found no row came back behind a full queue.
                if (room := self.max_waiting - len(self._waiting)) > 0:
                    self._waiting += left[:room]
                    del left[:room]
                    self._wake.notify_all()
                else:
                    self._wake.wait()

    def _cancel(self, requests: Sequence[Request]) -> None:
        with self._wake:
            for request in requests:
                request.cancelled = True
            self._wake.notify_all()

    # Weights

    def update_weights(self, weights: Mapping[str, Tensor] | None = None) -> None:
        """Go on with other weights, in place: running requests end under the old ones, waiting ones wait.

        `weights` by the names of `model.state_dict()`; None where the model's own tensors were changed from outside.
        """
        self._quietly(functools.partial(self._load, weights))

    def _load(self, weights: Mapping[str, Tensor] | None) -> None:
        own = self.model.state_dict()
        for name, value in (weights or {}).items():
            if name not in own or own[name].shape != value.shape:
                raise ModelError(f"update_weights: the model has no tensor {name} of shape {list(value.shape)}")
        self._batch.forget_all()  # latents of the old weights
        for name, value in (weights or {}).items():
            own[name].copy_(value)
        self._batch.model.refresh()

    def reset_prefix_cache(self) -> None:
        """Give up what ended requests left in the cache, and the memory, once nothing runs."""
        self._quietly(self._batch.forget_all)

    def _quietly(self, action: Callable[[], None]) -> None:
        """Carry out `action` in the thread when nothing runs; its error is raised here."""
        done = Future[None]()
        self._not_from_within()
        with self._wake:
            if self._pid != os.getpid():
                raise EngineClosed
            if self._closed:
                raise EngineClosed
            self._between.append((action, done))
            self._wake.notify_all()
        try:
            done.result()
        except CancelledError:
            raise EngineClosed from None

    @property
    def stats(self) -> EngineStats:
        """Figures of this moment."""
        batch = self._batch
        rows = list(batch.rows)
        return EngineStats(
            running=batch.running,
            waiting=len(self._waiting),
            used_tokens=sum(row.length for row in rows if row.request),
            kept_tokens=sum(row.length for row in rows if not row.request),
            bytes_per_token=batch.cache.bytes_per_token,
            steps=batch.steps,
            drafted=batch.drafted,
            accepted=batch.accepted,
        )

    # The thread

    def _work(self) -> None:
        try:
            with torch.inference_mode():
                self._loop()
        finally:
            with self._wake:
                self._closed = True
                self._wake.notify_all()
            for row in self._batch.rows[: self._batch.running]:
                row.running.finish("cancelled")
            for request in self._waiting:
                request.finish("cancelled")
            for _, done in self._between:
                done.cancel()

    def _loop(self) -> None:
        batch = self._batch
        while self._awake():
            if self._between and not batch.running:
                action, done = self._between.popleft()
                try:
                    action()
                    done.set_result(None)
                except BaseException as error:
                    done.set_exception(error)
                continue
            try:
                self._admit()
                batch.step()
            except Exception as error:
                self._fail(error)

    def _awake(self) -> bool:
        """Wait for something to do; False when the engine was closed."""
        with self._wake:
            while not (self._closed or self._waiting or self._between or self._batch.running):
                self._wake.wait()
            return not self._closed

    def _admit(self) -> None:
        """Give rows to those who wait, in order; only who waits for another's prompt is overtaken."""
        with self._wake:
            queue, self._waiting = self._waiting, deque()
        left: list[Request] = []
        full = bool(self._between)
        try:
            while queue:
                request = queue.popleft()
                if request.cancelled:
                    request.finish("cancelled")
                    continue
                try:
                    answer = "full" if full else self._batch.add(request)
                except CandorError as error:
                    request.finish("error", error)
                    continue
                except Exception as error:
                    request.finish("error", _unexpected(error))
                    raise
                full = full or answer == "full"
                if answer != "added":
                    left.append(request)
        finally:
            with self._wake:
                self._waiting.extendleft(reversed([*left, *queue]))
                self._wake.notify_all()

    def _fail(self, error: Exception) -> None:
        """A step went wrong, most likely for want of memory: its requests end, the engine goes on."""
        self._batch.fail_all(_unexpected(error))


def _unexpected(error: Exception) -> RequestError:
    problem = RequestError(f"a step of the engine failed ({type(error).__name__}: {first_line(error)})")
    problem.__cause__ = error
    return problem


def _failed(index: int, error: CandorError) -> Completion:
    return Completion(token_ids=(), text="", logprobs=(), finish_reason="error", index=index, error=error)
