"""What a format is: the one value that a module of this folder, or of a user's own, gives to the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from massivetext.documents import Record

__all__ = ["Reader"]

Ranges = list[tuple[int, int]]


@dataclass(frozen=True)
class Reader:
    """A format of source files.

    name: what a recipe calls it.
    read: gives the records of a range of a file; its arguments are those of `massivetext.readers.read`.
    record, offset: what one record is and what its offset counts, for the documentation.
    splits: by what files are split: "no", "bytes", or whatever `split` goes by.
    extensions: how names of such files end, in lower case, before an ending of compression.
    signature: whether a file that begins with these bytes (decompressed, 8 KiB if there are so many) is one; None where
        no first bytes tell.
    fields: keys and default names of the fields of a row; None for a format whose records have no named fields.
    options: other things that a recipe can say, written `@name` among the fields, and what they are for.
    split: ranges of a file that can be read apart, given its path, size and target size; None: by `splits`.
    find, size, stamp: for formats whose paths are not files; None: as of files.
    """

    name: str
    read: Callable[..., Iterator[Record]]
    record: str = "a record"
    offset: str = "as the reader counts"
    splits: str = "no"
    extensions: tuple[str, ...] = ()
    signature: Callable[[bytes], bool] | None = None
    fields: Mapping[str, str] | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    split: Callable[[str, int, int], Ranges] | None = None
    find: Callable[[str], list[str]] | None = None
    size: Callable[[str], int] | None = None
    stamp: Callable[[str], int] | None = None
