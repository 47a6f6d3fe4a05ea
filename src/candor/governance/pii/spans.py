"""Places of a text that tell who somebody is, and how overlapping ones become one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

IdentifierClass = Literal["direct", "quasi"]


DIRECT = (
    "resident_id", "residence_permit", "travel_permit", "passport", "driver_licence", "ssn", "tax_id", "national_id",
    "credit_code", "plate", "vin", "imei", "phone", "wechat", "qq", "alipay", "email", "handle", "bank_card",
    "bank_account", "bank_routing", "iban", "crypto_address", "ip_address", "mac_address", "secret", "case_number",
    "tracking_number", "order_number", "medical_record", "student_number", "employee_number", "person", "code",
)  # fmt: skip
"""Types of what tells who somebody is by itself."""
QUASI = (
    "url", "zip_code", "reference_number", "address", "location", "organisation", "attribute", "date", "age",
    "quantity", "other",
)  # fmt: skip
"""Types of what tells it together with others; a URL with credentials or personal values is direct all the same."""
TYPES = DIRECT + QUASI


def class_of(kind: str) -> IdentifierClass:
    """The class of a type."""
    return "direct" if kind in DIRECT else "quasi"


@dataclass(frozen=True, slots=True)
class Span:
    """One identifier in a text."""

    start: int
    """The first code point of the original text ..."""
    end: int
    """... and the one behind the last."""
    type: str
    """What it is, one of `TYPES`: `phone`, `resident_id`, `email` ..."""
    identifier_class: IdentifierClass
    """Whether it names one person by itself, or only with others of its kind."""
    rule: str
    """The name of the rule that found it."""


def merge(spans: Iterable[Span]) -> list[Span]:
    """Sorted spans without overlap.

    Of spans that overlap the longest gives its name, a direct identifier before a quasi one of the same length. It
    covers what any of them covered, and is direct if one of them was: what was once found never shows again.
    """
    merged: list[Span] = []
    best: tuple[int, bool] = (0, False)
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        strength = (span.end - span.start, span.identifier_class == "direct")
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
            best = strength
            continue
        last = merged[-1]
        named = span if strength > best else last
        best = max(best, strength)
        direct = "direct" in (last.identifier_class, span.identifier_class)
        end = max(last.end, span.end)
        merged[-1] = Span(last.start, end, named.type, "direct" if direct else "quasi", named.rule)
    return merged
