"""Input splits: what one task of the per-document pass reads.

A part is a range of one large file, or some small files together. (Large compressed files are split later, at their
members: pipelines/member_index.py.) Which ones depends on their names and bytes alone:
the files of a subset are gone through in the order of their sources, and a pack is closed where it has half of
PACK_BYTES and a hash of the next file's name says so. So a file that is new, gone or longer than before changes the
packs beside it and no others.

    sources    a   b   c   D          e   f   g   h   i        (D is large)
    parts      a+b+c       D-0 D-1    e+f     g+h+i
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from massivetext import readers, storage
from massivetext.errors import RecipeError, SourceError
from pipelines.recipe.blocks import Source
from pipelines.recipe.model import Recipe

__all__ = ["PACK_BYTES", "SMALL_BYTES", "File", "Part", "find_parts", "ranges_of", "source_warnings", "split_files"]

PACK_BYTES = 64 << 20
"""About how many bytes of small files make a part; none has more than twice as many."""

SMALL_BYTES = 16 << 20
"""A file of more bytes is never packed: it is a part, or several, as it is."""

FILE_BYTES = 4 << 10
"""What opening a file counts for in a pack, so that a pack of empty files ends too."""


LOOKED_AT = 20
"""Files of one kind of source that are looked at before a run, each with another ending."""

_NUMBER = re.compile(r"\d+")


class File(NamedTuple):
    """A source file. `source` is its name below the fixed prefix of the recipe's pattern. `stamp`: when the file was
    last changed, so that one written anew is read anew; it shapes no output."""

    path: str
    source: str
    n_bytes: int
    stamp: int = 0


@dataclass(frozen=True)
class Part:
    """A range of one source file, whose `path`, `source` and `stamp` it has as `File` does; or several small files,
    each read whole, of which the first one gives `path` and `source`. member_range: what is read of a compressed file
    that is split at its members."""

    subset: str
    format: str
    path: str
    source: str
    split: int
    start: int
    stop: int
    n_bytes: int
    fields: Mapping[str, str]
    stamp: int = 0
    files: tuple[File, ...] = ()
    member_range: readers.MemberRange | None = None

    @property
    def name(self) -> str:
        """`part-<BLAKE2b-64 of the source, hex>-<split>`: the name of every file made from this part."""
        digest = hashlib.blake2b(self.source.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        return f"part-{digest}-{self.split:05d}"

    @property
    def members(self) -> tuple[File, ...]:
        """The files that it is read from, in order."""
        return self.files or (File(self.path, self.source, self.n_bytes, self.stamp),)


class _Kind(NamedTuple):
    """How files are read. Only files of one kind share a part."""

    format: str
    fields: Mapping[str, str]
    is_packed: bool = True


def find_parts(recipe: Recipe, output: str | None = None) -> list[Part]:
    """All parts of a recipe's sources, by subset, source and split.

    A file that cannot be looked at is read like an empty one; its task then says why it cannot be.

    Args:
        recipe: The recipe.
        output: The folder that a run writes to. What lies in it is passed over: a run reads none of its own output.

    Raises:
        RecipeError: A source matches no file, or none outside the output folder, or a repository that the output folder
            lies in, or it is in a store that cannot be used here; or two files of a subset have one source name.
        SourceError: A store does not answer.
    """
    parts = []
    for subset, block in recipe.filled.items():
        origin: dict[str, str] = {}
        files: list[tuple[File, _Kind]] = []
        for number, source in enumerate(block.sources):
            place = f"subsets.{subset}.sources.{number}.path"
            try:
                paths = readers.find(source.path, source.format)
            except RecipeError as error:
                raise RecipeError(f"{place}: {error}") from error
            except OSError as error:  # of an object store that refuses or does not answer
                raise SourceError(f"{place}: {source.path!r} cannot be listed: {error}") from error
            if not paths:
                raise RecipeError(f"{place}: no file matches {source.path!r}; expected a file, a folder or a pattern")
            prefix = storage.source_prefix(source.path)
            if output is not None:
                paths = _without_output(paths, prefix, output, place, source)
            names = []
            for path in paths:
                name = source.name + _as_text(path[len(prefix) :])
                if name in origin:
                    raise RecipeError(
                        f"{place}: {path} and {origin[name]} would both be source {name!r}; "
                        "give one of the two sources a `name`, which goes before its files' names"
                    )
                origin[name] = path
                names.append(name)
            kind = _Kind(source.format, source.fields, source.pack)
            files += [(file, kind) for file in _look(paths, names, source.format, prefix)]
        parts += _parts(subset, files)
    return parts


def _without_output(paths: Sequence[str], prefix: str, output: str, place: str, source: Source) -> list[str]:
    """Return the paths of a source without those in the output folder. Raises RecipeError as `find_parts` does."""
    others = storage.without_folder(paths, prefix, output)
    if not others:
        raise RecipeError(
            f"{place}: all that matches {source.path!r} lies in the output folder {output}, and a run reads none of "
            "its own output; give another --output, or move the files out of that folder"
        )
    # Only formats that list their sources themselves have folders among them.
    for path in others if readers.get(source.format).find else ():
        if not storage.without_folder([output], output, path):
            raise RecipeError(
                f"{place}: the output folder {output} lies in {path}, which is read as a whole, and a run reads none "
                "of its own output; give another --output"
            )
    return others


def source_warnings(parts: Sequence[Part]) -> list[str]:
    """Return what is probably wrong with the sources, a sentence each: names in `fields` that mean nothing for a
    format, files that cannot be read as it, and records of which none has text under the name given.

    Of each kind of source the first file of each ending is looked at, of LOOKED_AT endings: so a README.md among
    Parquet files is named.
    """
    firsts: dict[tuple[str, str, str], tuple[Part, dict[str, str]]] = {}
    for part in parts:
        kind = (part.subset, part.format, repr(sorted(part.fields.items())))
        paths = firsts.setdefault(kind, (part, {}))[1]
        for file in part.members:
            if len(paths) < LOOKED_AT:
                paths.setdefault(_NUMBER.sub("", os.path.splitext(file.path)[1]).lower(), file.path)
    sentences = []
    for part, paths in firsts.values():
        sentences += [f"subsets.{part.subset}: {fault}" for fault in readers.faults(part.format, part.fields)]
        looks = (readers.look(path, part.format, part.fields) for path in paths.values())
        sentences += [f"subsets.{part.subset}: {wrong}" for wrong in looks if wrong]
    return sentences


def split_files(path: str, format: str, subset: str, fields: Mapping[str, str]) -> list[Part]:
    """Return the parts of the files that a path or a pattern names, by source and split; small files are packed.

    Raises:
        SourceError: no file matches.
    """
    paths = readers.find(path, format)
    if not paths:
        raise SourceError(f"{path}: no file matches; expected a file, a folder or a pattern")
    prefix = storage.source_prefix(path)
    names = [_as_text(one[len(prefix) :]) for one in paths]
    kind = _Kind(format, fields)
    return _parts(subset, [(file, kind) for file in _look(paths, names, format, prefix)])


def _as_text(name: str) -> str:
    r"""A file name as text: bytes of it that are not UTF-8 are written `\xe9`, for a ledger holds text only."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _look(paths: Sequence[str], names: Sequence[str], format: str, prefix: str) -> list[File]:
    """Bytes and stamp of each path; none of one that cannot be looked at."""
    remote = storage.is_remote(prefix)
    # One request for 1,000 files, not two for each.
    known = storage.list_sizes(prefix) if remote and len(paths) > 1 and format != "repositories" else {}

    def look(pair: tuple[str, str]) -> File:
        path, name = pair
        try:
            return File(path, name, *(known.get(path) or (readers.size(path, format), readers.stamp(path, format))))
        except SourceError:
            return File(path, name, 0)

    return storage.each(look, list(zip(paths, names)), remote=remote)


