"""WACZ, the zip file that web archives are published in: the records of all WARC files in its `archive/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import IO

from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers import containers, warc
from massivetext.readers.compression import DamagedError
from massivetext.readers.lines import of_members
from massivetext.readers.reader import Reader

__all__ = ["READER", "read"]

_WARC = (".warc", ".arc", ".wet")


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """The records of the archives, in the zip file's order, as the format `warc` gives them.

    offset: that of the record in its archive, after the sizes of the archives before it. A damaged archive costs its
    own records; the next ones are read, and then DamagedError is raised. Raises SourceError for what is no zip file,
    or one without an archive.
    """
    stream.seek(0)
    if not containers.is_zip(stream.read(16)):
        raise SourceError(f"{source}: not a WACZ file; expected a zip file with WARC files in its archive/")
    n_archives = n_rows = 0

    def records(member: containers.Member) -> Iterator[Record]:
        nonlocal n_archives
        if not containers.is_named(member.name, _WARC):
            return
        n_archives += 1
        of_archive: Counter[str] = Counter()
        where = f"{source}/{member.name}"
        try:
            for record in warc.read(member.stream, start=0, stop=0, source=where, options=options, counts=of_archive):
                yield replace(record, offset=member.base + record.offset)
        except DamagedError:
            raise
        except SourceError as error:  # none of it is an archive, and the others may be
            raise DamagedError("corrupt", str(error)) from error
        finally:
            for name, n in of_archive.items():
                counts[name] = counts.get(name, 0) + n

    for record in of_members(records, stream, source=source, extensions=_WARC, counts=counts):
        n_rows += 1
        yield record
    if not n_archives and not n_rows:
        raise SourceError(f"{source}: no WARC file in it; expected some in its archive/")


READER = Reader(
    name="wacz",
    gives_pages=True,
    read=read,
    record="as of warc",
    offset="byte of its archive, after the sizes of the archives before it",
    extensions=(".wacz",),
    signature=lambda head: containers.is_zip(head) and b"datapackage.json" in head,
)
