"""What a step computes, behind one interface: by PyTorch on any device, or by `native` on a CPU."""

import warnings
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from candor.errors import ConfigError
from candor.governance.watermark import Mark
from candor.infer.native import NativeStep, compiler
from candor.infer.params import SamplingParams
from candor.infer.sampler import distribution, draw
from candor.infer.watermark import mark
from candor.model import Transformer


class Step(Protocol):
    """B sequences side by side, S tokens each, of which `counts` [B] are real; the rest has no meaning in results.

    Ids and lengths are int64; `latents` [layers, B, T, R] holds `lengths` [B] tokens of each sequence (None: there are
    none yet, and T = S) and receives the new ones. States are [B, S, D].
    """

    dtype: torch.dtype
    """Type of the latents."""

    def states(self, ids: Tensor, lengths: Tensor | None, latents: Tensor, counts: Sequence[int]) -> Tensor:
        """The main model's states after the tokens `ids` [B, S]."""

    def draft(
        self, next_ids: Tensor, hidden: Tensor, lengths: Tensor | None, latents: Tensor, counts: Sequence[int]
    ) -> Tensor:
        """The MTP module's states, from the main model's and the tokens `next_ids` [B, S] that follow each."""

    def logits(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [M, vocab] float32 after the states [M, D], and their log-sum-exp [M]."""

    def draw(
        self,
        logits: Tensor,
        rows: Sequence[SamplingParams],
        chances: Sequence[float],
        marks: Sequence[Mark | None] = (),
    ) -> Tensor:
        """One token [M] int64 for each row of logits [M, vocab], by its number from [0, 1); by its mark, where any."""

    def mark(self, shares: Tensor, marks: Sequence[Mark | None]) -> Tensor:
        """Probabilities [M, vocab] float32 as the rows' marks change them; the given tensor may be written into."""

    def refresh(self) -> None:
        """The model's tensors were replaced."""


class TorchStep:
    """The model's own forward passes; `compiled` compiles the decoding step, with CUDA graphs on a GPU."""

    def __init__(self, model: Transformer, *, compiled: bool = False):
        self.model, self.dtype = model, model.activation_dtype
        mode = "reduce-overhead" if model.lm_head.weight.is_cuda else "default"
        self._extend = torch.compile(model.extend, mode=mode, dynamic=True) if compiled else model.extend

    def states(self, ids: Tensor, lengths: Tensor | None, latents: Tensor, counts: Sequence[int]) -> Tensor:
        """See `Step`; first tokens take the expanded form of attention, which is faster for many."""
        return self.model.prefill(ids, latents) if lengths is None else self._extend(ids, lengths, latents)

    def draft(
        self, next_ids: Tensor, hidden: Tensor, lengths: Tensor | None, latents: Tensor, counts: Sequence[int]
    ) -> Tensor:
        """See `Step`."""
        return self.model.draft(next_ids, hidden, latents, lengths)

    def logits(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """See `Step`."""
        logits = self.model.lm_head(states).float()
        return logits, logits.logsumexp(-1)

    def draw(
        self,
        logits: Tensor,
        rows: Sequence[SamplingParams],
        chances: Sequence[float],
        marks: Sequence[Mark | None] = (),
    ) -> Tensor:
        """See `Step`."""
        return draw(mark(distribution(logits, rows), marks), chances)

    def mark(self, shares: Tensor, marks: Sequence[Mark | None]) -> Tensor:
        """See `Step`."""
        return mark(shares, marks)

    def refresh(self) -> None:
        """See `Step`: nothing is kept here."""


def step_for(model: Transformer, compiled: bool | None) -> Step:
    """The best step for a model where it lies; `compiled` None compiles on a CPU that can, and says if it cannot."""
    weight = model.lm_head.weight
    if weight.device.type != "cpu" or weight.dtype not in (torch.float32, torch.bfloat16) or compiled is False:
        return TorchStep(model, compiled=bool(compiled))
    if compiled is None and compiler() is None:
        warnings.warn(
            "there is no C++ compiler (g++ or clang++): generation runs uncompiled, ten times slower", stacklevel=3
        )
        return TorchStep(model)
    try:
        return NativeStep(model)
    except ConfigError:
        if compiled:
            raise
        warnings.warn("the C++ compiler cannot compile the step: generation runs uncompiled", stacklevel=3)
        return TorchStep(model)
