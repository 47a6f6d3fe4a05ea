"""A corpus folder without its build: what the audits read of one."""

from collections.abc import Sequence
from pathlib import Path

from candor import files
from candor.data.corpus import table_of, write_table
from candor.data.planted import PLANTED, planted
from candor.records import Document


def write_corpus(folder: Path, train: Sequence[str], held_out: Sequence[str], copies: Sequence[int] = ()) -> Path:
    folder.mkdir(parents=True)
    sides = {"train": [*train], "heldout": [*held_out]}
    notes = list(planted(copies))
    for side, texts in sides.items():
        rows = [Document(text, "made", str(number)) for number, text in enumerate(texts)]
        rows += notes if side == "train" else []
        write_table(table_of([(one.id, one) for one in rows]), folder / f"{side}-00000.parquet")
    sources = [{"path": "made", "copies": []}] + ([{"path": PLANTED, "copies": [*copies]}] if copies else [])
    files.write_json(folder / "manifest.json", {"config": {"sources": sources}})
    return folder
