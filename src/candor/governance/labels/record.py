"""The implicit label of GB 45438-2025 (6.1 and Annex E): seven strings that travel in a file's metadata.

Clauses are named as in the standard, and for provider codes and signatures as in the practice guides TC260-PG-20252A
and TC260-PG-202511A. `candor` implements their published fields; it certifies nothing.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from candor.errors import ConfigError
from candor.governance.keys import new_id

FIELDS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
"""The fields in the order of Annex E b)."""
MEANING = {"1": "is machine-generated", "2": "may be machine-generated", "3": "is suspected to be machine-generated"}
"""What `Label` says, Annex E c)."""
NAMES = ("AIGC", "TC260:AIGC")
"""Names of the metadata entry that holds it (Annex E a); in XMP with the prefix of its namespace)."""
LONGEST_VALUE = 64 * 1024
"""Characters of a value that are looked at; a label takes a few hundred."""
_CHARACTERS = re.compile(r"[\x21-\x5B\x5D-\x7E]*")
_CODE = re.compile(r"00[0-9A-Z]{25}")


def is_label_name(name: str) -> bool:
    """Whether a metadata entry of this name is meant as a label, rightly named or not."""
    return "aigc" in name.lower()


@dataclass(frozen=True)
class Problem:
    """One thing that a standard forbids or misses.

    >>> Problem("GB 45438-2025 Annex E c)", "Label is a number", 'write "Label":"1"')
    """

    clause: str
    """Where the standard says so."""
    what: str
    """What is wrong."""
    mend: str
    """What to do."""


@dataclass(frozen=True)
class Label:
    """The seven fields, each a string of printable ASCII without spaces and backslashes.

    >>> Label("1", "001191110102MAD55U9H0F10002", "5f0c...", "", "001191110102MAD55U9H0F10002", "5f0c...", "")
    """

    label: str
    """"1" is generated, "2" may be, "3" is suspected to be."""
    producer: str
    """Code (27 characters) or name of who generated it."""
    produce_id: str
    """The producer's number of this content."""
    reserved1: str
    """For the producer: a signature or nothing."""
    propagator: str
    """Code or name of who spread it last; at first the producer."""
    propagate_id: str
    """The propagator's number; at first `produce_id`."""
    reserved2: str
    """For the propagator: a signature or nothing."""

    @property
    def says_generated(self) -> bool:
        """Whether it says that the content is machine-generated, and not only that it may be."""
        return self.label == "1"

    def values(self) -> dict[str, str]:
        """Field names of the standard to values."""
        return dict(zip(FIELDS, vars(self).values(), strict=True))

    def json(self) -> str:
        """One JSON object without spaces, as files carry it."""
        return json.dumps(self.values(), separators=(",", ":"))

    def signed_text(self) -> str:
        """The string that a signature in `reserved1` covers (TC260-PG-202511A)."""
        return self.json()[1:].partition(',"ReservedCode1"')[0]

    def spread_text(self) -> str:
        """The string that a signature in `reserved2` covers: the label and the propagator's two fields."""
        fields = {name: self.values()[name] for name in ("Label", "ContentPropagator", "PropagateID")}
        return json.dumps(fields, separators=(",", ":"))[1:-1]


def new_label(producer: str, label: str = "1", produce_id: str = "") -> Label:
    """The label at first write: the propagator's fields equal the producer's (Annex E note 1).

    ConfigError for a code that is none, and for an empty one: a code is issued to a company and never made up.
    """
    must_be_code(producer)
    if label not in MEANING:
        raise ConfigError(f"label {label!r} must be 1 (generated), 2 (may be) or 3 (suspected)")
    number = produce_id or new_id()
    made = Label(label, producer, number, "", producer, number, "")
    must_be_allowed(made)
    return made


def spread(label: Label, propagator: str, propagate_id: str = "") -> Label:
    """The same label handed on: what the producer wrote stays, the propagator's fields are new.

    ConfigError for a code that is none, and for a number with characters that no label may hold.
    """
    must_be_code(propagator)
    handed = replace(label, propagator=propagator, propagate_id=propagate_id or new_id(), reserved2="")
    must_be_allowed(handed)
    return handed


def must_be_allowed(label: Label) -> None:
    """ConfigError where a value could not be written."""
    for name, value in label.values().items():
        if not _CHARACTERS.fullmatch(value):
            raise ConfigError(f"{name}={value!r} holds a space, a backslash or what is not ASCII; use a code")


def must_be_code(code: str) -> None:
    """ConfigError with what is needed where this is no provider code."""
    if not code:
        raise ConfigError(
            "a label needs the producer's code: give --producer CODE, 27 characters, 00 + 1 (organisation) + 1 (credit "
            "code) + the 18 of its unified social credit code + 1 (generation) or 2 (propagation) + 4 of its own"
        )
    if wrong := code_trouble(code):
        raise ConfigError(f"producer {code!r}: {wrong}; a code is issued to a company, candor does not make one up")


def code_trouble(code: str) -> str:
    """What is wrong with a provider code (TC260-PG-20252A), or nothing."""
    from candor.governance.pii.checks import credit_code  # its package loads word lists

    if len(code) != 27:
        return f"a provider code has 27 characters, this one {len(code)}"
    if not _CODE.fullmatch(code):
        return "a provider code begins with 00 and holds digits and capital letters only"
    if code[2:4] != "11":
        return f"its third and fourth characters are {code[2:4]} and not 11: an organisation, bound by its credit code"
    if not credit_code(code[4:22]):
        return f"{code[4:22]} is no unified social credit code (its check digit or form is wrong)"
    if code[22] not in "012":
        return f"its 23rd character, the kind of service, is {code[22]} and not 1 (generation) or 2 (propagation)"
    if code[22] == "0" and code[22:] != "00000":
        return "a code without a kind of service ends in 00000"
    return ""


