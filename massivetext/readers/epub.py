"""EPUB books: the chapters of the reading order as plain text. Nothing but package and chapter files is opened.

ebooklib reads every member, pictures too, into memory, and is under the AGPL; what is needed here is a zip file, two
XML files and a library that turns HTML into text. Books are read as reading systems read them: names are found whatever
their case, Unicode form or slashes, package files that are no XML are read by their tags, and a chapter that cannot be
read costs itself, and is counted. Where container, package file or spine are of no use, what is next best gives the
reading order: the manifest, or the names of the chapters.
"""

from __future__ import annotations

import html
import posixpath
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import unquote
from xml.parsers import expat

from massivetext.documents import Record
from massivetext.readers import encodings
from massivetext.readers.compression import DamagedError
from massivetext.readers.containers import ERRORS, is_zip, zip_reason
from massivetext.readers.fields import MAX_TEXT
from massivetext.text import clean

__all__ = ["is_epub", "member", "read"]

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_XML_LIMIT = 8 << 20
_ENTRIES = 100_000
_CHAPTER_NAME = re.compile(r"\.(?:x?html?|xht|xml|htm)\Z", re.IGNORECASE)
_LOOSE_CHAPTER = re.compile(r"(?:.*[/\\])?(?!\._)[^/\\]*\.x?html?", re.IGNORECASE | re.DOTALL)
"""A member that is read as a chapter where nothing names the chapters; `._` begins what macOS stores beside a file."""
_CHAPTER_TYPE = re.compile(r"html|oeb1-document|dtbook", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z_][\w.:-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>|<!--.*?-->|<[?!][^>]*>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([\w.:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr|basefont|frame|keygen|isindex|command"
_CLOSED = re.compile(
    rf"<(?!(?:{_VOID})[\s/])([A-Za-z][\w.:-]*)((?:\s+[^<>\"'/]*(?:\"[^\"]*\"|'[^']*'|/(?!>))?)*?)\s*/>", re.IGNORECASE
)
"""A tag that XHTML closes within itself and HTML does not: `<title/>`, `<a id="x"/>`."""
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


class _EntityError(ValueError):
    """A file of XML that declares entities, for which the book is refused."""


def is_epub(stream: IO[bytes]) -> bool:
    """Whether a file is a zip archive that says EPUB first, or that has a container or a package file."""
    stream.seek(0)
    head = stream.read(128)
    stream.seek(0)
    if not is_zip(head):
        return False
    if b"mimetypeapplication/epub+zip" in head or _CONTAINER.encode() in head:
        return True
    try:
        with zipfile.ZipFile(stream) as archive:
            names = _Names(archive)
            if names.find(_CONTAINER) is not None or any(name.lower().endswith(".opf") for name in names.all):
                return True
            name = names.find("mimetype")
            return name is not None and b"epub" in (member(archive, name, 1000) or b"")
    except ERRORS:
        return False
    finally:
        stream.seek(0)


def read(stream: IO[bytes], *, source: str, counts: MutableMapping[str, int] | None = None) -> Iterator[Record]:
    """The one record of a book; metadata title, author, language, chapters_unreadable if some cannot be read, and
    `damage: corrupt` if the container or the package file cannot, or if none of the spine's items is there.

    A book that cannot be read gives `failed.corrupt`, `failed.encrypted` or `failed.too_large`, and raises SourceError
    if the file itself is broken. counts: gains `chapters_unreadable` and `books_damaged`.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            if len(archive.infolist()) > _ENTRIES:
                yield Record(0, outcome="failed", reason="failed.too_large")
                return
            record = _book(archive)
    except ERRORS as error:
        reason = "encrypted" if (is_locked := _is_locked(error)) else zip_reason(error)
        yield Record(0, outcome="failed", reason=f"failed.{reason}")
        if is_locked:
            return
        raise DamagedError(reason, f"{source}: {reason}: an EPUB that cannot be read: {error}") from error
    if counts is not None and (lost := record.metadata.get("chapters_unreadable")):
        counts["chapters_unreadable"] = counts.get("chapters_unreadable", 0) + int(lost)
    if counts is not None and record.text is not None and "damage" in record.metadata:
        counts["books_damaged"] = counts.get("books_damaged", 0) + 1
    yield record


def member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes | None:
    """The content of a member, or None if it is longer than the limit: counted while it is read, not believed."""
    with archive.open(name) as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def _is_locked(error: Exception) -> bool:
    """Whether zipfile raised the error for want of a password; other messages may have such words in a name."""
    return isinstance(error, RuntimeError) and ("encrypted" in str(error) or "password" in str(error))


class _Names:
    """Names of an archive's members, found as a file system that ignores case and Unicode forms would; a name that is
    percent-encoded is found by what it stands for too."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.all = archive.namelist()
        self._exact = set(self.all)
        self._folded: dict[str, str] = {}
        for name in self.all:
            self._folded.setdefault(_folded(name), name)
        for name in self.all:
            if "%" in name:
                self._folded.setdefault(_folded(unquote(name)), name)

    def find(self, name: str) -> str | None:
        """The member of this name, or None."""
        if name in self._exact:
            return name
        return self._folded.get(_folded(name))

    def resolve(self, folder: str, href: str) -> str | None:
        """The member that a link in a file of a folder leads to; None if it leads nowhere."""
        plain = href.partition("#")[0].replace("\\", "/").strip()
        for link in (unquote(plain), plain):
            if not link:
                return None
            for base in (folder, ""):
                name = posixpath.normpath(posixpath.join(base, link)).lstrip("/")
                if found := self.find(name):
                    return found
        return None


def _folded(name: str) -> str:
    name = name.replace("\\", "/").removeprefix("./").lstrip("/")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


@dataclass
class _Package:
    """What a package file says: items by id (link, media type, fallback), the reading order, and words on the book."""

    items: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    """Of each id in lower case, the id of the first item that has it."""
    navigation: set[str] = field(default_factory=set)
    spine: list[tuple[str, bool]] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=lambda: {"title": [], "creator": [], "language": []})

    def reading_orders(self) -> Iterator[list[str]]:
        """Ids of the items to be read, the better order first: those of the spine, then all items of text."""
        yield [name for name, is_linear in self.spine if is_linear] or [name for name, _ in self.spine]
        yield [name for name in self.items if name not in self.navigation]

    def link(self, name: str) -> str | None:
        """The link of an item, or of the first of its fallbacks that is text; None if none is; "" if there is no such
        item."""
        for _ in range(8):
            key = name if name in self.items else self.ids.get(name.lower(), "")
            href, kind, fallback = self.items.get(key, ("", "", ""))
            if not href:
                return ""
            if _CHAPTER_TYPE.search(kind) or (
                not kind.startswith("image") and _CHAPTER_NAME.search(href.partition("#")[0])
            ):
                return href
            if not fallback:
                return None
            name = fallback
        return None


def _book(archive: zipfile.ZipFile) -> Record:
    names = _Names(archive)
    encryption, fault_of_encryption = _content(archive, names.find(_ENCRYPTION) or "")
    if _names_chapters(encryption):
        return Record(0, outcome="failed", reason="failed.encrypted")
    package_name, fault = _package_name(archive, names)
    content, fault_of_package = _content(archive, package_name)
    package = _read_package(content)
    members, is_in_order = _members(package, names, posixpath.dirname(package_name.replace("\\", "/")))
    fault = fault or fault_of_package or fault_of_encryption
    if fault is not None and not members:
        raise fault
    chapters: list[str] = []
    size = n_unreadable = 0
    for name in members:
        if name is None:
            n_unreadable += 1
            continue
        try:
            data = member(archive, name, MAX_TEXT - size)
            if fault_of_encryption and data is not None and encodings.is_binary(data):
                raise fault_of_encryption  # the chapter may be encrypted, which is not known
            chapter = "" if data is None else _chapter(data)
        except ERRORS as error:
            if _is_locked(error):
                raise
            n_unreadable += 1
            continue
        if data is None:
            return Record(0, outcome="failed", reason="failed.too_large")
        size += len(data)
        if chapter.strip():
            chapters.append(chapter.strip("\n"))
    by_key = {key: " ".join("".join(parts).split()) for key, parts in package.words.items()}
    metadata = {"author" if key == "creator" else key: clean(value) for key, value in by_key.items() if value}
    if n_unreadable:
        metadata["chapters_unreadable"] = str(n_unreadable)
    if fault is not None or not is_in_order:
        metadata["damage"] = "corrupt"
    if not chapters:
        reason = "failed.corrupt" if n_unreadable or "damage" in metadata else "failed.no_text"
        return Record(0, outcome="failed", reason=reason, metadata=metadata)
    return Record(0, clean("\n\n".join(chapters) + "\n"), metadata=metadata)


def _members(package: _Package, names: _Names, folder: str) -> tuple[list[str | None], bool]:
    """Return the members that are the chapters, None for each that is not there, and whether they are those that the
    spine names, or those of a book without a spine.

    An order of which not one chapter is there gives way to the next: spine, manifest, all members named as chapters
    are. One of pictures alone does not; that is a book without text.
    """
    is_in_order = True
    for order in package.reading_orders():
        links = [package.link(name) for name in order[:_ENTRIES]]
        members = [names.resolve(folder, link) for link in links if link is not None]  # None: a picture, or no text
        if any(members) or (order and not members):
            return members, is_in_order
        is_in_order = is_in_order and not order
    return [*sorted(name for name in names.all if _LOOSE_CHAPTER.fullmatch(name))], is_in_order


def _content(archive: zipfile.ZipFile, name: str) -> tuple[bytes, Exception | None]:
    """Return the content of a member of XML, or nothing and what keeps it from being read.

    One that is too long counts as empty; so does the member without a name, which there is none of.
    """
    try:
        return (member(archive, name, _XML_LIMIT) or b"") if name else b"", None
    except ERRORS as error:
        if _is_locked(error):
            raise
        return b"", error


def _chapter(data: bytes) -> str:
    """The text of a chapter, which is XHTML in any encoding."""
    from resiliparse.extract.html2text import extract_plain_text

    page = encodings.decode_any(data)[0]
    if "<![CDATA[" in page:
        page = _CDATA.sub(lambda match: html.escape(match[1], quote=False), page)
    if "/>" in page:
        page = _CLOSED.sub(r"<\1\2></\1>", page)
    return extract_plain_text(page, main_content=False, preserve_formatting=True, alt_texts=False, links=False)


def _names_chapters(encryption: bytes) -> bool:
    """Whether chapters are among the files that are encrypted. Fonts often are obfuscated, which harms no text."""
    links: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag.endswith("CipherReference"):
            links.append(attributes.get("URI", ""))

    _parse(encryption, start)
    return any(link.lower().endswith((".xhtml", ".html", ".htm", ".xml")) for link in links)


def _package_name(archive: zipfile.ZipFile, names: _Names) -> tuple[str, Exception | None]:
    """Return the package file that the container names, or the only one that there is, or an empty name; and what is
    wrong with the container, or that there is no package file."""
    paths: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "rootfile" and "full-path" in attributes:
            paths.append(attributes["full-path"])

    content, fault = _content(archive, names.find(_CONTAINER) or "")
    _parse(content, start)
    for path in paths:
        if found := names.resolve("", path):
            return found, fault
    packages = [name for name in names.all if name.lower().endswith(".opf")]
    if not packages:
        return "", ValueError(f"{_CONTAINER} names no package file that is there, and no other member is one")
    return min(packages, key=lambda name: (name.count("/"), name)), fault


def _read_package(data: bytes) -> _Package:
    package = _Package()
    open_words: list[list[str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if local == "item":
            key = attributes.get("id", "")
            package.ids.setdefault(key.lower(), key)
            package.items[key] = (
                attributes.get("href", ""),
                attributes.get("media-type", ""),
                attributes.get("fallback", ""),
            )
            if "nav" in attributes.get("properties", "").split():
                package.navigation.add(key)
        elif local == "itemref":
            package.spine.append((attributes.get("idref", ""), attributes.get("linear", "yes") != "no"))
        elif local.lower() in package.words and not package.words[local.lower()]:
            open_words.append(package.words[local.lower()])

    def text(value: str) -> None:
        if open_words:
            open_words[-1].append(value)

    def end(name: str) -> None:
        if open_words and name.rpartition(":")[2].lower() in package.words:
            open_words.pop()

    def restart() -> None:
        nonlocal package
        package = _Package()
        open_words.clear()

    _parse(data, start, end, text, restart)
    return package


def _parse(
    data: bytes,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
    restart: Callable[[], object] = lambda: None,
) -> None:
    """Parse XML with entity declarations refused; external entities are never loaded. What is not well-formed is read
    again by its tags alone, after `restart`."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text

    def refuse(name: str, *_: object) -> None:
        raise _EntityError(f"declares the entity {name!r}, which a book has no use for")

    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except _EntityError:
        raise
    except (expat.ExpatError, LookupError, ValueError):  # ValueError for encodings that expat cannot read
        restart()
        _scan(encodings.decode_any(data)[0], start, end, text)


def _scan(
    page: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None,
    text: Callable[[str], None] | None,
) -> None:
    """What a parser of XML would tell of tags and text, of a file that is not well-formed."""
    if re.search(r"<!ENTITY", page, re.IGNORECASE):
        raise _EntityError("declares an entity, which a book has no use for")
    at = 0
    for tag in _TAG.finditer(page):
        if text and tag.start() > at:
            text(html.unescape(page[at : tag.start()]))
        at = tag.end()
        if not tag[2]:
            continue
        if tag[1]:
            if end:
                end(tag[2])
            continue
        attributes = {
            name: html.unescape(double or single or bare) for name, double, single, bare in _ATTRIBUTE.findall(tag[3])
        }
        start(tag[2], attributes)
        if tag[3].rstrip().endswith("/") and end:
            end(tag[2])
