"""Every kind of identifier is found whole, also disguised and touching Han characters, and plain numbers are not."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.governance.pii import chinese, network, secrets, western
from candor.governance.pii.identifiers import find_identifiers
from candor.governance.pii.spans import Span, merge


def found(text: str) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in find_identifiers(text)]


EXAMPLES = [
    ("resident_id", "11010519491231002X"),
    ("resident_id", "110105491231002"),
    ("resident_id", "810000199408230021"),
    ("credit_code", "91350100M000100Y43"),
    ("phone", "13812345678"),
    ("phone", "+86 138 1234 5678"),
    ("phone", "010-88886666"),
    ("phone", "(010)88886666"),
    ("vin", "1M8GDM9AXKP042788"),
    ("phone", "400-823-4567"),
    ("phone", "+1-903-140-4508x769"),
    ("phone", "(898)666-3621"),
    ("phone", "01.84.17.61.18"),
    ("phone", "+41 (0)38 549 02 90"),
    ("bank_card", "6222020200112230004"),
    ("bank_card", "4111111111111111"),
    ("plate", "京A12345"),
    ("plate", "粤BD12345"),
    ("plate", "沪A1234学"),
    ("passport", "E12345678"),
    ("travel_permit", "H12345678"),
    ("tracking_number", "SF1234567890123"),
    ("wechat", "wxid_a1b2c3d4e5f6g7"),
    ("email", "zhang.san@example.com"),
    ("email", "name [at] host [dot] com"),
    ("ip_address", "192.168.1.20"),
    ("ip_address", "2001:db8::8a2e:370:7334"),
    ("mac_address", "00:1A:2B:3C:4D:5E"),
    ("url", "https://user:pw@example.com/x"),
    ("url", "https://example.com/path"),
    ("iban", "GB82WEST12345698765432"),
    ("crypto_address", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("crypto_address", "0x52908400098527886E0F7030069857D2E4169EE7"),
    ("case_number", "（2019）京0105民初12345号"),
    ("case_number", "18403/91"),
    ("case_number", "C-123/45"),
    ("case_number", "1:19-cv-01234"),
    ("ssn", "219-09-9999"),
    ("national_id", "12345678Z"),
    ("national_id", "RSSMRA85T10A562S"),
    ("secret", "AKIAIOSFODNN7EXAMPLE"),
    ("secret", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    ("secret", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
]


@pytest.mark.parametrize(("kind", "value"), EXAMPLES)
@pytest.mark.parametrize(
    ("before", "behind"), [("我们的", "已经登记"), ("资料：", "，请查收。"), ("The file has ", ".")]
)
def test_found_wherever_it_stands(kind: str, value: str, before: str, behind: str) -> None:
    assert found(before + value + behind) == [(kind, value)]


@pytest.mark.parametrize(
    ("kind", "cue", "value"),
    [
        ("wechat", "微信号：", "zhangsan_88"),
        ("wechat", "加我vx", " abc12345"),
        ("wechat", "我的微信", "zhangsan"),
        ("qq", "QQ", "12345678"),
        ("alipay", "支付宝账号是", "lisi_2020"),
        ("travel_permit", "台胞证", "12345678"),
        ("order_number", "订单编号：", "2019-1231-5678"),
        ("tracking_number", "快递单号", "773012345678901"),
        ("medical_record", "病历号", "00123456"),
        ("student_number", "学号是", "2019123456"),
        ("employee_number", "工号", "A1234"),
        ("vin", "车架号", "1M8GDM9AXKP042788"),
        ("imei", "IMEI", "490154203237518"),
        ("secret", "密码是", "Abc123!@#"),
        ("secret", 'api_key = "', "k3y0123456789"),
        ("driver_licence", "driver's license number is ", "U62928788557186"),
        ("ssn", "social security number ", "219099999"),
        ("tax_id", "EIN ", "12-3456789"),
        ("passport", "passport no. ", "866534951"),
        ("medical_record", "MRN: ", "00123456"),
        ("zip_code", "邮编", "210000"),
        ("zip_code", "Springfield, IL ", "62704"),
        ("phone", "call me at ", "780 6326"),
        ("case_number", "(nos. 1/92 and ", "2/93"),
        ("case_number", "docket no. ", "19-1234"),
    ],
)
def test_found_by_its_cue(kind: str, cue: str, value: str) -> None:
    assert (kind, value.strip()) in found(f"{cue}{value}，谢谢")


def full_width(value: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if one.isascii() and one.isalnum() else one for one in value)


def numerals(value: str) -> str:
    return value.translate(str.maketrans("0123456789", "零一二三四五六七八九"))


DISGUISED = [
    "13812345678", "138 1234 5678", "138-1234-5678", "138.1234.5678", "1381\u200b234\u200d5678", "138123\n45678",
    "11010519491231002X", "110105 19491231 002X", "110105-1949-1231-002X", "11010519\n491231002X",
    "6222 0202 0011 2230 004", "6222-0202-0011-2230-004", "6222.0202.0011.2230.004", "622202020\n0112230004",
    "91350100 M000100Y 43", "9135-0100-M000-100Y-43", "GB82 WEST 1234 5698 7654 32", "GB82WEST1234\n5698765432",
    "京A·12345", "京A 12345", "京A\n12345", "E 1234 5678", "E1234\u200b5678", "010 8888 6666", "192.168.\n1.20",
    "zhang.san@exam\nple.com", "zhang\u200b.san@example.com", "wxid_a1b2c3\nd4e5f6g7", "AKIAIOSF\nODNN7EXAMPLE",
]  # fmt: skip


@pytest.mark.parametrize(
    ("disguise", "value"),
    [(disguise, value) for disguise in (str, full_width, numerals) for value in DISGUISED
     if disguise is not numerals or not any(one in value for one in ("@", "wxid", "AKIA"))],
)  # fmt: skip
def test_found_in_a_disguise(disguise: Callable[[str], str], value: str) -> None:
    value = disguise(value)
    for text in (f"我的是{value}谢谢", f"资料：{value}。", f"it is {value}, thanks"):
        assert [shown for _, shown in found(text)] == [value]


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4, v10.0.0.1, Chrome/91.0.4472.124, section 1.2.3.4, 1.2.3",
        "2019-12-31 10:20:30, 20191231123456, 12/05/2019, 2019-2020, 1990 2000 2010",
        "ISBN 978-7-111-12345-6, ISBN 7-111-54742-3, pp. 123-456",
        "6.02214076e23, 3.1415926535897932, 299792458, $1,234,567, 13800000000元",
        "d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000 0x7ffe1234abcd",
        "18000/1000 = 18, 24/7, 120/80, 2019/20, 1800-400 = 1400, 0011 0100",
        "二十万零三百五十，一二三，三三两两，一九九八年，二〇一九年十二月三十一日",
        "password is required, token = getToken(), secret: string, the order of 12 things, 200 employees",
        "std::vector<int>::iterator a::b 12:30:45 ::1, @property, a @ b, x@y",
        "we met at room L5. It was fun, at once. In the end",
        "微信支付和QQ群都可以，密码不能为空，微信公众号",
        "",
    ],
)
def test_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("mac_address", "00:1A:2B:3C:4D:5E", "device00:1A:2B:3C:4D:5E"),
        ("mac_address", "00-1a-2b-3c-4d-5e", "the nic00-1a-2b-3c-4d-5e, up"),
        ("mac_address", "00:11:22:33:44:55", "MAC00:11:22:33:44:55"),
        ("phone", "13812345678", "13812345678abc"),
        ("phone", "13812345678", "打13812345678ask for Li"),
        ("phone", "138 1234 5678", "138 1234 5678me"),
        ("phone", "138<b>1234</b>5678", "call 138<b>1234</b>5678"),
        ("phone", "138**1234**5678", "电话138**1234**5678，谢谢"),
        ("phone", "138<b>\u200b１２３４</b>5678", "call 138<b>\u200b１２３４</b>5678!"),
        ("resident_id", "110105<em>19491231</em>002X", "110105<em>19491231</em>002X"),
        ("bank_card", "6222<span class='x'>0202</span>00112230004", "6222<span class='x'>0202</span>00112230004"),
    ],
)
def test_found_where_it_touches_letters_or_marks(kind: str, value: str, text: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "13812345678e4f00", "13812345678ULL, 13812345678ns, 13812345678px, 13812345678B, 13812345678L",
        "abc12:30:45:00:11:22, log12-31-10-20-30-45, 10**12**345678901, 2**16, 12<br>34567890",
    ],
)  # fmt: skip
def test_left_alone_where_it_touches_letters_or_marks(text: str) -> None:
    assert found(text) == []


def test_numbers_with_marks_between_them_stay_two() -> None:
    numbers = [("phone", "13812345678"), ("phone", "13912345678")]
    assert found("13812345678<br>13912345678") == found("<b>13812345678</b> <b>13912345678</b>") == numbers


def test_a_version_is_no_address_but_a_host_is() -> None:
    assert found("the host 8.8.8.8, the version 8.8.8.8") == [("ip_address", "8.8.8.8")]


def test_classes() -> None:
    text = "https://example.com/a, https://example.com/?token=abc, zip code 12345, 13812345678"
    classes = [span.identifier_class for span in find_identifiers(text)]
    assert classes == ["quasi", "direct", "quasi", "direct"]


def test_merge_keeps_what_any_covered() -> None:
    spans = [Span(2, 9, "url", "quasi", "a"), Span(5, 12, "email", "direct", "b"), Span(20, 22, "qq", "direct", "c")]
    assert merge(spans) == [Span(2, 12, "email", "direct", "b"), Span(20, 22, "qq", "direct", "c")]


NASTY = st.text(alphabet="0123456789一二壹十 -._·\n\r\u200b@:/()+xXA京微信qQ号k\ud800１①", max_size=120)


@settings(deadline=None)
@given(st.one_of(st.text(st.characters()), NASTY))
def test_never_raises_and_stays_inside(text: str) -> None:
    spans = find_identifiers(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


def test_rules_have_names_of_their_own() -> None:
    rules = [*chinese.SHAPES, *chinese.CUED, *western.SHAPES, *western.CUED, *network.SHAPES]
    names = [rule.name for rule in (*rules, *secrets.PREFIXED, *secrets.CUED)]
    assert sorted(names) == sorted(set(names))
