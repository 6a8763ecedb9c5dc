"""EPUB books: the chapters of the reading order as plain text. Nothing but package and chapter files is opened.

ebooklib reads every member, pictures too, into memory, and is under the AGPL; what is needed here is a zip file, two
XML files and a library that turns XHTML into text.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO
from urllib.parse import unquote
from xml.parsers import expat

from massivetext.documents import Record
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import MAX_TEXT
from massivetext.text import clean

__all__ = ["is_epub", "member", "read"]

_CONTAINER = "META-INF/container.xml"
_XML_LIMIT = 8 << 20
_ENTRIES = 100_000
ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError, KeyError)
"""What zipfile raises for archives that are broken, encrypted or of a kind that it cannot read."""


def is_epub(stream: IO[bytes]) -> bool:
    """Whether a file is a zip archive whose first member says EPUB, or that has a container file."""
    stream.seek(0)
    head = stream.read(128)
    stream.seek(0)
    return head.startswith(b"PK\x03\x04") and (b"mimetypeapplication/epub+zip" in head or _CONTAINER.encode() in head)


def read(stream: IO[bytes], *, source: str) -> Iterator[Record]:
    """The one record of a book; metadata title, author, language. A book that cannot be read gives
    `failed.corrupt`, `failed.encrypted` or `failed.too_large`, and raises SourceError if the file itself is broken."""
    try:
        with zipfile.ZipFile(stream) as archive:
            if len(archive.infolist()) > _ENTRIES:
                yield Record(0, outcome="failed", reason="failed.too_large")
                return
            if "META-INF/encryption.xml" in archive.namelist() and _is_encrypted(archive):
                yield Record(0, outcome="failed", reason="failed.encrypted")
                return
            record = _book(archive)
    except ERRORS as error:
        yield Record(0, outcome="failed", reason="failed.corrupt")
        raise DamagedError("corrupt", f"{source}: an EPUB that cannot be read: {error}") from error
    except expat.ExpatError as error:
        yield Record(0, outcome="failed", reason="failed.corrupt")
        raise DamagedError("corrupt", f"{source}: an EPUB whose package file cannot be read: {error}") from error
    yield record


def member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes | None:
    """The content of a member, or None if it is longer than the limit: counted while it is read, not believed."""
    with archive.open(name) as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def _is_encrypted(archive: zipfile.ZipFile) -> bool:
    """Fonts are often obfuscated, which harms no text; encrypted chapters do."""
    names: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.endswith("CipherReference"):
            names.append(attributes.get("URI", ""))

    _parse(member(archive, "META-INF/encryption.xml", _XML_LIMIT) or b"", start)
    return any(name.lower().endswith((".xhtml", ".html", ".htm", ".xml")) for name in names)


def _book(archive: zipfile.ZipFile) -> Record:
    from resiliparse.extract.html2text import extract_plain_text

    package = _package(archive)
    manifest: dict[str, str] = {}
    spine: list[str] = []
    words: dict[str, list[str]] = {"title": [], "creator": [], "language": []}
    open_word: list[list[str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "item" and "html" in attributes.get("media-type", "html"):
            manifest[attributes.get("id", "")] = attributes.get("href", "")
        elif local == "itemref" and attributes.get("linear", "yes") != "no":
            spine.append(attributes.get("idref", ""))
        elif local in words and not words[local]:
            open_word.append(words[local])

    def text(data: str) -> None:
        if open_word:
            open_word[-1].append(data)

    def end(name: str) -> None:
        if open_word and name.rpartition(":")[2] in words:
            open_word.pop()

    _parse(member(archive, package, _XML_LIMIT) or b"", start, end, text)
    folder = posixpath.dirname(package)
    known = set(archive.namelist())
    chapters, size = [], 0
    for item in spine[:_ENTRIES]:
        href = unquote(manifest.get(item, "").partition("#")[0])
        name = posixpath.normpath(posixpath.join(folder, href))
        if not href or name not in known:
            continue
        data = member(archive, name, MAX_TEXT - size)
        if data is None:
            return Record(0, outcome="failed", reason="failed.too_large")
        size += len(data)
        chapter = extract_plain_text(
            data.decode("utf-8", "replace"), main_content=False, preserve_formatting=True, alt_texts=False, links=False
        )
        if chapter.strip():
            chapters.append(chapter.strip("\n"))
    if not chapters:
        return Record(0, outcome="failed", reason="failed.no_text")
    found = {key: " ".join("".join(parts).split()) for key, parts in words.items()}
    metadata = {"author" if key == "creator" else key: clean(value) for key, value in found.items() if value}
    return Record(0, clean("\n\n".join(chapters) + "\n"), metadata=metadata)


def _package(archive: zipfile.ZipFile) -> str:
    paths: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "rootfile" and "full-path" in attributes:
            paths.append(attributes["full-path"])

    _parse(member(archive, _CONTAINER, _XML_LIMIT) or b"", start)
    if not paths:
        raise ValueError(f"{_CONTAINER} names no package file")
    return paths[0]


def _parse(data: bytes, start, end=None, text=None) -> None:  # type: ignore[no-untyped-def]
    """Parse XML with entity declarations refused; external entities are never loaded."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text

    def refuse(name: str, *_: object) -> None:
        raise ValueError(f"declares the entity {name!r}, which a book has no use for")

    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)
