"""What every kind of file does for a label: read what is there, write one label, never two."""

from collections.abc import Callable
from dataclasses import dataclass

from candor.governance.labels.explicit import Notice, Seen
from candor.governance.labels.record import Label, Problem

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's digital source type of what a trained model made; the whole address, not the last word of it."""
LARGEST = 256 * 2**20
"""Bytes of a file, and of a part that is unpacked from one, that are taken."""


class Unreadable(Exception):
    """A file that cannot be judged: torn, encrypted, of another kind. The message says why, in one line."""


@dataclass(frozen=True)
class Found:
    """A metadata entry whose name contains AIGC.

    >>> Found("AIGC", '{"Label":"1",...}', "docProps/custom.xml")
    """

    name: str
    """Its name as the file has it."""
    value: str
    """Its value as JSON text; what is no text in the file (a YAML number) keeps its type."""
    place: str
    """Where in the file, in words."""
    wrapped: bool | None = None
    """Whether this place wants {"AIGC": {...}}; None takes both forms."""


@dataclass(frozen=True)
class Reading:
    """All that a file says about having been made by a machine.

    >>> Reading(labels=(Found("AIGC", "{...}", "front matter"),), notices=(Seen("AI生成", "end", True),))
    """

    labels: tuple[Found, ...] = ()
    """Implicit labels, in the order of the file; more than one is one too many."""
    notices: tuple[Seen, ...] = ()
    """Visible notices."""
    marks: tuple[str, ...] = ()
    """Other machine-readable marks, in words: the digital source type, an ai-disclosure."""
    manifest: bytes | None = None
    """A C2PA manifest in the text."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with where labels stand, whatever they say."""
    doubts: tuple[str, ...] = ()
    """What could not be looked at, in words."""


@dataclass(frozen=True)
class Carrier:
    """One kind of file. `read` and `write` raise Unreadable and nothing else, on any bytes.

    >>> CARRIERS[".docx"].read(data).labels
    """

    name: str
    """For people: Word document."""
    suffixes: tuple[str, ...]
    """File names end so, lower case."""
    clause: str
    """What says where the label stands in it."""
    read: Callable[[bytes], Reading]
    """What is in the bytes."""
    write: Callable[[bytes, Label, Notice | None], bytes]
    """The bytes with exactly this label, the digital source type, and the notice where none is there yet (None: leave
    what is visible alone). What else the file holds stays."""
    metadata: bool = True
    """Whether the format has a place for the implicit label."""
    visible: bool = True
    """Whether the notice can be written into it."""
