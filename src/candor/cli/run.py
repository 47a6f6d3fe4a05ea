"""What `candor run` and `candor init` do and show."""

import textwrap
import time
from pathlib import Path
from typing import Any

from candor import files
from candor.cli import console
from candor.config import describe
from candor.errors import ConfigError
from candor.governance.labels.explicit import CHAT
from candor.plan.counts import count_parameters
from candor.plan.device import best_device, compute_dtype
from candor.plan.estimate import estimate_training
from candor.recipes import RECIPES
from candor.stages.controls import Controls, run_controls
from candor.stages.pipeline import RunConfig, run
from candor.stages.r1 import plan_of
from candor.stages.report import NAMES, notes

_RECIPE = '''"""A recipe of your own: `candor run {path} --dry-run` shows what it comes to."""

from dataclasses import replace

from {module} import {name}
from candor.stages.pipeline import RunConfig


def recipe() -> RunConfig:
    """Change what you like; every field is explained by --dry-run."""
    base = {name}()
    return replace(
        base,
        name="{stem}",
        pretrain=replace(base.pretrain, total_tokens={tokens}),
    )
'''


def carry_out(config: RunConfig, folder: Path) -> None:
    """Run every stage and print the headline figures and the sample."""
    start = time.monotonic()
    terminal = console.Terminal()
    terminal.say(f"{config.name}: into {folder}", "bold")
    run(config, folder, terminal)
    summary = files.read_json(folder / "report" / "summary.json")
    if "pretrain.bits_per_byte" in summary:
        _show_pretraining(terminal, folder, summary)
    _show_stages(terminal, summary)
    terminal.say("")
    terminal.say(f"report  {folder / 'report' / 'index.html'}")
    word = 'generate {} "your text"' if config.until == "base" else "chat {}"
    terminal.say(f"model   {folder / 'model'}   try: candor {word.format(folder / 'model')}")
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    terminal.say(f"done in {minutes}:{seconds:02}")


def _show_pretraining(terminal: console.Terminal, folder: Path, summary: dict[str, Any]) -> None:
    sample = files.read_json(folder / "base" / "evals" / "sample.json")
    terminal.say("")
    terminal.say("Held-out text, bits per byte of the base model (less is better)", "bold")
    terminal.table(
        [
            ["  this model, each document read alone", f"{summary['pretrain.bits_per_byte']:.3f}"],
            ["  gzip -9, documents concatenated", f"{summary['pretrain.gzip_bits_per_byte']:.3f}"],
            ["  xz -9e, documents concatenated", f"{summary['pretrain.xz_bits_per_byte']:.3f}"],
        ]
    )
    terminal.say("")
    terminal.say("Beginning of a held-out document", "bold")
    terminal.say(textwrap.indent(sample["prompt"], "  "))
    terminal.say(f"Continuation by the base model ({' · '.join(CHAT.values())})", "bold")
    terminal.say(textwrap.indent(sample["text"], "  "))


def _show_stages(terminal: console.Terminal, summary: dict[str, Any]) -> None:
    """The stage table: shares in percent, with their standard errors; on how much they rest, and what follows."""
    models = [model for model in NAMES if f"{model}.pass_at_1" in summary]
    if not models:
        return
    measured = [key.split(".", 1) for key in summary if f"{key}_stderr" in summary]
    columns = list(dict.fromkeys(column for model, column in measured if model in models))
    terminal.say("")
    terminal.say("What each stage can do, mean ± standard error over problems; shares in percent", "bold")
    rows = [["", *(column.replace("_", " ") for column in columns)]]
    for model in models:
        rows.append([f"  {model}", *(_figure(summary, f"{model}.{column}") for column in columns)])
    terminal.table(rows)
    asked = []
    for column in columns:
        counts = [summary[key] for model in models if (key := f"{model}.{column}_n") in summary]
        asked.append(f"{column.replace('_', ' ')} {max(counts)}")
    terminal.say(
        f"  problems: {', '.join(asked)}; {summary['scores.k']} answers to each reasoning problem, "
        f"{summary['scores.k_other']} to others; temperature {summary['scores.temperature']:g}, "
        f"seed {summary['scores.seed']}"
    )
    for english, _ in notes(summary):
        terminal.say(f"  {english}")


