"""Decisions by the hash of a text: the same in every build, whatever else is in the corpus."""

import hashlib
from collections.abc import Sequence


def is_heldout(document_id: str, fraction: float) -> bool:
    """The rule of the split: the hash, read as a number in [0, 1), lies below `fraction`."""
    return int(document_id, 16) < fraction * 16**64


def is_on_heldout_side(document_id: str, fraction: float, lowest: str, highest: str) -> bool:
    """`is_heldout`, but for the lowest and the highest hash of a corpus: neither side is empty."""
    return document_id != highest and (is_heldout(document_id, fraction) or document_id == lowest)


def held_out(ids: Sequence[str], fraction: float) -> list[bool]:
    """`is_heldout` of each; with a fraction above 0 and two different ids, neither side is empty."""
    lowest, highest = min(ids, default=""), max(ids, default="")
    return [fraction > 0 and is_on_heldout_side(one, fraction, lowest, highest) for one in ids]


def is_taken(document_id: str, share: float, heldout_fraction: float) -> bool:
    """Whether a document is in the share that is taken: by another hash than that of the split."""
    if share == 1 or is_heldout(document_id, heldout_fraction):
        return True
    return int(hashlib.sha256(f"share {document_id}".encode()).hexdigest(), 16) < share * 16**64


def draw(label: str, document_id: str) -> float:
    """A number in [0, 1) for a document, another one for each label."""
    return int(hashlib.sha256(f"{label} {document_id}".encode()).hexdigest()[:13], 16) / 16**13
