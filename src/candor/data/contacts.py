"""E-mail and network addresses taken out of a text: the least that a corpus from the web needs.

They are found where they touch Han characters too, which are letters to `\\w` and `\\b`. Names, numbers and what else
tells who somebody is are the business of de-identification.
"""

import ipaddress
import re

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_%+-][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?![A-Za-z0-9])"
)
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:.])")
EMAIL, ADDRESS = "<email>", "<ip>"
"""What stands in their place."""


def without_contacts(text: str) -> tuple[str, int]:
    """A text with marks in place of e-mail addresses and of public network addresses, and their number."""
    count = 0
    if "@" in text:
        text, count = _EMAIL.subn(EMAIL, text)
    masked = 0

    def mask(found: re.Match[str]) -> str:
        nonlocal masked
        try:
            # a::b is an address, but far more often a name in a program.
            real = ":" not in found[0] or (sum(map(bool, found[0].split(":"))) > 2 and re.search(r"\d", found[0]))
            public = bool(real) and ipaddress.ip_address(found[0]).is_global
        except ValueError:
            public = False
        masked += public
        return ADDRESS if public else found[0]

    text = _IPV4.sub(mask, text)
    if "::" in text or text.count(":") >= 7:
        text = _IPV6.sub(mask, text)
    return text, count + masked
