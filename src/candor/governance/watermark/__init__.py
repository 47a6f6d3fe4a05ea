"""Watermarks in the choice of tokens: keys, the integer function behind them, and the detector. No torch, no I/O.

The method is SynthID-Text's tournament sampling (Nature 634:818, 2024), which leaves the mean distribution over keys as
it is; KGW's green list (arXiv 2301.10226) is there to compare with. `candor.infer.watermark` is the tensor side.
"""

from candor.governance.watermark.detect import LEVEL, MIN_TOKENS, Detection, detect, tail
from candor.governance.watermark.places import Context, Places
from candor.governance.watermark.scheme import (
    CANDIDATES,
    LAYERS,
    Mark,
    Scheme,
    WatermarkKey,
    keys_of,
    mark,
    words_of,
)

__all__ = [
    "CANDIDATES",
    "LAYERS",
    "LEVEL",
    "MIN_TOKENS",
    "Context",
    "Detection",
    "Mark",
    "Places",
    "Scheme",
    "WatermarkKey",
    "detect",
    "keys_of",
    "mark",
    "tail",
    "words_of",
]