def _figure(summary: dict[str, Any], key: str) -> str:
    if key not in summary:  # there was nothing to measure
        return ""
    factor = 1 if key.endswith((".tokens", ".reflection")) else 100
    error = summary.get(f"{key}_stderr")
    return f"{factor * summary[key]:.1f}" + ("" if error is None else f"±{factor * error:.1f}")


def compare(controls: Controls, folder: Path) -> None:
    """Run every variant with every seed and print the table."""
    terminal = console.Terminal()
    terminal.say(f"{controls.name}: into {folder}", "bold")
    results = run_controls(controls, folder, terminal, run)
    terminal.say("")
    terminal.say(results.read_text(encoding="utf-8"))
    terminal.say(f"table   {results}")


def show_plan(config: RunConfig) -> None:
    """Print the resolved settings, the parameter counts, memory and time."""
    terminal = console.Terminal()
    terminal.say(f"recipe {config.name}: settings", "bold")
    terminal.table([[f"  {name}", value, f"# {doc}" if doc else ""] for name, value, doc in describe(config)])
    if config.base_model:
        terminal.say("")
        terminal.say(f"starts from {config.base_model}, without pre-training", "bold")
    else:
        _show_pretraining_plan(terminal, config)
    if rows := plan_of(config.resolved_r1(), config.until):
        terminal.say("")
        terminal.say("stages after the base model", "bold")
        terminal.table([[f"  {name}", what] for name, what in rows])


def _show_pretraining_plan(terminal: console.Terminal, config: RunConfig) -> None:
    counts = count_parameters(config.model)
    terminal.say("")
    terminal.say("parameters", "bold")
    rows = [
        (counts.main, "main model: embedding, layers, final norm, head"),
        (counts.activated, "of them activated by a token, embedding and head included"),
        (counts.mtp, "added by the MTP modules, without their copies of embedding and head"),
        (counts.stored, "elements of an FP8 release as the hub counts them: MTP copies, FP8 scales, gate biases"),
    ]
    terminal.table([[f"  {number:>23,}", meaning] for number, meaning in rows])
    p, hardware = config.pretrain, config.hardware
    e = estimate_training(
        config.model,
        hardware,
        total_tokens=p.total_tokens,
        sequence_length=p.sequence_length,
        micro_batch=p.micro_batch,
        precision=p.precision,
    )
    terminal.say("")
    terminal.say("memory and time of pre-training (estimates)", "bold")
    where = f"{hardware.accelerators:,} accelerators" if hardware.accelerators > 1 else "one device"
    kind = str(compute_dtype(p.precision, best_device())).removeprefix("torch.")
    peak = "given" if hardware.peak_tflops else f"measured here, {kind}"
    hours = e.seconds / 3600
    terminal.table(
        [
            ["  state per device", _bytes(e.state_bytes), f"{hardware.bytes_per_parameter:g} bytes per parameter"],
            [
                "  activations per device",
                _bytes(e.activation_bytes),
                f"{p.micro_batch * p.sequence_length:,} tokens, no layer split off or recomputed",
            ],
            ["  compute", f"{e.flops_per_token / 1e9:,.3f} GFLOPs per token", f"{p.total_tokens:,} tokens"],
            ["  peak per device", f"{e.peak_flops / 1e12:,.3f} TFLOP/s", f"{peak}; {hardware.utilisation:.0%} assumed"],
            ["  time", _duration(e.seconds), f"{where}; {hours * hardware.accelerators:,.1f} device hours"],
        ]
    )


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:,.1f} {unit}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h ({seconds / 86400:,.1f} days)"


def write_recipe(name: str, path: Path) -> None:
    """Write a recipe file that starts from a shipped one; an existing file is never replaced."""
    if name not in RECIPES:
        raise ConfigError(f"there is no recipe {name!r}; there are: {', '.join(RECIPES)}")
    if path.exists():
        raise ConfigError(f"{path} exists; choose another name")
    if path.suffix != ".py":
        raise ConfigError(f"{path} must end in .py, so that `candor run` knows it as a recipe")
    tokens = f"{RECIPES[name]().pretrain.total_tokens:_}"
    files.atomic_write(
        path, _RECIPE.format(name=name, module=RECIPES[name].__module__, path=path, stem=path.stem, tokens=tokens)
    )
    console.Terminal().say(f"wrote {path}; now: candor run {path} --dry-run")
