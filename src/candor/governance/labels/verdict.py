"""The verdict on what a file says: compliant, noncompliant, not found or inconclusive, with clause and mend."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from candor.governance.labels.carrier import GENERATED, Carrier, Found, Reading, SourceType
from candor.governance.labels.explicit import Seen, missing_elements
from candor.governance.labels.record import NAMES, Label, Problem, looks_like_code, read_value
from candor.governance.labels.signing import SigningKeys

Status = Literal["compliant", "noncompliant", "not found", "inconclusive"]
Standard = Literal["cn", "eu", "both"]
EXIT: dict[Status, int] = {"compliant": 0, "noncompliant": 1, "not found": 2, "inconclusive": 3}
"""What `candor label verify` exits with; 10 is wrong usage."""
_PICTURE = "the picture itself was not looked at; GB 45438-2025 5.2 asks for words of at least 5% of its shorter side"
_WORST: Sequence[Status] = ("noncompliant", "inconclusive", "not found", "compliant")


@dataclass(frozen=True)
class Verdict:
    """What was found in one file and what it means.

    >>> verify(Path("report.docx")).status
    'compliant'
    """

    file: str
    """The file."""
    status: Status
    """The worst of the standards asked for."""
    standards: dict[str, Status]
    """cn (GB 45438-2025) and eu (AI Act Art. 50(2)), as asked."""
    carrier: str = ""
    """Kind of file."""
    label: Label | None = None
    """The implicit label, where there is exactly one that can be read."""
    place: str = ""
    """Where that label stands in the file, in words."""
    notices: tuple[Seen, ...] = ()
    """Visible notices that count."""
    marks: tuple[SourceType, ...] = ()
    """Other machine-readable marks, whatever they say."""
    signatures: dict[str, str] | None = None
    """What became of the signatures, where keys were given."""
    problems: tuple[Problem, ...] = ()
    """What to mend."""
    notes: tuple[str, ...] = ()
    """What a person should know; not against the standards."""

    def record(self) -> dict[str, Any]:
        """For JSON."""
        fields = asdict(self)
        return fields | {"label": self.label.values() if self.label else None}


def worst(statuses: Sequence[Status]) -> Status:
    """The status that decides the exit code of several."""
    return min(statuses, key=_WORST.index, default="not found")


def unreadable(file: str, why: str, standard: Standard) -> Verdict:
    """The verdict on a file that cannot be judged."""
    names = ("cn", "eu") if standard == "both" else (standard,)
    return Verdict(file, "inconclusive", dict.fromkeys(names, "inconclusive"), notes=(why,))


def judge(
    file: str,
    carrier: Carrier,
    reading: Reading,
    *,
    sidecar: Found | None = None,
    standard: Standard = "cn",
    keys: SigningKeys | None = None,
) -> Verdict:
    """The verdict on what a carrier read. `sidecar`: the label beside a file that has no place for one."""
    found = reading.labels + ((sidecar,) if sidecar else ())
    label, problems = _labels(found, carrier)
    problems += reading.problems
    notes = [*reading.doubts, *_notes(label)]
    signatures: dict[str, str] | None = {**keys.check(label)} if keys and label else None
    for name, state in (signatures or {}).items():
        if state == "invalid":
            what = f"the signature in {name} does not fit the label"
            problems.append(
                Problem("TC260-PG-202511A", what, "ask the producer for the file; do not repair a signature")
            )
        elif state == "unknown key":
            notes.append(f"{name} is signed with a key that was not given")
    cn, cn_problems = _china(carrier, reading, found, problems)
    if cn == "compliant" and not carrier.visible and standard != "eu":
        notes.append(_PICTURE)
    eu, eu_problems, eu_notes = _europe(carrier, reading, label)
    standards: dict[str, Status] = {"cn": cn} if standard == "cn" else {"eu": eu}
    if standard == "both":
        standards = {"cn": cn, "eu": eu}
    if "eu" in standards:
        notes += eu_notes
    return Verdict(
        file,
        worst(list(standards.values())),
        standards,
        carrier.name,
        label,
        found[0].place if label else "",
        tuple(seen for seen in reading.notices if seen.lawful),
        reading.marks,
        signatures,
        tuple((cn_problems if "cn" in standards else []) + (eu_problems if "eu" in standards else [])),
        tuple(notes),
    )


def _labels(found: Sequence[Found], carrier: Carrier) -> tuple[Label | None, list[Problem]]:
    problems: list[Problem] = []
    labels: list[Label] = []
    for one in found:
        label, more = read_value(one.value, wrapped=one.wrapped)
        problems += [replace(problem, what=f"{one.place}: {problem.what}") for problem in more]
        if one.name not in NAMES:
            what = f"{one.place}: the name is {one.name!r:.60}"
            problems.append(Problem("GB 45438-2025 Annex E a)", what, f"name it AIGC ({carrier.clause})"))
        labels += [label] if label else []
    if len(found) > 1:
        places = ", ".join(one.place for one in found)
        what = f"{len(found)} labels ({places})"
        problems.append(Problem("GB 45438-2025 6.1 c)", what, "keep one: candor label write replaces them by one"))
    return (labels[0] if len(labels) == 1 and len(found) == 1 else None), problems


def _notes(label: Label | None) -> list[str]:
    if label is None:
        return []
    notes = []
    if not looks_like_code(label.producer):
        notes.append(f"ContentProducer {label.producer!r} is a name and not a provider code of 27 characters")
    if not label.propagator:
        notes.append("ContentPropagator is empty; at first write it equals ContentProducer (Annex E note 1)")
    return notes


def _china(
    carrier: Carrier, reading: Reading, found: Sequence[Found], problems: list[Problem]
) -> tuple[Status, list[Problem]]:
    lawful = [seen for seen in reading.notices if seen.lawful]
    problems = list(problems)
    if not lawful:
        for seen in reading.notices:
            what = f"the notice {seen.text!r:.80} lacks {missing_elements(seen.text)}"
            problems.append(Problem("GB 45438-2025 5.1", what, "write for example: 本内容由人工智能生成（AI生成）"))
    if not found and not reading.notices and not problems:
        return "not found", []
    if carrier.metadata and not found:
        what = "the implicit label is missing"
        problems.append(Problem("Measures Art. 5; GB 45438-2025 6.1", what, f"write it: {carrier.clause}"))
    if carrier.visible and not reading.notices and reading.doubts:
        return ("noncompliant" if problems else "inconclusive"), problems
    if carrier.visible and not reading.notices:
        what = "no visible notice stands in the file"
        problems.append(
            Problem("Measures Art. 4; GB 45438-2025 5.1", what, "add it at start or end: candor label write does")
        )
    return ("noncompliant" if problems else "compliant"), problems


def _europe(carrier: Carrier, reading: Reading, label: Label | None) -> tuple[Status, list[Problem], list[str]]:
    problems: list[Problem] = []
    notes: list[str] = []
    for mark in (mark for mark in reading.marks if mark.is_bare):
        what = f"{mark.name} is the bare word {mark.value!r:.60}"
        problems.append(Problem("IPTC digital source type; C2PA 2.4", what, f"write the whole address {GENERATED}"))
    if problems:
        return "noncompliant", problems, notes
    if not (any(mark.says_ai for mark in reading.marks) or reading.manifest or label):
        if not carrier.metadata and reading.notices:
            notes.append("EU: a visible line is not machine-readable; a watermark would be: candor label detect")
            return "inconclusive", [], notes
        return "not found", [], notes
    if not reading.manifest and not (label and (label.reserved1 or label.reserved2)):
        notes.append("EU: the mark is not signed; the Code of Practice (1.1.1) asks for signed metadata")
    if carrier.visible:
        notes.append(
            "EU: text of 200 tokens and more needs a watermark too (Code of Practice 1.1.2): candor label detect"
        )
    return "compliant", [], notes
