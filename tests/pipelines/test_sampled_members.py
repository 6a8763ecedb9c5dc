"""Pieces drawn from the middle of large compressed files: the records of a run's parts, without a scan of the whole."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from massivetext import readers
from massivetext.readers import members
from pipelines.input_splits import Part
from pipelines.member_index import IndexTask, split_here
from pipelines.run_folder.folder import Folder
from pipelines.sampled_members import drawn_pieces, probable_pieces, with_whole_files
from pipelines.tasks import Marker
from tests.pipelines.test_member_index import TARGET, here
from tests.readers.member_files import archive, json_lines, pages


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "TARGET_BYTES", TARGET)
    monkeypatch.setattr(members, "_MARGIN", 1 << 14)


def part_of(path: Path, format: str, data: bytes) -> Part:
    path.write_bytes(data)
    return Part("news", format, str(path), path.name, 0, 0, len(data), len(data), {})


def texts(part: Part) -> list[str]:
    records = readers.read_part(part.path, part.format, start=part.start, stop=part.stop, members=part.member_range)
    return [record.text or (record.page or b"").decode() for record in records]


@pytest.mark.parametrize(
    ("name", "format", "data"),
    [("a.jsonl.gz", "jsonl", archive(json_lines(200))), ("a.warc.gz", "warc", archive(pages(200)))],
)
def test_pieces_are_the_parts_of_a_run_but_for_a_member_at_each_end(
    tmp_path: Path, name: str, format: str, data: bytes
) -> None:
    whole = part_of(tmp_path / name, format, data)
    pieces = probable_pieces([whole])
    drawn = drawn_pieces(Folder(str(tmp_path / "out")), [whole], pieces, here)
    split = split_here(whole)

    assert 3 < len(split) == len(pieces) == len(drawn)
    for part, piece in zip(split, drawn):
        of_part, of_piece = texts(part), texts(piece)
        assert of_piece
        assert len(of_part) - 2 <= len(of_piece) <= len(of_part) + 2
        assert len(set(of_part) & set(of_piece)) >= len(of_part) - 2
        assert piece.stop - piece.start == piece.n_bytes
    every = texts(replace(whole, stop=whole.n_bytes))
    assert set(every) >= {text for piece in drawn for text in texts(piece)}
    assert pieces == with_whole_files(pieces, drawn)


def test_one_piece_takes_the_scan_of_two_ranges(tmp_path: Path) -> None:
    whole = part_of(tmp_path / "a.jsonl.gz", "jsonl", archive(json_lines(200)))
    piece = probable_pieces([whole])[2]
    tasks: list[IndexTask] = []

    def run(scans: Sequence[IndexTask]) -> list[Marker]:
        tasks.extend(scans)
        return here(scans)

    drawn_pieces(Folder(str(tmp_path / "out")), [whole], [piece], run)

    assert [2] == [len(task.ranges) for task in tasks]


def test_a_file_of_one_member_is_drawn_whole_and_once(tmp_path: Path) -> None:
    whole = part_of(tmp_path / "a.jsonl.gz", "jsonl", gzip.compress(b"".join(json_lines(200))))
    small = replace(part_of(tmp_path / "b.jsonl", "jsonl", b'{"text": "one"}\n'), split=3)
    pieces = probable_pieces([whole, small])
    drawn = drawn_pieces(Folder(str(tmp_path / "out")), [whole, small], pieces[-3:], here)

    assert 3 < len(pieces)
    assert [whole, small] == drawn
    assert [whole, small] == with_whole_files(pieces, drawn)
