"""Batches over token files written by hand: each window once per epoch, for any ranks, across a resume."""

import itertools
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.data.loader import TokenLoader, permute
from candor.errors import ConfigError, DataError


def tokens(folder: Path, *shards: Sequence[int]) -> Path:
    """A tokens folder of these ids."""
    folder.mkdir(exist_ok=True)
    for number, shard in enumerate(shards):
        (folder / f"train-{number:05}.bin").write_bytes(struct.pack(f"<{len(shard)}H", *shard))
    sizes = [len(shard) for shard in shards]
    index = {"dtype": "<u2", "vocab_size": 2000, "tokenizer": "none", "bos_id": 0, "shards": sizes, "bytes": 0}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def serve(loader: TokenLoader, sequences: int, **ranks: int) -> list[list[int]]:
    return loader.next_batch(sequences, **ranks).tokens.tolist()


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """Three shards of 0, 1, 2, ... so that a window is known by its first token; the second is too short."""
    return tokens(tmp_path / "tokens", range(1, 103), range(500, 504), range(1000, 1061))


# By hand: windows of 10 with 2 ahead. 102 tokens hold (102 - 2) // 10 = 10, 4 hold none, 61 hold 5.
STARTS = [1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 1000, 1010, 1020, 1030, 1040]


# The order.


@settings(max_examples=200, deadline=None)
@given(size=st.integers(1, 700), key=st.integers(0, 2**70))
def test_permute_is_a_permutation(size: int, key: int) -> None:
    assert sorted(permute(index, size, key) for index in range(size)) == list(range(size))


@settings(max_examples=100, deadline=None)
@given(size=st.integers(2, 2**45), key=st.integers(0, 2**40), index=st.integers(0, 2**45))
def test_permute_stays_within_a_large_range(size: int, key: int, index: int) -> None:
    places = {number % size for number in range(index, index + 50)}
    found = {permute(place, size, key) for place in places}
    assert len(found) == len(places)
    assert 0 <= min(found) <= max(found) < size


def test_permute_mixes() -> None:
    """Neighbours go apart, and 2,000 keys send an index everywhere about equally often."""
    order = [permute(index, 1000, 7) for index in range(1000)]
    assert sum(abs(a - b) == 1 for a, b in itertools.pairwise(order)) < 20  # 2 expected
    assert sum(index == place for index, place in enumerate(order)) < 10  # 1 expected
    counts = torch.bincount(torch.tensor([permute(3, 10, key) for key in range(2000)]), minlength=10)
    assert 130 < int(counts.min()) <= int(counts.max()) < 270  # 200 and five standard deviations


def test_each_window_once_per_epoch_and_another_order_in_the_next(counting: Path) -> None:
    loader = TokenLoader(counting, 10, lookahead=2)
    assert loader.windows == 15
    epochs = [[row[0] for row in serve(loader, 15)] for _ in range(4)]
    assert all(sorted(epoch) == STARTS for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, STARTS]}) == 5
    assert [row[0] for row in serve(TokenLoader(counting, 10, lookahead=2, seed=1), 15)] not in epochs


def test_a_window_is_the_text_and_what_lies_ahead(counting: Path) -> None:
    batch = TokenLoader(counting, 10, lookahead=2).next_batch(15)
    assert batch.tokens.shape == (15, 12)
    assert batch.tokens.dtype == torch.int64
    assert batch.segments is None
    for row in batch.tokens.tolist():
        assert row == list(range(row[0], row[0] + 12))


@pytest.mark.parametrize(("count", "lookahead", "windows"), [(11, 1, 1), (20, 1, 1), (21, 1, 2), (30, 0, 3)])
def test_the_last_window_uses_the_last_token(tmp_path: Path, count: int, lookahead: int, windows: int) -> None:
    loader = TokenLoader(tokens(tmp_path, range(count)), 10, lookahead=lookahead)
    assert loader.windows == windows
    last = max(serve(loader, windows))
    assert last == list(range(10 * windows - 10, 10 * windows + lookahead))


def test_a_batch_may_cross_epochs(counting: Path) -> None:
    loader = TokenLoader(counting, 10, lookahead=2)
    starts = [row[0] for _ in range(9) for row in serve(loader, 10)]
    assert all(sorted(starts[first : first + 15]) == STARTS for first in range(0, 90, 15))
    assert sorted(row[0] for row in serve(TokenLoader(counting, 10, lookahead=2), 30)) == sorted(STARTS * 2)


