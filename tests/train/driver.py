"""Pre-trains the tiny model for 20 steps in a process of its own: `driver.py TOKENS OUT [STEP SIGNAL]`.

With STEP and SIGNAL it sends itself that signal when the figures of that step are written, before its checkpoint is.
"""

import dataclasses
import os
import signal
import sys
from pathlib import Path

import torch

from candor.errors import Interrupted
from candor.model.config import nano
from candor.stages.pretrain import PretrainConfig, pretrain
from candor.train.loop import LoopConfig
from candor.train.schedule import ScheduleConfig

SEQUENCES, LENGTH, STEPS = 6, 16, 20
MODEL = dataclasses.replace(
    nano(300), hidden_size=32, num_hidden_layers=2, q_lora_rank=16, kv_lora_rank=8, intermediate_size=48,
    moe_intermediate_size=16, n_routed_experts=4,
)  # fmt: skip
CONFIG = PretrainConfig(
    total_tokens=STEPS * SEQUENCES * LENGTH,
    sequence_length=LENGTH,
    micro_batch=4,
    bias_speed=0.01,
    schedule=ScheduleConfig(warmup_steps=5, batch_start=SEQUENCES, batch=SEQUENCES),
)


def main(tokens: str, out: str, at: str = "0", what: str = "SIGKILL") -> None:
    def progress(done: int, total: int, note: str) -> None:
        if done == int(at) * SEQUENCES * LENGTH:
            os.kill(os.getpid(), signal.Signals[what])

    torch.set_num_threads(1)
    loop = LoopConfig(checkpoint_every=10, keep_checkpoints=5)
    try:
        pretrain(
            CONFIG, loop, MODEL, Path(tokens), Path(out), seed=3,
            say=print, progress=progress, device=torch.device("cpu"),
        )  # fmt: skip
    except Interrupted as stop:
        print(stop)
        sys.exit(stop.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
