"""From page to text: one engine a file behind one function, and wiki markup to text."""

from __future__ import annotations

from importlib import import_module

from massivetext.errors import RecordError
from massivetext.text import clean

__all__ = ["ENGINES", "extract"]

ENGINES = ("salient", "trafilatura")


def extract(
    page: bytes,
    *,
    engine: str = "salient",
    url: str | None = None,
    content_type: str | None = None,
    fast: bool = False,
) -> str:
    """The main text of a web page, "" if it has none.

    engine: one of ENGINES, or a user's own function as `package.module:function`, which is called with the page and the
    keywords `url` and `content_type` and returns a text. page: the bytes as they came. content_type: the page's
    Content-Type header; its charset counts before the page's own word. url names the page in errors. fast: the fast
    mode of `trafilatura`; no other engine has one.

    The text has `\\n` for line breaks, no NUL, no lone surrogate. Raises RecordError(`binary`) for bytes that are no
    text, LimitError for a page beyond the engine's limits, ValueError for an unknown engine; `trafilatura` also raises
    TimeLimitError and RecordError(`trafilatura`).
    """
    from massivetext.extraction.encoding import is_binary

    if is_binary(page):
        raise RecordError("binary", f"page {url or ''} is not text: it has control bytes that no encoding uses")
    if engine == "salient":
        from massivetext.extraction import salient

        return clean(salient.extract(page, url=url, content_type=content_type))
    if engine == "trafilatura":
        from massivetext.extraction import trafilatura

        return clean(trafilatura.extract(page, fast=fast, url=url, content_type=content_type))
    module, colon, name = engine.partition(":")
    if colon:
        return clean(getattr(import_module(module), name)(page, url=url, content_type=content_type))
    expected = f"choose one of {', '.join(ENGINES)}, or package.module:function"
    raise ValueError(f"no extraction engine is called {engine!r}: {expected}")
