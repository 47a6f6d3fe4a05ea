"""Models for evaluations: one that says what a test wants, and a small one that has learnt some answers by heart."""

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from candor.evaluate.likelihood import Likelihood, LikelihoodDone
from candor.infer import Completion, SamplingParams
from candor.infer.params import Done, Prompt
from candor.model import Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.model.hub import save_model
from candor.text import Tokenizer
from tests.model.test_hub import TINY


class Scripted:
    """Says `say(prompt, seed)`; an exception that it returns is the error of that request."""

    name, fingerprint, opening = "scripted", "scripted", ""

    def __init__(
        self, say: Callable[[str, int], str | Exception], like: Callable[[str, str], float] = lambda a, b: 0.0
    ):
        self.say, self.like, self.asked = say, like, list[str]()

    def chat(self, message: str) -> Prompt:
        return f"<chat>{message}"

    def generate(self, prompts: Sequence[Prompt], params: Sequence[SamplingParams], done: Done) -> list[Completion]:
        for place, (prompt, one) in enumerate(zip(prompts, params, strict=True)):
            self.asked.append(str(prompt))
            said = self.say(str(prompt), one.seed or 0)
            if isinstance(said, KeyboardInterrupt):
                raise said
            error = said if isinstance(said, Exception) else None
            completion = Completion(
                token_ids=(),
                completion_tokens=len(str(said).split()),
                text="" if error else str(said),
                logprobs=(),
                finish_reason="error" if error else "stop",
                error=error,  # type: ignore[arg-type]
            )
            done(place, completion)
        return []

    def likelihood(self, pairs: Sequence[tuple[str, str]], done: LikelihoodDone) -> list[Likelihood]:
        for place, pair in enumerate(pairs):
            self.asked.append("|".join(pair))
            done(place, (self.like(*pair), False))
        return []


ROWS = [
    {"question": f"What is {a} + {b}?", "answer": f"{a} + {b} = {a + b}\n#### {a + b}"}
    for a in range(2, 10)
    for b in range(2, 10)
]
"""64 problems in the form of GSM8K."""


@pytest.fixture(scope="session")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model folder that knows some answers of `ROWS` by heart, and has learnt wrong ones for the others."""
    source = random.Random(0)
    texts = []
    for row in ROWS:
        steps, gold = row["answer"].split("#### ")
        wrong = source.random() < 0.4
        texts.append(f"Question: {row['question']}\nAnswer: {steps}#### {int(gold) + wrong}")
    tokenizer = Tokenizer.train(texts, 320)
    config = dataclasses.replace(
        TINY, vocab_size=320, hidden_size=64, num_nextn_predict_layers=0, max_position_embeddings=256, v_head_dim=16,
        qk_nope_head_dim=16, kv_lora_rank=32, q_lora_rank=32, intermediate_size=128, moe_intermediate_size=64,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Transformer(config)
    model.init_weights(0.05)
    ids = [[tokenizer.bos_id, *tokenizer.encode(text), tokenizer.eos_id] for text in texts]
    longest = max(map(len, ids))
    batch = torch.full((len(ids), longest), tokenizer.pad_id)
    targets = torch.full((len(ids), longest - 1), IGNORE)
    for row_, own in enumerate(ids):
        batch[row_, : len(own)] = torch.tensor(own)
        targets[row_, : len(own) - 1] = torch.tensor(own[1:])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    model.train()
    for step in range(220):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, (220 - step) / 60)
        hidden = model.hidden(batch[:, :-1])
        loss, _ = cross_entropy(hidden, model.lm_head.weight, targets)
        optimizer.zero_grad()
        (loss / (targets != IGNORE).sum()).backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("parrot")
    save_model(model.eval(), folder, tokenizer=tokenizer)
    yield folder
