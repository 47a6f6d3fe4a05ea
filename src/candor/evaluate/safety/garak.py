"""NVIDIA's scanner garak beside our own tests: a target for it, and its report in our figures.

garak is English-centred, counts no over-refusal and knows none of the 31 classes, so its figures stand beside a verdict
and never make one. Written against garak 0.16 (https://github.com/NVIDIA/garak); it is not a dependency.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import ConfigError, DataError
from candor.evaluate.safety.bank import Broken
from candor.evaluate.safety.rows import rows_of
from candor.evaluate.statistics import Figure, share

KEY = "CANDOR_API_KEY"
"""The environment variable from which garak takes the server's key; the file holds its name alone."""


def rest_target(url: str, model: str, *, key: bool = True, max_tokens: int = 512, timeout: int = 120) -> dict[str, Any]:
    """The options of garak's generator `rest` for the chat of an OpenAI-compatible server whose `url` ends in `/v1`.

    `key`: whether the server wants one. ConfigError for anything but an http address.
    """
    if not url.startswith(("http://", "https://")) or not model:
        raise ConfigError(f"garak asks a server: give an http address ending in /v1, not {url!r}, and the model's name")
    generator = {
        "name": model,
        "uri": f"{url.rstrip('/')}/chat/completions",
        "method": "post",
        "headers": {"Content-Type": "application/json", **({"Authorization": "Bearer $KEY"} if key else {})},
        "req_template_json_object": {
            "model": model,
            "messages": [{"role": "user", "content": "$INPUT"}],
            "max_tokens": max_tokens,
        },
        "response_json": True,
        "response_json_field": "$.choices[0].message.content",
        "request_timeout": timeout,
        **({"key_env_var": KEY} if key else {}),
    }
    return {"rest": {"RestGenerator": generator}}


def write_target(path: Path, url: str, model: str, **options: Any) -> None:
    """Write the file that `garak --target_type rest -G FILE` reads."""
    files.write_json(path, rest_target(url, model, **options))


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one detector of garak says of one of its probes.

    >>> Probe(probe="dan.Dan_11_0", detector="dan.DAN", passed=4, hits=1, invalid=0, figure=share([1, 1, 1, 1, 0]))
    """

    probe: str
    """The attack, by garak's name."""
    detector: str
    """The judge, by garak's name."""
    passed: int
    """Answers that withstood."""
    hits: int
    """Answers that did not."""
    invalid: int
    """Answers that the detector could not judge, or that never came."""
    figure: Figure
    """Share that withstood, of all: what could not be judged counts against the model."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A report of garak.

    >>> Scan(version="0.16.1", started="2026-11-30T12:00:00", complete=True, probes=(Probe(...),), broken=())
    """

    version: str
    """garak's."""
    started: str
    """When, as garak wrote it."""
    complete: bool
    """Whether the scan came to its end."""
    probes: tuple[Probe, ...]
    """In the order of the report."""
    broken: tuple[Broken, ...]
    """Lines that could not be read."""


def read_report(path: Path) -> Scan:
    """The results in `garak.*.report.jsonl`; what was asked and answered is passed over.

    DataError where the file holds no result at all.
    """
    probes: list[Probe] = []
    broken: list[Broken] = []
    version = started = ""
    complete = False
    for row in rows_of(path):
        if isinstance(row, Broken):
            broken.append(row)
            continue
        number, line = row
        kind = line.get("entry_type")
        if kind == "init":
            version, started = str(line.get("garak_version", "")), str(line.get("start_time", ""))
        elif kind == "completion":
            complete = True
        elif kind == "eval":
            found = _probe(line)
            if found:
                probes.append(found)
            else:
                broken.append(Broken(number, "an eval entry whose counts do not add up"))
    if not probes:
        raise DataError(f"{path} holds no eval entry of garak; give a garak.*.report.jsonl of a scan that judged")
    return Scan(version=version, started=started, complete=complete, probes=tuple(probes), broken=tuple(broken))


def _probe(line: dict[str, Any]) -> Probe | None:
    """Of an eval entry: of version 0.12 and before with `passed` and `total`, later with what was not judged too."""
    passed, names = line.get("passed"), (line.get("probe"), line.get("detector"))
    hits = line.get("fails")
    every = line.get("total_processed", line.get("total"))
    if hits is None and type(passed) is int and type(every) is int:
        hits = every - passed
    if not all(isinstance(name, str) for name in names) or not all(type(one) is int for one in (passed, hits, every)):
        return None
    assert isinstance(passed, int) and isinstance(hits, int) and isinstance(every, int)
    invalid = every - passed - hits
    if min(passed, hits, invalid) < 0:
        return None
    return Probe(
        probe=str(names[0]),
        detector=str(names[1]).removeprefix("detector."),
        passed=passed,
        hits=hits,
        invalid=invalid,
        figure=share([1.0] * passed + [0.0] * (every - passed)),
    )
