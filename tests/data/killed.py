"""A process that builds a corpus in small units, to be killed: `python -m tests.data.killed FOLDER WORKERS`."""

import sys
from pathlib import Path

from candor.data import CorpusConfig, SourceConfig, build, build_corpus
from candor.data.steps import StepsConfig


def config(place: Path) -> CorpusConfig:
    """Two sources, one of prose and one of anything."""
    return CorpusConfig(
        (
            SourceConfig(str(place / "prose.jsonl"), form="prose", licence="MIT"),
            SourceConfig(str(place / "any.jsonl"), licence="MIT"),
        ),
        steps=StepsConfig(harmful=1.0),
    )


def small() -> None:
    """Units and shards of a few kilobytes."""
    build._UNIT_BYTES, build._SHARD_BYTES = 30_000, 60_000


if __name__ == "__main__":
    place = Path(sys.argv[1])
    small()
    (place / "corpus").mkdir(exist_ok=True)
    build_corpus(config(place), place / "corpus", workers=int(sys.argv[2]))
