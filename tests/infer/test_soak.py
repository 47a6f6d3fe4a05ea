"""Ten thousand requests of all lengths, cancelled, abandoned or served: none lost, none mixed up, nothing left over."""

import asyncio
import os
import random
import resource
import sys
import time
from pathlib import Path

import pytest

from candor.infer import Completion, Engine, SamplingParams
from candor.model import Transformer
from candor.text import Tokenizer
from tests.infer.conftest import random_prompts

REQUESTS = 10_000
SECONDS = None if os.environ.get("CANDOR_SOAK") == "1" else 20.0


def resident() -> float:
    """MiB of memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.slow
@pytest.mark.parametrize("speculate", [0, 2])
@pytest.mark.timeout(3600)
def test_soak(model: Transformer, tokenizer: Tokenizer, speculate: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Without CANDOR_SOAK=1 it stops after 20 seconds, and says how many it reached."""
    kinds = 50
    prompts = random_prompts(kinds, seed=8)
    params = [
        SamplingParams(temperature=n % 2, seed=n, max_tokens=1 + n % 23, ignore_eos=n % 3 > 0) for n in range(kinds)
    ]
    source = random.Random(1)
    ended = {"whole": 0, "left": 0}
    memory: list[float] = []

    with Engine(model, tokenizer, max_sequences=1, num_speculative_tokens=speculate) as engine:
        expected = [engine.generate([prompt], one)[0] for prompt, one in zip(prompts, params, strict=True)]

    async def one(engine: Engine) -> None:
        kind, patience = source.randrange(kinds), source.choice([0, 1, 2, 5, 99, 99, 99])
        events, seen = engine.stream(prompts[kind], params[kind]), 0
        async for event in events:
            patience -= 1
            if isinstance(event, Completion):
                assert (event.token_ids, event.text) == (expected[kind].token_ids, expected[kind].text)
                ended["whole"] += 1
                break
            assert event.token_ids == expected[kind].token_ids[seen : seen + len(event.token_ids)]
            seen += len(event.token_ids)
            if patience < 0:
                ended["left"] += 1
                break
        await events.aclose()  # type: ignore[attr-defined]

    async def all_of_them(engine: Engine) -> int:
        begun, started, pending = time.monotonic(), 0, set()
        while started < REQUESTS and (SECONDS is None or time.monotonic() - begun < SECONDS):
            while len(pending) < 150:
                pending.add(asyncio.create_task(one(engine)))
                started += 1
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if started % 100 < len(done):
                memory.append(resident())
        for task in pending:
            await task
        return started

    with Engine(
        model, tokenizer, max_sequences=32, prefill_tokens=64, cache_tokens=32 * 64, num_speculative_tokens=speculate
    ) as engine:
        started = asyncio.run(all_of_them(engine))
        engine.reset_prefix_cache()  # waits until nothing runs
        stats = engine.stats
    assert ended["whole"] + ended["left"] == started and ended["left"] > started / 10
    assert (stats.running, stats.waiting, stats.used_tokens, stats.kept_tokens) == (0, 0, 0, 0)
    early, late = max(memory[: len(memory) // 3 + 1]), max(memory)
    with capsys.disabled():
        said = f"{started:,} requests, {ended['left']:,} abandoned; memory {early:,.0f} -> {late:,.0f} MiB"
        sys.stdout.write(f"\n  {said}")
    assert late - early < 40