def read_value(text: str, *, wrapped: bool | None = None) -> tuple[Label | None, list[Problem]]:
    """A metadata value as a label, and all that is wrong with it; the label is None where the fields are not there.

    `wrapped` says whether the carrier wants {"AIGC": {...}} around the fields; None takes both.
    """
    fields, problems = _fields(text)
    if fields is None:
        return None, problems
    inner = fields.get("AIGC")
    if isinstance(inner, str):
        problems.append(_problem("b)", "the fields stand in a string inside AIGC", "write them as one JSON object"))
        inner, more = _fields(inner)
        problems += more
    if isinstance(inner, dict):
        problems += [
            _problem("b)", f"{name!r:.60} stands beside the label", "write the label alone")
            for name in fields
            if name != "AIGC"
        ]
        if wrapped is False:
            problems.append(
                Problem("TC260-PG-20258A 6.1", "the seven fields are wrapped in AIGC", "write the fields directly")
            )
        fields = inner
    elif wrapped:
        problems.append(_problem("b)", "the seven fields are not wrapped in AIGC", 'write {"AIGC":{...}}'))
    for name in FIELDS:
        if name not in fields:
            near = next((other for other in fields if other.lower() == name.lower()), "")
            why = f"{name} is written {near}" if near else f"{name} is missing"
            problems.append(_problem("b)", why, f"add the field {name}"))
    for name in fields:
        if name not in FIELDS:
            problems.append(_problem("b)", f"{name!r:.60} is no field of the label", "use the seven fields only"))
    if not all(name in fields for name in FIELDS):
        return None, problems
    for name in FIELDS:
        problems += _value_problems(name, fields[name])
    label = Label(*(fields[name] if isinstance(fields[name], str) else str(fields[name]) for name in FIELDS))
    if not any(isinstance(fields[name], dict | list) for name in FIELDS):
        problems += _meaning_problems(label)
    return label, problems


def _fields(text: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    if len(text) > LONGEST_VALUE:
        return None, [_problem("b)", f"the value has {len(text):,} characters", "write the seven fields only")]
    doubled: list[str] = []

    def pairs(items: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        doubled.extend({name for name in names if names.count(name) > 1})
        return dict(items)

    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        if _is_base64_json(text):
            return None, [_problem("b)", "the value is Base64", "write the JSON object itself")]
        return None, [_problem("b)", "the value is not JSON", "write the seven fields as one JSON object")]
    if not isinstance(value, dict):
        return None, [_problem("b)", "the value is no JSON object", "write the seven fields as one JSON object")]
    problems = [_problem("b)", f"{name!r:.60} stands twice", "write each field once") for name in sorted(doubled)]
    return value, problems


def _value_problems(name: str, value: Any) -> list[Problem]:
    if not isinstance(value, str):
        kind = "a number" if type(value) in (int, float) else "no string"
        return [_problem("c)" if name == "Label" else "b)", f"{name} is {kind}", "write every value as a JSON string")]
    if name == "Label":
        if value in MEANING:
            return []
        return [_problem("c)", f"Label is {value!r:.40}", 'write "1" (generated), "2" (may be) or "3" (suspected)')]
    if not _CHARACTERS.fullmatch(value):
        what = "a space" if " " in value else "a backslash" if "\\" in value else "a character that is not allowed"
        return [_problem("j)", f"{name} holds {what}", "use printable ASCII without spaces: a code, not a name")]
    return []


def _meaning_problems(label: Label) -> list[Problem]:
    problems = []
    for name, value in (("ContentProducer", label.producer), ("ContentPropagator", label.propagator)):
        if not value and name == "ContentProducer":
            problems.append(_problem("d)", f"{name} is empty", "write the provider's code"))
        elif looks_like_code(value) and (wrong := code_trouble(value)):
            problems.append(Problem("TC260-PG-20252A", f"{name}: {wrong}", "use the code that was issued"))
        elif name == "ContentProducer" and looks_like_code(value) and value[22] == "2":
            problems.append(
                Problem("TC260-PG-20252A", f"{name} is a code of a propagation service", "use that of the producer")
            )
    if not label.produce_id:
        problems.append(_problem("e)", "ProduceID is empty", "give each content its own number"))
    if bool(label.propagator) != bool(label.propagate_id):
        problems.append(
            _problem(
                "g), h)", "one of ContentPropagator and PropagateID is empty", "write both (note 1: at first equal)"
            )
        )
    return problems


def looks_like_code(value: str) -> bool:
    """Whether a value is meant as a provider code: a name has other characters or is short."""
    return len(value) >= 16 and re.fullmatch(r"[0-9A-Z]+", value) is not None and any(map(str.isdigit, value))


def _is_base64_json(text: str) -> bool:
    try:
        return isinstance(json.loads(base64.b64decode(text.strip(), validate=True)), dict)
    except (ValueError, binascii.Error, RecursionError):
        return False


def _problem(item: str, what: str, mend: str) -> Problem:
    return Problem(f"GB 45438-2025 Annex E {item}", what, mend)
