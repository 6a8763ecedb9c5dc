"""What addresses of one page have in common."""

from __future__ import annotations

import re

from massivetext.url_credentials import without_credentials

__all__ = ["canonical_url", "removal_key"]

# Not urlsplit: what it accepts changes with the version of Python.
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
_TRACKING = ("utm_", "gclid=", "fbclid=", "msclkid=")


def canonical_url(url: str) -> str:
    """What captures of one page have in common: host in lower case without default port, path, and query without
    tracking parameters; no scheme, no user, no fragment. What is no such URL is taken as it is."""
    match = _URL.fullmatch(url.strip())
    if match is None:
        return url.strip()
    host, path, query = match.groups()
    host, _, port = host.rpartition("@")[2].lower().partition(":")
    if port not in ("", "80", "443"):
        host = f"{host}:{port}"
    query = "&".join(item for item in (query or "").split("&") if item and not item.lower().startswith(_TRACKING))
    return host + (path or "/") + (f"?{query}" if query else "")


def removal_key(url: str) -> str:
    """What an address is taken out by: as `canonical_url`, without a slash at its end. So http and https, a fragment,
    tracking parameters, passwords and signatures, and a trailing slash make no difference."""
    path, mark, query = canonical_url(without_credentials(url)).partition("?")
    return path.rstrip("/") + mark + query
