"""Build a small real corpus from what every machine has: the documentation and the sources of the running Python."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import pydoc
import sys
import sysconfig
from collections.abc import Iterator
from typing import Any

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.sql import Engine

__all__ = ["build", "check_output", "rejected_page"]

_ARCHIVE = "pydoc.warc.gz"

_FIRST = "# Made by `massivetext demo`."
RECIPE = f"""\
{_FIRST} Gopher's rules on two of its six subsets: the weights of these, 48 % and 3 %, are scaled
# to sum to one. Python's own licence is none of the paper's eight, so this recipe adds it.
extends: gopher
subsets:
  massiveweb:
    sources: [{{format: warc, path: "{_ARCHIVE}"}}]
  github:
    sources: [{{format: code, path: "library.jsonl"}}]
licence: [Apache-2.0, MIT, BSD-3-Clause, BSD-2-Clause, Unlicense, CC0-1.0, ISC, Artistic-2.0, PSF-2.0]
mixture: {{name: demo, tokens: max, max_epochs: 4}}
"""

STAMP = "2000-01-01T00:00:00Z"
"""The date of every record: documentation has none of its own, and equal input is to give equal bytes."""

PACKAGES = ("asyncio", "collections", "concurrent", "email", "html", "http", "importlib", "json", "logging", "xml")


def build(folder: str) -> str:
    """Write pydoc.warc.gz, library.jsonl and, last, recipe.yaml below `folder`, and return the recipe's path.

    A corpus that exists is left as it is: pydoc shows sets, whose order changes with every process. Raises OutputError
    for a recipe that somebody else has written.
    """
    path = storage.join(folder, "recipe.yaml")
    if storage.exists(path):
        if not storage.read_bytes(path).startswith(_FIRST.encode()):
            raise OutputError(
                f"{path}: is no recipe of `massivetext demo`; give another --output, such as a new folder"
            )
    else:
        storage.write_bytes(storage.join(folder, _ARCHIVE), b"".join(_archive()))
        storage.write_bytes(storage.join(folder, "library.jsonl"), b"".join(_sources()))
        storage.write_bytes(path, RECIPE.encode())
    return path


def check_output(folder: str) -> None:
    """Raise OutputError if a run that is not the demo's has written the folder: the demo would write over it."""
    path = storage.join(folder, "recipe.yaml")
    if storage.exists(path) and _ARCHIVE.encode() not in storage.read_bytes(path):
        raise OutputError(f"{folder}: holds another run than the demo's; give another --output, such as a new folder")


def rejected_page(folder: str) -> tuple[dict[str, Any], str] | None:
    """Return an example for the demo: the longest page (its row of the ledger) that is too short and breaks no other
    rule, and the setting that lets it through. None if there is no such page."""
    with Engine() as engine:
        engine.add_ledger(folder)
        rows = engine.rows(
            "SELECT id, url, reason, word_count FROM ledger WHERE reasons = ['quality.word_count'] "
            "AND word_count BETWEEN 10 AND 49 ORDER BY word_count DESC, id LIMIT 1"
        )
    return (rows[0], f"quality.word_count.min={rows[0]['word_count'] // 10 * 10}") if rows else None


def _modules() -> Iterator[tuple[str, str]]:
    """Yield (name, file) of the library's modules, without tests and what is installed beside it."""
    root = sysconfig.get_paths()["stdlib"]
    for folder in ("", *PACKAGES):
        base = os.path.join(root, folder)
        for entry in sorted(os.listdir(base)):
            name = entry.removesuffix(".py")
            if entry.endswith(".py") and not name.startswith(("_", "test", "site", "antigravity", "this", "idle")):
                yield (f"{folder}.{name}" if folder else name), os.path.join(base, entry)


def _sources() -> Iterator[bytes]:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name, path in _modules():
        with open(path, encoding="utf-8", errors="replace") as stream:
            content = stream.read()
        row = {
            "content": content,
            "path": name.replace(".", "/") + ".py",
            "repo_name": f"cpython-{version}",
            "license": "PSF-2.0",
        }
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _archive() -> Iterator[bytes]:
    """Yield one gzip member a record: pydoc's page of each module, and each topic of its help as a page."""
    from pydoc_data.topics import topics

    yield _record("warcinfo", None, "application/warc-fields", b"software: massivetext demo\r\n")
    for name, _ in _modules():
        page = _page(name)
        if page is not None:
            yield _response(f"http://pydoc.example/{name}.html", page)
    for name, text in sorted(topics.items()):
        escaped = pydoc.html.escape(text)
        body = "".join(f"<p>{piece}</p>\n" for piece in escaped.split("\n\n") if piece.strip())
        page = f"<!doctype html><html><head><title>{name}</title></head><body><h1>{name}</h1>\n{body}</body></html>"
        yield _response(f"http://pydoc.example/topics/{name}.html", page)


def _page(name: str) -> str | None:
    """Return pydoc's HTML for a module, or None for one that cannot be imported here."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            thing, name = pydoc.resolve(name) or (None, name)
            return pydoc.html.page(pydoc.describe(thing), pydoc.html.document(thing, name))
    except (Exception, SystemExit):  # importing a module runs it, and any may refuse
        return None


def _response(url: str, page: str) -> bytes:
    # An address in memory stands in some signatures, and would make every corpus another.
    body = pydoc.stripid(page).encode("utf-8", "replace")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return _record("response", url, "application/http; msgtype=response", head.encode() + body)


def _record(kind: str, url: str | None, content_type: str, block: bytes) -> bytes:
    fields = [f"WARC-Type: {kind}", f"WARC-Date: {STAMP}", f"Content-Type: {content_type}"]
    fields += [f"WARC-Target-URI: {url}"] if url else []
    fields.append(f"Content-Length: {len(block)}")
    head = "WARC/1.0\r\n" + "\r\n".join(fields) + "\r\n\r\n"
    return gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0)
