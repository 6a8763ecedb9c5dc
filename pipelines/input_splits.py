"""Input splits: what one task of the per-document pass reads. A part is a file, or a split of one by bytes alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from massivetext import readers, storage
from massivetext.errors import RecipeError, SourceError
from pipelines.recipe.model import Recipe

__all__ = ["Part", "find_parts", "source_warnings", "split_files"]


@dataclass(frozen=True)
class Part:
    """A range of one source file. `source` is its name below the fixed prefix of the recipe's pattern. `stamp`: when
    the file was last changed, so that one written anew is read anew; it shapes no output."""

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

    @property
    def name(self) -> str:
        """`part-<BLAKE2b-64 of the source, hex>-<split>`: the name of every file made from this part."""
        digest = hashlib.blake2b(self.source.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        return f"part-{digest}-{self.split:05d}"


def find_parts(recipe: Recipe) -> list[Part]:
    """All parts of a recipe's sources, by subset, source and split.

    A file that cannot be looked at is one part, whose task then says why. Raises RecipeError for a source that matches
    no file, and for two files of a subset with one source name.
    """
    parts = []
    for subset, block in recipe.filled.items():
        origin: dict[str, str] = {}
        for number, source in enumerate(block.sources):
            place = f"subsets.{subset}.sources.{number}.path"
            paths = readers.find(source.path, source.format)
            if not paths:
                raise RecipeError(f"{place}: no file matches {source.path!r}; expected a file, a folder or a pattern")
            prefix = storage.source_prefix(source.path)
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
            for path, name, (n_bytes, stamp, ranges) in zip(paths, names, _looks(paths, source.format, prefix)):
                for split, (start, stop) in enumerate(ranges):
                    share = max(1, n_bytes // len(ranges))
                    parts.append(
                        Part(subset, source.format, path, name, split, start, stop, share, source.fields, stamp)
                    )
    return sorted(parts, key=lambda part: (part.subset, part.source, part.split))


def source_warnings(parts: Sequence[Part]) -> list[str]:
    """Return what is probably wrong with the sources' `fields`, a sentence each: names that mean nothing for a format,
    and records of which none has text under the name given. The first file of each kind of source is looked at."""
    firsts: dict[tuple[str, str, str], Part] = {}
    for part in parts:
        firsts.setdefault((part.subset, part.format, repr(sorted(part.fields.items()))), part)
    sentences = []
    for part in firsts.values():
        sentences += [f"subsets.{part.subset}: {fault}" for fault in readers.faults(part.format, part.fields)]
        if wrong := readers.look(part.path, part.format, part.fields):
            sentences.append(f"subsets.{part.subset}: {wrong}")
    return sentences


def split_files(path: str, format: str, subset: str, fields: Mapping[str, str]) -> list[Part]:
    """Return the parts of the files that a path or a pattern names, by source and split.

    Raises:
        SourceError: no file matches.
    """
    paths = readers.find(path, format)
    if not paths:
        raise SourceError(f"{path}: no file matches; expected a file, a folder or a pattern")
    prefix = storage.source_prefix(path)
    names = [_as_text(one[len(prefix) :]) for one in paths]
    return [
        Part(subset, format, one, name, split, start, stop, max(1, n_bytes // len(ranges)), fields, stamp)
        for one, name, (n_bytes, stamp, ranges) in zip(paths, names, _looks(paths, format, prefix))
        for split, (start, stop) in enumerate(ranges)
    ]


def _as_text(name: str) -> str:
    r"""A file name as text: bytes of it that are not UTF-8 are written `\xe9`, for a ledger holds text only."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _looks(paths: Sequence[str], format: str, prefix: str) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """Bytes, stamp and ranges of each path; of one that cannot be looked at a single empty range."""
    remote = storage.is_remote(prefix)
    # One request for 1,000 files, not two for each.
    known = storage.list_sizes(prefix) if remote and len(paths) > 1 and format != "repositories" else {}

    def look(path: str) -> tuple[int, int, list[tuple[int, int]]]:
        try:
            found = known.get(path) or (readers.size(path, format), readers.stamp(path, format))
            return *found, readers.split(path, format, size=found[0]) or [(0, 0)]
        except SourceError:
            return 0, 0, [(0, 0)]

    return storage.each(look, paths, remote=remote)
