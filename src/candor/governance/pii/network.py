"""Addresses of the web, of machines and of crypto currencies."""

import re
from collections.abc import Iterator

from candor.governance.pii import checks
from candor.governance.pii.rules import AFTER, BEFORE, Found, Rule, broken, shape

_URL = re.compile(r"[!#-;=?-Z\[\]_a-z~%|]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{1,11}\Z")
_PERSONAL = re.compile(
    r"^[a-z0-9+.\-]*://[^/?#\s]*@|[?&#;](?:[a-z_\-]*(?:token|secret|password|passwd|pwd|session|sig|signature|auth|apikey"
    r"|api_key|key|email|mail|phone|mobile|user|uid|userid|sid|code|ticket|openid|account|name))=[^&\s]|%40|[a-z0-9]@[a-z0-9]",
    re.IGNORECASE,
)
_HOST = re.compile(rf"(?:[A-Za-z0-9\-]{{1,63}}\.){{1,6}}[A-Za-z]{{2,24}}{AFTER}")
_CREDENTIALS = re.compile(r"[A-Za-z0-9+.\-]+://[^/?#\s@]+:[^/?#\s@]+@")
_PLAIN_URL = Rule("URL, RFC 3986", "url", identifier_class="quasi")
_PERSONAL_URL = Rule("URL with credentials or personal values", "url")

_DOTTED = r"[0-9]{1,3}(?:[ \r\n]{0,2}[.。][ \r\n]{0,2}[0-9]{1,3}){3}"
_TORN_OCTET = r"(?=[0-9.\r\n]{8,18})[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}[\r\n]{1,2}[0-9]{1,2}(?:\.[0-9]{1,3}){0,3}"
_IPV4 = Rule("IPv4, RFC 791", "ip_address")
_WHOLE_IPV4 = re.compile(rf"(?:(?<![0-9A-Za-z.])|(?<=[Ii][Pp]))({_DOTTED})(?![0-9A-Za-z]|[.][0-9])")
_TORN_IPV4 = re.compile(rf"(?<![0-9A-Za-z.])({_TORN_OCTET})(?![0-9A-Za-z]|[.][0-9])")
_IPV6 = Rule("IPv6, RFC 4291", "ip_address")
_HEXES = re.compile(
    r"[0-9A-Fa-f:]+(?:[\r\n]{1,2}(?=[0-9A-Fa-f:]*:)[0-9A-Fa-f:]+)?(?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?"
)
_HEX_TAIL = re.compile(r"[0-9A-Fa-f]{1,4}\Z")
_COLON_AND_HEX = re.compile(":[0-9A-Fa-f:]")
_IP_CUE = re.compile(
    r"\bip|ipv4|address|host|server|dns|主机|地址|服务器|网关|gateway|ping|端口|登录|访问", re.IGNORECASE
)
_VERSION = re.compile(
    r"(?:version|ver\.?|\bv|release|版本号?|section|§|chapter|clause|第|rev\.?|build|/|\bsec\.?)[ :]{0,2}\Z",
    re.IGNORECASE,
)

_OCTET, _COLON, _HYPHEN = (
    r"[0-9A-Fa-f][\r\n]{0,2}[0-9A-Fa-f]",
    r"[\r\n]{0,2}:[\r\n ]{0,2}",
    r"[\r\n]{0,2}-[\r\n ]{0,2}",
)
_GLUED = "|".join(f"(?<=[G-Zg-z]{'[A-Fa-f]' * count})" for count in range(4))
"""Behind a word whose letters are not all of a number in base 16."""
_MAC = Rule(
    "MAC, IEEE 802",
    "mac_address",
    re.compile(
        rf"(?:{BEFORE}|(?<=[Mm][Aa][Cc])|(?:{_GLUED})(?=[0-9:\-\r\n ]{{0,40}}[A-Fa-f])"
        rf"(?!{_OCTET}(?:[:\-]{_OCTET}){{6}}))"  # seven: the word itself ends like an octet ("MAC:")
        rf"({_OCTET}(?:{_COLON}{_OCTET}){{5}}|{_OCTET}(?:{_HYPHEN}{_OCTET}){{5}}){AFTER}"
    ),
)
_DASHES = re.compile(r"-[\r\n]{0,2}[0-9A-Fa-f][\r\n]{0,2}[0-9A-Fa-f][\r\n]{0,2}-")


def _bitcoin(name: str, pattern: str) -> Rule:
    return Rule(name, "crypto_address", re.compile(f"{BEFORE}({pattern}){AFTER}"), checks.bitcoin, is_exact=True)


