"""E-mail addresses and public IP addresses replaced in the text that is kept. Off in `gopher`.

FineWeb and Dolma do the same. An address is replaced whole or not at all. Addresses of private, loopback and other
special networks name nobody and stay.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from massivetext.text import Texts

__all__ = ["EMAIL", "IPV6_ADDRESS", "IP_ADDRESS", "VERSION", "replace"]

VERSION = 3
"""Of the definition. Version 1 knew ASCII addresses without apostrophes, and IPv4. Version 2 replaced the end of
addresses beyond the limits, and multicast addresses, and kept IPv6 addresses right behind a word and a colon."""

EMAIL = "email@example.com"
IP_ADDRESS = "192.0.2.1"
"""An address of the block that is reserved for documentation (RFC 5737)."""
IPV6_ADDRESS = "2001:db8::1"
"""The same for IPv6 (RFC 3849)."""

LONGEST_LOCAL = 64
"""Code points before the `@` (RFC 5321)."""

_MARKS = r"\u0300-\u036f\u0591-\u05c7\u064b-\u0670\u0900-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece\u102b-\u103e\u17b4-\u17d3"
_UNSPACED = r"\u2e80-\u2fdf\u3005-\u3007\u3031-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Han and Kana, whose sentences have no spaces: an address in them ends where another script begins."""
_LETTER = rf"(?:[^\W_{_UNSPACED}]|[{_MARKS}])"

# A local part begins with a letter, digit or underscore, so that a quotation mark before it is none of it. `/`, `|`,
# `?`, braces and backquotes are allowed by RFC 5322, and part addresses from other text far more often.
_JOINING = ".!#$%&'’*+=^~\u00b7-"
"""What a local part may have, but does not begin with."""
_BEGINNING = rf"[^\W{_UNSPACED}]|[{_MARKS}]"
_LOCAL = rf"(?:(?:{_BEGINNING})(?:{_LETTER}|[_{_JOINING}])*|[{_UNSPACED}]+)\Z"
_LABEL = rf"(?:{_LETTER}|[{_UNSPACED}])(?:{_LETTER}|[{_UNSPACED}-]){{0,62}}"
_UNSPACED_ENDINGS = (
    "中文网|中国|中國|香港|台湾|台灣|新加坡|澳門|公司|网络|網絡|网址|在线|商城|集团|"
    "我爱你|移动|公益|政务|政府|商标|商店|广告|企业|佛山|广东|手机|招聘|时尚|健康|娱乐|"
    "游戏|机构|組織機構|信息|世界|慈善|八卦|点看|點看|餐厅|食品|网店|网站|珠宝|书籍|大拿|"
    "购物|通販|嘉里|嘉里大酒店|微博|诺基亚|飞利浦|みんな|コム|セール|ファッション|ストア|"
    "クラウド|グーグル|ポイント|アマゾン|家電|テスト|测试|測試"
)
_ENDING = (
    r"(?:xn--[a-z0-9-]{1,58}[a-z0-9](?![a-z0-9-])"
    r"|(?!xn--)[a-z]{2,24}(?![a-z0-9])"
    rf"|(?:{'|'.join(sorted(_UNSPACED_ENDINGS.split('|'), key=lambda word: (-len(word), word)))})"
    rf"|(?:(?![\x00-\x7f]){_LETTER}){{2,24}}"
    rf"|[{_UNSPACED}]{{2}})"
)
_DOMAIN = rf"(?:{_LABEL}\.){{1,126}}{_ENDING}|\[(?:IPv6:)?[0-9a-f:.]{{3,45}}\]"
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.){1,62}"\Z')

_IPV4 = r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"
_EXACT_IPV4 = re.compile(rf"(?<![\d.]){_IPV4}(?!\.?\d)", re.ASCII)
_IPV6 = r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:"
_EXACT_IPV6 = re.compile(r"(?<![\w.])(?=[0-9A-Fa-f]{1,4}:|::[^:])[0-9A-Fa-f:][0-9A-Fa-f:.]{2,48}(?![\w:])", re.ASCII)
# A word that names an address, as `IPv6:`, and is no part of one: it is not hexadecimal, or longer than four letters.
_NAME = re.compile(r"(?:[^\x00-\x7f]|\b(?:[A-Fa-f]*[G-Zg-z_][A-Za-z_]*\d?|[A-Fa-f]{5,})):\Z", re.ASCII)
_LONGEST_NAME = 32
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
"""RFC 9637. Python knows it from 3.13 on."""


