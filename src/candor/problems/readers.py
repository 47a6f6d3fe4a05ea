"""Real problem sets as `Problem`s, from the files as published or from the hub, and what two sets have in common."""

import difflib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from candor.errors import ConfigError, DataError
from candor.problems import sets
from candor.problems.problem import Form, Lang, Problem, Question
from candor.rows import Layout, Row, read_rows


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How one published set is read."""

    name: str
    """As in the registry; the family of its problems."""
    hub: str
    """Where it is on the hub."""
    item: Callable[[Row], Question]
    """What a row says."""
    lang: Lang = "en"
    """Language of its questions."""
    form: Form = "value"
    """What answers look like."""
    version: int = 1
    """Goes up with every change of what is asked or accepted."""
    hidden: bool = False
    """Whether its questions may harm, so that no report shows them."""
    test: tuple[str, ...] = ("test",)
    """What the set calls the split that is for evaluation; the first of these that is there."""
    columns: tuple[str, ...] = ()
    """Columns of its CSV or TSV files, where these have no header line."""
    unfold: Callable[[Row], Iterable[Row]] = lambda row: (row,)
    """The questions within a row."""
    key: Callable[[str], Mapping[str, Any]] = lambda source: {}
    """Answers by the id of their question, where a set keeps them in a file of their own."""
    holds: Callable[[Row, str], bool] = lambda row, split: True
    """Whether a row is of a split, where one file holds them all."""

    def problem(self, row: Row) -> Problem:
        """The problem in a row. DataError where a field is missing."""
        asked = vars(self.item(row))
        return Problem(
            family=self.name, version=self.version, lang=self.lang, form=self.form, origin=row.origin, **asked
        )


def read(name: str, source: str | Path, *, split: str = "test", limit: int | None = None) -> list[Problem]:
    """The problems of a set, in the order of its rows; `limit` takes the first ones.

    `source` is a file, a folder or `hf:owner/name[:config][@split]`, such as the reader's `hub`.
    `split` picks among the splits of a dataset and the files of a folder that name theirs; a single file is read as
    it is. A question that comes again is told apart by its `time`.
    """
    if name not in READERS:
        near = difflib.get_close_matches(name, READERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(READERS)}"
        raise ConfigError(f"there is no problem set {name!r}; {hint}")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit={limit} must be 1 or more; leave it out to read all")
    reader = READERS[name]
    if split == "train" and split in reader.test:
        raise ConfigError(f"{name} has nothing to train on: its split 'train' is its test; read it with split='test'")
    problems: list[Problem] = []
    times: Counter[str] = Counter()
    for row in _questions(reader, source, split):
        problem = reader.problem(row)
        times[problem.id] += 1
        again = times[problem.id]
        problems.append(replace(problem, time=again))
        if len(problems) == limit:
            break
    if not problems:
        raise DataError(f"{source} holds no question of {name} for {split!r}; check the file and the split")
    return problems


def _questions(reader: Reader, source: str | Path, split: str) -> Iterator[Row]:
    layout = Layout(columns=reader.columns, splits=reader.test if split == "test" else (split,))
    key = reader.key(str(source))
    for row in read_rows(source, layout):
        if key:
            row.fields["answer"] = key.get(str(row.fields.get("id")))
        try:
            json.dumps(row.fields, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{row.where} holds a lone surrogate, which is no character; mend or remove the row"
            ) from None
        yield from (each for each in reader.unfold(row) if reader.holds(each, split))


def overlap(train: Iterable[Problem], test: Iterable[Problem]) -> list[Problem]:
    """The problems of `train` whose question is also asked in `test`, whatever its case, spaces and punctuation."""
    asked = {normal_text(problem.prompt) for problem in test}
    return [problem for problem in train if normal_text(problem.prompt) in asked]


def normal_text(text: str) -> str:
    """A text without what does not tell questions apart: case, width, spaces, and punctuation except in numbers.

    >>> normal_text("What is １,000 - 3.5?") == normal_text("what is 1000 -3.5")
    """
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", unicodedata.normalize("NFKC", text).casefold())
    # Numbers and the signs between them; letters of any script; marks of arithmetic. Nothing else is kept.
    tokens = re.findall(r"\d+(?:\.\d+)?|-(?=\s*\d)|[^\W\d_]+|[+*/^=<>%×÷√]", text)
    joined = " ".join(tokens)
    return re.sub(r"(?<=[^\W\d_]) (?=[^\W\d_])", "", joined)


def _mbpp_holds(row: Row, split: str) -> bool:
    """The splits of MBPP by task, as its authors state them."""
    parts = {"prompt": (1, 10), "test": (11, 510), "validation": (511, 600), "train": (601, 974)}
    first, last = parts.get(split, (1, 974))
    number = row.fields.get("task_id")
    return not isinstance(number, int) or first <= number <= last


def _truthfulqa(mc: int) -> Reader:
    hub = "hf:truthfulqa/truthful_qa:multiple_choice"
    return Reader(
        name=f"truthfulqa_mc{mc}", hub=hub, form="option", item=partial(sets.truthfulqa, mc=mc), test=("validation",)
    )


def _squad(name: str, hub: str, lang: Lang = "en", unanswerable: bool = False) -> Reader:
    item = partial(sets.squad, lang=lang, unanswerable=unanswerable)
    return Reader(
        name=name, hub=hub, form="span", item=item, lang=lang, test=("validation", "dev"), unfold=sets.questions
    )


def _safetybench(lang: Lang) -> Reader:
    hub, name = f"hf:thu-coai/SafetyBench:dev@{lang}", f"safetybench_{lang}"
    item, key = sets.safetybench, sets.safetybench_key
    return Reader(name=name, hub=hub, form="option", item=item, lang=lang, hidden=True, test=(lang,), key=key)


_ALL = [
    Reader(name="gsm8k", hub="hf:openai/gsm8k:main", item=sets.gsm8k),
    Reader(name="math", hub="hf:HuggingFaceH4/MATH-500", item=sets.math),
    Reader(name="svamp", hub="hf:ChilleD/SVAMP", item=sets.svamp),
    Reader(name="cmath", hub="hf:weitianwen/cmath", item=sets.cmath, lang="zh"),
    Reader(name="mgsm_en", hub="hf:juletxara/mgsm:en", item=sets.mgsm, columns=("question", "answer")),
    Reader(name="mgsm_zh", hub="hf:juletxara/mgsm:zh", item=sets.mgsm, lang="zh", columns=("question", "answer")),
    Reader(
        name="mmlu", hub="hf:cais/mmlu:all", item=sets.lettered, form="option", columns=("question", *"ABCD", "answer")
    ),
    # C-Eval keeps the answers of its test split to itself.
    Reader(
        name="ceval",
        hub="hf:ceval/ceval-exam",
        item=sets.lettered,
        form="option",
        lang="zh",
        test=("val", "validation"),
    ),
    _truthfulqa(1),
    _truthfulqa(2),
    _safetybench("en"),
    _safetybench("zh"),
    _squad("squad", "hf:rajpurkar/squad"),
    _squad("squad2", "hf:rajpurkar/squad_v2", unanswerable=True),
    _squad("xquad_en", "hf:google/xquad:xquad.en"),
    _squad("xquad_zh", "hf:google/xquad:xquad.zh", "zh"),
    _squad("cmrc2018", "hf:hfl/cmrc2018", "zh"),
    Reader(name="ifeval", hub="hf:google/IFEval", item=sets.ifeval, form="free", test=("train",)),
    Reader(name="humaneval", hub="hf:openai/openai_humaneval", item=sets.humaneval, form="code"),
    Reader(name="mbpp", hub="hf:google-research-datasets/mbpp:full", item=sets.mbpp, form="code", holds=_mbpp_holds),
]
READERS: dict[str, Reader] = {reader.name: reader for reader in _ALL}
"""The sets that can be read, by name."""
