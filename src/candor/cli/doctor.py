"""`candor doctor`: what this machine has, and what is missing with the command that adds it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from pathlib import Path

import torch

from candor.cli.console import Terminal
from candor.infer.native import compiler
from candor.plan.device import best_device, device_memory
from candor.problems.sandbox import isolation
from candor.records import code_version

_LIBRARIES = ("torch", "numpy", "tokenizers", "safetensors", "pyarrow", "jinja2", "matplotlib", "rich", "typer",
              "llguidance", "gguf", "math-verify")  # fmt: skip
_EXTRAS = {
    "datasets": ("hub", "Hugging Face datasets as a source"),
    "lm_eval": ("lm-eval", "lm-eval's tasks, and its runner on our models"),
    "openai": ("remote", "other servers behind the engine's interface"),
    "tensorboard": ("tensorboard", "TensorBoard events of a run"),
    "transformers": ("test", "parity tests"),
}


def examine() -> None:
    """Print the report."""
    terminal = Terminal()
    device = best_device()
    disk = shutil.disk_usage(Path.cwd())
    capability = torch.backends.cpu.get_cpu_capability()
    terminal.table(
        [
            ["candor", code_version()],
            ["python", f"{platform.python_version()} on {platform.platform()}"],
            ["device", f"{device} (CPU instructions: {capability})"],
            ["threads", f"{torch.get_num_threads()} of {os.cpu_count()} processors"],
            ["C++ compiler", compiler() or "none: generation runs ten times slower; install g++ or clang++"],
            ["sandbox", isolation() or "works: code of models runs without network, files and privileges"],
            ["memory", f"{device_memory(device) / 2**30:.1f} GiB"],
            ["disk here", f"{disk.free / 2**30:.1f} GiB free of {disk.total / 2**30:.1f}"],
            *([name, importlib.metadata.version(name)] for name in _LIBRARIES),
        ]
    )
    missing = [name for name in _EXTRAS if importlib.util.find_spec(name) is None]
    for name in missing:
        extra, what = _EXTRAS[name]
        terminal.say(f"{name} is not installed ({what}): pip install 'candor-lm[{extra}]'")
    terminal.say("ready: candor run laptop" if not missing else "ready without these: candor run laptop")
