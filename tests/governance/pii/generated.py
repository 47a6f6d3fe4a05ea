"""Made-up Chinese and international identifiers with valid check digits, for tests.

Written from the published formulas of the standards and from the way people write such numbers; it imports nothing
from the package under test.
"""

import datetime
import random
import string
from collections.abc import Callable

CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ALNUM = string.ascii_letters + string.digits
PLATE = "ABCDEFGHJKLMNPQRSTUVWXYZ"
REGIONS = """110101 110105 110108 120101 120104 130102 130203 140105 150102 210102 210204 220102 220104 230102 310101
310104 310105 310115 320102 320106 320505 330102 330106 330203 340102 340104 350102 350203 360102 370102 370202 410102
410105 420102 420106 430102 430104 440103 440106 440305 440306 450102 460105 500103 500112 510104 510107 520102 530102
540102 610102 610113 620102 630102 640104 650102 810000 820000 830000""".split()
PROVINCES = {region[:2] for region in REGIONS} | {"71"}
MOBILES = """130 131 132 133 134 135 136 137 138 139 145 146 147 148 149 150 151 152 153 155 156 157 158 159 162 165
166 167 170 171 172 173 175 176 177 178 180 181 182 183 184 185 186 187 188 189 190 191 192 193 195 196 197 198
199""".split()
AREAS = "010 020 021 022 023 024 025 027 028 029 0311 0351 0411 0451 0512 0531 0551 0571 0591 0731 0755 0871".split()
SMALL_AREAS = "0712 0724 0837 0853 0887 0936 0972".split()  # seven-digit subscriber numbers
BANKS = {19: "622202 621700 622848 621661 621226".split(), 16: "622588 621483 622575 625965 622155".split()}
NAMES = "zhangwei lina wangfang liuyang chenjie yangmin zhaolei huangyan zhoutao sunli dawei xiaoyu kevin lily".split()


# --- check digits ---------------------------------------------------------------------------------------------------
def id_check(body: str) -> str:
    """GB 11643: ISO 7064 MOD 11-2 over the first 17 digits."""
    return "10X98765432"[sum(int(c) * (2 ** (17 - i) % 11) for i, c in enumerate(body)) % 11]


