"""The result of an audit: a figure with its control, a threshold, a verdict, and what it does not show."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from candor import files
from candor.errors import DataError
from candor.evaluate.statistics import Figure, share
from candor.records import code_version

Outcome = Literal["pass", "fail", "not shown"]
"""Below the threshold with 95% certainty, above it, or neither."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """One question about a model's memory, and the answer.

    >>> Audit(name="extraction.random", asked="...", measured=Figure(...), control=Figure(...),
    ...       compared="held-out text", judged=Figure(...), threshold=0.02, outcome="pass", limits="...")
    """

    name: str
    """`extraction.random`, `canaries`, `persons`, `copying`, ..."""
    asked: str
    """What was asked of the model, in a sentence."""
    measured: Figure
    """Of the model, on what it may have learnt."""
    control: Figure | None
    """The same where nothing can have been learnt."""
    compared: str
    """What the control is: a model that never saw the text, held-out text, a formula."""
    judged: Figure
    """What the threshold is for: the difference, or the measured figure itself."""
    threshold: float
    """Largest `judged` that is tolerated."""
    outcome: Outcome
    """`pass` where all of the interval of `judged` is at most the threshold, `fail` where all is above it."""
    limits: str
    """What it does not show."""
    parts: dict[str, Figure] = field(default_factory=dict)
    """Further figures by name: by number of copies, near-verbatim, ..."""
    counts: dict[str, int] = field(default_factory=dict)
    """Further counts by name, such as a histogram of the longest copied stretches."""


@dataclass(frozen=True, kw_only=True)
class MemoryReport:
    """All audits of one model: the file `memory.json`.

    >>> MemoryReport(model="runs/laptop/model", corpus="runs/laptop/corpus", control="", settings={}, audits=(...))
    """

    model: str
    """The model as the user named it."""
    corpus: str
    """The text that it learnt."""
    control: str
    """The model that never saw that text; "" where held-out text stands in for one."""
    settings: dict[str, Any]
    """How much was asked, and the thresholds."""
    audits: tuple[Audit, ...]
    """The audits in the order in which they were made."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Audits that could not be made, and why: none of them counts as passed."""
    seconds: float = 0.0
    """Time that it took."""
    code: str = field(default_factory=code_version)
    """`code_version()` of the auditor."""

    @property
    def outcome(self) -> Outcome:
        """`fail` where any audit fails, `pass` where all pass and none is left out."""
        found = {audit.outcome for audit in self.audits}
        if "fail" in found:
            return "fail"
        return "pass" if found == {"pass"} and not self.left_out else "not shown"

    def write(self, path: Path) -> None:
        """As JSON; what is no number becomes null."""
        files.write_json(path, plain(dataclasses.asdict(self) | {"outcome": self.outcome}))

    @classmethod
    def read(cls, path: Path) -> "MemoryReport":
        """What `write` wrote; DataError where it has another form."""
        values = files.read_json(path)
        try:
            values.pop("outcome")
            audits = tuple(_audit(row) for row in values.pop("audits"))
            return cls(audits=audits, **values)
        except (TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{path} is no report of memory ({error!r}); make the audit again") from None


def _audit(row: dict[str, Any]) -> Audit:
    figures = {name: row[name] and _figure(row[name]) for name in ("measured", "control", "judged")}
    return Audit(**row | figures | {"parts": {name: _figure(one) for name, one in row["parts"].items()}})


def _figure(values: dict[str, Any]) -> Figure:
    return Figure(**values | {"value": math.nan if values["value"] is None else values["value"]})


def plain(value: Any) -> Any:
    """As JSON can hold it: null for what is no number."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def outcome_of(judged: Figure, threshold: float, fails_above: float | None = None) -> Outcome:
    """The verdict by the ends of the 95% interval; `fails_above` where less than the threshold is already too much.

    A figure without an interval, or that is no number, shows nothing.
    """
    if judged.low is None or judged.high is None or not math.isfinite(judged.value):
        return "not shown"
    if judged.low > (threshold if fails_above is None else fails_above):
        return "fail"
    return "pass" if judged.high <= threshold else "not shown"


def clustered(values: Sequence[float], owners: Sequence[int]) -> Figure:
    """Mean over owners (documents) of the mean of their values between 0 and 1: values of one are not independent."""
    groups: dict[int, list[float]] = {}
    for value, owner in zip(values, owners, strict=True):
        groups.setdefault(owner, []).append(value)
    return share([sum(own) / len(own) for own in groups.values()], max(map(len, groups.values()), default=1))
