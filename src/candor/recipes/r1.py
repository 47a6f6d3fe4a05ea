"""The recipes that go on to R1 where there is a GPU, and the paper's own numbers."""

from dataclasses import replace

from candor.data import CorpusConfig, SourceConfig
from candor.data.exercises import EXERCISES
from candor.problems.readers import READERS
from candor.recipes.laptop import both
from candor.recipes.pretraining import one_gpu, v3_671b
from candor.rl.losses import LossConfig
from candor.rl.policy import RewardConfig, RolloutConfig
from candor.stages.collect import CollectConfig
from candor.stages.pipeline import RunConfig
from candor.stages.r1 import R1Config
from candor.stages.reward_model import RewardModelConfig
from candor.stages.rl import RLConfig
from candor.stages.scores import ScoresConfig
from candor.stages.sft import SftConfig
from candor.train.optim import OptimConfig

_BY_RULE = RewardConfig(accuracy=1.0, format=1.0)


def r1_zero_gsm8k() -> RunConfig:
    """R1-Zero on GSM8K from a base model of yours: `--set base_model=FOLDER`; a GPU for anything but a small one."""
    tasks = (f"gsm8k:{READERS['gsm8k'].hub}",)
    rollout = RolloutConfig(tasks=tasks, questions=32, group=16, format="r1_zero", max_tokens=1024)
    return RunConfig(
        name="r1_zero_gsm8k",
        until="r1_zero",
        base_model="models/base",
        r1=R1Config(
            base_format="r1_zero",
            scores=ScoresConfig(reasoning=tasks, problems=200, k=4, max_tokens=1024),
            zero=RLConfig(rollout=rollout, rewards=_BY_RULE, steps=500, optim=_adamw(1e-6), warmup_steps=10),
        ),
    )


def r1_one_gpu() -> RunConfig:
    """The whole chain with `small` (250M parameters) on one GPU with 80 GB; sized for half an hour, not run yet."""
    base = one_gpu()
    tasks = both("arithmetic:2", "arithmetic:3", "words:2", "countdown:1")
    unknown, safety, requests = both("unanswerable:2"), both("safety:2"), both("requests:2")
    steady = OptimConfig(name="muon", learning_rate=2e-4, muon_learning_rate=2e-4, weight_decay=0.0)

    def rl(steps: int, form: str, rewards: RewardConfig, tasks: tuple[str, ...], preferences: int = 0) -> RLConfig:
        rollout = RolloutConfig(tasks=tasks, questions=64, group=16, format=form, max_tokens=256)
        return RLConfig(rollout=rollout, rewards=rewards, steps=steps, optim=steady, preference_steps=preferences)

    def lessons(epochs: int) -> SftConfig:
        optim = OptimConfig(name="muon", learning_rate=5e-4, muon_learning_rate=5e-4)
        return SftConfig(epochs=epochs, sequence_length=1024, batch=32, optim=optim, template="r1")

    general = (*unknown, *safety, *requests)
    every = RewardConfig(accuracy=1.0, format=1.0, language=0.5, abstention=1.0, helpfulness=1.0, safety=1.0)
    return replace(
        base,
        name="r1_one_gpu",
        corpus=CorpusConfig(
            (
                SourceConfig(form="code"),
                SourceConfig(
                    EXERCISES, form="made", kind="synthetic", tasks=(*tasks, *unknown, *requests), size=200_000_000
                ),
            )
        ),
        pretrain=replace(
            base.pretrain,
            total_tokens=100_000_000,
            sequence_length=1024,
            micro_batch=16,
            schedule=replace(base.pretrain.schedule, warmup_steps=40),  # of fewer than 500
        ),
        evaluate=replace(base.evaluate, context=1024),
        until="r1",
        r1=R1Config(
            scores=ScoresConfig(reasoning=tasks, behaviour=general, problems=100, k=16, max_tokens=256),
            zero=rl(150, "plain", _BY_RULE, tasks),
            prompted=CollectConfig(tasks, questions=200, samples=4, method="prompted", format="plain"),
            collected=CollectConfig(tasks, questions=200, samples=4, format="plain"),
            cold_start=lessons(3),
            rl=rl(60, "chat", replace(every, helpfulness=0.0, safety=0.0), tasks),
            samples=CollectConfig(tasks, questions=1000, samples=4, format="chat", keep=2),
            general=general,
            general_each=1000,
            sft=lessons(2),
            preferences=CollectConfig((*requests, *safety), questions=500, samples=4, format="chat", strict=False),
            final=rl(60, "chat", every, (*tasks, *general), preferences=15),
        ),
    )


def v3_r1() -> RunConfig:
    """R1 from V3-Base with the paper's numbers (2501.12948v2, 2.1, B.4), for --dry-run; RL 1's steps are not told."""
    base = v3_671b()
    tasks = both("arithmetic:5", "logic:5", "countdown:5", "words:5")
    general = both("unanswerable:5", "safety:5", "requests:5")
    loss = LossConfig(kind="r1")  # clipping at 10 and a KL weight of 0.001 are its published values

    def rl(steps: int, form: str, rewards: RewardConfig, temperature: float = 1.0, preferences: int = 0) -> RLConfig:
        # One rollout is 8,192 answers, 16 to each question, and gives 16 steps of 512.
        rollout = RolloutConfig(tasks, questions=512, group=16, format=form, max_tokens=32768, temperature=temperature)
        return RLConfig(
            rollout=rollout,
            rewards=rewards,
            preference_steps=preferences,
            loss=loss,
            steps=steps,
            inner_steps=16,
            refresh_reference=400,
            optim=_adamw(3e-6),
            watch_every=400,
        )

    lessons = SftConfig(epochs=2, sequence_length=32768, batch=128, micro_batch=1, optim=_adamw(5e-5), template="r1")
    judge = RewardModelConfig(batch=256, sequence_length=8192, optim=_adamw(6e-6))
    language = RewardConfig(accuracy=1.0, format=1.0, language=1.0)
    return replace(
        base,
        name="v3_r1",
        model=replace(base.model, max_position_embeddings=163840),
        until="r1",
        r1=R1Config(
            base_format="r1_zero",
            scores=ScoresConfig(reasoning=tasks, behaviour=general, problems=500, max_tokens=32768),
            zero=_longer(rl(10_400, "r1_zero", _BY_RULE)),
            prompted=CollectConfig(tasks, questions=500, samples=8, method="prompted", max_tokens=32768),
            collected=CollectConfig(tasks, questions=500, samples=8, max_tokens=32768),
            cold_start=lessons,
            rl=rl(1_700, "chat", language),
            samples=CollectConfig(tasks, questions=75_000, samples=4, format="chat", max_tokens=32768, keep=1),
            general=general,
            general_each=33_000,
            sft=lessons,
            preferences=CollectConfig(
                both("requests:5", "safety:5"),
                questions=33_000,
                samples=4,
                format="chat",
                max_tokens=32768,
                strict=False,
            ),
            helpfulness=judge,
            safety=replace(judge, kind="safety"),
            final=rl(1_700, "chat", replace(language, helpfulness=1.0, safety=1.0), temperature=0.7, preferences=400),
        ),
    )


def _longer(config: RLConfig) -> RLConfig:
    return replace(config, rollout=replace(config.rollout, longer_from=8_200, longer_tokens=65_536))


def _adamw(rate: float) -> OptimConfig:
    return OptimConfig(name="adamw", learning_rate=rate, weight_decay=0.0)
