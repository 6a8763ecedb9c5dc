"""What a file is that is no text, told by its first bytes: a PDF among books, a Parquet file among JSON lines.

Such a file is one record `skipped.content`, whose metadata says what it is and which format of a source reads it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from massivetext.documents import Record
from massivetext.leading_comments import COMMENTS
from massivetext.readers.encodings import CONTROLS, bom, is_converted, of_file

__all__ = ["HEAD", "Kind", "kind_of", "skipped"]

HEAD = 1 << 13
"""Bytes of a file, decompressed, that its kind is told by."""


class Kind(NamedTuple):
    """name: what the file is. hint: what reads it, or how to make text of it. is_binary: whether no text can begin so,
    also where code is looked for."""

    name: str
    hint: str
    is_binary: bool = True


_NO_READER = "no format reads it; convert it to text first, or leave it out by the source's pattern"
_ZIP = "format `jsonl` reads zip files of JSON lines, `repositories` those of code, `text` EPUB books"
_KINDS: tuple[tuple[re.Pattern[bytes], Kind], ...] = tuple(
    (re.compile(pattern, re.DOTALL), Kind(*kind))
    for pattern, kind in (
        (rb"\s{0,16}(?:\xef\xbb\xbf)?%PDF-\d", ("PDF", _NO_READER)),
        (rb"\{\\rtf", ("RTF", _NO_READER, False)),
        (rb"%!PS|\xc5\xd0\xd3\xc6", ("PostScript", _NO_READER, False)),
        (rb"PK\x03\x04.{0,4000}?(?:word/|xl/|ppt/|\[Content_Types\]\.xml)", ("office document", _NO_READER)),
        (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", ("office document", _NO_READER)),
        (rb"PK\x03\x04.{0,128}mimetypeapplication/epub", ("EPUB", "format `text` reads it")),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", ("zip file", _ZIP)),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ("office document", _NO_READER)),
        (
            rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|8BPS|II\*\0|MM\0\*|RIFF.{4}WEBP|\0\0\x01\0|BM.{4}\0{4}",
            ("image", _NO_READER),
        ),
        (rb"AT&TFORM", ("DjVu", _NO_READER)),
        (
            rb"ID3[\2-\4]|OggS\0|fLaC\0|MThd\0|RIFF.{4}(?:WAVE|AVI )|\xff[\xfb\xf3\xf2]|\x30\x26\xb2\x75",
            ("sound", _NO_READER),
        ),
        (rb".{4}ftyp|\x1aE\xdf\xa3|FLV\x01|\0\0\x01[\xba\xb3]", ("video", _NO_READER)),
        (rb".{60}(?:BOOKMOBI|TEXtREAd)|ITOLITLS|ITSF", ("e-book that is no EPUB", _NO_READER)),
        (rb"\x7fELF|\xca\xfe\xba\xbe|[\xcf\xce]\xfa\xed\xfe|\0asm|MZ.{56,62}\0\0", ("program", _NO_READER)),
        (rb"Rar!\x1a|7z\xbc\xaf|MSCF\0|!<arch>\n|xar!|\x60\xea", ("archive", _NO_READER)),
        (rb".{257}ustar", ("tar file", "format `repositories` reads tar files of code, `jsonl` those of JSON lines")),
        (rb"SQLite format 3\0|\x00\x01\x00\x00Standard (?:Jet|ACE)", ("database", _NO_READER)),
        (rb"PAR1", ("Parquet", "format `parquet` reads it")),
        (rb"ARROW1|\xff\xff\xff\xff.{2}\0\0|FEA1", ("Arrow", "format `arrow` reads it")),
        (rb"\x89HDF|\x93NUMPY|\x80[\2-\5][\x95}\]c(]|CDF[\1\2]|Obj\x01|ORC", ("data file", _NO_READER)),
        (rb"OTTO|wOFF|wOF2|\x00\x01\x00\x00\x00|ttcf", ("font", _NO_READER)),
        (rb"WARC/\d\.\d", ("web archive", "format `warc` reads it", False)),
        (
            rb"(?:\xef\xbb\xbf)?\s*<mediawiki[\s>]",
            ("MediaWiki dump", "format `mediawiki` reads it", False),
        ),
        (
            rb"(?i)(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?"
            + COMMENTS.encode()
            + rb"<(?:!doctype\s+html|html[\s>])",
            ("HTML", "format `html` reads it", False),
        ),
    )
)
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|\x1f\x8b\x08|BZh[1-9]1AY|\xfd7zXZ|\x04\x22\x4d\x18")
_UNKNOWN = Kind("binary file", _NO_READER)
_TWICE = Kind("compressed file", "its content is compressed twice; decompress it once")


def kind_of(head: bytes, named: str | None = None) -> Kind | None:
    """What a file is that begins with these bytes (HEAD of them, if there are so many); None for text. named: the
    encoding that the recipe names, as `encodings.of_option` returns it."""
    for pattern, kind in _KINDS:
        if pattern.match(head):
            return kind
    if _ZSTD.match(head):
        return _TWICE
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return None  # JSON, of which a part may be damaged
    n_controls = len(head) - len(head.translate(None, CONTROLS))
    if n_controls <= max(32, len(head) // 10):
        return None
    return None if bom(head)[0] or is_converted(of_file(head, named)) else _UNKNOWN


def skipped(kind: Kind, offset: int = 0) -> Record:
    """The record of a file that is no text of this format."""
    metadata = {"content": kind.name, "hint": kind.hint}
    return Record(offset, outcome="skipped", reason="skipped.content", metadata=metadata)
