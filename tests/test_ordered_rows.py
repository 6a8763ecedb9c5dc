"""`OrderedRows`: rows of one file beside the ids of another, over all cuts of both into batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext import ordered_rows
from massivetext.ordered_rows import OrderedRows, batches


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered_rows, "BATCH_ROWS", 3)


def _file(path: Path, ids: list[str]) -> pq.ParquetFile:
    pq.write_table(pa.table({"id": pa.array(ids, pa.string()), "n": pa.array(range(len(ids)), pa.int64())}), path)
    return pq.ParquetFile(path)


def _taken(rows: OrderedRows, pieces: list[list[str]]) -> list[tuple[str, int]]:
    """Each id taken, and its place in its piece."""
    taken = []
    for piece in pieces:
        own, places = rows.take(pa.array(piece, pa.string()))
        ids = [name for batch in own for name in batch.column("id").to_pylist()]
        assert ids == [piece[place] for place in places]
        taken += list(zip(ids, places.tolist()))
    return taken


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 20])
def test_rows_are_taken_with_their_ids(size: int, small_batches: None, tmp_path: Path) -> None:
    ledger = [f"{k:02d}" for k in range(20)]
    for seed in range(20):
        chosen = np.random.default_rng(seed).random(20) < seed / 19
        ids = [name for name, is_chosen in zip(ledger, chosen) if is_chosen]
        rows = OrderedRows(_file(tmp_path / "rows.parquet", ids), ["id", "n"])

        taken = _taken(rows, [ledger[at : at + size] for at in range(0, 20, size)])

        assert [(name, int(name) % size) for name in ids] == taken
        assert rows.is_done()
        assert len(ids) == rows.n_taken


@pytest.mark.parametrize("ids", [["00", "02", "01"], ["00", "00"], ["xx"], ["09", "zz"], ["03", "01"]])
def test_rows_in_another_order_or_unknown_stay(ids: list[str], small_batches: None, tmp_path: Path) -> None:
    ledger = [f"{k:02d}" for k in range(10)]
    rows = OrderedRows(_file(tmp_path / "rows.parquet", ids))

    _taken(rows, [ledger[:4], [], ledger[4:]])

    assert not rows.is_done()
    assert not rows.is_done()
    assert rows.n_taken < len(ids)


def test_a_column_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid, match="there is no column other"):
        list(batches(_file(tmp_path / "rows.parquet", ["a"]), ["id", "other"]))
