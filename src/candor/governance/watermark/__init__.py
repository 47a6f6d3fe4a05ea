"""Watermarks in the choice of tokens: keys, the integer function behind them, and the detector. No torch, no I/O.

The method is SynthID-Text's tournament sampling (Nature 634:818, 2024), which leaves the mean distribution over keys as
it is; KGW's green list (arXiv 2301.10226) is there to compare with. `candor.infer.watermark` is the tensor side.
"""

from candor.governance.watermark.detect import LEVEL, Detection, detect
from candor.governance.watermark.places import Places
from candor.governance.watermark.scheme import Mark, Scheme, WatermarkKey, keys_of

__all__ = ["LEVEL", "Detection", "Mark", "Places", "Scheme", "WatermarkKey", "detect", "keys_of"]
