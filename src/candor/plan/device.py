"""The machine at hand, by probe: its device, memory, and how fast it multiplies."""

import ctypes
import os
import time
from functools import cache
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


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


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The type that `precision` means on this device; auto asks the processor, so the same machine always agrees."""
    if precision == "auto":
        if device.type == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            has = torch.cpu.get_capabilities()
            fast = device.type == "cpu" and bool(has.get("avx512_bf16") or has.get("amx_bf16"))
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks: every step asks for the same sizes, and fetching pages anew costs up to a quarter
    of its time. Does nothing with other C libraries.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD: blocks below 1 GiB come from the heap
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: which is not given back to the system
    except (OSError, AttributeError):
        pass


@cache
def measure_peak(size: int = 1024, seconds: float = 0.3, dtype: torch.dtype = torch.float32) -> float:
    """Matmul FLOP/s of this machine, the best of what fits into `seconds`."""
    device = best_device()
    a = torch.randn(size, size, device=device, dtype=dtype)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        (a @ a).sum().item()
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best
