"""What `candor generate` and `candor chat` do and show."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from candor.cli import console
from candor.governance.labels.explicit import CHAT
from candor.infer import Completion, Engine, SamplingParams
from candor.infer.params import Prompt
from candor.model.hub import load_model
from candor.plan.device import best_device
from candor.text import Tokenizer


@contextmanager
def _engine(folder: Path, speculate: int) -> Iterator[Engine]:
    model, tokenizer = load_model(folder, device=best_device()), Tokenizer.load(folder)
    with Engine(model, tokenizer, num_speculative_tokens=speculate) as engine:
        console.notice(" · ".join(CHAT.values()))
        yield engine


async def _show(engine: Engine, prompt: Prompt, params: SamplingParams) -> str:
    text = ""
    async for event in engine.stream(prompt, params):
        if isinstance(event, Completion):
            text = event.text
        else:
            console.stream(event.text)
    console.stream("\n")
    return text


def continue_text(folder: Path, prompt: str, params: SamplingParams, speculate: int) -> None:
    """Stream one continuation to standard output, the notice to standard error."""
    with _engine(folder, speculate) as engine:
        asyncio.run(_show(engine, prompt, params))


def converse(folder: Path, system: str | None, params: SamplingParams, speculate: int) -> None:
    """A dialogue on the terminal; what was said before is read from the cache, not again."""
    with _engine(folder, speculate) as engine:
        messages: list[dict[str, str]] = [{"role": "system", "content": system}] if system else []
        while True:
            try:
                said = input("> ")
            except EOFError:
                break
            if not said.strip():
                break
            messages.append({"role": "user", "content": said})
            answer = asyncio.run(_show(engine, engine.tokenizer.encode_chat(messages), params))
            messages.append({"role": "assistant", "content": answer})
