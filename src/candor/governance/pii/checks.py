"""Checksums and validity of numbers that are used in many countries, and of Chinese ones.

Each takes the bare string, upper case, without separators, and never raises.
"""

import hashlib
import ipaddress
import re
from datetime import date

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83".split()
)
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT = re.compile(r"(?:[15N][1239]|[2468A][19]|3[1-59]|7[129]|9[123]|Y1)[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
"""The registering body and its kinds of organisation, then the place."""
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
IBAN_LENGTHS = {
    code[:2]: int(code[2:])
    for code in (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30"
    ).split()
}
_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|(?:36|30[0-5])\d{12,16}|35\d{14,17}|(?:2131|1800)\d{11}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|0604|6304|6390|6759|676[1-3])\d{8,15}|5[6-8]\d{14,17}"
)


def digits_sum(text: str, weights: tuple[int, ...]) -> int:
    """The sum of digits, each times its weight; both as long as the shorter one."""
    return sum(int(one) * weight for one, weight in zip(text, weights, strict=False))


def is_date(text: str) -> bool:
    """Whether YYYYMMDD is a day of the years 1850 to 2099."""
    try:
        return 1850 <= date(int(text[:4]), int(text[4:6]), int(text[6:8])).year < 2100
    except ValueError:
        return False


def luhn(text: str) -> bool:
    """The double-add-double check digit (ISO/IEC 7812-1, annex B)."""
    if not (text.isascii() and text.isdigit()):
        return False
    total = sum(int(one) for one in text[-1::-2]) + sum(
        (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(one)] for one in text[-2::-2]
    )
    return total % 10 == 0


def bank_card(text: str) -> bool:
    """A card number: an issuer's prefix with its lengths (ISO/IEC 7812-2), and the check digit."""
    return _CARD.fullmatch(text) is not None and luhn(text) and len(set(text)) > 1


def imei(text: str) -> bool:
    """A device number of 15 digits with a check digit (3GPP TS 23.003, annex B)."""
    return len(text) == 15 and luhn(text) and len(set(text)) > 1


def resident_id(text: str) -> bool:
    """A citizen's number of 18 characters (GB 11643-1999): province, date of birth, ISO 7064 MOD 11-2.

    So too the residence permits of Hong Kong, Macau and Taiwan (81 to 83), and foreigners' ones of 2023 (9, province).
    """
    if re.fullmatch(r"[1-9][0-9]{16}[0-9X]", text) is None:
        return False
    place = text[1:3] if text[0] == "9" else text[:2]
    check = "10X98765432"[digits_sum(text, _ID_WEIGHTS) % 11]
    return place in _PROVINCES and is_date(text[6:14]) and text[17] == check


def resident_id_old(text: str) -> bool:
    """A citizen's number of 15 digits, as before 1999 (GB 11643-1989): province and date of birth, no check digit."""
    if re.fullmatch(r"[1-8][0-9]{14}", text) is None:
        return False
    return text[:2] in _PROVINCES and is_date("19" + text[6:12])


def credit_code(text: str) -> bool:
    """A unified social credit code of 18 characters (GB 32100-2015): body, kind, place, weights 3^i modulo 31."""
    if _CREDIT.fullmatch(text) is None or not (text[2:4] in _PROVINCES or text[2:4] == "10"):
        return False
    total = sum(_CREDIT_ALPHABET.index(one) * pow(3, place, 31) for place, one in enumerate(text[:17]))
    return _CREDIT_ALPHABET[-total % 31] == text[17]


def plate(text: str) -> bool:
    """A Chinese number plate (GA 36-2018): province, letter, five or, with new energy, six characters."""
    tail = text[2:]
    if re.fullmatch(r"[0-9A-HJ-NP-Z]{4}[0-9A-HJ-NP-Z挂学警港澳使领]", tail):
        return sum(one.isdigit() for one in tail) >= 1
    return re.fullmatch(r"[A-HJK][0-9A-HJ-NP-Z][0-9]{4}|[0-9]{5}[A-HJK]", tail) is not None


def iban(text: str) -> bool:
    """An international bank account number: the length of its country, and MOD 97-10 (ISO 13616-1)."""
    if len(text) != IBAN_LENGTHS.get(text[:2]) or not (text.isascii() and text.isalnum()):
        return False
    return int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1


def vin(text: str) -> bool:
    """A vehicle's number: 17 characters without I, O, Q (ISO 3779), and the check digit of 49 CFR 565.15."""
    if re.fullmatch(r"[0-9A-HJ-NPR-Z]{17}", text) is None:
        return False
    values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), 1, 2, 3, 4, 5, 7, 9, *range(2, 10)), strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(
        (values[one] if one in values else int(one)) * weight for one, weight in zip(text, weights, strict=True)
    )
    return text[8] == "0123456789X"[total % 11]


def parcel(text: str) -> bool:
    """A parcel's number of 13 characters: weights 8, 6, 4, 2, 3, 5, 9, 7 modulo 11 (UPU S10)."""
    if re.fullmatch("[A-Z]{2}[0-9]{9}[A-Z]{2}", text) is None:
        return False
    rest = 11 - digits_sum(text[2:10], (8, 6, 4, 2, 3, 5, 9, 7)) % 11
    return {10: 0, 11: 5}.get(rest, rest) == int(text[10])


def ipv4(text: str) -> bool:
    """Four decimal octets (RFC 791, RFC 6943)."""
    try:
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def ipv6(text: str) -> bool:
    """An address in one of the forms of RFC 4291, section 2.2."""
    try:
        return bool(ipaddress.IPv6Address(text)) or text == "::"
    except ValueError:
        return False


def bitcoin(text: str) -> bool:
    """An address in Base58Check, or in Bech32 and Bech32m (BIP 173, BIP 350)."""
    if text[:3].lower() == "bc1":
        return _bech32(text.lower())
    if not 26 <= len(text) <= 35 or any(one not in _BASE58 for one in text):
        return False
    number = 0
    for one in text:
        number = number * 58 + _BASE58.index(one)
    if number >> 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def _bech32(text: str) -> bool:
    if not 14 <= len(text) <= 90 or any(one not in _BECH32 for one in text[3:]):
        return False
    check = 1
    for value in (3, 3, 0, 2, 3, *map(_BECH32.index, text[3:])):  # "bc" spread out, then the data
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= part if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)
