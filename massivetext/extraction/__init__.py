"""From page to text: one engine a file behind one function, and wiki markup to text."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from massivetext.errors import RecordError
from massivetext.extraction.content import check_content, is_plain_text, without_format_characters
from massivetext.extraction.encoding import decode_page, is_binary
from massivetext.extraction.options import DEFAULT, Options
from massivetext.text import clean

__all__ = ["ENGINES", "VERSION", "Extracted", "extract", "extract_page"]

ENGINES = ("salient", "trafilatura")

VERSION = 4
"""Of the definition of extraction: the text of a page may change with it."""

MAX_REPLACED = 0.02
"""A text of which more than this share of the characters is U+FFFD was read in a wrong encoding."""


class Extracted(NamedTuple):
    """A page's main text, and what type of page it is: one of salient.PAGE_TYPES, "" if that is unknown (another
    engine, text that is no web page, a page without blocks)."""

    text: str
    page_type: str


def extract(
    page: bytes,
    *,
    engine: str = "salient",
    url: str | None = None,
    content_type: str | None = None,
    fast: bool = False,
    comments: str = "auto",
    tables: str = "keep",
    headings: str = "keep",
    captions: str = "auto",
    format: str = "text",
    favour: str = "balance",
) -> str:
    """Return the main text of a web page, "" if it has none.

    The text has `\\n` for line breaks, no NUL, no lone surrogate, and none of the format characters that show nothing.

    Args:
        page: the bytes as they came.
        engine: one of ENGINES, or a user's own function as `package.module:function`, which is called with the page
            and the keywords `url` and `content_type` and returns a text.
        url: names the page in errors.
        content_type: the page's Content-Type header. Its charset counts before the page's own declaration; a page of
            text/plain is returned with its line breaks; one of application/xhtml+xml is read as XHTML.
        fast: the fast mode of `trafilatura`; no other engine has one.
        comments: `auto`, `keep` or `drop` readers' comments; the posts of a thread are its text.
        tables: `keep` or `drop` tables of data.
        headings: `keep` or `drop` headings.
        captions: `auto`, `keep` or `drop` the captions of figures.
        format: `text` or `markdown`.
        favour: `balance`, `precision` (rather lose text than keep foreign pieces) or `recall` (rather keep them than
            have holes); of `salient`.

    Raises:
        ContentError: the bytes are no web page (`skipped.content` in the ledger).
        RecordError: `binary` for bytes that are no text, `encoding` for a text of which more than MAX_REPLACED cannot
            be read, `trafilatura` if that library fails.
        LimitError: a page beyond the engine's limits; TimeLimitError from `trafilatura`.
        ValueError: an unknown engine, or an unknown value of an option.

    Example:
        >>> from massivetext.extraction import extract
        >>> extract(b"<h1>Tea</h1><p>Pour boiling water over the leaves, and wait for three minutes.</p>")
        'Tea\\n\\nPour boiling water over the leaves, and wait for three minutes.'
    """
    options = Options(comments, tables, headings, captions, format, favour)
    return extract_page(page, engine=engine, url=url, content_type=content_type, fast=fast, options=options).text


def extract_page(
    page: bytes,
    *,
    engine: str = "salient",
    url: str | None = None,
    content_type: str | None = None,
    fast: bool = False,
    options: Options = DEFAULT,
) -> Extracted:
    """Return the main text of a web page and what type of page it is. Arguments and errors are those of `extract`."""
    options.check()
    check_content(page, url)
    if is_binary(page, content_type):
        raise RecordError("binary", f"page {url or ''} is not text: it has control bytes that no encoding uses")
    page_type = ""
    module, colon, name = engine.partition(":")
    if colon:
        text = getattr(import_module(module), name)(page, url=url, content_type=content_type)
    elif engine not in ENGINES:
        expected = f"choose one of {', '.join(ENGINES)}, or package.module:function"
        raise ValueError(f"no extraction engine is called {engine!r}: {expected}")
    elif is_plain_text(page, content_type):
        text = without_format_characters(decode_page(page, content_type))
    elif engine == "salient":
        from massivetext.extraction import salient

        text, page_type = salient.extract_page(page, url=url, content_type=content_type, options=options)
    else:
        from massivetext.extraction import trafilatura

        text = trafilatura.extract(page, fast=fast, url=url, content_type=content_type, options=options)
    text = clean(text)
    replaced = text.count("\ufffd")
    if replaced > MAX_REPLACED * len(text):
        share = f"{replaced:,} of the {len(text):,} characters of its text cannot be read"
        raise RecordError("encoding", f"page {url or ''} is in an unknown encoding: {share}")
    return Extracted(text, page_type)
