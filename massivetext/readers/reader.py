"""What a format is: the one value that a module of this folder, or of a user's own, gives to the registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from massivetext.documents import Record

__all__ = ["MemberRange", "Members", "Ranges", "Reader"]

Ranges = list[tuple[int, int]]


class MemberRange(NamedTuple):
    """Some members of a compressed file, one after the other.

    start: byte at which the first one starts. stop: byte at which the member behind the last one starts, or the size of
    the file. content: decompressed bytes before the first one. content_stop: those before `stop`; of the last range
    more than any file has. is_line_start: whether the first one begins a line.
    """

    start: int
    stop: int
    content: int
    content_stop: int
    is_line_start: bool


def _anywhere(before: bytes, data: bytes) -> bool:
    return True


@dataclass(frozen=True)
class Members:
    """How a format reads a range of the members of a compressed file, and where such ranges may begin.

    read: gives the records of a range; its arguments are those of `massivetext.readers.read`, but for `members`, a
        MemberRange, in place of `start` and `stop`. The ranges of a file give together what the whole file gives.
    fits: whether a file whose content begins with these bytes (8 KiB, if there are so many) can be split at all.
    begins: whether a range may begin at a member, given the last 64 bytes of content before it and its first block.
    forbidden: bytes, and a pattern around them, whose occurrence in the content, lower-cased, ties members together.
    recover: whether reading goes on after a corrupt member.
    by_member: whether the offset of a record is where its member starts, from which those of one member count on.
    otherwise: how files of the format that do not fit are split, where there is another way.
    """

    read: Callable[..., Iterator[Record]]
    fits: Callable[[bytes], bool]
    begins: Callable[[bytes, bytes], bool] = _anywhere
    forbidden: tuple[bytes, re.Pattern[bytes]] | None = None
    recover: bool = False
    by_member: bool = False
    otherwise: Members | None = None

    def of(self, first: bytes) -> Members | None:
        """How a file whose content begins so is split; None if it cannot be."""
        if self.fits(first):
            return self
        return self.otherwise.of(first) if self.otherwise is not None else None


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
    option_faults: given what a recipe says for these, returns what is impossible about it, a sentence each.
    split: ranges of a file that can be read apart, given its path, size and target size; None: by `splits`.
    gives_pages: whether its records are web pages, from which the text has to be extracted.
    members: how large compressed files are split at their members; None: not at all.
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
    option_faults: Callable[[Mapping[str, str]], list[str]] | None = None
    split: Callable[[str, int, int], Ranges] | None = None
    gives_pages: bool = False
    members: Members | None = None
    find: Callable[[str], list[str]] | None = None
    size: Callable[[str], int] | None = None
    stamp: Callable[[str], int] | None = None
