"""Passwords, tokens and signatures leave addresses, and nothing else does."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.url_credentials import _SUSPECT, without_credentials, without_credentials_column
from massivetext.urls import canonical_url, removal_key

CLEANED = [
    # User and password.
    ("https://me:secret@example.org/a", "https://example.org/a"),
    ("https://me@example.org:8443/a?b", "https://example.org:8443/a?b"),
    ("https://me:p@ss@word@example.org", "https://example.org"),
    ("https://:secret@example.org/", "https://example.org/"),
    ("//me:secret@example.org/a", "//example.org/a"),
    ("  ftp://me:secret@example.org/a", "  ftp://example.org/a"),
    (
        "http://web.archive.org/web/2020/https://me:secret@example.org/a",
        "http://web.archive.org/web/2020/https://example.org/a",
    ),
    (
        "http://proxy.example/https%3A%2F%2Fme%3Asecret%40example.org%2Fa",
        "http://proxy.example/https%3A%2F%2Fexample.org%2Fa",
    ),
    # Signatures.
    (
        "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101&X-Amz-Date=1"
        "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t&X-Amz-Signature=ab12&versionId=7",
        "https://b.s3.amazonaws.com/k?versionId=7",
    ),
    ("https://b/k?AWSAccessKeyId=AKIA1&Signature=x%2By&Expires=1", "https://b/k?Expires=1"),
    (
        "https://storage.googleapis.com/b/o?X-Goog-Credential=me&X-Goog-Signature=ff",
        "https://storage.googleapis.com/b/o",
    ),
    (
        "https://storage.googleapis.com/b/o?GoogleAccessId=me&Expires=1&Signature=s",
        "https://storage.googleapis.com/b/o?Expires=1",
    ),
    (
        "https://a.blob.core.windows.net/c/f?sv=2022&sr=b&sig=abc%3D&se=2026",
        "https://a.blob.core.windows.net/c/f?sv=2022&sr=b&se=2026",
    ),
    ("https://d.cloudfront.net/f?Expires=1&Signature=s&Key-Pair-Id=K1", "https://d.cloudfront.net/f?Expires=1"),
    ("https://b/k?x-amz-signature=ab12#part", "https://b/k#part"),
    ("https://b/k?a=1&amp;X-Amz-Signature=ab", "https://b/k?a=1&amp"),
    ("https://b/k?X%2DAmz%2DSignature=ab12&a=1", "https://b/k?a=1"),
    # Keys, tokens, sessions.
    ("https://example.org/?token=t&page=2", "https://example.org/?page=2"),
    ("https://example.org/?page=2&TOKEN=t", "https://example.org/?page=2"),
    ("https://example.org/?page=2?access_token=t", "https://example.org/?page=2"),
    ("https://example.org/a;jsessionid=1F?b=2;password=x", "https://example.org/a?b=2"),
    ("https://example.org/cb#access_token=t&state=1", "https://example.org/cb#state=1"),
    ("https://example.org/#/reset?token=t", "https://example.org/#/reset"),
    ("https://maps.example/?key=AIzaSyA1234567890abcdefghijklmnopqrstuvw&q=x", "https://maps.example/?q=x"),
    ("https://e.org/?id=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "https://e.org/"),
    (
        "https://e.org/go?to=https%3A%2F%2Fb%2Fk%3Fa%3D1%26sig%3Dx&b=1",
        "https://e.org/go?to=https%3A%2F%2Fb%2Fk%3Fa%3D1&b=1",
    ),
]

UNCHANGED = [
    "https://example.org/",
    "https://example.org/?",
    "https://example.org/#",
    "https://example.org/?a=1&b=#c=2",
    "https://medium.com/@user/post",
    "https://example.org/a@b?c=d@e.org",
    "https://example.org/?tokens=2&signed=1&signal=3&design=4",
    "https://example.org/?author=me&authority=x&passport=y",
    "https://example.org/token/1?key=value",
    "https://example.org/?q=token",
    "https://example.org/?policy=privacy&expires=never",
    "https://example.org/?u=https%3A%2F%2Fother.org%2Fa",
    "https://example.org//b@c/",
    "mailto:me@example.org",
    "urn:isbn:123",
    "",
    "no address at all",
]


@pytest.mark.parametrize(("url", "expected"), CLEANED)
def test_what_opens_something_goes(url: str, expected: str) -> None:
    assert expected == without_credentials(url)
    assert expected == without_credentials(expected)
    assert [expected, None] == without_credentials_column(pa.array([url, None])).to_pylist()


@pytest.mark.parametrize("url", UNCHANGED)
def test_all_else_stays(url: str) -> None:
    assert url == without_credentials(url)


def test_a_column_without_credentials_is_the_same_object() -> None:
    column = pa.array(["https://example.org/a?b=1", None])

    assert column is without_credentials_column(column)


def test_of_other_columns_only_whole_addresses_change() -> None:
    column = pa.array(["see https://me:x@e.org/ there", "https://me:x@e.org/", "a@b", None])

    assert [column[0].as_py(), "https://e.org/", "a@b", None] == without_credentials_column(
        column, all_urls=False
    ).to_pylist()


_PIECES = st.sampled_from(
    [
        "http://",
        "//",
        "@",
        ":",
        "/",
        "?",
        "&",
        ";",
        "#",
        "=",
        "%40",
        "%3A%2F%2F",
        "a",
        "token",
        "sig",
        "x-amz-date",
        "%2D",
    ]
)


@given(st.lists(_PIECES, max_size=14).map("".join))
def test_the_quick_look_misses_nothing(url: str) -> None:
    cleaned = without_credentials(url)

    assert cleaned == url or re.search(_SUSPECT, url)
    assert cleaned == without_credentials_column(pa.array([url]))[0].as_py()


def test_removal_knows_a_page_with_and_without() -> None:
    key = removal_key("https://example.org/a?b=1")

    assert key == removal_key("http://me:secret@example.org/a/?b=1&X-Amz-Signature=ab#c")
    assert canonical_url("https://e.org/?sig=1") != canonical_url("https://e.org/")  # deduplication sees no change
