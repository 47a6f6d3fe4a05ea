"""Work in pieces, by processes of this machine or by Ray Data: each leaves a folder, and a finished one is kept."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import candor.errors
from candor import files
from candor.errors import CandorError, ConfigError, DataError
from candor.records import Progress

T = TypeVar("T")
Engine = Literal["local", "ray"]
Work = Callable[[Path, T], dict[str, Any]]
"""`work(folder, task)`: fill the folder, and give figures of it as JSON."""
_RECEIPT = "receipt.json"
_PATIENCE = 3


class Executor:
    """Those who work: this process alone, several processes, or a Ray cluster, for as long as the `with` block lasts.

    >>> with Executor(workers=4) as executor:
    ...     figures = executor.run(folder, work, tasks, progress)
    """

    def __init__(self, workers: int = 1, engine: Engine = "local"):
        self.workers, self.engine = workers, engine
        self._pool: ProcessPoolExecutor | None = None
        self._started_ray = False

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._dismiss()
        if self._started_ray:
            import ray

            ray.shutdown()

    def _dismiss(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def run(self, place: Path, work: Work[T], tasks: Sequence[T], progress: Progress) -> list[dict[str, Any]]:
        """`work` on every task, each in a folder of its own below `place`, and the figures of each in order.

        A folder that is there and whole is kept, so the same call goes on after a kill; a worker that dies costs its
        task.
        """
        place.mkdir(parents=True, exist_ok=True)
        jobs = [(number, task) for number, task in enumerate(tasks) if not _whole(place / f"{number:06}")]
        done = len(tasks) - len(jobs)
        progress(done, len(tasks), "")
        one = partial(_one, place, work)
        if self.engine == "ray":
            finished = self._by_ray(one, jobs)
        elif self.workers == 1 or len(jobs) < 2:
            finished = map(one, jobs)
        else:
            finished = self._by_processes(one, jobs)
        for _ in finished:
            done += 1
            progress(done, len(tasks), "")
        return [files.read_json(place / f"{number:06}" / _RECEIPT)["figures"] for number in range(len(tasks))]

    def _by_processes(self, one: Callable[[tuple[int, T]], int], jobs: Sequence[tuple[int, T]]) -> Iterator[int]:
        """A pool that breaks because a worker was killed is followed by another."""
        left = dict(jobs)
        broken = 0
        while left:
            before = len(left)
            try:
                for number in self._by_pool(one, list(left.items())):
                    del left[number]
                    yield number
            except BrokenProcessPool:
                self._dismiss()
                broken = broken + 1 if len(left) == before else 0
                if broken == _PATIENCE:
                    raise DataError(
                        f"worker processes died {_PATIENCE} times without finishing anything: there may be too little "
                        "memory; use fewer of them (--workers), the same command then goes on"
                    ) from None

    def _by_pool(self, one: Callable[[tuple[int, T]], int], jobs: Sequence[tuple[int, T]]) -> Iterator[int]:
        if self._pool is None:
            # Spawned, not forked: a process that has started torch's threads cannot be copied.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_ready)
        waiting: set[Future[int]] = set()
        coming = iter(jobs)
        while True:
            while len(waiting) < 2 * self.workers and (job := next(coming, None)) is not None:
                waiting.add(self._pool.submit(one, job))
            if not waiting:
                return
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()

    def _by_ray(self, one: Callable[[tuple[int, T]], int], jobs: Sequence[tuple[int, T]]) -> Iterator[int]:
        """Ray Data, streaming; every node must see the folder."""
        if not jobs:
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
        try:
            import ray
        except ImportError:
            raise ConfigError("the Ray engine needs an extra; run: pip install 'candor-lm[ray]'") from None
        if not ray.is_initialized():
            quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
            if "RAY_ADDRESS" not in os.environ:  # a cluster has its own
                quiet |= {"num_cpus": self.workers, "include_dashboard": False, "object_store_memory": 200 * 2**20}
            ray.init(**quiet)
            self._started_ray = True
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([{"job": number} for number in range(len(jobs))], override_num_blocks=len(jobs))
        held = ray.put(list(jobs))

        def work(row: dict[str, Any]) -> dict[str, Any]:
            try:
                return {"number": one(ray.get(held)[row["job"]]), "error": ""}
            except CandorError as error:  # Ray would wrap it into a page of its own
                return {"number": -1, "error": f"{type(error).__name__}\n{error}"}

        for row in rows.map(work, concurrency=self.workers).iter_rows():
            if row["error"]:
                kind, _, text = row["error"].partition("\n")
                raise getattr(candor.errors, kind)(text)
            yield row["number"]


def _one(place: Path, work: Work[T], job: tuple[int, T]) -> int:
    number, task = job
    with files.atomic_dir(place / f"{number:06}") as folder:
        figures = work(folder, task)
        files.write_json(folder / _RECEIPT, {"figures": figures, "files": files.checksums(folder)})
    return number


def _whole(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    try:
        return not files.damage(folder, files.read_json(folder / _RECEIPT)["files"])
    except (DataError, KeyError, TypeError):
        return False


def _ready() -> None:
    """A worker leaves Ctrl-C to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
