"""One lawful label in place of whatever stood there: bytes in, bytes out, for files and for answers in memory alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from candor.errors import ConfigError
from candor.governance.labels.carrier import Carrier, Found, Unreadable
from candor.governance.labels.explicit import Notice, Style, any_lawful
from candor.governance.labels.record import NAMES, Label, looks_like_code, must_be_allowed, read_value, spread
from candor.governance.labels.signing import SigningKeys

DEFAULT = Style()
"""How the notice is worded that is put where none is."""
_LONGEST_REPLACED = 10_000
"""Characters of former labels that are kept for the log."""


@dataclass(frozen=True)
class Relabelled:
    """Labelled bytes.

    >>> relabel(CARRIERS[".md"], b"text", label).data.decode()
    '---\\nAIGC:...'
    """

    data: bytes
    """The whole file, read back and found to say what was meant."""
    label: Label
    """The label that stands there now."""
    replaced: str = ""
    """The values of the labels that stood there before."""


def relabel(
    carrier: Carrier,
    data: bytes,
    label: Label,
    style: Style | None = DEFAULT,
    *,
    beside: Found | None = None,
    keys: SigningKeys | None = None,
) -> Relabelled:
    """Bytes with one label and, where none stands there, the visible notice (without `style`: what is visible stays).

    What has a label keeps what its producer wrote and gets `label`'s producer as propagator (one of our own stays as it
    is); what has a broken one or several gets one whole one. `beside` is the label that stood beside a file whose kind
    has no place for one.

    Unreadable for bytes that cannot be labelled. ConfigError for values that no label may hold, a label of our own that
    would be changed, and a code of a propagation service where there is nothing to hand on; KeysError where the keys
    cannot sign.
    """
    must_be_allowed(label)
    old = carrier.read(data).labels or ((beside,) if beside else ())
    label, replaced = _next(old, label)
    label = keys.sign(label) if keys else label
    notice = style.notice(label.label) if style else None
    result = carrier.write(data, label, notice)
    _must_read_back(carrier, result, label, notice)
    return Relabelled(result, label, replaced)


def _next(old: Sequence[Found], label: Label) -> tuple[Label, str]:
    """The label to write where `old` ones stand, and what it replaces."""
    if not old:
        _must_generate(label)
        return label, ""
    for one in old:
        known, problems = read_value(one.value, wrapped=one.wrapped)
        if known and not problems and one.name in NAMES:
            ours = known.propagator == label.propagator
            if ours and known.label != label.label:
                raise ConfigError(
                    f"the file is labelled {known.label} by you already; a label is not changed to {label.label}"
                )
            handed = known if ours else spread(known, label.propagator, label.propagate_id)
            return handed, known.json() if len(old) == 1 else _values(old)
    _must_generate(label)
    return label, _values(old)


def _values(old: Sequence[Found]) -> str:
    return " ".join(one.value for one in old)[:_LONGEST_REPLACED]


def _must_generate(label: Label) -> None:
    """ConfigError where the producer's code is one of a propagation service: the verifier refuses such a label."""
    if looks_like_code(label.producer) and label.producer[22:23] == "2":
        raise ConfigError(
            f"producer {label.producer!r} is a code of a propagation service, and no valid label stands in the file to "
            "hand on; give the code whose 23rd character is 1 (generation)"
        )


def _must_read_back(carrier: Carrier, result: bytes, label: Label, notice: Notice | None) -> None:
    reading = carrier.read(result)
    values = [read_value(one.value, wrapped=one.wrapped)[0] for one in reading.labels]
    if carrier.metadata and values != [label]:
        raise Unreadable("does not give back the label that was written; nothing was changed")
    if carrier.visible and notice and not any_lawful(reading.notices):
        raise Unreadable("does not show the notice that was written; nothing was changed")