@functools.cache
def _address_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What a local part and a domain look like. To compile these takes 50 ms, so only texts with addresses do it."""
    return re.compile(_LOCAL), re.compile(_DOMAIN, re.IGNORECASE)


@functools.cache
def _beginnings() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(_BEGINNING), re.compile(rf"[{_UNSPACED}]")


def _is_cut(text: str, first: int, start: int) -> bool:
    """Whether the local part at `start` is the end of one that begins before it, from `first` on."""
    beginning, unspaced = _beginnings()
    if unspaced.match(text, start):
        return start > first and unspaced.match(text, start - 1) is not None
    while start > first and text[start - 1] in _JOINING:
        start -= 1
    return start > first and beginning.match(text, start - 1) is not None


def _without_emails(text: str) -> str:
    """Return the text with its e-mail addresses replaced. Each `@` is looked at by itself: time is linear."""
    local_part, domain_part = _address_patterns()
    output: list[str] = []
    written = 0
    at = text.find("@")
    while at >= 0:
        domain = domain_part.match(text, at + 1)
        if domain is not None:
            before = text[max(written, at - LONGEST_LOCAL) : at]
            local = (_QUOTED if before.endswith('"') else local_part).search(before)
            is_whole = local is not None and (
                at - written <= LONGEST_LOCAL or local[0][0] == '"' or not _is_cut(text, written, at - len(local[0]))
            )
            if local is not None and is_whole:
                output += [text[written : at - len(local[0])], EMAIL]
                written = domain.end()
        at = text.find("@", max(at + 1, written))
    return "".join(output) + text[written:] if output else text


def _is_public(address: ipaddress.IPv4Address) -> bool:
    # Python counts multicast groups (RFC 5771) among the global addresses.
    return address.is_global and not address.is_multicast


def _public_ipv4(match: re.Match[str]) -> str:
    try:
        address = ipaddress.IPv4Address(match[0])
    except ValueError:
        return match[0]
    return IP_ADDRESS if _is_public(address) else match[0]


def _public_ipv6(match: re.Match[str]) -> str:
    """Replace an address of the global unicast block, or one that holds a public IPv4 address."""
    words, start = match[0], match.start()
    if words.count(":") < 2:
        return words
    if match.string[start - 1 : start] == ":" and not _NAME.search(match.string[max(0, start - _LONGEST_NAME) : start]):
        return words
    for end in (len(words), len(words) - 1, len(words) - 2):
        # A full stop or colon after an address is none of it.
        if end < len(words) and words[end] not in ".:":
            break
        try:
            address = ipaddress.IPv6Address(words[:end])
        except ValueError:
            continue
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if "." in words[:end] else address.ipv4_mapped
        is_public = address in _GLOBAL_UNICAST and address.is_global and address not in _DOCUMENTATION
        if embedded:
            is_public = _is_public(embedded)
        return IPV6_ADDRESS + words[end:] if is_public else words
    return words


def replace(texts: Texts, *, emails: bool = True, ip_addresses: bool = True) -> pa.LargeStringArray:
    """Return the texts with addresses replaced; a null stays null.

    Args:
        texts: string, large_string or chunked Arrow array.
        emails: whether e-mail addresses become EMAIL.
        ip_addresses: whether public addresses become IP_ADDRESS (IPv4) and IPV6_ADDRESS.

    Returns:
        large_string, one text per row.
    """
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column = column.cast(pa.large_string())
    if emails:
        column = _rewritten(column, pc.match_substring(column, "@"), _without_emails)
    if ip_addresses:
        # Which addresses are public no regular expression says well; few texts have any. An IPv4 address inside an IPv6
        # one is part of it, so those are first.
        column = _rewritten(column, pc.match_substring_regex(column, _IPV6), _without_ipv6)
        column = _rewritten(column, pc.match_substring_regex(column, _IPV4), _without_ipv4)
    return column


def _without_ipv6(text: str) -> str:
    return _EXACT_IPV6.sub(_public_ipv6, text)


def _without_ipv4(text: str) -> str:
    return _EXACT_IPV4.sub(_public_ipv4, text)


def _rewritten(column: pa.Array, mask: pa.BooleanArray, rewrite: Callable[[str], str]) -> pa.Array:
    """Rewrite the texts for which the mask is true."""
    mask = pc.fill_null(mask, False)
    if not pc.any(mask).as_py():
        return column
    rows = [rewrite(text) for text in column.filter(mask).to_pylist()]
    return pc.replace_with_mask(column, mask, pa.array(rows, pa.large_string()))
