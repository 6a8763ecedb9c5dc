from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.examples import labelled, rows_of
from massivetext.errors import SourceError


def test_labelled_parquet_of_values_that_python_does_not_have(tmp_path: Path) -> None:
    texts = pa.array([b"caf\xe9", b"good"], pa.binary()).view(pa.string())
    labels = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), texts)
    day = pa.array([99_999_999, None], pa.date32())
    table = pa.Table.from_arrays([texts, labels, day, pa.array([1, 2])], ["text", "label", "day", "text"])
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1)
    word = "caf\ufffd"

    assert [(word, word), ("good", "good")] == [(e.text, e.label) for e in labelled([str(tmp_path / "a.parquet")])]
    assert {"text": word, "label": word, "day": 99_999_999, "text (2)": 1} == next(rows_of(f"{tmp_path}/a.parquet"))


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(40))

    with pytest.raises(SourceError, match="is no Parquet file"):
        labelled([str(tmp_path / "a.parquet")])
