"""What tests of several folders share: public data by environment variable, and a disk that refuses."""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before torch is imported, as the command does

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public data sets; a test that needs one is skipped, and says so, where it is absent."""
    named = os.environ.get("CANDOR_TEST_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no public data here; name its folder with CANDOR_TEST_DATA")
    return folder


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes in the block: what a full disk does, for anyone who may run a test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
