"""The audits as a stage: planted notes are a marked source of the corpus, a small Transformer that learnt them by heart
is caught where one that learnt nothing is not, and a run leaves evidence, figures and the page."""

import dataclasses
import json
import random
from pathlib import Path
from pydoc_data.topics import topics

import pytest
import torch

from candor import files
from candor.config import override
from candor.data import CorpusConfig, SourceConfig, build_corpus, read_corpus
from candor.data.planted import PLANTED
from candor.errors import ConfigError
from candor.evaluate.audits.report import gather
from candor.evaluate.facts.hallucination import HallucinationReport
from candor.evaluate.memory import MemoryConfig, MemoryReport
from candor.evaluate.safety.audit import read_audit
from candor.evaluate.safety.made import made_banks
from candor.model import Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.model.hub import save_model
from candor.recipes.laptop import laptop, smoke
from candor.stages.audits import AuditsConfig, _Plain, audit_figures, audit_stage
from candor.stages.pipeline import run, stages_of
from candor.text import Tokenizer
from tests.evaluate.audits.files import made_up, memory, safety
from tests.evaluate.facts.test_hallucination import UNKNOWN, scored
from tests.evaluate.memory.test_planted_cases import documents
from tests.model.test_hub import TINY
from tests.stages.ui import Quiet

AUDIT = MemoryConfig(
    prefix=20, suffix=20, windows=20, samples=16, tokens=60, attacked=6, members=30, document_tokens=60, alternatives=63
)


def test_off_unless_asked_for_and_on_as_the_guide_says(tmp_path: Path) -> None:
    plain = dataclasses.replace(laptop(), audits=AuditsConfig())
    names = [stage.name for stage in stages_of(plain, tmp_path)]
    assert "audits" not in names and all(source.path != PLANTED for source in plain.corpus.sources)
    audited = override(plain, "audits.models=base,r1_zero,r1", "audits.plant=0,1,4,16,64")
    stages = {stage.name: stage for stage in stages_of(audited, tmp_path)}
    short = {stage.name: stage for stage in stages_of(override(audited, "until=r1_zero"), tmp_path)}
    assert short["audits"].inputs[1:3] == ("base/model", "r1_zero/model") and "r1/model" not in short
    assert "audits" not in [one.name for one in stages_of(override(plain, "audits.models=r1", "until=base"), tmp_path)]
    scores = [name for name in stages if name.endswith("/scores")]
    assert stages["audits"].inputs == ("corpus", "base/model", "r1_zero/model", "r1/model", *scores)
    assert len(scores) == 9 and "audits" in stages["report"].inputs
    assert stages["corpus"].settings["sources"][-1]["copies"] == [0, 1, 4, 16, 64]
    for wrong, says in (
        ("audits.models=r2", "audits.models names r2"),
        ("audits.models=safety", "audits.models names safety"),  # a reward model writes no text
        ("audits.questions=-1", "questions=-1"),
        ("audits.max_tokens=0", "max_tokens=0"),
        ("audits.attacks=rol", "did you mean 'role'"),
    ):
        with pytest.raises(ConfigError, match=says):
            stages_of(override(plain, wrong), tmp_path)
    with pytest.raises(ConfigError, match="candor eval memory and safety"):
        override(plain, "audits.models=base", "base_model=x", "until=r1")
    for bad in ({"kind": "public"}, {"copies": ()}, {"copies": (-1,)}, {"path": "x"}):
        with pytest.raises(ConfigError, match=r"copies|synthetic"):
            SourceConfig(**{"path": PLANTED, "kind": "synthetic", "copies": (1,)} | bad)  # type: ignore[arg-type]


def test_a_model_without_a_template_goes_on_behind_the_question() -> None:
    subject = _Plain(lambda: pytest.fail("not opened"), "base", "x")
    assert subject.chat("How?") == "Question: How?\nAnswer:" and subject.chat("怎么？") == "问题：怎么？\n答案："
    turns = [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So."},
             {"role": "user", "content": "Why?"}]  # fmt: skip
    assert subject.chat(turns) == "Question: How?\nAnswer: So.\n\nQuestion: Why?\nAnswer:" and subject.opening == ""


