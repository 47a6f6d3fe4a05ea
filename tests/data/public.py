"""Clean text of the public data folder, as documents of several lengths."""

import json
from functools import cache
from pathlib import Path

CLEAN = (
    "en_books/books by 3000", "zh_novels/novels", "zh_novels/novels to 1000", "en_docs/react_dev", "en_docs/rust_book",
    "en_docs/tldr_en", "zh_docs/oi_wiki", "zh_docs/react_zh", "zh_docs/tldr_zh",
)  # fmt: skip
"""Files of clean text, with how they are cut: "by" into pieces of that length, one in four; "to" their beginning."""


@cache
def clean(folder: Path, name: str) -> list[str]:
    """The documents of one of CLEAN."""
    file, _, size = name.partition(" ")
    with open(folder / "text" / f"{file}.jsonl", encoding="utf-8") as rows:
        texts = [json.loads(row)["text"] for row in rows]
    how, _, length = size.partition(" ")
    if how == "to":
        return [text[: int(length)] for text in texts]
    if how == "by":
        step = int(length)
        return [text[at : at + step] for text in texts for at in range(0, len(text) - step + 1, 4 * step)]
    return texts
