"""The laptop recipes: the whole chain on two CPU cores, and its short and compared forms."""

import sysconfig
from dataclasses import replace
from pathlib import Path

from candor.data import CorpusConfig, PackConfig, SourceConfig
from candor.data.exercises import EXERCISES
from candor.evaluate.memory import MemoryConfig
from candor.model.config import ModelConfig, nano
from candor.rl.policy import RewardConfig, RolloutConfig
from candor.stages.audits import AuditsConfig
from candor.stages.collect import CollectConfig
from candor.stages.controls import Controls
from candor.stages.export import ExportConfig
from candor.stages.measure import EvaluateConfig
from candor.stages.pipeline import RunConfig
from candor.stages.pretrain import PretrainConfig
from candor.stages.r1 import R1Config, RefusalsConfig
from candor.stages.reward_model import RewardModelConfig
from candor.stages.rl import RLConfig
from candor.stages.scores import ScoresConfig
from candor.stages.sft import SftConfig
from candor.train.loop import LoopConfig
from candor.train.optim import OptimConfig
from candor.train.schedule import ScheduleConfig


def both(*names: str) -> tuple[str, ...]:
    """Each NAME:DIFFICULTY in English and in Chinese."""
    return tuple(f"{name}:{lang}" for name in names for lang in ("en", "zh"))


SUMS = both("arithmetic:1", "arithmetic:2")
"""Chains of sums, where a thought pays: the answer alone is mostly wrong."""
UNKNOWN, WORDS, SAFETY, REQUESTS = (both(f"{name}:1") for name in ("unanswerable", "words", "safety", "requests"))


_TEXT = SourceConfig(
    form="made",  # as it stands; what the steps of code change in what is held out is in LOG.md
    licence="PSF-2.0",
    address="https://docs.python.org",
    share=0.4,  # more than the few million tokens that are learnt
)


def _exercises(size: int) -> SourceConfig:
    return SourceConfig(
        EXERCISES, form="made", kind="synthetic", licence="MIT", tasks=(*SUMS * 6, *WORDS, *REQUESTS), size=size
    )


def laptop() -> RunConfig:
    """From text to R1 on two CPU cores in about forty minutes: a demonstration of the pipeline, not of ability."""
    return RunConfig(
        name="laptop",
        corpus=CorpusConfig((_TEXT, _exercises(10_000_000))),
        tokens=PackConfig(fim_rate=0.1),
        model=nano(vocab_size=2048),
        pretrain=PretrainConfig(
            total_tokens=2_400_000,
            sequence_length=256,
            micro_batch=16,
            mask_documents=True,  # or some seeds never learn to read a number out of the question
            optim=_muon(1e-2),
            schedule=ScheduleConfig(warmup_steps=10, batch_start=8, batch=16),
            bias_speed=0.01,  # V3's 0.001 over a few hundred steps would not get anywhere
        ),
        train=LoopConfig(checkpoint_every=50),
        export=ExportConfig(dtype="float32"),
        evaluate=EvaluateConfig(context=256),
        until="distilled",
        r1=_laptop_r1(),
        audits=AuditsConfig(
            models=("base", "r1"),
            plant=(0, 1, 4, 16, 64),
            memory=MemoryConfig(windows=200, samples=200, attacked=30, members=150),
        ),
    )


def laptop_controls() -> Controls:
    """What the parts of pre-training do: `laptop` as far as its base model with each switched, three seeds: 18 runs."""
    return Controls(
        "laptop_controls",
        replace(laptop(), until="base", audits=AuditsConfig()),
        {
            "without bias balancing": ("pretrain.bias_speed=0",),
            "without MTP": ("model.num_nextn_predict_layers=0",),
            "AdamW instead of Muon": ("pretrain.optim.name=adamw",),
            "without FIM": ("tokens.fim_rate=0",),
            "without document masks": ("pretrain.mask_documents=false",),
        },
    )


def dedup_controls() -> Controls:
    """What the search for near copies takes from what a model repeats: real tables of code, with it and without."""
    base = laptop()
    tables = Path(sysconfig.get_paths()["stdlib"]) / "encodings"  # some sixty modules that a program wrote alike
    sources = (replace(_TEXT, form="code"), SourceConfig(str(tables), form="code", licence="PSF-2.0"))
    return Controls(
        "dedup_controls",
        replace(
            base,
            until="base",
            corpus=CorpusConfig((*sources, _exercises(2_000_000))),
            pretrain=replace(base.pretrain, total_tokens=1_200_000),
            audits=AuditsConfig(models=("base",), memory=MemoryConfig(samples=1000), questions=0),
        ),
        {"without the search for near copies": ("corpus.steps.minhash.bands=0", "corpus.steps.passage=0")},
        columns={
            "memory.base.copying": ("samples with a copied stretch", 4),
            "memory.base.copying_control": ("held-out documents with one", 4),
            "memory.base.extraction.repeated": ("repeated stretches extracted", 4),
            "memory.base.extraction.random": ("stretches extracted", 4),
            "pretrain.bits_per_byte": ("held-out bits per byte", 4),
        },
    )


