"""The corpus of a run, or one alone, as a stage that goes on where it was stopped."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from candor import files
from candor.config import to_dict
from candor.data import CorpusConfig, build_corpus
from candor.data.build import inputs_of
from candor.data.corpus import MANIFEST
from candor.data.executor import Engine
from candor.stages.run import Stage, Ui, execute, indented


def corpus_settings(config: CorpusConfig) -> dict[str, Any]:
    """What decides a corpus."""
    return to_dict(config) | {
        "fingerprint": inputs_of(config),
        "versions": [config.steps.passed(s.form) for s in config.sources],
    }


def corpus_stage(
    config: CorpusConfig, folder: Path, ui: Ui, *, workers: int | None = None, engine: Engine = "local"
) -> None:
    """Fill or go on filling a corpus folder, and say what came of it; by default a process for each core."""
    workers = workers or os.cpu_count() or 1
    with ui.progress("corpus") as progress:
        build_corpus(config, folder, progress, workers=workers, engine=engine, say=indented(ui))
    manifest = files.read_json(folder / MANIFEST)
    train, held, rejects = manifest["train"], manifest["heldout"], manifest["rejects"]
    for source in config.sources:
        if source.share < 1:
            ui.say(f"  trains on {source.share:.0%} of the documents of {source.path}, by hash (share)")
    if rejects["documents"]:
        common = sorted(manifest["rejected"].items(), key=lambda item: -item[1])[:3]
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in common)
        ui.say(f"  {rejects['documents']:,} documents, {rejects['bytes'] / 1e6:,.2f} MB rejected: {reasons}")
    ui.say(
        f"  {train['documents']:,} documents, {train['bytes'] / 1e6:,.1f} MB to train on; "
        f"{held['documents']:,}, {held['bytes'] / 1e6:,.2f} MB held out"
    )


def corpus_alone(config: CorpusConfig, out: Path, ui: Ui, *, workers: int | None, engine: Engine) -> None:
    """The corpus of a run, `out/corpus`, and nothing else of it."""
    make = partial(corpus_stage, config, workers=workers, engine=engine)
    execute([Stage("corpus", make, corpus_settings(config), in_place=True)], out, ui)
