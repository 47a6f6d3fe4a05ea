"""Pre-trains a tiny model for 20 steps, each time in a process of its own.

Reads one JSON line per run, [tokens, out] or [tokens, out, step, signal], forks, and answers with a line [exit code,
what the run said]. Forks, because each new interpreter would import PyTorch for seconds; one thread, so that forks are
safe. With a step and a signal, the run sends itself that signal once the figures of that step are written, before its
checkpoint is.
"""

import dataclasses
import json
import os
import signal
import sys
import traceback
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
LOOP = LoopConfig(checkpoint_every=10, keep_checkpoints=5)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def train(tokens: str, out: str, at: int = 0, what: str = "SIGKILL") -> int:
    def progress(done: int, total: int, note: str) -> None:
        if done == at * SEQUENCES * LENGTH:
            os.kill(os.getpid(), signal.Signals[what])

    try:
        pretrain(
            CONFIG, LOOP, MODEL, Path(tokens), Path(out), seed=3,
            say=say, progress=progress, device=torch.device("cpu"),
        )  # fmt: skip
    except Interrupted as stop:
        say(str(stop))
        return stop.exit_code
    return 0


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(write, 1)
            os.dup2(write, 2)
            code = 1
            try:
                code = train(*json.loads(line))
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        os.close(write)
        with open(read, encoding="utf-8") as pipe:
            said = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        say(json.dumps([code, said]))


if __name__ == "__main__":
    main()
