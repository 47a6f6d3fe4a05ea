"""Each check takes the example of its standard, and none with a character changed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.governance.pii import checks, checks_western

Check = Callable[[str], bool]
EXAMPLES: list[tuple[Check, str]] = [
    (checks.resident_id, "11010519491231002X"),  # GB 11643-1999, annex
    (checks.resident_id, "440524188001010014"),
    (checks.credit_code, "91350100M000100Y43"),  # GB 32100-2015
    (checks.luhn, "79927398713"),
    (checks.bank_card, "4111111111111111"),
    (checks.bank_card, "378282246310005"),
    (checks.imei, "490154203237518"),
    (checks.iban, "GB82WEST12345698765432"),  # ISO 13616
    (checks.iban, "DE89370400440532013000"),
    (checks.vin, "1M8GDM9AXKP042788"),  # 49 CFR 565
    (checks.bitcoin, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    (checks.bitcoin, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),  # BIP 173
    (checks.parcel, "RR473124829GB"),  # UPU S10
    (checks_western.aba, "111000025"),
    (checks_western.de_tax_id, "36574261809"),
    (checks_western.nir, "295109912611193"),
    (checks_western.dni, "12345678Z"),
    (checks_western.dni, "X1234567L"),
    (checks_western.codice_fiscale, "RSSMRA85T10A562S"),
    (checks_western.bsn, "111222333"),
]


@pytest.mark.parametrize(("check", "number"), EXAMPLES)
def test_published_example(check: Check, number: str) -> None:
    assert check(number)


@pytest.mark.parametrize(("check", "number"), EXAMPLES)
def test_one_wrong_digit(check: Check, number: str) -> None:
    last = max(place for place, one in enumerate(number) if one.isdigit())
    for other in {*"0123456789"} - {number[last]}:
        assert not check(number[:last] + other + number[last + 1 :])


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (checks.resident_id_old, "110105491231002", "110105491331002"),
        (checks.resident_id, "810000199408230021", "110105194913310029"),
        (checks.plate, "京A12345", "京AABCDE"),
        (checks.plate, "粤BD12345", "粤B1234567"),
        (checks.plate, "沪A1234学", "沪A123学"),
        (checks.ipv4, "192.168.1.1", "192.168.1.256"),
        (checks.ipv6, "2001:db8::1", "2001:db8:::1"),
        (checks_western.ssn, "219099999", "666099999"),
        (checks_western.itin, "912701234", "912931234"),
        (checks_western.nino, "AB123456C", "GB123456C"),
    ],
)
def test_range(check: Check, good: str, bad: str) -> None:
    assert check(good)
    assert not check(bad)


ALL = sorted({check for check, _ in EXAMPLES}, key=lambda check: check.__name__)


@given(st.one_of(st.text(), st.text(alphabet="0123456789ABCXZ٣²", min_size=8, max_size=24)))
def test_nothing_raises(text: str) -> None:
    for check in (*ALL, checks.resident_id_old, checks.plate, checks.ipv4, checks.ipv6, checks_western.itin):
        assert check(text) in (True, False)
