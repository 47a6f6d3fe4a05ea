"""Labels of plain text (visible lines only) and of Markdown (YAML front matter, TC260-PG-20258A 6.5)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from candor.governance.labels.carrier import (
    GENERATED,
    Carrier,
    Found,
    Reading,
    SourceType,
    Unreadable,
    decode,
    manifest_of,
    printable,
)
from candor.governance.labels.explicit import Notice, notices, with_notice
from candor.governance.labels.markdown import shown_lines
from candor.governance.labels.record import Label

_LONGEST_HEAD = 256 * 1024
"""Characters of front matter that are parsed."""
_END = re.compile(r"(?:---|\.\.\.)[ \t\r]*")
_SOURCE = "digitalSourceType"


def _refuse_manifest(text: str) -> None:
    if manifest_of(text)[0] is not None:
        raise Unreadable("carries a C2PA manifest, which any change would break: label it before it is signed")


# Plain text


def _read_text(data: bytes) -> Reading:
    manifest, text = manifest_of(decode(data).text)
    return Reading(notices=tuple(notices(text.split("\n"))), manifest=manifest)


def _write_text(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    _refuse_manifest(decoded.text)
    if notice is None or _lawful(decoded.text.split("\n")):
        return data
    return decoded.encode(with_notice(decoded.text, notice))


def _lawful(lines: list[str]) -> bool:
    return any(seen.lawful for seen in notices(lines))


# Markdown


@dataclass(frozen=True)
class _Head:
    """Front matter: its lines, and the entries of its mapping with the lines that each takes."""

    lines: list[str]
    body: str
    entries: tuple[tuple[str, Any, int, int], ...]
    flow: bool = False

    def without(self, unwanted: re.Pattern[str]) -> list[str]:
        drop = {
            number for name, _, first, last in self.entries if unwanted.fullmatch(name) for number in range(first, last)
        }
        return [line for number, line in enumerate(self.lines) if number not in drop]


def _head(text: str) -> _Head | None:
    """The front matter of a Markdown text; None without, Unreadable where it is broken."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return None
    end = next((number for number, line in enumerate(lines[1:], start=1) if _END.fullmatch(line)), 0)
    if not end:  # a rule at the head of the text, and not front matter
        return None
    inner = lines[1:end]
    if sum(map(len, inner)) > _LONGEST_HEAD:
        raise Unreadable("has more than 256 KiB of front matter")
    try:
        node = yaml.compose("\n".join(inner), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"has front matter that is no YAML ({str(error).splitlines()[0]:.80})") from error
    body = "\n".join(lines[end + 1 :])
    if node is None:
        return _Head(inner, body, ())
    if not isinstance(node, yaml.MappingNode):
        return None if not isinstance(node, yaml.CollectionNode) else _Head(inner, body, (), flow=True)
    return _Head(inner, body, tuple(_entries(node, inner)), flow=bool(node.flow_style))


def _entries(node: yaml.MappingNode, lines: list[str]) -> Iterator[tuple[str, Any, int, int]]:
    for key, value in node.value:
        last = value.end_mark.line + (1 if value.end_mark.column else 0)
        while last > value.start_mark.line + 1 and lines[last - 1].lstrip()[:1] in ("", "#"):
            last -= 1  # comments and gaps behind a block stay with what follows
        yield str(key.value), value, key.start_mark.line, max(last, key.start_mark.line + 1)


def _json_of(node: Any) -> str:
    """A YAML node as JSON text: a mapping of scalars with their types, or the text itself."""
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
        return printable(str(node.value))
    if not isinstance(node, yaml.MappingNode):
        return json.dumps(printable(str(node.value)[:200]))
    members = []
    for key, value in node.value:
        if isinstance(value, yaml.ScalarNode):
            text = value.tag == "tag:yaml.org,2002:str"
            number = re.fullmatch(r"-?(?:0|[1-9]\d*)", value.value)
            written = value.value if not text and number else json.dumps(printable(value.value)) if text else "null"
        else:
            written = "{}"
        members.append(
            f"{json.dumps(printable(str(key.value)))}:{written}"
        )  # by hand: a key that stands twice must be seen
    return "{" + ",".join(members) + "}"


def _behind_other_head(text: str) -> str:
    """A text without front matter that holds no YAML mapping (TOML, a bare line)."""
    lines = text.split("\n")
    rule = lines[0].rstrip()
    if rule not in ("---", "+++"):
        return text
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == rule), 0)
    return "\n".join(lines[end + 1 :]) if end else text


def _noticed(body: str, notice: Notice | None) -> str:
    """The body with the notice where it is seen: at the start where hidden HTML reaches to the end."""
    if notice is None or _lawful(shown_lines(body)):
        return body
    marked = with_notice(body, notice)
    return marked if _lawful(shown_lines(marked)) else with_notice(body, replace(notice, position="start"))


def _read_markdown(data: bytes) -> Reading:
    manifest, text = manifest_of(decode(data).text)
    head = _head(text)
    if head is None:
        return Reading(notices=tuple(notices(shown_lines(_behind_other_head(text)))), manifest=manifest)
    labels = [
        Found(printable(name), _json_of(value), "front matter")
        for name, value, _, _ in head.entries
        if "aigc" in name.lower()
    ]
    marks = [
        SourceType(name, printable(value.value))
        for name, value, _, _ in head.entries
        if name == _SOURCE and isinstance(value, yaml.ScalarNode)
    ]
    return Reading(tuple(labels), tuple(notices(shown_lines(head.body))), tuple(marks), manifest)


def _write_markdown(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    _refuse_manifest(decoded.text)
    if decoded.text.startswith("+++\n"):
        raise Unreadable("has TOML front matter; the guide asks for YAML, and two heads would break it")
    head = _head(decoded.text) or _Head([], decoded.text, ())
    if head.flow:
        raise Unreadable("has front matter on one line, in braces or as a list; write it one key a line")
    block = ["AIGC:", *(f"  {name}: {json.dumps(value)}" for name, value in label.values().items())]
    source = [f"{_SOURCE}: {json.dumps(GENERATED)}"] if label.says_generated else []
    kept = head.without(re.compile("(?i:.*aigc.*)" + f"|{_SOURCE}" * len(source), re.DOTALL))
    lines = ["---", *kept, *block, *source, "---"]
    return decoded.encode("\n".join([*lines, _noticed(head.body, notice)]))


TEXT = Carrier("plain text", (".txt", ".text", ".log"), "GB 45438-2025 5.1", _read_text, _write_text, metadata=False)
MARKDOWN = Carrier("Markdown", (".md", ".markdown"), "TC260-PG-20258A 6.5", _read_markdown, _write_markdown)
