"""Take passwords, tokens and signatures out of addresses: whoever has them may open what the address names.

A crawl, or a list of addresses that a program has kept, holds addresses such as `https://me:secret@example.org/` and
`https://bucket.example/file?X-Amz-Signature=...`. Ledgers and shards are passed on to others.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["without_credentials", "without_credentials_column"]

_PREFIXES = ("x-amz-", "x-goog-", "x-oss-", "x-cos-", "x-obs-", "x-ms-", "q-sign", "q-ak", "q-key", "oauth_")
"""Beginnings of names of parameters, in lower case: signatures of stores and what they are made of."""

_NAMES = frozenset(
    (
        # Signed addresses of AWS (version 2), CloudFront, Google, Azure, Alibaba; of Akamai and other networks.
        *("awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "accesskeyid", "access_key_id", "key-pair-id"),
        *("signature", "sig", "hmac", "security-token", "hdnea", "hdnts", "__token__", "__gda__"),
        # Tokens and keys of interfaces.
        *("token", "access_token", "accesstoken", "auth_token", "authtoken", "id_token", "refresh_token", "csrf_token"),
        *("sharetoken", "share_token", "api_token", "apitoken", "session_token", "sessiontoken", "jwt", "bearer"),
        *("api_key", "apikey", "api-key", "access_key", "accesskey", "secret_key", "secretkey", "private_key"),
        *("secret", "client_secret", "auth", "authorization", "credential", "credentials"),
        *("password", "passwd", "pwd", "passphrase"),
        # Sessions.
        *("phpsessid", "jsessionid", "aspsessionid", "sessionid", "session_id", "session-id", "cftoken"),
    )
)
"""Names of parameters whose values open something, in lower case."""

_SECRET = r"AIza[\w-]{30,}|AKIA[A-Z0-9]{16}|gh[pousr]_\w{30,}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
"""Values that are keys or tokens whatever their parameter is called: of Google, AWS, GitHub, Slack; JSON web tokens."""

# A superset of what `without_credentials` changes, so that other addresses never come to Python.
_SUSPECT = (
    r"(?i)@|%40|[?&#;][^=&]*%|sig|token|hdne|hdnt|__gda|x-|q-|hmac|oauth|accesskey|access_key|accessid|api.?key|key-pair"
    r"|secret|passw|pwd|passphrase|auth|credential|sess|;sid=|jwt|bearer|private_key|aiza|akia|gh._|xox.-|eyj"
)
_USER = re.compile(r"((?:^\s*|[A-Za-z][A-Za-z0-9+.-]*:)//)[^/?#\\\n@]*(?:@[^/?#\\\n@]*)*@")
_ENCODED_USER = re.compile(r"(%3a%2f%2f)(?:(?!%2f|%3f|%23|%40)[^/?#&\n@])*(?:%40|@)", re.IGNORECASE)
_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;?#]*", re.IGNORECASE)
_URL = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S+\s*")
_VALUE = re.compile(_SECRET)
_DEEPEST = 3
"""Addresses within addresses that are looked at."""


def without_credentials(url: str) -> str:
    """Return an address without user and password, and without parameters that sign it or that open something.

    So does an address that stands in its path or in one of its parameters. Everything else stays, byte by byte.

    >>> without_credentials("https://me:secret@example.org/a?page=2&X-Amz-Signature=ab12")
    'https://example.org/a?page=2'
    """
    return _cleaned(url, 0)


def _cleaned(url: str, depth: int) -> str:
    url = _ENCODED_USER.sub(r"\1", _USER.sub(r"\1", url))
    rest, hash_, fragment = url.partition("#")
    path, mark, query = rest.partition("?")
    kept_query, kept_fragment = _parameters(query, depth), _parameters(fragment, depth)
    # A mark goes with all that followed it; one that nothing followed stays.
    mark = mark if kept_query or not query else ""
    hash_ = hash_ if kept_fragment or not fragment else ""
    return _SESSION.sub("", path) + mark + kept_query + hash_ + kept_fragment


def _parameters(text: str, depth: int) -> str:
    """Return `a=1&token=2` without the parameters that open something, each with the character before it."""
    if "=" not in text:
        return text
    pieces = re.split(r"([&;?])", text)
    kept = [pieces[0]] if not _opens(pieces[0]) else []
    for separator, item in zip(pieces[1::2], pieces[2::2]):
        if not _opens(item):
            kept += [separator, item]
    if kept and kept[0] != pieces[0]:
        kept = kept[1:]
    return "".join(_without_inner(item, depth) for item in kept)


def _opens(item: str) -> bool:
    """Whether a parameter `name=value` opens something."""
    name, equals, value = item.partition("=")
    plain = unquote(name).strip().lower()
    return bool(equals) and (plain in _NAMES or plain.startswith(_PREFIXES) or _VALUE.fullmatch(value) is not None)


def _without_inner(item: str, depth: int) -> str:
    """Return a parameter whose value, if it is an encoded address, has no credentials either."""
    name, equals, value = item.partition("=")
    if depth == _DEEPEST or "%" not in value or not _URL.fullmatch(inner := unquote(value)):
        return item
    cleaned = _cleaned(inner, depth + 1)
    return item if cleaned == inner else name + equals + quote(cleaned, safe="")


def without_credentials_column(values: Any, *, all_urls: bool = True) -> Any:
    """Return an Arrow column of addresses, each as `without_credentials` returns it; a null stays one.

    Args:
        values: A string array. The same array is returned where no value has anything to lose.
        all_urls: Whether every value is an address; else those are changed that are one as a whole.
    """
    if values.null_count == len(values):
        return values
    suspects = pc.fill_null(pc.match_substring_regex(values, _SUSPECT), False)
    if not pc.any(suspects).as_py():
        return values
    words = values.to_pylist()
    for row in pc.indices_nonzero(suspects).to_pylist():
        if all_urls or _URL.fullmatch(words[row]):
            words[row] = without_credentials(words[row])
    return pa.array(words, values.type)
