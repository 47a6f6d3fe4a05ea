"""Addresses are masked wherever they stand, and nothing else is."""

import pytest

from candor.data.contacts import without_contacts


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to jane.doe+x@mail.example.org.", "write to <email>."),
        ("我的邮箱zhang.san@example.com谢谢", "我的邮箱<email>谢谢"),
        ("邮箱：zhang_san@a-b.example.com.cn，回复", "邮箱：<email>，回复"),
        ("the host 8.8.8.8, the other 1.2.3.4", "the host <ip>, the other <ip>"),
        ("主机8.8.4.4在线", "主机<ip>在线"),
        ("2001:4860:4860::8888 answers", "<ip> answers"),
    ],
)
def test_masked(text: str, masked: str) -> None:
    assert without_contacts(text) == (masked, masked.count("<"))


@pytest.mark.parametrize(
    "text",
    [
        "a @ b, @property, x@y, user@host", "127.0.0.1 192.168.0.1 10.0.0.255", "version 1.2.3.4.5 and 300.1.1.1",
        "at 12:30:45 or a::b, std::vector<int>::iterator", "::1 fe80::1", "Preis: 1.234.567.890 Euro", "",
    ],
)  # fmt: skip
def test_left_alone(text: str) -> None:
    assert without_contacts(text) == (text, 0)