def smoke() -> RunConfig:
    """The same stages as `laptop` in about a minute: shows that everything works, trains next to nothing."""
    base = laptop()
    r1 = base.r1
    return replace(
        base,
        name="smoke",
        corpus=CorpusConfig((_TEXT, _exercises(1_000_000))),
        pretrain=replace(base.pretrain, total_tokens=100_000),
        train=replace(base.train, checkpoint_every=10),
        evaluate=replace(base.evaluate, max_bytes=50_000),
        audits=replace(base.audits, questions=8, max_tokens=16, memory=_glance(base.audits.memory)),
        r1=replace(
            r1,
            scores=replace(r1.scores, problems=4, k=2, k_other=1, max_tokens=32),
            zero=_short(r1.zero),
            prompted=_few(r1.prompted),
            collected=_few(r1.collected),
            worked=4,
            cold_start=replace(r1.cold_start, epochs=1),
            rl=_short(r1.rl),
            samples=_few(r1.samples),
            general_each=8,
            refusals=replace(r1.refusals, each=8),
            sft=replace(r1.sft, epochs=1),
            preferences=_few(r1.preferences),
            final=_short(r1.final),
            student_pretrain=replace(r1.student_pretrain, total_tokens=50_000),
            distill=replace(r1.distill, epochs=1),
            student_rl=_short(r1.student_rl),
        ),
    )


def _short(config: RLConfig) -> RLConfig:
    rollout = replace(config.rollout, questions=len(config.rollout.tasks), group=4, max_tokens=24)
    return replace(config, steps=2, preference_steps=1, rollout=rollout, watch_every=1, watch_problems=4)


def _glance(config: MemoryConfig) -> MemoryConfig:
    return replace(config, windows=10, samples=10, tokens=50, attacked=4, members=10, alternatives=31)


def _few(config: CollectConfig) -> CollectConfig:
    return replace(config, questions=4, samples=2, max_tokens=32)


def _muon(rate: float) -> OptimConfig:
    return OptimConfig(name="muon", learning_rate=rate, muon_learning_rate=rate)


def _laptop_r1() -> R1Config:
    steady = OptimConfig(name="muon", learning_rate=5e-4, muon_learning_rate=5e-4, weight_decay=0.0)

    def rl(steps: int, tasks: tuple[str, ...], form: str, rewards: RewardConfig, preferences: int = 0) -> RLConfig:
        rollout = RolloutConfig(tasks=tasks, questions=max(32, 3 * len(tasks)), group=16, format=form, max_tokens=96)
        return RLConfig(
            rollout=rollout,
            rewards=rewards,
            preference_steps=preferences,
            steps=steps,
            optim=steady,
            watch_every=10,
            watch_problems=25,
        )

    def lessons(epochs: int, batch: int = 16, rate: float = 3e-3) -> SftConfig:
        return SftConfig(
            epochs=epochs,
            sequence_length=256,
            batch=batch,
            micro_batch=batch,
            optim=_muon(rate),
            template="r1",
            mtp_weight=0.1,
        )

    by_rule = RewardConfig(accuracy=1.0, format=0.5)
    return R1Config(
        # At temperature 1, as in training: 0.6 would make the base model think far more often than it does by itself.
        scores=ScoresConfig(
            reasoning=SUMS,
            behaviour=(*UNKNOWN, *WORDS, *SAFETY, *REQUESTS),
            problems=40,
            k=16,
            k_other=4,
            temperature=1.0,
            top_p=1.0,
        ),
        zero=rl(40, SUMS, "plain", by_rule),
        prompted=CollectConfig(
            tasks=SUMS, questions=25, samples=4, method="prompted", shots=1, format="plain", max_tokens=96
        ),
        collected=CollectConfig(tasks=SUMS, questions=1200, samples=1, format="plain", max_tokens=96),
        worked=300,
        cold_start=lessons(2),
        rl=rl(16, SUMS, "chat", RewardConfig(accuracy=1.0, format=0.3, language=0.3)),
        samples=CollectConfig(tasks=SUMS, questions=1000, samples=1, format="chat", max_tokens=96),
        general=(*UNKNOWN, *WORDS, *REQUESTS),
        general_each=200,
        refusals=RefusalsConfig(SAFETY, each=3000, harmless=3.0),
        sft=lessons(2, batch=4, rate=1.5e-3),  # more steps: in 200 it learns to refuse, not what
        preferences=CollectConfig(
            tasks=(*REQUESTS, *SAFETY), questions=100, samples=3, format="chat", max_tokens=64, strict=False
        ),
        helpfulness=RewardModelConfig(sequence_length=256, batch=16),
        safety=RewardModelConfig(kind="safety", sequence_length=256, batch=16),
        final=rl(
            16,
            (*SUMS, *UNKNOWN, *WORDS, *SAFETY, *REQUESTS),
            "chat",
            RewardConfig(accuracy=1.0, format=0.3, language=0.3, abstention=1.0, helpfulness=1.0, safety=1.0),
            preferences=6,
        ),
        student=_student(),
        student_pretrain=PretrainConfig(
            total_tokens=1_000_000,
            sequence_length=256,
            micro_batch=16,
            mask_documents=True,
            optim=_muon(1e-2),
            schedule=ScheduleConfig(warmup_steps=10, batch_start=8, batch=16),
        ),
        distill=lessons(6),
        student_rl=rl(15, SUMS, "plain", by_rule),
    )


def _student() -> ModelConfig:
    """Dense, about half a million parameters."""
    return replace(
        nano(vocab_size=2048), hidden_size=96, num_hidden_layers=3, first_k_dense_replace=3, intermediate_size=288,
        num_nextn_predict_layers=0,
    )  # fmt: skip
