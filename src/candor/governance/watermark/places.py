"""Which tokens of an answer carry the mark: generator and detector ask the same object, so they cannot disagree."""

import re
from collections.abc import Sequence
from typing import TypeAlias

CONTEXT = 4
"""Tokens before one that decide its mark."""
Context: TypeAlias = tuple[int, ...]
"""Four token ids."""

_FENCE = re.compile(rb"[ \t>]*(`{3,}|~{3,})(.*)")
_LINE = 256
"""Bytes of a line that are looked at: whether it is a fence shows in its beginning."""
_TOOLS = {f"<｜tool▁calls▁{edge}｜>".encode(): edge == "begin" for edge in ("begin", "end")}


class Places:
    """Told the tokens of one answer in turn, says whether the next one is marked, and by which context.

    Not marked are: the first four, which have no context in the answer; a token whose context was used before in the
    answer (marking it again would favour the same token again, and what is counted twice is no evidence); fenced code
    blocks of Markdown; tool calls. `pieces` are the bytes of each token, by id; without them nothing is known of code.

    >>> places = Places(tokenizer.token_bytes)
    >>> for token in ids:
    ...     context = places.context()  # of this token; None: it is not marked
    ...     places.push(token)
    """

    def __init__(self, pieces: Sequence[bytes] = ()):
        self._pieces = pieces
        self._last: Context = ()
        self._used: set[Context] = set()
        self._line, self._fence, self._tools = b"", b"", False

    def context(self, ahead: Sequence[int] = ()) -> Context | None:
        """The context of the next token, or of the one behind the drafts `ahead`; None where it has no mark."""
        last = (*self._last, *ahead)[-CONTEXT:]
        return None if len(last) < CONTEXT or last in self._used or self._in_code else last

    def push(self, token: int) -> None:
        """Take a token in."""
        if context := self.context():
            self._used.add(context)
        self._last = (*self._last, token)[-CONTEXT:]
        if not 0 <= token < len(self._pieces):
            return
        piece = self._pieces[token]
        self._tools = _TOOLS.get(piece, self._tools)
        *ended, rest = (self._line + piece).split(b"\n")
        for line in ended:
            self._end(line)
        self._line = rest[:_LINE]

    @property
    def _in_code(self) -> bool:
        return self._tools or bool(self._fence) or self._line.lstrip(b" \t>")[:3] in (b"```", b"~~~")

    def _end(self, line: bytes) -> None:
        """A whole line: it may open a code block, or close the one that is open (CommonMark 4.5, any indentation)."""
        if not (found := _FENCE.match(line)):
            return
        run, rest = found.groups()
        if not self._fence:
            if run[:1] == b"~" or b"`" not in rest:  # else it is code within a line
                self._fence = run
        elif run.startswith(self._fence) and not rest.strip():
            self._fence = b""
