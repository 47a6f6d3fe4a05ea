"""RGB, HaluEval, TruthfulQA, SimpleQA and Chinese SimpleQA as published; a broken row is counted, never guessed."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from candor.errors import ConfigError, DataError
from candor.evaluate.facts.items import FactItem, FactSet
from candor.problems import Lang

Fields = dict[str, Any]
_JUDGED = (
    "{question}\n\nAnswer to be judged: {said}\n\nDoes this answer hold facts that are made up or cannot be checked? "
    "Say yes or no."
)


class _BrokenError(Exception):
    """What is wrong with a row, in words."""


def read_facts(name: str, path: Path) -> FactSet:
    """A set in the format `name` (of FACT_READERS). DataError where the file cannot be read or holds no good row."""
    if name not in FACT_READERS:
        raise ConfigError(f"there is no format of facts {name!r}; known: {', '.join(FACT_READERS)}")
    read = FACT_READERS[name]
    items: list[FactItem] = []
    broken: dict[int, str] = {}
    rows = 0
    for number, fields in enumerate(_rows(path), start=1):
        rows = number
        try:
            if isinstance(fields, str):
                raise _BrokenError(fields)
            items += read(fields, number)
        except _BrokenError as error:
            broken[number] = str(error)
    if not items:
        why = next(iter(broken.values()), "it is empty")
        raise DataError(f"{path} holds no row of {name} ({why}); check the file and the format")
    return FactSet(name, tuple(items), rows, broken)


def _rows(path: Path) -> Iterator[Fields | str]:
    """Rows of CSV, JSONL or a JSON list; a line that is none comes as what is wrong with it."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path") from None
    if path.suffix.lower() in (".csv", ".tsv"):
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            yield from (_checked(row) for row in reader)
        except csv.Error as error:
            yield f"is no row of CSV ({error})"
    elif text.lstrip().startswith("["):
        try:
            yield from (_checked(row) for row in json.loads(text))
        except json.JSONDecodeError as error:
            raise DataError(f"{path} is not JSON ({error}); download it again") from None
    else:
        for line in filter(str.strip, text.split("\n")):
            try:
                yield _checked(json.loads(line))
            except json.JSONDecodeError as error:
                yield f"is not JSON ({error.msg})"


def _checked(row: Any) -> Fields | str:
    if not isinstance(row, dict):
        return f"is a {type(row).__name__}, not an object"
    if None in row:
        return "has more columns than the header"
    return "holds bytes that are not UTF-8" if "\ufffd" in json.dumps(row, ensure_ascii=False, default=str) else row


def _text(row: Fields, *names: str) -> str:
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    raise _BrokenError(f"has no text in the field {' or '.join(names)}")


def _texts(row: Fields, name: str) -> tuple[str, ...]:
    value = row.get(name)
    if not isinstance(value, list):
        raise _BrokenError(f"has no list in the field {name}")
    flat = [one for part in value for one in (part if isinstance(part, list) else [part])]
    if not all(isinstance(one, str) for one in flat):
        raise _BrokenError(f"has something else than texts in the field {name}")
    return tuple(one for one in flat if one.strip())


def _lang(text: str) -> Lang:
    return "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"


def _rgb(row: Fields, number: int) -> list[FactItem]:
    """Answers are a text, a list of parts, or a list of lists of ways to say each part (RGB's own `checkanswer`)."""
    question, value = _text(row, "query"), row.get("answer")
    parts = value if isinstance(value, list) else [value]
    answers = tuple(tuple(part) if isinstance(part, list) else (part,) for part in parts)
    said = [way for part in answers for way in part]
    if not said or not all(isinstance(way, str) and way.strip() for way in said):
        raise _BrokenError("has no answer that is a text or a list of them")
    fake = row.get("fakeanswer", [])
    wrong = tuple(one for one in (fake if isinstance(fake, list) else [fake]) if isinstance(one, str))
    holding, noise = _texts(row, "positive"), _texts(row, "negative")
    own = str(row.get("id", number))
    return [FactItem(own, _lang(question), question, answers, wrong, holding, noise)]


def _halueval(row: Fields, number: int) -> list[FactItem]:
    """`general` asks whether one response is made up; the others give a right one and a made-up one."""
    if "user_query" in row:
        label = str(row.get("hallucination", "")).strip().lower()
        if label not in ("yes", "no"):
            raise _BrokenError(f"has hallucination={row.get('hallucination')!r}, neither yes nor no")
        question, said = _text(row, "user_query"), _text(row, "chatgpt_response")
        asked = _JUDGED.format(question=question, said=said)
        return [FactItem(str(row.get("ID", number)), "en", asked, ((label,),), ("no" if label == "yes" else "yes",))]
    question = _text(row, "question", "dialogue_history", "document")
    right = _text(row, "right_answer", "right_response", "right_summary")
    wrong = _text(row, "hallucinated_answer", "hallucinated_response", "hallucinated_summary")
    knowledge = (_text(row, "knowledge"),) if "knowledge" in row else ()
    return [FactItem(str(number), _lang(question), question, ((right,),), (wrong,), knowledge)]


def _truthfulqa(row: Fields, number: int) -> list[FactItem]:
    question = _text(row, "Question", "question")
    if "Best Answer" in row:
        right = dict.fromkeys([_text(row, "Best Answer"), *_split(_text(row, "Correct Answers"))])
        wrong = tuple(_split(_text(row, "Incorrect Answers")))
    else:
        targets = row.get("mc2_targets")
        if not isinstance(targets, dict):
            raise _BrokenError("has no object in the field mc2_targets")
        right = dict.fromkeys(one for one, true in targets.items() if true == 1)
        wrong = tuple(one for one, true in targets.items() if true == 0)
    if not right or not wrong:
        raise _BrokenError("has no true or no false answer")
    return [FactItem(str(number), _lang(question), question, (tuple(right),), wrong)]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _simpleqa(row: Fields, number: int) -> list[FactItem]:
    """English rows have `problem`, Chinese ones `question`; both one answer."""
    question = _text(row, "problem", "question")
    return [FactItem(str(row.get("id") or number), _lang(question), question, ((_text(row, "answer"),),))]


FACT_READERS: dict[str, Callable[[Fields, int], list[FactItem]]] = {
    "rgb": _rgb,
    "halueval": _halueval,
    "truthfulqa": _truthfulqa,
    "simpleqa": _simpleqa,
    "chinese_simpleqa": _simpleqa,
}
"""The formats that can be read, by name."""