SHAPES: tuple[Rule, ...] = (
    shape("MAC in three groups", "mac_address", r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}"),
    shape("address, Ethereum", "crypto_address", f"0[xX]{broken('[0-9A-Fa-f]', 40)}"),
    _bitcoin("address, Bitcoin", "[13][1-9A-HJ-NP-Za-km-z]{25,34}"),
    _bitcoin("address, Bitcoin, torn", f"[13]{broken('[1-9A-HJ-NP-Za-km-z]', 25, 34)}"),
    _bitcoin("address, Bitcoin, Bech32", "(?:bc1|BC1)[0-9A-Za-z]{11,87}"),
    _bitcoin("address, Bitcoin, Bech32, torn", f"(?:bc1|BC1){broken('[0-9A-Za-z]', 11, 87)}"),
)


def find_url(text: str, at: int) -> Iterator[Found]:
    """The URL whose "://" stands at `at`, or a bare host whose name begins there."""
    if text.startswith("://", at):
        scheme = _SCHEME.search(text, max(0, at - 12), at)
        if scheme is None:
            return
        start, behind = scheme.start(), at + 3
    else:
        start = behind = at
        if _HOST.match(text, at) is None:
            return
    body = _URL.match(text, behind)
    if body is None:
        return
    value = text[start : body.end()].rstrip(".,:;!?'*_|-[(")
    while value[-1:] in (")", "]") and value.count(value[-1]) > value.count("(" if value[-1] == ")" else "["):
        value = value[:-1].rstrip(".,:;!?'*_")
    if len(value) > behind - start + 2:
        yield start, start + len(value), _PERSONAL_URL if _PERSONAL.search(value) else _PLAIN_URL


def has_credentials(url: str) -> bool:
    """Whether a URL holds a name and a password."""
    return _CREDENTIALS.match(url) is not None


def find_ipv4(text: str, at: int) -> Iterator[Found]:
    """A dotted address at `at` that is no version and no number of a section."""
    for pattern in (_WHOLE_IPV4, _TORN_IPV4):
        found = pattern.match(text, at)
        if found is None:
            continue
        value = re.sub(r"[\s]+", "", found[1]).replace("。", ".")
        before = text[max(0, at - 40) : at]
        if not checks.ipv4(value) or _VERSION.search(before[-12:]):
            continue
        small = all(int(octet) < 10 for octet in value.split("."))
        if small and not _IP_CUE.search(before):
            continue
        yield found.start(1), found.end(1), _IPV4
        return


def find_colons(text: str) -> Iterator[Found]:
    """MAC and IPv6 addresses, from each colon with a hexadecimal digit behind it."""
    done = 0
    for colon in _COLON_AND_HEX.finditer(text):
        if colon.start() < done:
            continue
        head = _HEX_TAIL.search(text, max(0, colon.start() - 4), colon.start())
        start = head.start() if head else colon.start()
        places = (start if head else start + 1, colon.start() - 2, colon.start() + 1)
        found = next(filter(None, (_MAC.find(text, place) for place in places if place >= 0)), None)
        if found is None and (token := _HEXES.match(text, start)):
            found = _ipv6(text, start, token[0])
            done = token.end()
        if found:
            yield found
            done = found[1]


def _ipv6(text: str, start: int, token: str) -> Found | None:
    # A colon before it may be the one of "address:".
    for first in sorted({0, token.index(":") + 1, 2 * token.startswith("::")}):
        value = token[first:].rstrip(":") if not token.endswith("::") else token[first:]
        bare = re.sub(r"[\r\n]", "", value)
        before = text[start + first - 1 : start + first]
        if before.isascii() and (before.isalnum() or before == "."):
            continue
        end = start + first + len(value)
        if text[end : end + 1].isascii() and text[end : end + 1].isalnum():
            continue
        groups = [group for group in bare.split(":") if group]
        # a::b is an address, but far more often a name in a program; 12:30:45 is a time.
        if len(groups) < 2 or not any(one.isdigit() for one in bare) or not checks.ipv6(bare):
            continue
        if len(groups) > 2 or _IP_CUE.search(text, max(0, start - 40), start):
            return start + first, end, _IPV6
    return None


def find_dashes(text: str) -> Iterator[Found]:
    """MAC addresses written with hyphens."""
    for dash in _DASHES.finditer(text):
        for start in range(max(0, dash.start() - 4), dash.start() - 1):
            if found := _MAC.find(text, start):
                yield found
                break
