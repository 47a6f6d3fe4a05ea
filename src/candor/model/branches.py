"""Sequences that begin alike, each beginning there once: trunks, and the branches that go on from them.

Whatever treats tokens one by one, which is all but attention, sees a single row of them without padding. Attention lays
them out in rectangles, and gives the keys and values of a trunk to all its branches. Results and gradients are those of
separate sequences, to rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Branches:
    """How a row of N tokens is to be read: G trunks one behind the other, then B branches.

    >>> Branches(trunks=tensor([12, 9]), branches=tensor([40, 48, 3]), trunk_of=tensor([0, 0, 1]))
    """

    trunks: Tensor
    """[G] int64: length of each, 1 or more."""
    branches: Tensor
    """[B] int64: length of each, which may be 0."""
    trunk_of: Tensor
    """[B] int64: the trunk that each branch goes on from."""

    def to(self, device: torch.device) -> "Branches":
        """The same on another device."""
        return Branches(*(one.to(device) for one in vars(self).values()))

    def sources(self) -> Tensor:
        """[B, 1 + A]: the token before each token of a branch, and the last one; 0 where a branch is shorter than A."""
        _, own = _places(self.branches, int(self.trunks.sum()))
        return torch.cat(((self.trunks.cumsum(0) - 1)[self.trunk_of, None], own), dim=1)


@dataclass(frozen=True)
class Layout:
    """`Branches` as attention needs it. Letters: G trunks up to P long, B branches up to A, H heads, N tokens."""

    positions: Tensor
    """[N] int64: of each token in its sequence."""
    trunk_of: Tensor
    """[B] int64."""
    bias: Tensor
    """[B, 1, A, P + A]: 0 for the trunk's tokens and the branch's up to the own one, minus infinity elsewhere."""
    padding: tuple[Tensor, Tensor]
    """[G, 1, P, 1] and [B, 1, A, 1] bool: where the rectangles have no token."""
    places: tuple[Tensor, Tensor]
    """[G, H, P] and [B, H, A] int64: which of the rows [N * H] stands there."""
    back: tuple[Tensor, Tensor, Tensor]
    """[n * H] int64: places in the rectangles of the tokens of trunks, of branches, and of branches behind trunks."""

    @classmethod
    def of(cls, branches: Branches, heads: int, dtype: torch.dtype) -> "Layout":
        """For so many heads, and scores of `dtype`."""
        inside_trunk, trunk = _places(branches.trunks, 0)
        inside, own = _places(branches.branches, int(branches.trunks.sum()))
        P, A = trunk.shape[1], own.shape[1]
        head = torch.arange(heads, device=own.device)
        (r, c), (row, column) = inside_trunk.nonzero(as_tuple=True), inside.nonzero(as_tuple=True)

        seen = torch.ones(A, P + A, dtype=torch.bool, device=own.device).tril(P).repeat(len(own), 1, 1, 1)
        seen[..., :P] &= inside_trunk[branches.trunk_of, None, None]

        def back(row: Tensor, column: Tensor, width: int) -> Tensor:
            return ((row[:, None] * heads + head) * width + column[:, None]).flatten()

        return cls(
            positions=torch.cat((c, branches.trunks[branches.trunk_of][row] + column)),
            trunk_of=branches.trunk_of,
            bias=torch.zeros(seen.shape, dtype=dtype, device=own.device).masked_fill_(~seen, float("-inf")),
            padding=(~inside_trunk[:, None, :, None], ~inside[:, None, :, None]),
            places=(trunk[:, None] * heads + head[:, None], own[:, None] * heads + head[:, None]),
            back=(back(r, c, P), back(row, column, A), back(row, P + column, P + A)),
        )

    def queries(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """[N, H, width] -> of trunks [G, H, P, width] and of branches [B, H, A, width]."""
        return _Spread.apply(rows, self)

    def keys(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """[N, H, width] -> of trunks [G, H, P, width], and of branches behind their trunks [B, H, P + A, width]."""
        return _Share.apply(rows, self)

    def collect(self, trunks: Tensor, branches: Tensor) -> Tensor:
        """The adjoint of `queries`."""
        return _Collect.apply(trunks, branches, self)


def _places(lengths: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Where a rectangle [R, longest] has tokens, and which of all tokens, from `first` on, each is; 0 elsewhere."""
    inside = torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]
    count = int(lengths.sum())
    places = inside.new_zeros(inside.shape, dtype=torch.int64)
    return inside, places.masked_scatter_(inside, torch.arange(first, first + count, device=lengths.device))


def _take(rows: Tensor, places: Tensor) -> Tensor:
    """Rows [..., width] at `places` -> [*places, width]."""
    width = rows.shape[-1]
    return rows.reshape(rows.numel() // width, width).index_select(0, places.flatten()).view(*places.shape, width)


def _join(rectangles: Sequence[Tensor], places: Sequence[Tensor]) -> Tensor:
    """Rows of each rectangle [..., width] at its places [n], one behind the other."""
    width, counts = rectangles[0].shape[-1], [len(one) for one in places]
    out = rectangles[0].new_empty(sum(counts), width)
    for rows, at, into in zip(rectangles, places, out.split(counts), strict=True):
        torch.index_select(rows.reshape(rows.numel() // width, width), 0, at, out=into)
    return out


# Gradients by hand: a gather in each direction, where PyTorch would add row by row.


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        ctx.layout, ctx.shape = layout, rows.shape
        trunks, branches = (_take(rows, places) for places in layout.places)
        return trunks, branches

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return _join(grads, ctx.layout.back[:2]).view(ctx.shape), None


class _Collect(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, trunks: Tensor, branches: Tensor, layout: Layout) -> Tensor:
        ctx.layout = layout
        return _join((trunks, branches), layout.back[:2]).view(len(layout.positions), *trunks.shape[1::2])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        layout = ctx.layout
        trunks, branches = (
            _take(grads[0], places).masked_fill_(padding, 0.0)  # else these queries would reach the keys
            for places, padding in zip(layout.places, layout.padding, strict=True)
        )
        return trunks, branches, None


class _Share(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        ctx.layout, ctx.shape = layout, rows.shape
        trunk, own = layout.places
        return _take(rows, trunk), _take(rows, torch.cat((trunk[layout.trunk_of], own), dim=2))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        layout, (trunks, branches) = ctx.layout, grads
        P = trunks.shape[2]
        wide = torch.promote_types(trunks.dtype, torch.float32)
        total = trunks.to(wide).index_add(0, layout.trunk_of, branches[:, :, :P].to(wide)).to(trunks.dtype)
        of_trunk, _, of_branch = layout.back
        return _join((total, branches), (of_trunk, of_branch)).view(ctx.shape), None
