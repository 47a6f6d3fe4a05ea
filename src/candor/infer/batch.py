"""The running sequences and one step of all of them, without threads: what is read, decoded, drafted and kept.

Every sequence has a row of the cache. Rows whose request decodes stand in front, then those that still read their
prompt, then what ended requests left behind, in case another begins the same way.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from candor.errors import CandorError, RequestError
from candor.infer.cache import LatentCache, shared
from candor.infer.params import FinishReason, TopLogprobs
from candor.infer.request import Request
from candor.infer.sampler import distribution, draw, shape
from candor.infer.steps import Step
from candor.model import ModelConfig
from candor.plan.device import device_memory

_WORTH = 8
"""Beginnings shorter than this are not worth a copy."""
_ROUND = 64
"""Attention looks at a multiple of so many tokens: few different shapes for the libraries below."""


@dataclass(eq=False)
class Row:
    """A sequence: `tokens[:length]` have their latents in the cache; without a request it is kept for its beginning."""

    index: int
    tokens: list[int]
    length: int
    request: Request | None
    used: int = 0
    drafts: list["Draft"] = field(default_factory=list)

    @property
    def running(self) -> Request:
        """The request, which is there."""
        assert self.request is not None
        return self.request


class Draft(NamedTuple):
    """A proposed token, the distribution [vocab] that it was drawn from, and its probability there."""

    token: int
    shares: Tensor
    share: float


class Ended(NamedTuple):
    """A row whose request is done, and why."""

    row: Row
    reason: FinishReason
    error: CandorError | None


class Batch:
    """Rows of one model. `add` and `step` are called by one thread, in `torch.inference_mode()`."""

    def __init__(
        self,
        model: Step,
        config: ModelConfig,
        device: torch.device,
        *,
        max_sequences: int,
        cache_tokens: int | None,
        prefill_tokens: int,
        speculate: int,
    ):
        self.model, self.device, self.max_sequences = model, device, max_sequences
        self.prefill_tokens, self.speculate = prefill_tokens, speculate
        layers = config.num_hidden_layers + (1 if speculate else 0)
        self.cache = LatentCache(config, layers, cache_tokens or 1, model.dtype, device)
        if cache_tokens is None:
            self.cache.max_tokens = device_memory(device) // 4 // self.cache.bytes_per_token
        self.rows: list[Row] = []
        self.ready = self.running = 0
        self.steps = self.drafted = self.accepted = 0
        self._clock = count()
        self._needs: Counter[int] = Counter()
        self._latest: Row | None = None
        self._awaited: list[int] | None = None

    # Rows

    def need(self, request: Request) -> int:
        """Tokens that the request's row must hold."""
        return len(request.prompt) + request.limit + self.speculate

    def add(self, request: Request) -> Literal["added", "later", "full"]:
        """Give the request a row. `later`: another is reading the same beginning; `full`: no room before one ends.

        RequestError where the machine has no memory for it.
        """
        if request.prompt is self._awaited:  # another answer to the prompt that was told so since the last step
            return "later"
        donor, common, coming = self._alike(request.prompt)
        if coming > common + _WORTH:
            self._awaited = request.prompt
            return "later"
        need = self.need(request)
        tokens = max(need, *self._needs) if self._needs else need

        def room(rows: int) -> bool:
            return rows <= self.max_sequences and self.cache.fits(rows, tokens)

        if not room(self.running + 1):
            return "full"
        kept = sorted((row for row in self.rows[self.running :] if row is not donor), key=lambda row: row.used)
        while kept and not room(len(self.rows) + 1):
            self._forget(kept.pop(0))
        over = donor is not None and donor.request is None and (common == donor.length or not room(len(self.rows) + 1))
        rows = len(self.rows) + (not over)
        try:
            self.cache.reserve(rows, tokens, keep=len(self.rows))
        except RuntimeError as error:
            raise RequestError(
                f"there is no memory for a cache of {rows} sequences of {tokens} tokens "
                f"({first_line(error)}); ask for fewer tokens, or lower cache_tokens"
            ) from None
        for row in self.rows[self.running :]:  # the cache may have become narrower
            row.length = min(row.length, self.cache.tokens)
        if donor and over:
            row = donor
            row.tokens, row.length = list(request.prompt), common
        else:
            row = Row(len(self.rows), list(request.prompt), common, None)
            self.rows.append(row)
            if donor:
                donor.used = next(self._clock)
                self.cache.copy(donor.index, row.index, common)
        self._swap(row, self.rows[self.running])
        row.request, self._latest = request, row
        self._needs[need] += 1
        self.running += 1
        request.cached = common
        if len(row.tokens) - row.length == 1:
            self._to_ready(row)
        return "added"

    def _alike(self, prompt: list[int]) -> tuple[Row | None, int, int]:
        """The row that begins most like the prompt, how many tokens it can give, and how many one being read will."""
        most = len(prompt) - 1  # the last token is read again, for its logits
        donor, common, coming = None, 0, 0
        # Answers to one prompt come one after the other: most often nothing can be better than the last row given out.
        latest = self._latest
        there = latest is not None and latest.index < len(self.rows) and self.rows[latest.index] is latest
        for row in (*([latest] if latest and there else []), *self.rows):
            if common == most:
                break
            # The MTP module has seen one token ahead.
            alike = min(shared(prompt, row.tokens) - bool(self.speculate), most)
            if min(alike, row.length) > max(common, _WORTH):
                donor, common = row, min(alike, row.length)
            coming = max(coming, alike if self.ready <= row.index < self.running else 0)
        return donor, common, coming

    def _swap(self, a: Row, b: Row) -> None:
        if a is not b:
            self.cache.swap(a.index, b.index, a.length, b.length)
            a.index, b.index = b.index, a.index
            self.rows[a.index], self.rows[b.index] = a, b

    def _to_ready(self, row: Row) -> None:
        self._swap(row, self.rows[self.ready])
        self.ready += 1

    def _forget(self, row: Row) -> None:
        self._swap(row, self.rows[-1])
        self.rows.pop()

    def retire(self, row: Row, reason: FinishReason, error: CandorError | None = None) -> None:
        """End a row's request; its latents stay, for others."""
        request, row.request, row.used = row.running, None, next(self._clock)
        row.drafts.clear()
        self._needs -= Counter({self.need(request): 1})  # drops what is at zero
        if error and self.speculate:  # the MTP module has not seen the token that was not chosen
            row.length = max(0, row.length - 1)
        if row.index < self.ready:
            self._swap(row, self.rows[self.ready - 1])
            self.ready -= 1
        self._swap(row, self.rows[self.running - 1])
        self.running -= 1
        request.finish(reason, error)

    def fail_all(self, error: CandorError) -> None:
        """End every request, whatever state a failed step has left."""
        failed = [row.request for row in self.rows if row.request]
        self.rows.clear()
        self._needs.clear()
        self.ready = self.running = 0
        self.cache.clear()
        for request in failed:
            request.finish("error", error)

    def forget_all(self) -> None:
        """Drop what ended requests left, and give memory back where nothing runs."""
        del self.rows[self.running :]
        if not self.running:
            self.cache.clear()

    # Steps

    def step(self) -> None:
        """Drop what was cancelled, read prompts, decode."""
        self._awaited = None
        for row in [row for row in self.rows[: self.running] if row.running.cancelled]:
            self.retire(row, "cancelled")
        if self.ready < self.running:
            self._read()
        if self.ready:
            self._decode()

    def _read(self) -> None:
        """Read up to `prefill_tokens`: continued prompts one by one, whole ones side by side."""
        reading, left = self.rows[self.ready : self.running], self.prefill_tokens
        for row in [row for row in reading if row.length]:
            if left > 0:
                S = min(left, len(row.tokens) - row.length)
                left -= S
                self._read_piece([row], S)
        fresh = sorted((row for row in reading if not row.length), key=lambda row: len(row.tokens))
        while fresh and left > 0:
            together = [fresh.pop(0)]
            while fresh and (len(together) + 1) * len(fresh[0].tokens) <= left:
                together.append(fresh.pop(0))
            S = min(left, len(together[-1].tokens))
            left -= S * len(together)
            self._read_piece(together, S)

    def _read_piece(self, rows: list[Row], S: int) -> None:
        """The next S tokens, or all there are: the first ones of several rows, or more of one."""
        start, index = rows[0].length, rows[0].index
        pieces = [row.tokens[start : start + S] for row in rows]
        counts, lengths = [len(piece) for piece in pieces], self._tensor([start]) if start else None
        if start:
            latents = self.cache.latents[:, index : index + 1, : start + S]
        else:  # beside the cache first: the rows need not be neighbours
            latents = self.cache.latents.new_empty(len(self.cache.latents), len(rows), S, self.cache.latents.shape[3])
        hidden = self.model.states(self._padded(pieces, S), lengths, latents, counts)
        ends = [start + length == len(row.tokens) for row, length in zip(rows, counts, strict=True)]
        read, ended = [row for row, end in zip(rows, ends, strict=True) if end], []
        if read:
            at = [number for number, end in enumerate(ends) if end]
            last = hidden[self._tensor(at), self._tensor([counts[number] - 1 for number in at])]
            ended = self._take(read, last[:, None])
        if self.speculate:  # the MTP module reads too; it sees the token behind each
            ahead = [row.tokens[start + 1 : start + 1 + length] for row, length in zip(rows, counts, strict=True)]
            self.model.draft(self._padded(ahead, S), hidden, lengths, latents, [len(line) for line in ahead])
        for number, (row, piece) in enumerate(zip(rows, pieces, strict=True)):
            row.length = start + len(piece)
            if not start:
                self.cache.latents[:, row.index, : row.length] = latents[:, number, : row.length]
        for row in read:
            self._to_ready(row)
        for end in ended:
            self.retire(*end)

    def _decode(self) -> None:
        """One token for each ready row, and as many drafts as hold."""
        rows = self.rows[: self.ready]
        S = 1 + max(len(row.drafts) for row in rows)
        pending = [[row.tokens[-1], *(draft.token for draft in row.drafts)] for row in rows]
        lengths = self._tensor([row.length for row in rows])
        T = -(-(max(row.length for row in rows) + S + self.speculate) // _ROUND) * _ROUND
        latents = self.cache.latents[:, : len(rows), :T]
        counts = [len(line) for line in pending]
        hidden = self.model.states(self._padded(pending, S), lengths, latents, counts)
        self.steps += 1
        ended = self._take(rows, hidden)
        new = [row.tokens[row.length + 1 :] for row in rows]
        for row, line in zip(rows, new, strict=True):
            row.length += len(line)
        if self.speculate:
            states = self.model.draft(self._padded(new, S), hidden, lengths, latents, [len(line) for line in new])
            last = self._tensor([max(len(line), 1) - 1 for line in new])
            if len(ended) < len(rows):
                self._propose(rows, states[torch.arange(len(rows), device=self.device), last], latents)
        for end in ended:
            self.retire(*end)

    def _propose(self, rows: list[Row], states: Tensor, latents: Tensor) -> None:
        """Draft tokens from the MTP states [B, D] at each row's last cached token; further ones from its own states."""
        wanted = []
        for row in rows:
            row.drafts.clear()
            request = row.running
            # Not where the choice must be told of each draft; not behind the first token, which a read prompt and a
            # copied one reach by different steps: seeds must not see that.
            alone = request.params.shapes_logits or len(request.ids) == 1
            wanted.append(0 if alone else min(self.speculate, request.limit - len(request.ids) - 1))
        for place in range(max(wanted)):
            # Marked like the model's, drafts are kept as often as without a mark; any proposal would be right.
            marks = [row.running.mark([draft.token for draft in row.drafts]) for row in rows]
            shares = distribution(self.model.logits(states)[0], [row.running.params for row in rows])
            shares = self.model.mark(shares, marks) if any(marks) else shares
            tokens = draw(shares, [row.running.random.random() if more > place else 0.0
                                   for row, more in zip(rows, wanted, strict=True)])  # fmt: skip
            for row, more, token, line, share in zip(
                rows, wanted, tokens.tolist(), shares, shares.gather(1, tokens[:, None])[:, 0].tolist(), strict=True
            ):
                if more > place:
                    row.drafts.append(Draft(token, line, share))
                    self.drafted += 1
            if place + 1 < max(wanted):
                behind = self._tensor([row.length + place for row in rows])
                going = [int(more > place + 1) for more in wanted]
                states = self.model.draft(tokens[:, None], states[:, None], behind, latents, going)[:, 0]

    # Tokens

    def _take(self, rows: list[Row], states: Tensor) -> list[Ended]:
        """Choose the next tokens of each row after the states [B, S, D]; who ends by that.

        Drafts are kept or replaced by rejection sampling (arXiv 2211.17192), so the model's distribution stays.
        """
        B, S, _ = states.shape
        logits, norms = self.model.logits(states.flatten(0, 1))
        logits, norms = logits.view(B, S, -1), norms.view(B, S)
        ended: list[Ended] = []
        going = list(range(B))
        for place in range(S):
            here = [rows[number] for number in going]
            at = self._tensor(going) if len(going) < B else slice(None)
            still = []
            for number, row, chosen in zip(
                going, here, self._choose(here, logits[at, place], norms[at, place], place), strict=True
            ):
                if chosen.error:
                    ended.append(Ended(row, "error", chosen.error))
                    continue
                row.tokens.append(chosen.token)
                try:
                    reason = row.running.take(chosen.token, chosen.logprob, chosen.top)
                except CandorError as error:
                    ended.append(Ended(row, "error", error))
                    continue
                if reason:
                    ended.append(Ended(row, reason, None))
                elif chosen.kept:
                    still.append(number)
            if not (going := still):
                break
        return ended

    def _choose(self, rows: list[Row], logits: Tensor, norms: Tensor, place: int) -> list["_Choice"]:
        """The token at one place of each row, from logits [B, vocab] and their log-sum-exp [B]."""
        params = [row.running.params for row in rows]
        errors: dict[int, CandorError] = {}
        shaped = logits
        for at, row in enumerate(rows):
            if params[at].shapes_logits:
                shaped = logits.clone() if shaped is logits else shaped
                try:
                    shaped[at] = _shaped(logits[at], row.running)
                except CandorError as error:
                    errors[at] = error
                except BaseException as error:  # a processor is the user's code, and this thread is not theirs to end
                    errors[at] = RequestError(f"a logits processor failed: {type(error).__name__}: {error}")
        drafts = [row.drafts[place] if place < len(row.drafts) else None for row in rows]
        if not any(drafts):
            tokens, kept = self._draw(rows, shaped), [False] * len(rows)
        else:  # two ways, so that no row's numbers depend on whether its neighbours have drafts
            tokens, kept = self._tensor([0] * len(rows)), [False] * len(rows)
            free = [at for at, draft in enumerate(drafts) if draft is None]
            if free:
                tokens[free] = self._draw([rows[at] for at in free], shaped[free])
            bound = [(at, draft) for at, draft in enumerate(drafts) if draft is not None]
            places = [at for at, _ in bound]
            verified = self._verify([rows[at] for at in places], shaped[places], [draft for _, draft in bound])
            for at, (token, keep) in zip(places, verified, strict=True):
                tokens[at], kept[at] = token, keep
        self.accepted += sum(kept)
        if heated := [at for at, one in enumerate(params) if one.tempered_logprobs and one.temperature not in (0, 1)]:
            logits, norms = logits.clone(), norms.clone()
            logits[heated] /= torch.tensor([params[at].temperature for at in heated], device=self.device)[:, None]
            norms[heated] = logits[heated].logsumexp(-1)
        logprobs = (logits.gather(1, tokens[:, None])[:, 0] - norms).tolist()
        most = max(one.logprobs for one in params)
        tops: list[TopLogprobs] = [()] * len(rows)
        if most:
            best = logits.topk(min(most, logits.shape[1]))
            values = (best.values - norms[:, None]).tolist()
            lines = (zip(*both, strict=True) for both in zip(best.indices.tolist(), values, strict=True))
            tops = [tuple(line)[: one.logprobs] for line, one in zip(lines, params, strict=True)]
        for at, logprob in enumerate(logprobs):
            if logprob != logprob and at not in errors:
                errors[at] = RequestError("the model gave numbers that are not finite; its weights are damaged")
        return [
            _Choice(token, logprob, top, keep, errors.get(at))
            for at, (token, logprob, top, keep) in enumerate(zip(tokens.tolist(), logprobs, tops, kept, strict=True))
        ]

    def _draw(self, rows: list[Row], logits: Tensor) -> Tensor:
        params, marks = [row.running.params for row in rows], [row.running.mark() for row in rows]
        chances = [row.running.random.random() for row in rows]
        return self.model.draw(logits, params, chances, marks if any(marks) else ())

    def _verify(self, rows: list[Row], logits: Tensor, drafts: list["Draft"]) -> list[tuple[int, bool]]:
        """Keep each draft with probability p / q, else draw from what p has more than q; and which it was."""
        probabilities = distribution(logits, [row.running.params for row in rows])
        if any(marks := [row.running.mark() for row in rows]):
            probabilities = self.model.mark(probabilities, marks)
        proposed = self._tensor([draft.token for draft in drafts])
        found = probabilities.gather(1, proposed[:, None])[:, 0].tolist()
        kept = [
            row.running.random.random() * draft.share < share
            for row, draft, share in zip(rows, drafts, found, strict=True)
        ]
        for at, (keep, draft) in enumerate(zip(kept, drafts, strict=True)):
            rest = (probabilities[at] - draft.shares).clamp(min=0)
            if not keep and rest.sum() > 0:
                probabilities[at] = rest
        chances = [0.0 if keep else row.running.random.random() for row, keep in zip(rows, kept, strict=True)]
        tokens = torch.where(self._tensor(kept), proposed, draw(probabilities, chances))
        return list(zip(tokens.tolist(), kept, strict=True))

    def _tensor(self, values: list[Any]) -> Tensor:
        return torch.tensor(values, device=self.device)

    def _padded(self, lines: list[list[int]], width: int) -> Tensor:
        return torch.tensor([[*line, *[0] * (width - len(line))] for line in lines], device=self.device)


def first_line(error: BaseException) -> str:
    """The first line of what an error says; some say nothing."""
    return (str(error).splitlines() or [""])[0]


class _Choice(NamedTuple):
    token: int
    logprob: float
    top: TopLogprobs
    kept: bool
    """It is the draft, so the next place holds."""
    error: CandorError | None


def _shaped(logits: Tensor, request: Request) -> Tensor:
    line = shape(logits, request.params, request.prompt, request.ids)
    if request.grammar:
        line = request.grammar.restrict(line)
    if not float("-inf") < line.max() < float("inf"):
        raise RequestError(
            "penalties, bias and processors leave no token that could come next, or numbers that are none"
        )
    return line
