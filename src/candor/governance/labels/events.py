"""Labels of JSON bodies, of streams of server-sent events, and of HTTP answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

from candor.errors import ConfigError
from candor.governance.labels.carrier import GENERATED, Carrier, Found, Reading, Unreadable
from candor.governance.labels.explicit import Notice, notices
from candor.governance.labels.record import Label, Problem
from candor.governance.labels.text import decode

_SPACE = re.compile(r"[ \t\r\n]*")
_SOURCE, _NOTICE = "digitalSourceType", "notice"
_SAFE = re.compile(r"[\x20-\x7E]*")
_PLACES = Problem("GB 45438-2025 6.1", "", "put the same label into the first and the last event")


def envelope(label: Label, notice: Notice) -> dict[str, Any]:
    """The members that an answer in JSON carries beside its content, which is never altered."""
    return {"AIGC": label.values(), _SOURCE: GENERATED, _NOTICE: notice.text}


def disclosure_header(model: str, provider: str, at: int) -> str:
    """The value of the HTTP header AI-Disclosure: an RFC 9651 dictionary (draft-abaris-aicdh-01); `at` in Unix seconds.

    >>> disclosure_header("candor-laptop", "Example", 1745286896)
    'mode=ai-originated; model="candor-laptop"; provider="Example"; date=@1745286896'
    """
    for name, value in (("model", model), ("provider", provider)):
        if not _SAFE.fullmatch(value):
            raise ConfigError(f"{name} {value!r} of AI-Disclosure holds what is not printable ASCII")
    quoted = [re.sub(r'(["\\])', r"\\\1", value) for value in (model, provider)]
    return f'mode=ai-originated; model="{quoted[0]}"; provider="{quoted[1]}"; date=@{at}'


# JSON


def _members(text: str) -> Iterator[tuple[str, Any, int, int]]:
    """Name, value and extent of the members of a JSON object, nothing else parsed twice."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise Unreadable("is no JSON object; a list or a value has no place for a label: wrap it in an object")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        if text[at : at + 1] != '"':
            raise ValueError(f"no name at character {at}")
        start = at
        name, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise ValueError(f"no colon at character {at}")
        value, at = decoder.raw_decode(text, _skip(text, at + 1))
        yield name, value, start, at
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise ValueError(f"no comma at character {at}")
    if text[_skip(text, at + 1) :]:
        raise ValueError(f"more behind the object at character {at + 1}")


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _parsed(text: str) -> list[tuple[str, Any, int, int]]:
    try:
        return list(_members(text))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is no JSON ({error!s:.80})") from error


def _found(members: list[tuple[str, Any, int, int]], text: str, place: str) -> list[Found]:
    found = []
    for name, value, start, end in members:
        if "aigc" in name.lower():
            written = text[start:end].partition(":")[2].strip() if not isinstance(value, str) else value
            found.append(Found(name, written, place))
    return found


def _read_json(data: bytes) -> Reading:
    text = decode(data).text
    members = _parsed(text)
    values = {name: value for name, value, _, _ in members}
    shown = values.get(_NOTICE)
    marks = (f"{_SOURCE}: {values[_SOURCE]}",) if isinstance(values.get(_SOURCE), str) else ()
    lines = notices([shown]) if isinstance(shown, str) else []
    return Reading(tuple(_found(members, text, "the object's members")), tuple(lines), marks)


def _write_json(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    return decoded.encode(_labelled(decoded.text, label, notice))


def _labelled(text: str, label: Label, notice: Notice | None) -> str:
    """A JSON object with the label as its first members, everything else as it was written."""
    members = _parsed(text)
    kept = [one for one in members if "aigc" not in one[0].lower() and one[0] != _SOURCE]
    new: dict[str, Any] = {"AIGC": label.values(), _SOURCE: GENERATED}
    if notice and all(name != _NOTICE for name, *_ in kept):
        new[_NOTICE] = notice.text
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
    events = _events(decode(data).text)
    first, last = (_read_json(events[place][2].encode()) for place in (0, -1))
    problems = []
    for where, one in (("first", first), ("last", last)):
        if not one.labels and (first.labels or last.labels):
            problems.append(Problem(_PLACES.clause, f"the {where} event has no label", _PLACES.mend))
    labels = first.labels
    if [one.value for one in last.labels] != [one.value for one in first.labels]:
        labels += last.labels
    return Reading(labels, first.notices or last.notices, first.marks or last.marks, problems=tuple(problems))


def _write_stream(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    events = _events(decoded.text)
    text = decoded.text
    for start, end, body in dict.fromkeys((events[-1], events[0])):
        text = text[:start] + _labelled(body, label, notice) + text[end:]
    return decoded.encode(text)


JSON = Carrier("JSON object", (".json",), "GB 45438-2025 6.1 (members of the body, as in use)", _read_json, _write_json)
STREAM = Carrier("event stream", (".sse",), "GB 45438-2025 6.1 (first and last event)", _read_stream, _write_stream)
