"""E-mail addresses and public IP addresses replaced in the text that is kept. Off in `gopher`.

FineWeb and Dolma do the same. Addresses of private, loopback and other special networks name nobody and stay.
"""

from __future__ import annotations

import ipaddress
import re

import pyarrow as pa
import pyarrow.compute as pc

from massivetext.text import Texts

__all__ = ["EMAIL", "IP_ADDRESS", "replace"]

EMAIL = "email@example.com"
IP_ADDRESS = "192.0.2.1"
"""An address of the block that is reserved for documentation (RFC 5737)."""

_EMAIL = r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
_IPV4 = r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"
_EXACT_IPV4 = re.compile(rf"(?<![\d.]){_IPV4}(?!\.?\d)", re.ASCII)


def _public(match: re.Match[str]) -> str:
    try:
        is_public = ipaddress.IPv4Address(match[0]).is_global
    except ValueError:
        return match[0]
    return IP_ADDRESS if is_public else match[0]


def replace(texts: Texts, *, emails: bool = True, ip_addresses: bool = True) -> pa.LargeStringArray:
    """The texts with addresses replaced; a null stays null. Time is linear in the text (RE2)."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column = column.cast(pa.large_string())
    if emails:
        column = pc.replace_substring_regex(column, _EMAIL, EMAIL)
    if ip_addresses:
        # Which addresses are public no regular expression says well; few texts have any.
        found = pc.fill_null(pc.match_substring_regex(column, _IPV4), False)
        if pc.any(found).as_py():
            rows = [_EXACT_IPV4.sub(_public, text) for text in column.filter(found).to_pylist()]
            column = pc.replace_with_mask(column, found, pa.array(rows, pa.large_string()))
    return column
