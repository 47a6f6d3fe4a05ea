"""What app stores and filings ask about labels, made from a folder of labelled files: scheme, positions, coverage."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from candor import files
from candor.governance.labels.carrier import Carrier
from candor.governance.labels.explicit import Position
from candor.governance.labels.file import carrier_of, find_files, verify
from candor.governance.labels.record import FIELDS, MEANING, looks_like_code
from candor.governance.labels.signing import SigningKeys
from candor.governance.labels.verdict import EXIT, Verdict

LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Kind:
    """One kind of file in the folder.

    >>> Kind("Markdown", "TC260-PG-20258A 6.5", {"compliant": 12}, {"end": 12}, "front matter", '{"Label":"1",...}')
    """

    name: str
    """Word document, ..."""
    clause: str
    """Where the standard says how it is labelled."""
    verdicts: dict[str, int]
    """Files by verdict."""
    positions: dict[str, int]
    """Visible notices by where they stand."""
    place: str
    """Where the implicit label stands in it; empty where it has none."""
    example: str
    """One label as it stands in a file; empty where there is none."""


@dataclass(frozen=True)
class Evidence:
    """All that the papers are written from.

    >>> collect(Path("answers/")).kinds
    """

    folder: str
    """Name of the folder."""
    at: datetime
    """When it was looked at."""
    kinds: tuple[Kind, ...]
    """By name."""
    wordings: tuple[tuple[str, int], ...]
    """Visible notices by how often each stands, the most frequent first."""
    producers: tuple[str, ...]
    """Provider codes and names in the labels."""
    signed: int
    """Files whose label carries a signature that the given keys confirm."""
    verdicts: tuple[Verdict, ...]
    """One a file."""

    def share(self) -> float:
        """Files that are compliant, from 0 to 1."""
        return sum(one.status == "compliant" for one in self.verdicts) / len(self.verdicts)


def collect(folder: Path, at: datetime, keys: SigningKeys | None = None) -> Evidence:
    """Look at every file of a folder that can carry a label. ConfigError where there is none."""
    paths = find_files([folder])
    verdicts = tuple(verify(path, "cn", keys) for path in paths)
    kinds: dict[str, tuple[Carrier, list[Verdict]]] = {}
    for path, verdict in zip(paths, verdicts, strict=True):
        carrier = carrier_of(path)
        kinds.setdefault(carrier.name, (carrier, []))[1].append(verdict)
    wordings = Counter(seen.text for verdict in verdicts for seen in verdict.notices)
    return Evidence(
        folder.resolve().name,
        at,
        tuple(_kind(*kinds[name]) for name in sorted(kinds)),
        tuple(wordings.most_common(10)),
        tuple(sorted({one.label.producer for one in verdicts if one.label})),
        sum("valid" in (one.signatures or {}).values() for one in verdicts),
        verdicts,
    )


def _kind(carrier: Carrier, verdicts: Sequence[Verdict]) -> Kind:
    positions = Counter(seen.position for verdict in verdicts for seen in verdict.notices)
    place, example = next(((one.place, one.label.json()) for one in verdicts if one.label), ("", ""))
    counts = Counter(one.status for one in verdicts)
    return Kind(
        carrier.name,
        carrier.clause,
        {status: counts[status] for status in EXIT},
        {name: positions[name] for name in get_args(Position)},
        place,
        example,
    )


def write_evidence(evidence: Evidence, out: Path) -> list[Path]:
    """Write the paper in each language, the coverage as JSON and the verdict of each file as JSON lines."""
    environment = Environment(
        loader=PackageLoader("candor.governance.labels"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = {
        "evidence": evidence,
        "fields": FIELDS,
        "meaning": MEANING,
        "is_code": looks_like_code,
        "statuses": list(EXIT),
    }
    texts = {f"evidence.{lang}.md": environment.get_template(f"evidence.{lang}.md").render(shown) for lang in LANGUAGES}
    texts["coverage.json"] = json.dumps(_coverage(evidence), ensure_ascii=False, indent=1) + "\n"
    texts["files.jsonl"] = "".join(files.json_line(one.record()) for one in evidence.verdicts)
    for name, text in texts.items():
        files.atomic_write(out / name, text)
    return [out / name for name in texts]


def _coverage(evidence: Evidence) -> dict[str, object]:
    return {
        "folder": evidence.folder,
        "at": evidence.at.isoformat(timespec="seconds"),
        "files": len(evidence.verdicts),
        "compliant_share": evidence.share(),
        "signed": evidence.signed,
        "verdicts": Counter(one.status for one in evidence.verdicts),
        "kinds": {kind.name: {"verdicts": kind.verdicts, "positions": kind.positions} for kind in evidence.kinds},
    }
