"""The exported model measured: bits per byte on held-out text, and one continuation."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from candor import files
from candor.data import read_corpus
from candor.data.exercises import EXERCISES
from candor.errors import ConfigError
from candor.evaluate.compression import Compression, bits_per_byte, compressed_bits_per_byte
from candor.infer import Engine, SamplingParams
from candor.model.hub import load_model
from candor.records import Progress
from candor.text import Tokenizer


@dataclass(frozen=True)
class EvaluateConfig:
    """What is measured after training."""

    context: int = 256
    """Most tokens before a predicted one, in bits per byte."""
    max_bytes: int = 500_000
    """Held-out text that is measured: whole documents in hash order, the last one cut here."""
    prompt: str = ""
    """Start of the sample; empty takes the beginning of a held-out document."""
    temperature: float = 0.7
    """Temperature of the sample."""
    sample_tokens: int = 120
    """Length of the sample in tokens."""

    def __post_init__(self) -> None:
        for name, least in {"context": 2, "max_bytes": 100, "temperature": 0, "sample_tokens": 1}.items():
            if not getattr(self, name) >= least:
                raise ConfigError(f"evaluate.{name}={getattr(self, name)} must be at least {least}")


def evaluate(
    config: EvaluateConfig,
    model_folder: Path,
    corpus: Path,
    folder: Path,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> None:
    """Write `heldout.json` (bits per byte beside gzip and xz) and `sample.json` (one continuation)."""
    model = load_model(model_folder, dtype=torch.float32, device=device)
    tokenizer = Tokenizer.load(model_folder)
    texts: list[str] = []
    left = config.max_bytes
    # Exercises are made by a program and easier to predict than what people write; the sort is stable.
    for document in sorted(read_corpus(corpus, "heldout"), key=lambda one: one.source == EXERCISES):
        if texts and document.source == EXERCISES:
            break
        texts.append(document.text.encode()[:left].decode(errors="ignore"))
        left -= len(texts[-1].encode())
        if left < 4:
            break
    documents = [(ids, len(text.encode())) for ids, text in zip(tokenizer.encode_batch(texts), texts, strict=True)]
    bits, tokens = bits_per_byte(
        model,
        documents,
        bos_id=tokenizer.bos_id,
        context=config.context,
        progress=progress,
    )
    gzip, xz = compressed_bits_per_byte(texts)
    size = sum(length for _, length in documents)
    figures = Compression(bits.value, bits.stderr, gzip, xz, len(texts), size, tokens, config.context)
    files.write_json(folder / "heldout.json", asdict(figures))

    prompt = config.prompt or texts[0].strip()[:60]
    params = SamplingParams(temperature=config.temperature, top_p=0.95, max_tokens=config.sample_tokens, seed=seed)
    with Engine(model, tokenizer) as engine:
        (completion,) = engine.generate([prompt], params)
    if completion.error:
        raise completion.error
    sample = {"text": completion.text, "token_ids": completion.token_ids, "finish_reason": completion.finish_reason}
    files.write_json(folder / "sample.json", {"prompt": prompt, "sampling": asdict(params), **sample})
