"""What the tests of labels share: provider codes, cases by the number, labels and texts of any kind, broken files."""

import io
import os
import random
import zipfile
from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from candor.governance.labels import Label, new_label, notice
from candor.governance.labels.carrier import Carrier, Unreadable
from candor.governance.labels.record import read_value

CODE = "001191110102MAD55U9H0F10002"
"""A code that stands in public files."""
OTHER = "001191110102MAD55U9H0F20001"
"""The same organisation as a propagation service."""
FIRST = Label("1", CODE, "first-0001", "", CODE, "first-0001", "")
CASES = 10_000 if os.environ.get("CANDOR_SOAK") else 50

many = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\u2028\u2029\u0085")
    | st.sampled_from("\n\t #-`*'\"<&"),
    max_size=2000,
)
xml_text = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1, max_size=60
)
_values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), max_size=80)
labels = st.builds(
    lambda label, number, given, first, second: Label(label, CODE, number, first, CODE, given or number, second),
    st.sampled_from("123"),
    _values.filter(bool),
    _values,
    _values,
    _values,
)
"""Labels that are lawful, with any characters that are allowed."""


def label_of(produce_id: str = "n1") -> Label:
    return new_label(CODE, produce_id=produce_id)


def only_label(carrier: Carrier, data: bytes) -> Label:
    """The one label in the bytes; fails where there is none, more than one or a broken one."""
    (found,) = carrier.read(data).labels
    label, _ = read_value(found.value, wrapped=found.wrapped)
    assert label is not None
    return label


def lawful(carrier: Carrier, data: bytes) -> list[str]:
    """The lawful notices in the bytes."""
    return [seen.text for seen in carrier.read(data).notices if seen.lawful]


def broken(data: bytes, rng: random.Random) -> bytes:
    """The bytes cut short, with some changed, or with a piece doubled."""
    kind = rng.randrange(3)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 10, 100))):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(changed)
    start, end = sorted(rng.choices(range(len(data)), k=2))
    return data[:end] + data[start:]


def survives(carrier: Carrier, data: bytes) -> None:
    """Any bytes are read and written, or refused in one line."""
    for act in (lambda: carrier.read(data), lambda: carrier.write(data, FIRST, notice())):
        try:
            act()
        except Unreadable as error:
            assert str(error) and "\n" not in str(error)


def parts(data: bytes) -> dict[str, bytes]:
    """The parts of a ZIP file by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(content: dict[str, bytes]) -> bytes:
    """A ZIP file of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    """What a function writes into a file."""
    out = io.BytesIO()
    save(out)
    return out.getvalue()
