from __future__ import annotations

import pytest

from filters.hosts import host_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://user@WWW.Example.com:80/a?b#c", "example.com"),
        ("example.com./a", "example.com"),
        ("http://[2001:DB8::1]:8080/a", "[2001:db8::1]"),
        ("http://[2001:db8::1/a", ""),
        ("a@b]c", ""),
        ("http://a[::1]b@[x:y]/c", ""),
        ("http://a@[::1]/c", "[::1]"),
        ("", ""),
        ("mailto", "mailto"),
    ],
)
def test_the_host_of_a_url_is_its_own_host(url: str, host: str) -> None:
    assert host == host_of(url) == host_of(host)