# Ranks, resume, batch size.


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
def test_the_shares_of_the_ranks_make_up_the_batch(counting: Path, world_size: int) -> None:
    alone = TokenLoader(counting, 10)
    ranks = [TokenLoader(counting, 10) for _ in range(world_size)]
    for _ in range(4):
        shares = [serve(loader, 6, rank=rank, world_size=world_size) for rank, loader in enumerate(ranks)]
        assert all(len(share) == 6 // world_size for share in shares)
        assert [row for share in shares for row in share] == serve(alone, 6)


def test_a_resumed_loader_goes_on_where_the_first_stopped(counting: Path) -> None:
    whole, stopped = TokenLoader(counting, 10, seed=3), TokenLoader(counting, 10, seed=3)
    expected = [serve(whole, 4) for _ in range(12)]
    for batch in expected[:5]:
        assert serve(stopped, 4) == batch
    state = json.loads(json.dumps(stopped.state_dict()))
    resumed = [TokenLoader(counting, 10, seed=3) for _ in range(2)]
    for loader in resumed:
        loader.load_state_dict(state)
    for batch in expected[5:]:  # on two machines now
        assert serve(resumed[0], 4, rank=0, world_size=2) + serve(resumed[1], 4, rank=1, world_size=2) == batch


def test_the_batch_size_may_change_in_mid_run(counting: Path) -> None:
    one_by_one, changing = TokenLoader(counting, 10), TokenLoader(counting, 10)
    expected = [row for _ in range(31) for row in serve(one_by_one, 1)]
    assert [row for size in (2, 2, 5, 5, 16, 1) for row in serve(changing, size)] == expected


@pytest.mark.parametrize(("sequences", "world_size"), [(5, 2), (1, 2), (4, 3)])
def test_a_batch_that_cannot_be_shared(counting: Path, sequences: int, world_size: int) -> None:
    with pytest.raises(ConfigError, match=f"a batch of {sequences} sequences cannot be split over {world_size} ranks"):
        TokenLoader(counting, 10).next_batch(sequences, 0, world_size)


# Documents.


def test_segments_number_the_documents_of_a_window(tmp_path: Path) -> None:
    """Begin is 0: a window that starts in mid-document has that document as number 0, then 1, 2, ..."""
    folder = tokens(tmp_path, [0, 5, 5, 0, 6, 6, 6, 6, 0, 7, 7, 7, 7, 7, 7, 7, 7])
    batch = TokenLoader(folder, 5, lookahead=2, mask_documents=True).next_batch(3)
    assert batch.segments is not None
    found = dict(zip(map(tuple, batch.tokens.tolist()), batch.segments.tolist(), strict=True))
    assert found == {
        (0, 5, 5, 0, 6, 6, 6): [1, 1, 1, 2, 2, 2, 2],
        (6, 6, 6, 0, 7, 7, 7): [0, 0, 0, 1, 1, 1, 1],
        (7, 7, 7, 7, 7, 7, 7): [0, 0, 0, 0, 0, 0, 0],
    }


# What cannot work.


@pytest.mark.parametrize("shards", [[], [range(10)], [range(10), range(10)]])
def test_too_little_text_is_one_line(tmp_path: Path, shards: list[Sequence[int]]) -> None:
    with pytest.raises(ConfigError) as caught:
        TokenLoader(tokens(tmp_path / "tokens", *shards), 10)
    total = 10 * len(shards)
    assert str(caught.value) == (
        f"{tmp_path / 'tokens'} holds {total} training tokens, fewer than one window of 10 + 1; "
        "give more text or lower pretrain.sequence_length"
    )


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:-2], lambda data: data + b"\0\0", None])
def test_a_shard_of_another_size_is_named(counting: Path, change: Any) -> None:
    shard = counting / "train-00002.bin"
    data = shard.read_bytes()
    if change:
        shard.write_bytes(change(data))
    else:
        shard.unlink()
    with pytest.raises(DataError, match=r"train-00002.bin has \d+ bytes instead of 122; run the tokens stage again"):
        TokenLoader(counting, 10)
