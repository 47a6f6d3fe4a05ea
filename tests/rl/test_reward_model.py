"""Reward models: the number of the last token by hand, losses by their formulas, folders, and who is judged by whom."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import transformers

from candor.errors import DataError, ModelError
from candor.model import Transformer
from candor.problems import Problem
from candor.problems.problem import Unreadable
from candor.rl.reward_model import Item, Kind, RewardModel, as_batch_reward, batch_of, reward_loss
from candor.rl.rubric import Response, Rubric
from candor.text import ASSISTANT, BOS, EOS, USER, Message, Tokenizer
from tests.model.test_hub import TINY
from tests.model.test_transformer import build

CONFIG = dataclasses.replace(TINY, vocab_size=330, max_position_embeddings=48)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["what is this? hello world, 你好 " * 9], 330)


def make(tokenizer: Tokenizer, kind: Kind = "helpfulness", dtype: torch.dtype = torch.float64) -> RewardModel:
    model = RewardModel(build(CONFIG, dtype), tokenizer, kind)
    torch.nn.init.normal_(model.reward_head.weight)
    torch.nn.init.normal_(model.reward_head.bias)
    return model.eval()


def chat(*turns: str) -> list[Message]:
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(turns)]


CHATS = [chat("hello", "world"), chat("what is this?", "hello, hello", "hm", "你好"), chat("a", "<think>b</think>c")]


def test_a_chat_is_read_with_its_thought(tokenizer: Tokenizer) -> None:
    """The template of the tokenizer would cut it; a history loses its own, as when it is served."""
    model = make(tokenizer)
    text = tokenizer.decode(model.encode(chat("a", "<think>x</think>b", "c", f"<think>d</think>e{EOS}")))
    assert text == f"{BOS}{USER}a{ASSISTANT}b{EOS}{USER}c{ASSISTANT}<think>d</think>e{EOS}{EOS}"
    ids = model.encode(chat("a", EOS))
    assert ids.count(tokenizer.eos_id) == 1, "what is written in an answer cannot end it"
    with pytest.raises(DataError, match="must end with the assistant"):
        model.encode(chat("a"))


@torch.no_grad()
def test_the_reward_is_the_head_on_the_last_state(tokenizer: Tokenizer) -> None:
    """Each chat alone, through the plain transformer; beside others nothing changes but the padding."""
    model = make(tokenizer)
    plain = build(CONFIG)
    for got, one in zip(model.scores(CHATS), CHATS, strict=True):
        state = plain.hidden(torch.tensor([model.encode(one)]))[0, -1]
        logit = float((state * model.reward_head.weight[0]).sum() + model.reward_head.bias)
        assert got == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-9)


def test_a_chat_longer_than_the_context_has_no_score(tokenizer: Tokenizer) -> None:
    model = make(tokenizer)
    short, long = model.scores([chat("a", "b"), chat("a", "0" * 60)])
    assert 0 < short < 1 and math.isnan(long)


# Losses.


def items(seed: int, sides: int) -> list[Item]:
    source = torch.Generator().manual_seed(seed)

    def ids() -> tuple[int, ...]:
        length = int(torch.randint(2, 9, (1,), generator=source))
        return tuple(torch.randint(3, 300, (length,), generator=source).tolist())

    return [Item(f"{number}", tuple(ids() for _ in range(sides)), safe=number % 3 > 0) for number in range(5)]


def logit_alone(model: RewardModel, ids: Sequence[int]) -> float:
    with torch.no_grad():
        return float(model.rewards(torch.tensor([ids]), torch.tensor([len(ids)])))


def test_pairs_by_their_formula(tokenizer: Tokenizer) -> None:
    model, pairs = make(tokenizer), items(0, sides=2)
    loss = reward_loss(model, batch_of(pairs, tokenizer.pad_id))
    gaps = [logit_alone(model, one.chats[0]) - logit_alone(model, one.chats[1]) for one in pairs]
    assert loss.total.item() == pytest.approx(sum(math.log(1 + math.exp(-gap)) for gap in gaps))
    assert loss.sums["accuracy"].item() == sum(gap > 0 for gap in gaps) and loss.total.requires_grad


def test_verdicts_by_torchs_own_loss(tokenizer: Tokenizer) -> None:
    model, verdicts = make(tokenizer, "safety"), items(1, sides=1)
    loss = reward_loss(model, batch_of(verdicts, tokenizer.pad_id))
    logits = torch.tensor([logit_alone(model, one.chats[0]) for one in verdicts], dtype=torch.float64)
    safe = torch.tensor([one.safe for one in verdicts])
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits, safe.double(), reduction="sum")
    assert loss.total.item() == pytest.approx(float(wanted))
    assert loss.sums["accuracy"].item() == int(((logits > 0) == safe).sum())


def test_a_reward_model_has_nothing_that_predicts_tokens(tokenizer: Tokenizer) -> None:
    """An output head with a gradient would drift by weight decay alone; MTP modules are not kept at all."""
    model = make(tokenizer)
    reward_loss(model, batch_of(items(0, sides=2), tokenizer.pad_id)).total.backward()
    assert model.lm_head.weight.grad is None and not model.mtp and CONFIG.num_nextn_predict_layers
    assert model.reward_head.weight.grad is not None and model.embed_tokens.weight.grad is not None


# Folders.


def test_saved_and_loaded_it_gives_the_same_scores(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """And the folder is one that transformers reads, with the same last states."""
    model = make(tokenizer, "safety", torch.float32)
    model.save(tmp_path / "model")
    again = RewardModel.load(tmp_path / "model")
    assert again.kind == "safety" and again.scores(CHATS) == model.scores(CHATS)
    assert json.loads((tmp_path / "model" / "reward.json").read_text()) == {"kind": "safety", "version": 2}
    theirs = transformers.AutoModel.from_pretrained(tmp_path / "model")
    ids = torch.tensor([model.encode(CHATS[1])])
    with torch.no_grad():
        last = theirs(ids).last_hidden_state[0, -1]
        logit = float(model.reward_head(last))
    assert model.scores([CHATS[1]])[0] == pytest.approx(torch.tensor(logit).sigmoid().item(), abs=1e-4)


def test_what_is_no_reward_model(tokenizer: Tokenizer, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    make(tokenizer, dtype=torch.float32).save(folder)
    (folder / "reward.json").write_text('{"kind": "charm", "version": 2}')
    with pytest.raises(ModelError, match="says kind 'charm', version 2; this program reads helpfulness and safety"):
        RewardModel.load(folder)
    (folder / "reward.json").write_text('{"kind": "safety", "version": 2}')
    (folder / "reward_head.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"reward_head\.safetensors cannot be read"):
        RewardModel.load(folder)
    (folder / "reward.json").unlink()
    with pytest.raises(ModelError, match=r"is no reward model .*train one with candor train rm"):
        RewardModel.load(folder)


# The rewards of a rubric.


def problem(family: str) -> Problem:
    return Problem(family=family, version=1, lang="en", form="free", prompt="what is this?", gold=Unreadable("free"))


THOUGHT = "<think>hello</think>world"


def test_helpfulness_sees_the_final_answer_safety_all_of_it(tokenizer: Tokenizer) -> None:
    """Each only of its own family: a general question belongs to one of the two (R1 B.3.1)."""
    pairs = [(problem(family), Response(THOUGHT)) for family in ("requests", "safety", "words")]
    helpful, safe = make(tokenizer), make(tokenizer, "safety")
    (value,) = helpful.scores([chat("what is this?", "world")])
    assert as_batch_reward(helpful)(pairs) == [pytest.approx(value), None, None]
    (value,) = safe.scores([chat("what is this?", THOUGHT)])
    assert as_batch_reward(safe)(pairs) == [None, pytest.approx(value), None]


def test_a_thought_that_the_prompt_opened(tokenizer: Tokenizer) -> None:
    helpful, safe = make(tokenizer), make(tokenizer, "safety")
    opened = Response("hello</think>world", opened=True)
    (value,) = helpful.scores([chat("what is this?", "world")])
    assert as_batch_reward(helpful)([(problem("requests"), opened)]) == [pytest.approx(value)]
    (value,) = safe.scores([chat("what is this?", "<think>\nhello</think>world")])
    assert as_batch_reward(safe)([(problem("safety"), opened)]) == [pytest.approx(value)]


@pytest.mark.parametrize("response", [Response("hello", opened=True), Response("<think>hello"), Response("")])
def test_no_final_answer_helps_nobody(response: Response, tokenizer: Tokenizer) -> None:
    """Whatever the model would make of an empty text that it never saw."""
    assert as_batch_reward(make(tokenizer))([(problem("requests"), response)]) == [0.0]


def test_an_answer_too_long_to_judge_is_taken_out(tokenizer: Tokenizer) -> None:
    rubric = Rubric({"safety": 1.0}, batch={"safety": as_batch_reward(make(tokenizer, "safety"))})
    short, long = rubric.score_all([(problem("safety"), Response(text)) for text in ("world", "0" * 60)])
    assert short.total is not None and long.total is None and "it gave nan" in long.failed[0]


def test_nothing_of_its_family(tokenizer: Tokenizer) -> None:
    assert as_batch_reward(make(tokenizer))([]) == []


def test_it_takes_the_weights_over(tokenizer: Tokenizer) -> None:
    base = build(CONFIG)
    model = RewardModel(base, tokenizer, "safety")
    assert isinstance(model, Transformer)
    assert all(torch.equal(value, base.state_dict()[name]) for name, value in model.state_dict().items()
               if not name.startswith("reward_head."))  # fmt: skip
