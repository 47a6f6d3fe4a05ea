"""Checksums and validity of numbers of the United States and of European countries.

Each takes the bare string, upper case, without separators, and never raises.
"""

import re

from candor.governance.pii.checks import digits_sum

_CONTROL = "TRWAGMYFPDXBNJZSQVHLCKE"
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21) * 2 + (2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)


def ssn(text: str) -> bool:
    """A US social security number: no area 000, 666 or 9xx, no group 00, no serial 0000 (SSA, 2011)."""
    return re.fullmatch(r"(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}", text) is not None


def itin(text: str) -> bool:
    """A US taxpayer's number: 9xx, group 50-65, 70-88, 90-92 or 94-99 (IRS, Publication 1915)."""
    return re.fullmatch(r"9[0-9]{2}(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])[0-9]{4}", text) is not None


def aba(text: str) -> bool:
    """A US bank's routing number: weights 3, 7, 1 modulo 10 (ABA Routing Number Policy)."""
    if re.fullmatch(r"(?:0\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)[0-9]{7}", text, re.ASCII) is None:
        return False
    return digits_sum(text, (3, 7, 1) * 3) % 10 == 0 and len(set(text)) > 1


def nino(text: str) -> bool:
    """A UK national insurance number: two letters, six digits, A to D (HMRC manual NIM39110)."""
    shape = r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]"
    return re.fullmatch(shape, text) is not None


def de_tax_id(text: str) -> bool:
    """A German tax number (section 139b AO): one digit of the ten twice or thrice, ISO 7064 MOD 11,10."""
    if re.fullmatch(r"[1-9][0-9]{10}", text) is None:
        return False
    counts = sorted(text[:10].count(one) for one in set(text[:10]))
    if counts[-1] not in (2, 3) or counts[-2] != 1:
        return False
    product = 10
    for one in text[:10]:
        product = ((int(one) + product - 1) % 10 + 1) * 2 % 11
    return (11 - product) % 10 == int(text[10])


def nir(text: str) -> bool:
    """A French social security number with its key, 97 less the number modulo 97 (decree 91-1404; INSEE)."""
    if re.fullmatch(r"[1-478][0-9]{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d{2}|2[AB])[0-9]{8}", text, re.ASCII) is None:
        return False
    number = int(text[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - number % 97 == int(text[13:])


def dni(text: str) -> bool:
    """A Spanish DNI or a foreigner's NIE: modulo 23 as a letter (Real Decreto 1553/2005; Orden INT/2058/2008)."""
    if re.fullmatch(r"[0-9XYZ][0-9]{7}[A-Z]", text) is None:
        return False
    return _CONTROL[int(text[:8].translate(str.maketrans("XYZ", "012"))) % 23] == text[8]


def codice_fiscale(text: str) -> bool:
    """An Italian tax code of 16 characters (DM 23 December 1976, n. 13813); digits may stand as LMNPQRSTUV."""
    figure = "[0-9LMNPQRSTUV]"
    if re.fullmatch(f"[A-Z]{{6}}{figure}{{2}}[A-EHLMPRST]{figure}{{2}}[A-Z]{figure}{{3}}[A-Z]", text) is None:
        return False
    total = sum(_ODD[one] for one in text[:15:2])
    total += sum(int(one) if one.isdigit() else ord(one) - 65 for one in text[1:15:2])
    return chr(65 + total % 26) == text[15]


def bsn(text: str) -> bool:
    """A Dutch citizen's number: the eleven test with the last weight -1 (Wet algemene bepalingen BSN; RvIG)."""
    if re.fullmatch(r"[0-9]{8,9}", text) is None or len(set(text)) == 1:
        return False
    return digits_sum(text.zfill(9), (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0