def organisation_check(body: str) -> str:
    """GB 11714: the check character of the eight-character organisation code inside a credit code."""
    total = sum(int(c, 36) * w for c, w in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return "0123456789X0"[11 - total % 11]


def credit_check(body: str) -> str:
    """GB 32100: weights 3^i mod 31 over the first 17 characters."""
    return CREDIT[-sum(CREDIT.index(c) * pow(3, i, 31) for i, c in enumerate(body)) % 31]


def luhn(number: str) -> bool:
    """ISO 7812: every second digit from the right doubled, its digits added."""
    return sum(sum(divmod(int(c) * (1 + i % 2), 10)) for i, c in enumerate(reversed(number))) % 10 == 0


def iban_check(country: str, account: str) -> str:
    """ISO 13616: 98 minus the rearranged number mod 97."""
    return f"{98 - int(''.join(str(int(c, 36)) for c in account + country + '00')) % 97:02d}"


def real_date(year: str, month: str, day: str, low: int = 1900, high: int = 2100) -> bool:
    """Whether the three parts are a day of the calendar."""
    try:
        return low <= datetime.date(int(year), int(month), int(day)).year <= high
    except ValueError:
        return False


def is_identifier(n: str) -> bool:
    """Whether a string of digits is, or has the shape of, an identifier or a date."""
    size = len(n)
    if size == 18 and (id_check(n[:17]) == n[17] and real_date(n[6:10], n[10:12], n[12:14])):
        return True
    if size == 18 and credit_check(n[:17]) == n[17]:
        return True
    if size == 15 and (luhn(n) or (n[:2] in PROVINCES and real_date("19" + n[6:8], n[8:10], n[10:12]))):
        return True
    if 13 <= size <= 19 and n[0] in "23456" and luhn(n):
        return True
    local = n.removeprefix("86") if size > 11 else n
    if len(local.lstrip("0")) == 11 and local.lstrip("0")[:2] in {"13", "14", "15", "16", "17", "18", "19"}:
        return True
    if (10 <= size <= 12 and n[0] == "0") or (size == 10 and n[:3] in {"400", "800"}) or (size > 9 and n[:2] == "86"):
        return True
    long_year, short_year = (n[:4], n[4:6], n[6:8] or "1"), ("20" + n[:2], n[2:4], n[4:6])
    return size in {6, 8, 10, 12, 14} and (real_date(*long_year) or (size != 8 and real_date(*short_year)))


# --- identifiers ----------------------------------------------------------------------------------------------------
def digits(r: random.Random, n: int, chars: str = string.digits) -> str:
    """A random string over the characters."""
    return "".join(r.choices(chars, k=n))


def birth(r: random.Random, low: int, high: int) -> datetime.date:
    """A random day from the first year to the last."""
    first = datetime.date(low, 1, 1)
    return first + datetime.timedelta(r.randrange((datetime.date(high, 12, 31) - first).days + 1))


def resident(r: random.Random) -> str:
    """An 18-character resident id."""
    body = f"{r.choice(REGIONS)}{birth(r, 1930, 2015):%Y%m%d}{digits(r, 3)}"
    return body + id_check(body)


def credit(r: random.Random) -> str:
    """A unified social credit code with a valid organisation code inside."""
    region = r.choice(REGIONS[:-3])
    code = r.choice(("MA" + digits(r, 6, CREDIT), digits(r, 8)))
    body = r.choice(("91", "91", "92", "93", "12", "51", "52")) + region + code + organisation_check(code)
    return body + credit_check(body)


def mobile(r: random.Random) -> str:
    """An 11-digit mobile number."""
    return r.choice(MOBILES) + digits(r, 8)


def landline(r: random.Random) -> str:
    """An area code and seven or eight digits, half of them with a hyphen."""
    area = r.choice(AREAS + SMALL_AREAS)
    return area + r.choice(("", "-")) + r.choice("2345678") + digits(r, 6 if area in SMALL_AREAS else 7)


def card(r: random.Random) -> str:
    """A Luhn-valid card number: UnionPay of 19 or 16 digits, Visa, MasterCard."""
    size = r.choice((19, 19, 16, 16))
    foreign = ["4" + digits(r, 5), r.choice(("51", "53", "55")) + digits(r, 4)] * 2 if size == 16 else []
    start = r.choice([*BANKS[size], *foreign])
    body = start + digits(r, size - 1 - len(start))
    return next(body + c for c in string.digits if luhn(body + c))


def plate(r: random.Random) -> str:
    """A plate: ordinary, new energy, or with a mark at the end."""
    head = r.choice("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼") + r.choice(PLATE)
    tail = [*digits(r, 5)]
    for place in r.sample(range(4), r.choice((0, 1, 2))):
        tail[place] = r.choice(PLATE)
    energy = r.choice((r.choice("DF") + r.choice(PLATE + "0123456789") + digits(r, 4), digits(r, 5) + r.choice("DF")))
    return head + r.choice(("".join(tail), "".join(tail), energy, "".join(tail[:4]) + r.choice("挂学警")))


def wechat(r: random.Random) -> str:
    """A WeChat id chosen by its owner: a letter, then 5 to 19 letters, digits, hyphens and underscores."""
    if r.random() < 0.3:
        return r.choice((f"{r.choice(NAMES)}_{r.choice(NAMES)}", r.choice("abhjlwxyz") + digits(r, r.randint(6, 10))))
    return r.choice((str, str.title))(r.choice(NAMES)) + r.choice(("_", "-", "")) + digits(r, r.choice((2, 3, 4)))


def email(r: random.Random) -> str:
    """A mail address."""
    local = r.choice((f"{r.choice(NAMES)}.{r.choice(NAMES)}", f"{r.choice(NAMES)}_{digits(r, 2)}", "1" + digits(r, 8)))
    return f"{local}@{r.choice('163.com qq.com gmail.com foxmail.com mail.example.edu.cn corp-example.com'.split())}"


def mac(r: random.Random) -> str:
    """A hardware address."""
    return r.choice((str.upper, str.lower))(r.choice(":-").join(digits(r, 2, "0123456789abcdef") for _ in range(6)))


def url(r: random.Random) -> str:
    """A URL with user and password."""
    scheme, port = r.choice((("https", ""), ("ftp", ""), ("postgresql", ":5432"), ("http", ":8080")))
    host = r.choice(("db", "git", "files")) + ".example.com" + port + r.choice(("", "/data", "/repo/main.git"))
    return f"{scheme}://{r.choice(NAMES)}:{digits(r, 10, ALNUM)}@{host}"


def court(r: random.Random) -> str:
    """A court case number."""
    place = r.choice("京0105 京01 沪0115 粤0305 粤03 浙0106 苏05 川0107 鄂0106 最高法".split())
    kind = r.choice("民初 民终 刑初 行初 执 执异 民申 破申".split())
    left, right = r.choice(("（）", "（）", "()"))
    return f"{left}{r.randint(2014, 2025)}{right}{place}{kind}{r.randint(1, 29999)}号"


def express(r: random.Random) -> str:
    """A parcel number."""
    return r.choice(("SF1", "YT8", "JT5", "78", "431", "9")) + digits(r, 12)


def iban(r: random.Random) -> str:
    """An account number of one of five countries."""
    country = r.choice(("DE", "GB", "AT", "CH", "FR"))
    form = {"DE": "d" * 18, "GB": "LLLL" + "d" * 14, "AT": "d" * 16, "CH": "d" * 17, "FR": "d" * 23}[country]
    account = "".join(r.choice(string.digits if c == "d" else string.ascii_uppercase) for c in form)
    return country + iban_check(country, account) + account


def key(r: random.Random) -> str:
    """A secret in the form of a known service."""
    amazon = "AKIA" + digits(r, 16, string.ascii_uppercase + "234567")
    return r.choice((f"sk-{digits(r, 48, ALNUM)}", amazon, f"ghp_{digits(r, 36, ALNUM)}"))


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "id18": resident,
    "id15": lambda r: f"{r.choice(REGIONS[:-3])}{birth(r, 1930, 1999):%y%m%d}{digits(r, 3)}",
    "credit": credit,
    "mobile": mobile,
    "mobile86": lambda r: r.choice(("+86", "86", "+86 ", "+86-")) + mobile(r),
    "landline": landline,
    "tel400": lambda r: "400" + r.choice("016789") + digits(r, 6),
    "card": card,
    "plate": plate,
    "passport": lambda r: r.choice((r.choice("EG") + digits(r, 8), "E" + r.choice(PLATE) + digits(r, 7))),
    "permit": lambda r: r.choice("CH") + digits(r, 8),
    "wxid": lambda r: "wxid_" + digits(r, 14, string.ascii_lowercase + string.digits),
    "wechat": wechat,
    "qq": lambda r: r.choice("123456789") + digits(r, r.randint(5, 9)),
    "email": email,
    "ipv4": lambda r: ".".join(str(r.randint(1, 254)) for _ in range(4)),
    "mac": mac,
    "url": url,
    "court": court,
    "alipay": lambda r: r.choice((mobile, mobile, email))(r),
    "express": express,
    "iban": iban,
    "key": key,
}
