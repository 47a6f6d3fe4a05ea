"""`candor train`: a model folder trained further, by dialogues, rewards or a teacher."""

from pathlib import Path
from typing import Annotated

import typer

from candor.cli.options import ModelFolder, Out, Sets

app = typer.Typer(help="Train a model folder further.", no_args_is_help=True, rich_markup_mode=None)

Origin = Annotated[
    str | None, typer.Option(help="Who made rows that do not say: team-hand, team-automatic or user-derived.")
]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Leave out and count what cannot be used.")]


@app.command()
def sft(
    model: ModelFolder,
    data: Annotated[str, typer.Option(help="Dialogues: JSONL, JSON, CSV, Parquet, folder, hf:owner/name.")],
    out: Out = None,
    sets: Sets = None,
    origin: Origin = None,
    skip_broken: SkipBroken = False,
    tasks: Annotated[str, typer.Option(help="Tasks of candor eval, before and after.")] = "",
    problems: Annotated[int, typer.Option("-n", "--problems", help="Problems of each of these tasks.")] = 100,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print settings, sizes, memory and time; do nothing.")
    ] = False,
) -> None:
    """Train on dialogues; only what the assistant says is learnt.

    Each row says who made it; those derived from users are kept to 5% (--set sft.user_derived_share=...). Held-out
    dialogues are measured before and after.

    \b
    candor train sft runs/laptop/model --data chat.jsonl --origin team-hand --out runs/chat
    candor train sft runs/laptop/model --data chat.jsonl --set sft.epochs=3 --tasks arithmetic
    """
    from candor.cli.training import run_sft

    sets = [*(sets or ()), *(["sft.skip_broken=true"] if skip_broken else [])]
    run_sft(model, data, out=out, sets=sets, origin=origin, tasks=tasks, problems=problems, dry_run=dry_run)


@app.command()
def rl(
    model: ModelFolder,
    tasks: Annotated[str, typer.Option(help="Problems, by comma: NAME:DIFFICULTY:LANG or NAME:PATH of a real set.")],
    reward_model: Annotated[
        list[Path] | None, typer.Option(help="Folder that candor train rm made; repeat for the other kind.")
    ] = None,
    out: Out = None,
    sets: Sets = None,
) -> None:
    """Train by reinforcement learning (GRPO and its kin) on problems whose answers can be checked.

    Rewards are weighed by rl.rewards.*, the loss is rl.loss.kind (grpo, r1, dr_grpo, dapo, gspo, cispo). Held-out
    problems are asked along the way. The same command goes on after a stop.

    \b
    candor train rl runs/laptop/base/model --tasks arithmetic:1:en,arithmetic:1:zh --out runs/zero
    candor train rl MODEL --tasks gsm8k:data/gsm8k --set rl.rollout.format=chat --set rl.steps=500
    candor train rl MODEL --tasks requests:1:en --reward-model runs/rm/model --set rl.rewards.helpfulness=1 \\
        --set rl.preference_steps=50
    """
    from candor.cli.training import run_rl

    run_rl(model, tasks=tasks, reward_models=reward_model, out=out, sets=sets)


@app.command()
def rm(
    model: ModelFolder,
    data: Annotated[
        str, typer.Option(help="JSONL: prompt or messages, with chosen and rejected, or response and safe.")
    ],
    kind: Annotated[str, typer.Option(help="helpfulness (pairs) or safety (answers that are safe or not).")],
    out: Out = None,
    sets: Sets = None,
    origin: Origin = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Train a reward model: pairs teach helpfulness, verdicts safety. Measured on held-out questions.

    \b
    candor train rm runs/chat/model --kind helpfulness --data pairs.jsonl --origin team-automatic
    candor train rm runs/chat/model --kind safety --data verdicts.jsonl --set rm.epochs=2
    """
    from candor.cli.training import run_rm

    run_rm(model, data, kind=kind, out=out, sets=sets, origin=origin, skip_broken=skip_broken)


@app.command()
def distill(
    model: ModelFolder,
    teacher: Annotated[str, typer.Option(help="Model folder or address of a server ending in /v1.")],
    tasks: Annotated[str, typer.Option(help="What the teacher is asked: NAME:DIFFICULTY:LANG or NAME:PATH, by comma.")],
    teacher_name: Annotated[str, typer.Option(help="What the server calls the teacher.")] = "",
    collect: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Override one setting of the sampling; repeat.")
    ] = None,
    out: Out = None,
    sets: Sets = None,
) -> None:
    """Teach a smaller model what a teacher answers right and readably (SFT on its answers alone).

    What is learnt has thoughts, so the student gets R1's chat template (--set sft.template=none keeps its own).

    \b
    candor train distill runs/laptop/student/model --teacher runs/laptop/model --tasks arithmetic:1:en,arithmetic:1:zh
    candor train distill STUDENT --teacher http://localhost:8000/v1 --teacher-name r1 --tasks gsm8k:train.jsonl \\
        --collect samples=8 --collect max_tokens=4096
    """
    from candor.cli.training import run_distill

    run_distill(model, teacher, tasks=tasks, teacher_name=teacher_name, out=out, sets=sets, collect=collect)
