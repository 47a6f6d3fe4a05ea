"""Labels of plain text: visible lines only, outside the code blocks that people write into such files too."""

import re

from candor.governance.labels.carrier import Carrier, Reading, decode, manifest_of, refuse_manifest
from candor.governance.labels.explicit import Notice, any_lawful, notices
from candor.governance.labels.record import Label

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def opened_fence(line: str) -> str:
    """The marks of the fenced code block that a line opens (CommonMark 4.5), or nothing."""
    match = _FENCE.match(line)
    return match[1] if match and not (match[1][0] == "`" and "`" in match[2]) else ""


def closes(line: str, fence: str) -> bool:
    """Whether a line closes the block that these marks opened."""
    match = _FENCE.match(line)
    return match is not None and match[1].startswith(fence) and not match[2].strip()


def outside_code(lines: list[str]) -> list[str]:
    """The lines outside fenced code blocks; an unclosed block reaches to the end."""
    return [lines[place] for place in _outside_code(lines)]


def _outside_code(lines: list[str]) -> list[int]:
    """Numbers of the lines that are neither in a fenced code block nor a fence."""
    kept, fence = [], ""
    for place, line in enumerate(lines):
        if fence:
            fence = "" if closes(line, fence) else fence
        elif opened := opened_fence(line):
            fence = opened
        else:
            kept.append(place)
    return kept


def with_notice(text: str, notice: Notice) -> str:
    """A plain text or Markdown text with the notice as a paragraph of its own, never inside a code block.

    Where a block is left open at the end, the notice goes to the start. "middle" is the paragraph break nearest to
    the middle that lies outside code; without one it is the end.
    """
    lines = text.split("\n")
    if notice.position == "middle":
        breaks = [place for place in _outside_code(lines) if place and not lines[place].strip()]
        if breaks:
            place = min(breaks, key=lambda one: abs(one - len(lines) // 2))
            return "\n".join([*lines[:place], "", notice.text, *lines[place:]])
    if notice.position == "start" or len(lines) not in _outside_code([*lines, "x"]):
        return f"{notice.text}\n\n{text}" if text else f"{notice.text}\n"
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return f"{text}{gap}{notice.text}\n"


def _read(data: bytes) -> Reading:
    manifest, text = manifest_of(decode(data).text)
    return Reading(notices=tuple(notices(outside_code(text.split("\n")))), manifest=manifest)


def _write(data: bytes, label: Label, notice: Notice | None) -> bytes:
    decoded = decode(data)
    refuse_manifest(decoded.text)
    if notice is None or any_lawful(notices(outside_code(decoded.text.split("\n")))):
        return data
    return decoded.encode(with_notice(decoded.text, notice))


TEXT = Carrier("plain text", (".txt", ".text", ".log"), "GB 45438-2025 5.1", _read, _write, metadata=False)
