"""What fine-tuning learns: dialogues as examples on both sides of a split, and their loss before and after."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from candor.data import held_out
from candor.data.dialogues import Dialogue, LeftOut, cap_user_derived
from candor.data.examples import ChatForm, Example, ExampleLoader
from candor.errors import DataError
from candor.evaluate.statistics import ratio
from candor.model import Transformer
from candor.model.heads import IGNORE, token_logprobs
from candor.text import Tokenizer

if TYPE_CHECKING:
    from candor.stages.sft import SftConfig


@dataclass(frozen=True)
class Lessons:
    """Dialogues as examples, on both sides of the split."""

    train: list[tuple[Dialogue, list[Example]]]
    """To learn."""
    heldout: list[tuple[Dialogue, list[Example]]]
    """To measure."""
    left_out: LeftOut
    """What is on neither side."""

    def examples(self) -> list[Example]:
        """Those to learn."""
        return [example for _, examples in self.train for example in examples]

    def summary(self, loader: ExampleLoader) -> dict[str, Any]:
        """Counts for people and reports."""
        examples, dialogues = self.examples(), [dialogue for dialogue, _ in self.train]
        tokens = sum(len(example.ids) for example in examples)
        return {
            "dialogues": {"train": len(self.train), "heldout": len(self.heldout), "left_out": self.left_out.counts()},
            "origin": dict(Counter(dialogue.origin for dialogue in dialogues)),
            "lang": dict(Counter(dialogue.lang or "not said" for dialogue in dialogues)),
            "examples": len(examples),
            "tokens": tokens,
            "learnt_tokens": learnt_tokens(examples),
            "windows": loader.windows,
            "filled": tokens / (loader.windows * loader.sequence_length),
        }


def prepare(
    config: "SftConfig", tokenizer: Tokenizer, dialogues: Sequence[Dialogue], seed: int, left_out: LeftOut | None = None
) -> Lessons:
    """Encode, leave out what is too long, hold out by hash, cap what is user-derived among the rest.

    ConfigError for a template that cannot be learnt, DataError where nothing is left to train on.
    """
    left_out = LeftOut() if left_out is None else left_out
    form = ChatForm(tokenizer, config.template)
    fitting: list[tuple[Dialogue, list[Example]]] = []
    for dialogue in dialogues:
        try:
            examples = form.encode(dialogue)
        except DataError as error:
            if not config.skip_broken:
                raise
            left_out.add("not what the chat template can hold", str(error))
            continue
        longest = max(len(example.ids) for example in examples)
        if longest <= config.sequence_length:
            fitting.append((dialogue, examples))
        else:
            left_out.add(
                f"longer than sft.sequence_length={config.sequence_length}", f"{dialogue.place} ({longest:,} tokens)"
            )
    held = held_out([dialogue.opening_id for dialogue, _ in fitting], config.heldout_share)
    train = [one for one, out in zip(fitting, held, strict=True) if not out]
    stay = set(cap_user_derived([dialogue for dialogue, _ in train], config.user_derived_share, seed))
    for place, (dialogue, _) in enumerate(train):
        if place not in stay:
            left_out.add(f"user-derived beyond sft.user_derived_share={config.user_derived_share:g}", dialogue.place)
    lessons = Lessons(
        [one for place, one in enumerate(train) if place in stay],
        [one for one, out in zip(fitting, held, strict=True) if out],
        left_out,
    )
    if not lessons.train:
        raise DataError(f"none of {len(dialogues):,} dialogues is left to train on: {'; '.join(left_out.lines())}")
    return lessons


def learnt_tokens(examples: Sequence[Example]) -> int:
    """Tokens that are predicted and learnt."""
    return sum(int(example.learnt.sum()) for example in examples)


def loader_of(
    config: "SftConfig", examples: Sequence[Example], tokenizer: Tokenizer, seed: int, modules: int = 0
) -> ExampleLoader:
    """Windows of the examples for a model with so many MTP modules."""
    return ExampleLoader(examples, config.sequence_length, lookahead=1 + modules, pad_id=tokenizer.pad_id, seed=seed)


def describe_data(summary: dict[str, Any]) -> str:
    """One line about `Lessons.summary`."""
    dialogues = summary["dialogues"]
    who = ", ".join(f"{number:,} {origin}" for origin, number in summary["origin"].items())
    return (
        f"{dialogues['train']:,} dialogues to learn ({who}), {dialogues['heldout']:,} held out; "
        f"{summary['learnt_tokens']:,} of {summary['tokens']:,} tokens are answers; {summary['windows']:,} windows, "
        f"{summary['filled']:.0%} full"
    )


def hash_of(examples: Sequence[Example]) -> str:
    """SHA-256 over what is learnt, hex."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(len(example.ids).to_bytes(8, "little") + example.ids.tobytes() + example.learnt.tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def heldout_loss(
    config: "SftConfig", model: Transformer, lessons: Lessons, tokenizer: Tokenizer
) -> list[tuple[float, int]]:
    """(loss in nats, learnt tokens) of each held-out dialogue, as training would count them."""
    owners = [place for place, (_, examples) in enumerate(lessons.heldout) for _ in examples]
    examples = [example for _, examples in lessons.heldout for example in examples]
    losses = [0.0] * len(lessons.heldout)
    loader = loader_of(config, examples, tokenizer, 0, len(model.mtp)) if examples else None
    for first in range(0, loader.windows if loader else 0, config.micro_batch):
        assert loader is not None
        numbers = range(first, min(first + config.micro_batch, loader.windows))
        batch = loader.batch(numbers).to(model.lm_head.weight.device)
        assert batch.segments is not None and batch.valid is not None
        S = batch.valid.shape[1]
        targets = batch.tokens[:, 1 : S + 1].masked_fill(~batch.valid, IGNORE)
        hidden = model.train_forward(batch.tokens, batch.segments).hidden
        logprobs = token_logprobs(hidden, model.lm_head.weight, targets)[0].double().cpu()
        segments = batch.segments[:, :S].cpu()
        for row, number in enumerate(numbers):
            for segment, place in enumerate(loader.members(number), start=1):
                losses[owners[place]] -= float(logprobs[row][segments[row] == segment].sum())
    return [(loss, learnt_tokens(own)) for loss, (_, own) in zip(losses, lessons.heldout, strict=True)]


def compared(before: list[tuple[float, int]], after: list[tuple[float, int]]) -> dict[str, Any]:
    """What `heldout.json` holds: nats per learnt token with the standard error over dialogues, and their change."""
    if not before:
        return {"dialogues": 0}
    tokens = [count for _, count in before]
    change = [new - old for (new, _), (old, _) in zip(after, before, strict=True)]
    figures = {"before": [loss for loss, _ in before], "after": [loss for loss, _ in after], "change": change}
    return {"dialogues": len(before), "tokens": sum(tokens)} | {
        name: asdict(ratio(values, tokens)) for name, values in figures.items()
    }
