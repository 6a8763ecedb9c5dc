"""Copies of removed texts are told by digests and shingles, at the limit of J > 0.8."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext.parquet import file_digest
from massivetext.removed import Removed
from massivetext.removed_texts import FILE, note_texts, read_removed_texts
from massivetext.urls import removal_key

WORDS = [f"word{n}" for n in range(192)]
TEXT = " ".join(WORDS)  # 180 shingles


def _note(folder: Path, *rows: tuple[str, str]) -> str | None:
    (folder / "curated").mkdir(exist_ok=True)
    table = pa.table({"id": [row[0] for row in rows], "text": pa.array([row[1] for row in rows], pa.large_string())})
    pq.write_table(table, folder / "curated" / "a.parquet")
    return note_texts(str(folder), ["curated/a.parquet"], {"1" * 32, "2" * 32})


def _copies(folder: Path, *texts: str | None) -> list[bool]:
    removed = read_removed_texts([str(folder)])
    assert removed is not None
    return removed.copies(pa.array(texts, pa.large_string())).tolist()


def test_copies_are_told_and_others_are_not(tmp_path: Path) -> None:
    """Of 180 shingles each, k words at the end are others: J = (180 - k) / (180 + k), above .8 for k < 20."""
    assert _note(tmp_path, ("1" * 32, TEXT), ("3" * 32, "a text that stays"))

    def changed(k: int) -> str:
        return " ".join(WORDS[: len(WORDS) - k] + [f"other{n}" for n in range(k)])

    assert [True, True, True, False, False, False, False] == _copies(
        tmp_path, TEXT, "\n\n".join(WORDS) + " ", changed(19), changed(20), "a text that stays", "", None
    )


def test_texts_of_few_words_are_copies_only_as_a_whole(tmp_path: Path) -> None:
    _note(tmp_path, ("1" * 32, "To be, or not"), ("2" * 32, ""))

    assert [True, True, False, False, False] == _copies(tmp_path, "To be, or not", "to be or NOT", "to be or", "", None)


def test_what_is_noted_is_kept_and_has_no_text(tmp_path: Path) -> None:
    first = _note(tmp_path, ("1" * 32, TEXT))
    assert first == _note(tmp_path, ("1" * 32, TEXT)) == file_digest(str(tmp_path / FILE))
    second = _note(tmp_path, ("2" * 32 + "#0", "another text"))

    assert first != second
    assert ["1" * 32, "2" * 32] == pq.read_table(tmp_path / FILE).column("id").to_pylist()
    assert ["id", "exact", "shingles"] == pq.read_table(tmp_path / FILE).column_names
    assert [True, True] == _copies(tmp_path, TEXT, "another text")
    assert b"word1" not in (tmp_path / FILE).read_bytes()


def test_nothing_is_noted_of_texts_that_are_not_there(tmp_path: Path) -> None:
    assert _note(tmp_path, ("3" * 32, TEXT)) is None
    assert read_removed_texts([str(tmp_path)]) is None


@pytest.mark.parametrize(
    "variant",
    [
        "http://example.org/a/b",
        "https://example.org/a/b/",
        "HTTP://EXAMPLE.org:80/a/b#part",
        "https://user:word@example.org/a/b?utm_source=x",
    ],
)
def test_addresses_of_one_page_are_one(variant: str) -> None:
    removed = Removed(urls=("https://example.org/a/b",))

    assert "example.org/a/b" == removal_key(variant)
    assert "removed.request" == removed.reason("0" * 32, variant)
    table = pa.table({"id": ["0" * 32] * 3, "url": [variant, "https://example.org/a/c", None]})
    assert [True, False, False] == removed.rows(table).tolist()


@pytest.mark.parametrize(
    "other", ["https://example.org/a", "https://example.org/A/b", "https://example.org/a/b?page=2"]
)
def test_other_addresses_are_others(other: str) -> None:
    assert not Removed(urls=("https://example.org/a/b",)).names(other)
