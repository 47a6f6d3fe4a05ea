"""The recipes that train a base model alone, on one GPU and as V3 was."""

from dataclasses import replace

from candor.data import PackConfig
from candor.model.config import small
from candor.model.config import v3_671b as v3_model
from candor.plan.estimate import HardwareConfig
from candor.stages.measure import EvaluateConfig
from candor.stages.pipeline import RunConfig
from candor.stages.pretrain import PretrainConfig
from candor.train.loop import LoopConfig
from candor.train.optim import OptimConfig
from candor.train.schedule import ScheduleConfig


def one_gpu() -> RunConfig:
    """`small` (250M parameters) on a GPU with 24 GB or more; bring your own text with --data."""
    return RunConfig(
        name="one_gpu",
        model=small(),
        pretrain=PretrainConfig(
            total_tokens=2_000_000_000,
            sequence_length=2048,
            micro_batch=4,
            optim=OptimConfig(name="muon", learning_rate=1e-3, muon_learning_rate=1e-3),
            schedule=ScheduleConfig(warmup_steps=200, batch_start=64, batch=256),
        ),
        train=LoopConfig(checkpoint_every=500),
        evaluate=EvaluateConfig(context=2048, max_bytes=2_000_000),
        hardware=HardwareConfig(peak_tflops=67.0, utilisation=0.3),
    )


def v3_671b() -> RunConfig:
    """DeepSeek-V3's pre-training as published: 14.8T tokens on 2048 H800 (technical report, sections 3 and 4.2)."""
    return RunConfig(
        name="v3_671b",
        tokens=PackConfig(fim_rate=0.1),
        model=replace(v3_model(), max_position_embeddings=4096, rope_scaling=None, initializer_range=0.006),
        pretrain=PretrainConfig(
            total_tokens=14_800_000_000_000,
            sequence_length=4096,
            micro_batch=1,
            optim=OptimConfig(name="adamw", learning_rate=2.2e-4, betas=(0.9, 0.95), weight_decay=0.1, clip_norm=1.0),
            schedule=ScheduleConfig(shape="v3", warmup_steps=2000, batch_start=3072, batch=15360),
            mtp_weight=(0.3, 0.1),
            bias_speed=0.001,
            balance_weight=1e-4,
        ),
        train=LoopConfig(checkpoint_every=1000),
        hardware=HardwareConfig(
            accelerators=2048, peak_tflops=989.5, utilisation=0.39, bytes_per_parameter=13, bytes_per_activation=2
        ),
        evaluate=EvaluateConfig(context=4096, max_bytes=100_000_000),
    )
