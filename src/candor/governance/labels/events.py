"""Labels of JSON bodies, of streams of server-sent events, and of HTTP answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

from candor.errors import ConfigError
from candor.governance.labels.carrier import (
    GENERATED,
    SOURCE_TYPE,
    Carrier,
    Found,
    Reading,
    SourceType,
    Unreadable,
    decode,
    printable,
    splice,
)
from candor.governance.labels.explicit import Notice, any_lawful, notices
from candor.governance.labels.record import Label, Problem, is_label_name

_SPACE = re.compile(r"[ \t\r\n]*")
_NOTICE = "notice"
_DEPTH = 8
"""Levels of objects and lists that are searched for a label."""
_SAFE = re.compile(r"[\x20-\x7E]*")
_PLACES = Problem("GB 45438-2025 6.1", "", "put the same label into the first and the last event")


def envelope(label: Label, notice: Notice | None) -> dict[str, Any]:
    """The members that an answer in JSON carries beside its content, which is never altered."""
    source = {SOURCE_TYPE: GENERATED} if label.says_generated else {}
    return {"AIGC": label.values(), **source} | ({_NOTICE: notice.text} if notice else {})


def disclosure_header(model: str, provider: str, at: int) -> str:
    """The value of the HTTP header AI-Disclosure: an RFC 9651 dictionary (draft-abaris-aicdh-01); `at` in Unix seconds.

    ConfigError for names with what is not printable ASCII.

    >>> disclosure_header("candor-laptop", "Example", 1745286896)
    'mode=ai-originated; model="candor-laptop"; provider="Example"; date=@1745286896'
    """
    for name, value in (("model", model), ("provider", provider)):
        if not _SAFE.fullmatch(value):
            raise ConfigError(f"{name} {value!r} of AI-Disclosure holds what is not printable ASCII")
    quoted = [re.sub(r'(["\\])', r"\\\1", value) for value in (model, provider)]
    return f'mode=ai-originated; model="{quoted[0]}"; provider="{quoted[1]}"; date=@{at}'


# JSON


class _Object(dict[str, Any]):
    """An object that remembers a name that stands twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


_DECODER = json.JSONDecoder(object_pairs_hook=_Object)
_Member = tuple[str, Any, int, int]
"""Name, value and extent of a member."""


def _members(text: str) -> Iterator[_Member]:
    """The members of a JSON object, nothing else parsed twice."""
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise Unreadable("is no JSON object; a list or a value has no place for a label: wrap it in an object")
    at = _skip(text, at + 1)
    more = text[at : at + 1] != "}"
    while more:
        if text[at : at + 1] != '"':
            raise ValueError(f"no name at character {at}")
        start = at
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise ValueError(f"no colon at character {at}")
        value, at = _DECODER.raw_decode(text, _skip(text, at + 1))
        yield name, value, start, at
        at = _skip(text, at)
        more = text[at : at + 1] == ","
        if more:
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise ValueError(f"no comma at character {at}")
    if text[_skip(text, at + 1) :]:
        raise ValueError(f"more behind the object at character {at + 1}")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _parsed(text: str) -> list[_Member]:
    try:
        return list(_members(text))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is no JSON ({error!s:.80})") from error


def _found(members: list[_Member], where: str) -> list[Found]:
    """The labels among the members, and those inside other members, with the way there."""
    found = [Found(printable(name), _json_text(value), where) for name, value, *_ in members if is_label_name(name)]
    for way, name, value in _nested(members):
        found.append(Found(printable(name), _json_text(value), f"{where}, inside {way}"))
    return found


def _nested(members: list[_Member]) -> Iterator[tuple[str, str, Any]]:
    """Way, name and value of what is called AIGC in the values of the other members, _DEPTH levels deep."""
    waiting = [(printable(name), value, 1) for name, value, *_ in members if not is_label_name(name)]
    while waiting:
        way, value, depth = waiting.pop()
        inner = value.pairs if isinstance(value, _Object) else []
        yield from ((way, name, one) for name, one in inner if name.lower() == "aigc")
        if isinstance(value, list):
            inner = [(str(number), one) for number, one in enumerate(value)]
        if depth < _DEPTH:
            waiting += [
                (f"{way}.{printable(name)}"[:100], one, depth + 1)
                for name, one in inner
                if isinstance(one, _Object | list) and name.lower() != "aigc"
            ]


