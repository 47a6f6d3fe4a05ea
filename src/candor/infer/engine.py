"""The engine: many requests share each step of one model, join and leave at any step, and do not disturb each other.

One thread steps (`batch.py` says what a step is); `generate` and `stream` hand requests to it from any other.
"""

import asyncio
import atexit
import contextlib
import functools
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

import torch
from torch import Tensor

from candor.errors import CandorError, ConfigError, Overloaded, RequestError
from candor.infer.batch import Batch
from candor.infer.params import Completion, Piece, SamplingParams
from candor.infer.request import Request
from candor.infer.steps import step_for
from candor.model import Transformer
from candor.plan.device import device_memory
from candor.text import Tokenizer

Prompt: TypeAlias = str | Sequence[int]
"""Text, before which the begin token is put, or token ids, taken as they are."""


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
    between two tokens of the running ones. `speculate` drafts so many tokens a step with the model's MTP module.
    `compile`: True or False; None compiles on a CPU that has a C++ compiler (ten seconds, once on a machine).
    Compiled on a CPU, an answer is the same to the last bit whatever else runs, float32 or bfloat16 weights alike.
    Close the engine, or use it as a context, to end its thread.
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
        speculate: int = 0,
        compile: bool | None = None,
    ):
        least = {"max_sequences": max_sequences, "max_waiting": max_waiting, "prefill_tokens": prefill_tokens}
        for name, value in {**least, "cache_tokens": 1 if cache_tokens is None else cache_tokens}.items():
            if value < 1:
                raise ConfigError(f"{name}={value} must be at least 1")
        if speculate < 0 or (speculate and not model.mtp):
            raise ConfigError(f"speculate={speculate}: the model has no MTP module to draft with" if speculate > 0
                              else f"speculate={speculate} must be 0 or more")  # fmt: skip
        if tokenizer.vocab_size > model.config.vocab_size:
            raise ConfigError(
                f"the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}; they do not "
                "belong together"
            )
        self.model, self.tokenizer, self.max_waiting = model.eval(), tokenizer, max_waiting
        weight = model.lm_head.weight
        token_bytes = (model.config.num_hidden_layers + 1) * model.config.latent_dim * weight.dtype.itemsize
        self._batch = Batch(
            step_for(model, compile),
            model.config,
            weight.device,
            max_sequences=max_sequences,
            cache_tokens=cache_tokens or device_memory(weight.device) // 4 // token_bytes,
            prefill_tokens=prefill_tokens,
            speculate=speculate,
        )
        self._waiting: deque[Request] = deque()
        self._between: deque[tuple[Callable[[], None], threading.Event]] = deque()
        self._closed = False
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
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join()
        atexit.unregister(self.close)

    # Requests

    def generate(
        self, prompts: Sequence[Prompt], params: SamplingParams | Sequence[SamplingParams] | None = None
    ) -> list[Completion]:
        """Complete all prompts: `n` completions of the first, then of the second, ...

        `params` is one for all or one for each. A prompt that cannot be served gets completions with `finish_reason`
        `error` and the `error`; the others go on.
        """
        every = params if isinstance(params, Sequence) else [params or SamplingParams()] * len(prompts)
        if len(every) != len(prompts):
            raise ConfigError(f"there are {len(prompts)} prompts and {len(every)} sampling parameters")
        if isinstance(prompts, str):
            raise ConfigError("prompts is one text; give a list of them")
        results: list[Completion | None] = []
        left = threading.Semaphore(0)
        requests: list[Request] = []

        def sink(place: int, event: Piece | Completion) -> None:
            assert isinstance(event, Completion)
            results[place] = event
            left.release()

        try:
            for prompt, one in zip(prompts, every, strict=True):
                for index in range(one.n):
                    results.append(None)
                    place = len(results) - 1
                    try:
                        request = self._request(prompt, one, index, functools.partial(sink, place), streaming=False)
                    except RequestError as error:
                        results[place] = Completion((), "", (), "error", index, error=error)
                        continue
                    requests.append(request)
                    self._submit(request, wait=True)
            for _ in requests:
                left.acquire()
        except BaseException:
            self._cancel(requests)
            raise
        return [result for result in results if result is not None]

    async def stream(self, prompt: Prompt, params: SamplingParams | None = None) -> AsyncIterator[Piece | Completion]:
        """Yield the pieces of each of the `n` answers as they come, and each one's Completion.

        Raises RequestError for a request that cannot be served, Overloaded where the queue is full. Leaving the loop
        early cancels what is left.
        """
        params = params or SamplingParams()
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Piece | Completion]()

        def sink(event: Piece | Completion) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(events.put_nowait, event)

        requests = [self._request(prompt, params, index, sink, streaming=True) for index in range(params.n)]
        try:
            for request in requests:
                self._submit(request, wait=False)
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

    def _request(
        self,
        prompt: Prompt,
        params: SamplingParams,
        index: int,
        sink: Callable[[Piece | Completion], None],
        *,
        streaming: bool,
    ) -> Request:
        """Checked against the model; RequestError where it cannot be served."""
        known, context = self.model.config.vocab_size, self.model.config.max_position_embeddings
        ids = [self.tokenizer.bos_id, *self.tokenizer.encode(prompt)] if isinstance(prompt, str) else list(prompt)
        if not ids:
            raise RequestError("the prompt has no tokens; give at least the begin token")
        named = [*ids, *params.stop_token_ids, *(token for token, _ in params.logit_bias)]
        if bad := [token for token in named if not (isinstance(token, int) and 0 <= token < known)]:
            raise RequestError(f"token id {bad[0]} is outside the model's vocabulary of {known}")
        if len(ids) >= context:
            raise RequestError(f"the prompt has {len(ids)} tokens, the model's context is {context}; shorten it")
        request = Request(ids, params, index, self.tokenizer, sink, streaming=streaming)
        request.limit = min(params.max_tokens, context - len(ids))
        if not self._batch.cache.fits(1, need := self._batch.need(request)):
            raise RequestError(
                f"prompt and answer take {need} cached tokens, the engine has {self._batch.cache.max_tokens}; "
                "lower max_tokens or raise cache_tokens"
            )
        return request

    def _submit(self, request: Request, *, wait: bool) -> None:
        with self._wake:
            while wait and len(self._waiting) >= self.max_waiting and not self._closed:
                self._wake.wait()
            if self._closed:
                raise RequestError("the engine is closed")
            if len(self._waiting) >= self.max_waiting:
                raise Overloaded(f"{self.max_waiting} requests are waiting already; try again later")
            self._waiting.append(request)
            self._wake.notify_all()

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
        self._batch.forget_all()  # latents of the old weights
        if weights is not None:
            own = self.model.state_dict()
            for name, value in weights.items():
                if name not in own or own[name].shape != value.shape:
                    raise RequestError(f"update_weights: the model has no tensor {name} of shape {list(value.shape)}")
            for name, value in weights.items():
                own[name].copy_(value)
        self._batch.model.refresh()

    def forget(self) -> None:
        """Give up what ended requests left in the cache, and the memory, once nothing runs."""
        self._quietly(self._batch.forget_all)

    def _quietly(self, action: Callable[[], None]) -> None:
        """Carry out `action` in the thread when nothing runs; its error is raised here."""
        failed: list[BaseException] = []

        def guarded() -> None:
            try:
                action()
            except BaseException as error:
                failed.append(error)

        done = threading.Event()
        with self._wake:
            if self._closed:
                raise RequestError("the engine is closed")
            self._between.append((guarded, done))
            self._wake.notify_all()
        done.wait()
        if failed:
            raise failed[0]

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
        batch = self._batch
        with torch.inference_mode():
            while True:
                with self._wake:
                    while not (self._closed or self._waiting or self._between or batch.running):
                        self._wake.wait()
                    if self._closed:
                        break
                    arrived = [] if self._between else list(self._waiting)
                if self._between and not batch.running:
                    action, done = self._between.popleft()
                    action()
                    done.set()
                    continue
                self._admit(arrived)
                try:
                    batch.step()
                except Exception as error:
                    self._fail(error)
        for row in batch.rows[: batch.running]:
            row.running.finish("cancelled")
        for request in self._waiting:
            request.finish("cancelled")
        for _, done in self._between:
            done.set()

    def _admit(self, arrived: list[Request]) -> None:
        """Give rows to those who wait, in order; only who waits for another's prompt is overtaken."""
        gone: set[int] = set()
        for request in arrived:
            answer = "cancelled"
            if not request.cancelled:
                try:
                    answer = self._batch.add(request)
                except CandorError as error:
                    request.finish("error", error)
                    answer = "error"
            else:
                request.finish("cancelled")
            if answer == "full":
                break
            if answer != "later":
                gone.add(id(request))
        if gone:
            with self._wake:
                self._waiting = deque(request for request in self._waiting if id(request) not in gone)
                self._wake.notify_all()

    def _fail(self, error: Exception) -> None:
        """A step went wrong, most likely for want of memory: its requests end, the engine goes on."""
        problem = RequestError(f"a step of the engine failed ({type(error).__name__}: {str(error).splitlines()[0]})")
        problem.__cause__ = error
        for row in list(self._batch.rows[: self._batch.running]):
            self._batch.retire(row, "error", problem)
        self._batch.forget_all()