def test_figures_for_the_summary_by_hand(tmp_path: Path) -> None:
    memory(tmp_path / "memory/base.json", "base", 100)
    safety(tmp_path / "safety/base", "base", refuses=True)
    made_up(tmp_path / "hallucination.json", base=40, last=10)
    found = audit_figures(tmp_path)
    assert json.dumps(found, allow_nan=False)
    assert found["memory.base.extraction.random"] == 0.25 and found["memory.base.extraction.random_n"] == 400
    assert (
        found["memory.base.extraction.random_control"] == 0 and found["memory.base.extraction.random_outcome"] == "fail"
    )
    assert found["memory.base.outcome"] == "fail" and found["safety.base.outcome"] == "not shown"
    assert found["safety.base.should_refuse"] == 1 and found["safety.base.should_refuse_n"] == 300
    assert found["safety.base.should_refuse_low"] > 0.95 and found["safety.base.should_refuse_outcome"] == "pass"
    assert found["hallucination.r1.wrong"] == 0.25 and found["hallucination.r1.correct"] == 0.75
    assert found["hallucination.base.unanswerable_wrong"] == 1 and found["hallucination.r1.abstained_n"] == 40
    assert found["hallucination.outcome"] == "pass" and found["hallucination.difference"] == -0.75
    assert audit_figures(tmp_path / "none") == {}


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
    config = AuditsConfig(
        models=("base", "r1"), plant=(0, 24), memory=AUDIT, questions=6, max_tokens=8, attacks=("role", "split")
    )
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
    for name, steps, said in (("base", 500, " 12"), ("r1", 0, UNKNOWN)):
        save_model(trained(texts, tokenizer, steps), tmp_path / name / "model", tokenizer=tokenizer)
        scored(tmp_path / name / "scores", [" {gold}"] * 2, [said] * 2, n=20)
    folder = tmp_path / "audits"
    folder.mkdir()
    ui = Quiet()
    audit_stage(config, tmp_path, ("base", "r1"), "r1", 0, folder, ui)
    assert [line.split(":")[0].strip() for line in ui.said] == [
        "memory of base", "safety of base", "memory of r1", "safety of r1", "hallucination",
    ]  # fmt: skip
    learnt, empty = (MemoryReport.read(folder / "memory" / f"{name}.json") for name in ("base", "r1"))
    caught = {audit.name: audit for audit in learnt.audits}
    assert caught["canaries"].outcome == "fail" and caught["persons"].outcome == "fail", caught
    assert caught["canaries"].counts["in the training text, fewest"] >= 12
    assert learnt.outcome == "fail" and empty.outcome != "fail"
    asked = {audit.name: audit for audit in empty.audits}["persons"]
    assert (asked.measured.value, asked.outcome) == (0, "not shown"), "six persons are too few to show a pass"
    for name in ("base", "r1"):
        results = read_audit(folder / "safety" / name / "safety.json").results
        assert [(one.kind, one.attack, one.n) for one in results] == [
            ("generation", "", 6), ("should-refuse", "", 6), ("should-refuse", "role", 6),
            ("should-refuse", "split", 6), ("should-not-refuse", "", 6),
        ]  # fmt: skip
        assert all(one.model == name and one.outcome != "pass" for one in results), "made banks never pass"
    assert HallucinationReport.read(folder / "hallucination.json").outcome == "pass"
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "base.json", "hallucination.json", "r1.json", "safety.json", "safety.json",
    ], "no answer is kept"  # fmt: skip
    figures = audit_figures(folder)
    assert figures["memory.base.canaries_outcome"] == "fail" and figures["memory.r1.persons"] == 0
    assert {"safety.r1.generation", "safety.r1.should_refuse.role"} <= figures.keys()
    html = gather(tmp_path).write(tmp_path / "page").read_text(encoding="utf-8")
    assert not any(item.prompt in html for bank in made_banks() for item in bank.items)
    assert not any(text[-40:] in html for text in texts)


