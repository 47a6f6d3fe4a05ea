"""Where the files of audits lie in a folder: by their names, and others by what they hold."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from candor import files
from candor.errors import DataError

Kind = Literal["safety", "memory", "hallucination", "facts"]
"""What an audit looked at, which is the form of its file."""
KINDS: tuple[Kind, ...] = get_args(Kind)
REPORT, REGISTER = "audits.json", "risk_register.json"
"""Files that are made from audits and are none themselves."""
_NAMES: dict[Kind, str] = {
    "safety": r"(.*/)?safety\.json",
    "memory": r"(.*/)?(memory(-[^/]*)?|memory/[^/]*)\.json",
    "hallucination": r"(.*/)?hallucination\.json",
    "facts": r"(.*/)?facts-[^/]*\.json",
}
_HELD: dict[Kind, set[str]] = {
    "safety": {"results", "agreements"},
    "memory": {"corpus", "control", "audits"},
    "hallucination": {"base", "last", "stages"},
    "facts": {"set", "questions", "figures"},
}
"""What the JSON object of each kind has, whatever its file is called."""
_OURS = ("provenance.json", "plan.json", REPORT, REGISTER)


@dataclass(frozen=True)
class Found:
    """The JSON files below a folder.

    >>> Found(audits={"safety": (Path("audits/safety/r1/safety.json"),)}, torn={}, others=(Path("model/config.json"),))
    """

    audits: dict[Kind, tuple[Path, ...]]
    """Files of audits by kind, in the order of their names; those that a name calls so may have another form."""
    torn: dict[Path, str]
    """Files of which nobody can say what they are, and why."""
    others: tuple[Path, ...]
    """JSON files that are no audits."""


def find(folder: Path) -> Found:
    """Look through a folder and all below it, but for what is hidden. DataError where it is none."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one that holds results of audits, such as a run")
    kinds: dict[Kind, list[Path]] = {kind: [] for kind in KINDS}
    torn, others = {}, []
    for path in sorted(folder.rglob("*.json")):
        place = path.relative_to(folder)
        if path.name in _OURS or any(part.startswith(".") for part in place.parts) or not path.is_file():
            continue
        if named := _named(folder.resolve().name / place):
            kinds[named].append(path)
            continue
        try:
            held = _held(path)
        except DataError as error:
            torn[path] = str(error)
            continue
        if held:
            kinds[held].append(path)
        else:
            others.append(path)
    return Found({kind: tuple(own) for kind, own in kinds.items()}, torn, tuple(others))


def _named(place: Path) -> Kind | None:
    """The kind that a name tells; `memory/NAME.json` is one of memory."""
    return next((kind for kind, pattern in _NAMES.items() if re.fullmatch(pattern, place.as_posix())), None)


def _held(path: Path) -> Kind | None:
    """The kind that the content tells."""
    value = files.read_json(path)
    return next((kind for kind, keys in _HELD.items() if isinstance(value, dict) and keys <= value.keys()), None)
