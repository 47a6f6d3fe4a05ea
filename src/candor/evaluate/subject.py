"""What is evaluated: a model folder on this machine's engine, or a model behind an OpenAI-compatible server."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Protocol

import torch

from candor import files
from candor.errors import ConfigError, ModelError, RequestError
from candor.evaluate.likelihood import Likelihood, LikelihoodDone, likelihoods
from candor.infer import Completion, Engine, SamplingParams
from candor.infer.params import Chat, Done, Prompt
from candor.model.hub import load_model
from candor.plan.device import best_device
from candor.text import THINK_BEGIN, Message, Tokenizer


class Subject(Protocol):
    """What the runner asks. `name` is for people; equal `fingerprint`s give equal answers to equal requests."""

    name: str
    fingerprint: str

    @property
    def opening(self) -> str:
        """What the prompt of a chat has begun of the answer already, such as its thought; "" where nothing."""

    def chat(self, message: str | Sequence[Message]) -> Prompt:
        """The prompt that a user's message, or a conversation that ends with one, becomes."""

    def generate(self, prompts: Sequence[Prompt], params: Sequence[SamplingParams], done: Done) -> list[Completion]:
        """As `Engine.generate`."""

    def likelihood(self, pairs: Sequence[tuple[str, str]], done: LikelihoodDone) -> list[Likelihood]:
        """For each (context, continuation) what the continuation's tokens are worth."""


class Local:
    """A model of this process; `open_engine` is called when something is asked for the first time."""

    def __init__(self, open_engine: Callable[[], Engine], name: str, fingerprint: str):
        self._open, self.name, self.fingerprint = open_engine, name, fingerprint
        self._lock = Lock()
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine that answers; opened once, whoever asks first."""
        with self._lock:
            self._engine = self._engine or self._open()
            return self._engine

    @cached_property
    def opening(self) -> str:
        """The thought, where the tokenizer's own template opens it."""
        tokenizer = self.engine.tokenizer
        prompt = tokenizer.decode(tokenizer.encode_chat([{"role": "user", "content": "0"}]))
        return f"{THINK_BEGIN}\n" if prompt.rstrip().endswith(THINK_BEGIN) else ""

    def chat(self, message: str | Sequence[Message]) -> Prompt:
        """Ids of the conversation in the tokenizer's own chat template."""
        messages = [{"role": "user", "content": message}] if isinstance(message, str) else message
        return self.engine.tokenizer.encode_chat(messages)

    def generate(self, prompts: Sequence[Prompt], params: Sequence[SamplingParams], done: Done) -> list[Completion]:
        """By the engine."""
        return self.engine.generate(prompts, params, done=done)

    def likelihood(self, pairs: Sequence[tuple[str, str]], done: LikelihoodDone) -> list[Likelihood]:
        """By whole forward passes."""
        return likelihoods(self.engine.model, self.engine.tokenizer, pairs, done=done)


class Remote:
    """The model that the server at `url` calls `model`; `chat` sends prompts as messages, else as texts to continue."""

    def __init__(self, url: str, model: str, *, chat: bool, api_key: str | None = None, concurrency: int = 32):
        try:
            from candor.infer.remote import RemoteEngine
        except ImportError:
            raise ConfigError("servers need an extra; run: pip install 'candor-lm[remote]'") from None
        self.engine = RemoteEngine(url, model, api_key=api_key, chat=chat, concurrency=concurrency)
        self.name = f"{model} at {url}"
        self.fingerprint = hashlib.sha256(f"{url}|{model}|{chat}".encode()).hexdigest()

    @property
    def opening(self) -> str:
        """Nothing that is known of: the server tells the thought apart, or writes it whole."""
        return ""

    def chat(self, message: str | Sequence[Message]) -> Prompt:
        """The server applies its own template."""
        return message if isinstance(message, str) else Chat(message)

    def generate(self, prompts: Sequence[Prompt], params: Sequence[SamplingParams], done: Done) -> list[Completion]:
        """By the server."""
        return self.engine.generate(prompts, params, done=done)

    def likelihood(self, pairs: Sequence[tuple[str, str]], done: LikelihoodDone) -> list[Likelihood]:
        """By the server's echo of the prompt; an error that speaks of one pair stays with it."""

        def one(place: int) -> Likelihood:
            try:
                found: Likelihood = self.engine.likelihood(*pairs[place])
            except RequestError as error:
                found = error
            done(place, found)
            return found

        with ThreadPoolExecutor(self.engine.concurrency) as pool:
            return list(pool.map(one, range(len(pairs))))


@contextmanager
def open_subject(model: str, *, name: str = "", chat: bool = False, concurrency: int = 32) -> Iterator[Subject]:
    """A model folder, or with `http(s)://` a server's address ending in `/v1` and the `name` of its model.

    The server's key comes from the environment variable CANDOR_API_KEY: a command line would show it to every user of
    the machine.
    """
    if model.startswith(("http://", "https://")):
        if not name:
            raise ConfigError("a server needs the name of its model: --model-name NAME")
        yield Remote(model, name, chat=chat, api_key=os.environ.get("CANDOR_API_KEY"), concurrency=concurrency)
        return
    folder = Path(model)
    with ExitStack() as stack:

        def open_engine() -> Engine:
            device = best_device()
            loaded = load_model(folder, dtype=torch.float32 if device.type == "cpu" else None, device=device)
            return stack.enter_context(Engine(loaded, Tokenizer.load(folder)))

        yield Local(open_engine, str(folder), folder_hash(folder))


def folder_hash(folder: Path) -> str:
    """Hash over the files that decide what a model folder answers."""
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} is no model folder (it has no config.json); give a folder or a server's http address"
        )
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in (".safetensors", ".json", ".jinja") and file.name != "provenance.json":
            digest.update(f"{file.name} {files.sha256(file)}\n".encode())
    return digest.hexdigest()
