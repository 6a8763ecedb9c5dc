"""Addresses are replaced whole or not at all."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import pii


def replaced(text: str) -> str:
    return str(pii.replace(pa.array([text]))[0])


@pytest.mark.parametrize(
    "address",
    [
        "jane@example.org",
        "jane.doe+tag@sub.example.co.uk",
        "o'brien@example.ie",
        "o’brien@example.ie",
        "d'arcy-o'neil_x@example.ie",
        "bounce+jane=example.org@list.example.net",
        "jane@münchen.de",
        "jane@xn--mnchen-3ya.de",
        "jane@ex.xn--p1ai",
        "jane@XN--E1AFMKFD.XN--P1AI",
        "иван@пример.рф",
        "josé@correo.es",
        "用户@例子.广告",
        "ユーザー@例え.テスト",
        "उपयोगकर्ता@उदाहरण.भारत",
        "θσερ@παράδειγμα.ευ",
        "사용자@예제.한국",
        "משתמש@דוגמה.קום",
        "jane@example.photography",
        "1234@example.com",
        "_jane_@example.com",
        '"jane doe"@example.com',
        "jane@[8.8.8.8]",
        "jane@[IPv6:2001:4860:4860::8888]",
        "j@e.de",
        "a" * 64 + "@example.com",
        "jane@" + "a." * 20 + "example.com",
    ],
)
@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "write to {} now",
        "<{}>",
        "({})",
        "'{}'",
        "“{}”",
        "mailto:{}",
        "{}.",
        "{}, or",
        "x;{}",
        "{}\n",
        "|{}|",
        "/{}?",
    ],
)
def test_an_address_is_replaced_whole(address: str, frame: str) -> None:
    assert frame.format(pii.EMAIL) == replaced(frame.format(address))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@a.com,bob@b.com;x@c.org", f"{pii.EMAIL},{pii.EMAIL};{pii.EMAIL}"),
        ("jane@example.com's mail", f"{pii.EMAIL}'s mail"),
        ("联系jane@example.com。谢谢", f"联系{pii.EMAIL}。谢谢"),
        ("메일은 jane@example.com으로", f"메일은 {pii.EMAIL}으로"),
        ("jane@example.comまで", f"{pii.EMAIL}まで"),
        ("jane@例子.中国的", f"{pii.EMAIL}的"),
        ("jane@example.com-based", f"{pii.EMAIL}-based"),
        ("jane@example.com_x", f"{pii.EMAIL}_x"),
        ("a" * 65 + " " + "b" * 64 + "@example.com", "a" * 65 + f" {pii.EMAIL}"),
        ("..'" + "b" * 64 + "@example.com", f"..'{pii.EMAIL}"),
        ("用" * 70 + "b" * 64 + "@example.com", "用" * 70 + pii.EMAIL),
    ],
)
def test_where_an_address_ends(text: str, expected: str) -> None:
    assert expected == replaced(text)


@pytest.mark.parametrize(
    "text",
    [
        "@jane",
        "meet @ 5.30 pm",
        "a @b.com",
        "x@y",
        "jane@localhost",
        "@media (min-width: 1px)",
        "jane@example.c",
        "@",
        "a@b@",
        "jane@ex.xn--",
        "jane@ex.xn--p1ai-",
        "a" * 65 + "@example.com",
        "a" * 10 + "." + "b" * 63 + "@example.com",
        "a" * 10 + "..." + "b" * 64 + "@example.com",
        "é" * 65 + "@example.com",
        "用" * 65 + "@例子.广告",
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert text == replaced(text)


@pytest.mark.parametrize(
    "address",
    [
        "2001:4860:4860::8888",
        "2a00:1450:4009:081f:0000:0000:0000:200e",
        "2A00:1450:4009:81F::200E",
        "2606:4700::",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
@pytest.mark.parametrize(
    "frame",
    [
        *("{}", "dns {} ok", "[{}]:443", "{}/64", "({})", "at {}. Next", "{}: up", "{}, and", "{}%eth0"),
        *(
            "IPv6:{}",
            "addr:{} x",
            "inet6 addr:{}/64",
            "interface:{}",
            "ip_addr:{}",
            "decade:{}",
            "a_b:ip:{}",
            "адрес:{}",
        ),
    ],
)
def test_a_public_ipv6_address_is_replaced_whole(address: str, frame: str) -> None:
    assert frame.format(pii.IPV6_ADDRESS) == replaced(frame.format(address))


@pytest.mark.parametrize(
    "text",
    [
        "fe80::1",
        "::1",
        "::",
        "2001:db8::5",
        "fd00::8",
        "::ffff:10.0.0.1",
        "at 12:30:45 sharp",
        "std::vector and a::b, c::d",
        "dead::beef",
        "1:2:3:4:5:6:7:8:9",
        "2001:4860:4860::8888::1",
        "2001:4860:4860:0:0:0:0:0:8888",
        "x2001:4860:4860::8888",
        "00:1A:2B:3C:4D:5E",
        "ff02::1",
        "3fff:123::1",
        "::ffff:224.0.0.1",
        "std:2001:4860",
        ":2001:4860:4860::8888",
        "x2001:2860:4860::8888",
        "vector::2001:4860:4860:8888",
        "face:2001:4860:4860::8888",
        "IPv6:fe80::1",
        "224.0.0.1 and 239.255.255.250",
        "127.0.0.1 and 10.1.2.3 and 192.168.0.1",
        "version 1.2.3.4.5 of 999.1.1.1",
    ],
)
def test_special_networks_and_what_is_no_ip_address_stay(text: str) -> None:
    assert text == replaced(text)


def test_ipv4_addresses_are_replaced_as_before() -> None:
    assert f"{pii.IP_ADDRESS}, {pii.IP_ADDRESS}:53." == replaced("8.8.8.8, 1.1.1.1:53.")


def test_each_kind_can_be_left_alone_and_nulls_stay() -> None:
    texts = pa.chunked_array([["a@b.de 8.8.8.8"], [None]])

    assert [f"{pii.EMAIL} 8.8.8.8", None] == pii.replace(texts, ip_addresses=False).to_pylist()
    assert [f"a@b.de {pii.IP_ADDRESS}", None] == pii.replace(texts, emails=False).to_pylist()
    assert [] == pii.replace(pa.array([], pa.string())).to_pylist()


@given(st.text(alphabet="aé张@.-:'\"1f /xn", max_size=60))
def test_replacing_twice_changes_nothing_more(text: str) -> None:
    once = replaced(text)

    assert once == replaced(once)


def test_hostile_text_takes_linear_time() -> None:
    for text in (
        "a@" * 200_000,
        "@" * 400_000,
        "a.a@" * 100_000,
        "1:" * 200_000,
        "x" * 400_000 + "@",
        "a@" + "b." * 200_000,
        "." * 200_000 + "x" * 64 + "@b.com",
        ("." * 2_000 + "x" * 64 + "@b.com") * 100,
        "ip:" * 200_000,
        "f" * 400_000 + ":::",
        "1:2:3:4:5:6:7x" * 50_000,
        "fg" * 200_000 + ":::",
    ):
        assert len(replaced(text)) <= len(text) + 20 * text.count("@")
