"""How fast the loader serves batches, beside the speed of the training step it feeds.

.venv/bin/python bench/loader.py          # --json prints one object
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from candor import files
from candor.data.loader import Batch, TokenLoader
from candor.model import Transformer
from candor.model.config import nano
from candor.plan.device import compute_dtype, keep_freed_memory
from candor.records import Provenance
from candor.stages.pretrain import pretrain_loss
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.step import train_step

TOKENS, VOCABULARY, SEQUENCES, LENGTH = 20_000_000, 2048, 16, 256


def tokens_folder(folder: Path) -> Path:
    """20M random tokens, as the tokens stage leaves them."""
    np.random.default_rng(0).integers(0, VOCABULARY, TOKENS, dtype="<u2").tofile(folder / "train-00000.bin")
    index = {"dtype": "<u2", "vocab_size": VOCABULARY, "tokenizer": "none", "bos_id": 0}
    (folder / "index.json").write_text(json.dumps(index | {"shards": [TOKENS], "bytes": TOKENS}))
    Provenance("tokens", {}, {}, 0, files.checksums(folder)).write(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args()
    keep_freed_memory()
    speeds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        for name, masked in (("plain", False), ("with document masks", True)):
            loader = TokenLoader(tokens_folder(Path(place)), LENGTH, lookahead=2, mask_documents=masked)
            loader.next_batch(SEQUENCES)
            start, served = time.perf_counter(), 0
            while time.perf_counter() - start < 3:
                served += loader.next_batch(SEQUENCES).tokens[:, :LENGTH].numel()
            speeds[name] = served / (time.perf_counter() - start)
    model = Transformer(nano(VOCABULARY))
    model.init_weights(0.02)
    if (dtype := compute_dtype("auto", torch.device("cpu"))) != torch.float32:
        model.compute_dtype = dtype
    optimizer = build_optimizer(model, OptimConfig())
    batch = Batch(torch.randint(0, VOCABULARY, (SEQUENCES, LENGTH + 2)), None)
    best = float("inf")
    for _ in range(12):
        start = time.perf_counter()
        train_step(
            model, optimizer, [batch], lambda m, b: pretrain_loss(m, b, mtp_weight=0.3, balance_weight=1e-4),
            SEQUENCES * LENGTH, clip_norm=1.0,
        )  # fmt: skip
        best = min(best, time.perf_counter() - start)
    speeds["step"] = SEQUENCES * LENGTH / best
    ratios = {
        f"step.loader.{name.split()[-1]}": value / speeds["step"] for name, value in speeds.items() if name != "step"
    }
    if arguments.json:
        versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
        print(
            json.dumps(
                {
                    "machine": {"threads": torch.get_num_threads()},
                    "versions": versions,
                    "figures": speeds,
                    "ratios": ratios,
                }
            )
        )
    else:
        for name, value in speeds.items():
            print(f"{name:24} {value:14,.0f} tokens/s")
        for name, value in ratios.items():
            print(f"{name:24} {value:14,.0f}x")


if __name__ == "__main__":
    main()