SETS = (
    "until=r1_zero model.vocab_size=400 model.num_hidden_layers=2 corpus.sources.1.tasks=arithmetic:1:en "
    "corpus.sources.1.size=20000 pretrain.total_tokens=8192 pretrain.sequence_length=128 "
    "pretrain.schedule.warmup_steps=2 train.checkpoint_every=2 evaluate.max_bytes=2000 evaluate.sample_tokens=8 "
    "r1.scores.reasoning=arithmetic:1:en r1.scores.behaviour=unanswerable:1:en,words:1:en r1.scores.problems=4 "
    "r1.scores.k=2 r1.scores.k_other=2 r1.scores.max_tokens=8 r1.zero.rollout.tasks=arithmetic:1:en "
    "r1.zero.rollout.questions=4 r1.zero.rollout.max_tokens=8 r1.zero.watch_problems=2 audits.models=base,r1_zero "
    "audits.plant=0,8 audits.questions=4 audits.max_tokens=8 audits.memory.prefix=10 audits.memory.suffix=10 "
    "audits.memory.windows=6 audits.memory.samples=4 audits.memory.tokens=12 audits.memory.attacked=2 "
    "audits.memory.members=6 audits.memory.document_tokens=16 audits.memory.alternatives=15"
)


@pytest.mark.slow
def test_a_run_leaves_evidence_figures_and_the_page(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.mkdir()
    for name in sorted(topics)[:40]:
        (text / f"{name}.txt").write_text(topics[name], encoding="utf-8")
    config = override(smoke(), *SETS.split())
    sources = (SourceConfig(str(text)), *config.corpus.sources[1:])
    config = dataclasses.replace(config, corpus=dataclasses.replace(config.corpus, sources=sources))
    out, ui = tmp_path / "run", Quiet()
    run(config, out, ui)
    assert "audits ..." in ui.said
    report = json.loads((out / "report/summary.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert {f"memory.{name}.copying" for name in ("base", "r1_zero")} <= report.keys()
    for model in ("base", "r1_zero"):
        stage = HallucinationReport.read(out / "audits/hallucination.json").stage(model)
        assert stage and stage.answers == 3 * 4 * 2 and set(stage.every) == {"correct", "wrong", "abstained", "invalid"}
        assert sum(one.value for one in stage.every.values()) == pytest.approx(1)
        assert report[f"hallucination.{model}.wrong"] == stage.every["wrong"].value
        assert report[f"safety.{model}.should_refuse_n"] == 4
        # A second count from the answers on disk: what is neither right nor an abstention is wrong or no answer.
        lines = files.read_lines(out / model / "scores/unanswerable-1-en.samples.jsonl")
        assert stage.unanswerable["correct"].value == sum(line["grade"] == "right" for line in lines) / len(lines)
    page = (out / "report/index.html").read_text(encoding="utf-8")
    assert 'href="audits/index.html"' in page and (out / "report/audits/index.html").is_file()
    data = json.loads((out / "report/audits/audits.json").read_text())
    rows = {row["row"]: row for row in data["register"]["rows"]}
    assert rows["M1"]["state"] == "met" and rows["M1"]["evidence"] == "report/summary.json"
    assert (
        rows["M9"]["evidence"].startswith("audits/memory/") and rows["M11"]["evidence"] == "audits/hallucination.json"
    )
    assert rows["M15"]["evidence"].startswith("audits/safety/") and not data["unreadable"]
    again = Quiet()
    run(config, out, again)
    assert not any(line.endswith(" ...") for line in again.said), "nothing is made twice"
    assert gather(out).outcomes == {key: data["outcomes"][key] for key in ("pass", "fail", "not shown")}
