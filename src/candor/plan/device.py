"""The machine at hand, by probe: its device, memory, and how fast it multiplies."""

import os
import time
from functools import cache

import torch


def best_device() -> torch.device:
    """cuda, then mps, then cpu: the first on which a small product works."""
    for name in ("cuda", "mps"):
        try:
            torch.ones(2, 2, device=name).mm(torch.ones(2, 2, device=name)).sum().item()
            return torch.device(name)
        except (RuntimeError, AssertionError, NotImplementedError):
            continue
    return torch.device("cpu")


def device_memory(device: torch.device) -> int:
    """Bytes of memory in all: the GPU's own, else the machine's."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@cache
def measure_peak(size: int = 1024, seconds: float = 0.3) -> float:
    """Float32 matmul FLOP/s of this machine, the best of what fits into `seconds`."""
    device = best_device()
    a = torch.randn(size, size, device=device)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        (a @ a).sum().item()
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best