def _parts(subset: str, files: Iterable[tuple[File, _Kind]]) -> list[Part]:
    """The parts of a subset's files, by source and split."""
    ordered = sorted(files, key=lambda pair: pair[0].source)
    packs = list(_packs(ordered))
    single = [(*pack[0], kind) for pack, kind in packs if len(pack) == 1]
    remote = bool(single) and storage.is_remote(single[0][0])

    def split(file: tuple[str, str, int, int, _Kind]) -> list[tuple[int, int]]:
        path, _, n_bytes, _, kind = file
        return ranges_of(path, kind.format, n_bytes)

    ranges = iter(storage.each(split, single, remote=remote))
    parts: list[Part] = []
    for pack, kind in packs:
        path, source, n_bytes, stamp = pack[0]
        if len(pack) > 1:
            total = max(1, sum(file.n_bytes for file in pack))
            parts.append(Part(subset, kind.format, path, source, 0, 0, total, total, kind.fields, 0, tuple(pack)))
            continue
        own = next(ranges)
        share = max(1, n_bytes // len(own))
        parts += [
            Part(subset, kind.format, path, source, number, start, stop, share, kind.fields, stamp)
            for number, (start, stop) in enumerate(own)
        ]
    return parts


def ranges_of(path: str, format: str, n_bytes: int) -> list[tuple[int, int]]:
    """The ranges of a file that can be read apart; of one that cannot be looked at a single empty one."""
    try:
        return readers.split(path, format, size=n_bytes) or [(0, 0)]
    except SourceError:
        return [(0, 0)]


def _packs(ordered: Iterable[tuple[File, _Kind]]) -> Iterator[tuple[list[File], _Kind]]:
    """Yield the files that are read together, in their order: small ones of one kind, or one file by itself."""
    pack: list[File] = []
    last: _Kind | None = None
    n_bytes = 0
    for file, kind in ordered:
        is_small = kind.is_packed and file.n_bytes <= SMALL_BYTES
        own = file.n_bytes + FILE_BYTES
        if pack and last is not None and (not is_small or kind != last or _is_full(n_bytes, own, file.source)):
            yield pack, last
            pack, n_bytes = [], 0
        if not is_small:
            yield [file], kind
            continue
        pack.append(file)
        last, n_bytes = kind, n_bytes + own
    if pack and last is not None:
        yield pack, last


def _is_full(n_bytes: int, more: int, source: str) -> bool:
    """Whether a pack of n_bytes ends before the file of this source, which has `more`. From half of PACK_BYTES on, each
    further byte has the same chance to be the last one."""
    half = PACK_BYTES // 2
    if n_bytes < half:
        return False
    if n_bytes + more > 2 * PACK_BYTES:
        return True
    key = source.encode("utf-8", "surrogatepass")
    drawn = int.from_bytes(hashlib.blake2b(key, digest_size=8, person=b"massivetext pack").digest(), "big")
    return drawn * half < more << 64
