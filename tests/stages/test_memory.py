"""The audit as a stage: planted notes are a marked source of the corpus, and a small Transformer that learnt them by
heart is caught where one that learnt nothing is not."""

import dataclasses
import random
from pathlib import Path

import pytest
import torch

from candor import files
from candor.config import override
from candor.data import CorpusConfig, SourceConfig, build_corpus, read_corpus
from candor.data.planted import PLANTED
from candor.errors import ConfigError
from candor.evaluate.memory import MemoryConfig, MemoryReport
from candor.model import Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.model.hub import save_model
from candor.recipes.laptop import laptop
from candor.stages.memory import MemoryStageConfig, audit_stage, memory_figures
from candor.stages.pipeline import stages_of
from candor.text import Tokenizer
from tests.evaluate.memory.test_planted_cases import documents
from tests.model.test_hub import TINY
from tests.stages.ui import Quiet

AUDIT = MemoryConfig(
    prefix=20, suffix=20, windows=20, samples=16, tokens=60, attacked=6, members=30, document_tokens=60, alternatives=63
)


def test_off_unless_asked_for_and_on_as_the_guide_says(tmp_path: Path) -> None:
    plain = laptop()
    names = [stage.name for stage in stages_of(plain, tmp_path)]
    assert "memory" not in names and all(source.path != PLANTED for source in plain.corpus.sources)
    audited = override(plain, "memory.models=base,r1_zero,r1", "memory.plant=0,1,4,16,64")
    stages = {stage.name: stage for stage in stages_of(audited, tmp_path)}
    assert stages["memory"].inputs == ("corpus", "base/model", "r1_zero/model", "r1/model")
    assert stages["corpus"].settings["sources"][-1]["copies"] == [0, 1, 4, 16, 64]
    with pytest.raises(ConfigError, match=r"memory.models names r2"):
        stages_of(override(plain, "memory.models=r2"), tmp_path)
    with pytest.raises(ConfigError, match="candor eval memory"):
        override(plain, "memory.models=base", "base_model=x", "until=r1")
    for wrong in ({"kind": "public"}, {"copies": ()}, {"copies": (-1,)}, {"path": "x"}):
        with pytest.raises(ConfigError, match=r"copies|synthetic"):
            SourceConfig(**{"path": PLANTED, "kind": "synthetic", "copies": (1,)} | wrong)


def trained(texts: list[str], tokenizer: Tokenizer, steps: int) -> Transformer:
    config = dataclasses.replace(
        TINY, vocab_size=tokenizer.vocab_size, hidden_size=96, num_nextn_predict_layers=0, max_position_embeddings=256,
        v_head_dim=16, qk_nope_head_dim=16, kv_lora_rank=48, q_lora_rank=48, intermediate_size=192,
        moe_intermediate_size=96,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Transformer(config)
    model.init_weights(0.05)
    ids = [[tokenizer.bos_id, *own[:80], tokenizer.eos_id] for own in tokenizer.encode_batch(texts)]
    chance = random.Random(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        some = chance.sample(ids, 24)
        longest = max(map(len, some))
        batch, targets = torch.zeros(24, longest, dtype=torch.int64), torch.full((24, longest - 1), IGNORE)
        for row, own in enumerate(some):
            batch[row, : len(own)] = torch.tensor(own)
            targets[row, : len(own) - 1] = batch[row, 1 : len(own)]
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, (steps - step) / (steps / 3))
        loss, _ = cross_entropy(model.hidden(batch[:, :-1]), model.lm_head.weight, targets)
        optimizer.zero_grad()
        (loss / (targets != IGNORE).sum()).backward()
        optimizer.step()
    return model.eval()


@pytest.mark.slow
def test_a_small_transformer_that_learnt_its_text_by_heart(tmp_path: Path) -> None:
    source = tmp_path / "text"
    source.mkdir()
    for number, text in enumerate(documents(0, 30, "train")):
        (source / f"{number}.txt").write_text(text[:160])
    config = MemoryStageConfig(models=("base", "student"), plant=(0, 24), audit=AUDIT)
    made = config.planted(CorpusConfig((SourceConfig(str(source), form="made"),), heldout_fraction=0.2))
    (tmp_path / "corpus").mkdir()
    build_corpus(made, tmp_path / "corpus", workers=1)
    manifest = files.read_json(tmp_path / "corpus" / "manifest.json")
    row = manifest["sources"][-1]
    assert (row["path"], row["kind"], row["documents"]) == (PLANTED, "synthetic", 24 * 20) == (
        row["path"], row["kind"], row["kept"],
    )  # fmt: skip
    texts = [document.text for document in read_corpus(tmp_path / "corpus", "train")]
    tokenizer = Tokenizer.train(texts, 400)
    for name, steps in (("base", 500), ("student", 0)):
        save_model(trained(texts, tokenizer, steps), tmp_path / name / "model", tokenizer=tokenizer)
    folder = tmp_path / "memory"
    folder.mkdir()
    audit_stage(config, tmp_path, folder, Quiet())
    learnt, empty = (MemoryReport.read(folder / f"{name}.json") for name in ("base", "student"))
    caught = {audit.name: audit for audit in learnt.audits}
    assert caught["canaries"].outcome == "fail" and caught["persons"].outcome == "fail", caught
    assert caught["canaries"].counts["in the training text, fewest"] >= 12
    assert learnt.outcome == "fail" and empty.outcome != "fail"
    assert {audit.name: audit for audit in empty.audits}["persons"].outcome == "pass"
    figures = memory_figures(folder, ("base", "student"))
    assert figures["memory.base.canaries_outcome"] == "fail" and figures["memory.student.persons"] == 0
