"""What `candor generate` and `candor chat` do and show."""

from pathlib import Path

from candor.cli import console
from candor.errors import ModelError
from candor.infer import Completion, SamplingParams, generate
from candor.model import Transformer
from candor.model.hub import load_model
from candor.plan.device import best_device
from candor.text import Tokenizer


def _load(folder: Path) -> tuple[Transformer, Tokenizer]:
    model = load_model(folder, device=best_device())
    tokenizer = Tokenizer.load(folder)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise ModelError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}; "
            "they do not belong together"
        )
    return model, tokenizer


def continue_text(folder: Path, prompt: str, params: SamplingParams) -> None:
    """Stream one continuation to standard output, the notice to standard error."""
    model, tokenizer = _load(folder)
    console.notice(console.AI_NOTICE)
    for piece in generate(model, tokenizer, [tokenizer.bos_id, *tokenizer.encode(prompt)], params):
        if isinstance(piece, str):
            console.stream(piece)
    console.stream("\n")


def converse(folder: Path, system: str | None, params: SamplingParams) -> None:
    """A dialogue on the terminal."""
    model, tokenizer = _load(folder)
    console.notice(console.AI_NOTICE)
    messages: list[dict[str, str]] = [{"role": "system", "content": system}] if system else []
    while True:
        try:
            said = input("> ")
        except EOFError:
            break
        if not said.strip():
            break
        messages.append({"role": "user", "content": said})
        answer = ""
        for piece in generate(model, tokenizer, tokenizer.encode_chat(messages), params):
            if isinstance(piece, Completion):
                answer = piece.text
            else:
                console.stream(piece)
        console.stream("\n")
        messages.append({"role": "assistant", "content": answer})