def _json_text(value: Any) -> str:
    """A value as JSON text, with names that stand twice; a string as it is."""
    if isinstance(value, str):
        return printable(value)
    if not isinstance(value, _Object):
        return printable(json.dumps(value, ensure_ascii=False))
    members = (f"{json.dumps(printable(name))}:{_inner(one)}" for name, one in value.pairs)
    return "{" + ",".join(members) + "}"


def _inner(value: Any) -> str:
    return _json_text(value) if isinstance(value, _Object) else printable(json.dumps(value, ensure_ascii=False))


def _reading(text: str, where: str) -> Reading:
    members = _parsed(text)
    values = {name: value for name, value, *_ in members}
    shown, source = values.get(_NOTICE), values.get(SOURCE_TYPE)
    marks = (SourceType(SOURCE_TYPE, printable(source)),) if isinstance(source, str) else ()
    lines = notices([printable(shown)]) if isinstance(shown, str) else []
    try:
        return Reading(tuple(_found(members, where)), tuple(lines), marks)
    except RecursionError:
        raise Unreadable("has a label that nests too deep") from None


def _read_json(data: bytes) -> Reading:
    return _reading(decode(data).text, "the object's members")


def _write_json(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    return decoded.encode(_labelled(decoded.text, label, notice))


def _labelled(text: str, label: Label, notice: Notice | None) -> str:
    """A JSON object with the label as its first members, everything else as it was written."""
    members = _parsed(text)
    for way, name, _ in _nested(members):
        raise Unreadable(
            f"has its label inside {way}: {printable(name)!r:.20}; move it to the top of the object, then label again"
        )
    new = envelope(label, notice)
    own = [value for name, value, *_ in members if name == _NOTICE]
    if notice and own:
        if not isinstance(own[-1], str) or not any_lawful(notices([own[-1]])):
            raise Unreadable("has a member notice of its own that says something else; rename it, then label again")
        del new[_NOTICE]
    kept = [one for one in members if not is_label_name(one[0]) and one[0] not in new]
    opening = text.index("{") + 1
    gap = text[opening : _skip(text, opening)] if members else ""
    written = [f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}" for name, value in new.items()]
    written += [text[start:end] for _, _, start, end in kept]
    behind = members[-1][3] if members else opening
    return text[:opening] + gap + f",{gap}".join(written) + text[behind:]


# Server-sent events


def _events(text: str) -> list[tuple[int, int, str]]:
    """The extents and the data of the events with an object, in order; `[DONE]` and comments are none."""
    found = []
    for match in re.finditer(r"^data:[ ]?(.*)$", text, re.MULTILINE):
        if match[1].lstrip().startswith("{"):
            found.append((match.start(1), match.end(1), match[1]))
    if not found:
        raise Unreadable("has no event with a JSON object")
    return found


def _read_stream(data: bytes) -> Reading:
    """The labels that differ among the events; first and last must have one."""
    events = _events(decode(data).text)
    readings = [_reading(body, f"event {number}") for number, (_, _, body) in enumerate(events, start=1)]
    first, last = readings[0], readings[-1]
    labels: dict[tuple[str, str], Found] = {}
    for one in (label for reading in readings for label in reading.labels):
        labels.setdefault((one.name, one.value), one)
    problems = []
    for where, edge in (("first", first), ("last", last)):
        if labels and not edge.labels:
            problems.append(Problem(_PLACES.clause, f"the {where} event has no label", _PLACES.mend))
    doubled = first.labels if len(first.labels) > 1 else ()
    others = tuple(one for one in labels.values() if one not in doubled)
    return Reading(doubled + others, first.notices or last.notices, first.marks or last.marks, problems=tuple(problems))


def _write_stream(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    events = _events(decoded.text)
    edits = []
    for place, (start, end, body) in enumerate(events):
        edge = place in (0, len(events) - 1)
        if edge or _found(_parsed(body), ""):
            edits.append((start, end, _labelled(body, label, notice if edge else None)))
    return decoded.encode(splice(decoded.text, edits))


JSON = Carrier("JSON object", (".json",), "GB 45438-2025 6.1 (members of the body, as in use)", _read_json, _write_json)
STREAM = Carrier("event stream", (".sse",), "GB 45438-2025 6.1 (first and last event)", _read_stream, _write_stream)
