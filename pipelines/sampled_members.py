"""Pieces of large compressed files for a sample, found without a scan of the whole files.

A run scans a file from its beginning, so that every record has its offset (`pipelines.member_index`). A forecast needs
no offsets: of a piece in the middle of a file two ranges are scanned, the one in which it starts and the one in which
it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from massivetext import readers
from massivetext.readers import MemberRange
from massivetext.readers.members import END, Cut, Stretch
from massivetext.readers.splitting import by_bytes
from pipelines.input_splits import Part
from pipelines.member_index import IndexTask, may_split, stretches_of
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker

__all__ = ["drawn_pieces", "probable_pieces", "with_whole_files"]


def probable_pieces(parts: Iterable[Part]) -> list[Part]:
    """Return the parts, of which each large compressed file is as many pieces as it has ranges of bytes."""
    pieces: list[Part] = []
    for part in parts:
        if may_split(part):
            for number, (start, stop) in enumerate(_ranges(part)):
                pieces.append(replace(part, split=number, start=start, stop=stop, n_bytes=stop - start))
        else:
            pieces.append(part)
    return pieces


def drawn_pieces(
    folder: Folder,
    parts: Sequence[Part],
    drawn: Sequence[Part],
    run: Callable[[Sequence[IndexTask]], Sequence[Marker]],
) -> list[Part]:
    """Return drawn pieces as parts that can be read.

    Args:
        folder: of the sample.
        parts: all parts, with large compressed files as one each.
        drawn: some of `probable_pieces` of them.
        run: runs tasks, and returns their markers in order.

    Returns:
        In place of each piece of a compressed file what starts in its range of bytes; and in place of all drawn pieces
        of a file in which one has no members to begin and end at, the whole file once.
    """
    whole = {(part.subset, part.source): part for part in parts if may_split(part)}
    pieces = [piece for piece in drawn if (piece.subset, piece.source) in whole]
    tasks = []
    for piece in pieces:
        file = whole[piece.subset, piece.source]
        ranges = _ranges(file)[piece.split : piece.split + 2]
        tasks.append(IndexTask(folder, file, tuple(ranges), piece.split))
    resolved: dict[tuple[str, str, int], Part | None] = {}
    for piece, marker in zip(pieces, run(tasks) if tasks else ()):
        size = whole[piece.subset, piece.source].n_bytes
        resolved[piece.subset, piece.source, piece.split] = _piece(piece, list(stretches_of(marker)), size)
    unsplit = {key[:2] for key, piece in resolved.items() if piece is None}
    readable: dict[tuple[str, str, int], Part] = {}
    for part in drawn:
        key = (part.subset, part.source, part.split)
        if key[:2] in unsplit:
            readable.setdefault((*key[:2], 0), whole[key[:2]])
        else:
            readable[key] = resolved.get(key) or part
    return list(readable.values())


def with_whole_files(pieces: Iterable[Part], drawn: Sequence[Part]) -> list[Part]:
    """Return probable pieces, with a file that was drawn as a whole as one part."""
    files = {(part.subset, part.source): part for part in drawn if may_split(part)}
    kept: dict[tuple[str, str, int], Part] = {}
    for piece in pieces:
        file = files.get((piece.subset, piece.source))
        kept[piece.subset, piece.source, piece.split if file is None else -1] = piece if file is None else file
    return list(kept.values())


def _ranges(part: Part) -> list[tuple[int, int]]:
    return by_bytes(part.n_bytes, readers.TARGET_BYTES)


def _piece(piece: Part, stretches: Sequence[Stretch], size: int) -> Part | None:
    """Return the piece with the members that it begins and ends at, or None if the scan did not find both.

    Bytes of content count from its own start, for those before it are not known.
    """
    first, *following = stretches
    begin = first.cut if piece.split else Cut(0, 0, True)
    if begin is None or not first.is_clean:
        return None
    if not following:
        stop, content_stop = size, END
    elif following[0].is_clean and (end := following[0].cut) is not None:
        stop, content_stop = end.start, first.n_content - begin.content + end.content
    else:
        return None
    members = MemberRange(begin.start, stop, 0, content_stop, begin.is_line_start)
    return replace(piece, start=begin.start, stop=stop, n_bytes=stop - begin.start, member_range=members)
