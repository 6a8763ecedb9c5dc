from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext import storage
from massivetext.errors import RecipeError, SourceError
from massivetext.parquet import ParquetOutput, file_digest


def test_output_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = str(tmp_path / "deep er" / "ünï.bin")

    def half() -> None:
        with storage.open_output(path) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()

    assert [] == list((tmp_path / "deep er").iterdir())

    storage.write_bytes(path, b"whole")

    assert b"whole" == storage.read_bytes(path)
    assert [path] == storage.list_files(str(tmp_path))


def test_find_by_file_folder_and_pattern(tmp_path: Path) -> None:
    for name in ("a.gz", "b.txt", "x/c.gz", "x/y/d.gz"):
        storage.write_bytes(str(tmp_path / name), b"")

    def found(pattern: str) -> list[str]:
        return [path[len(str(tmp_path)) + 1 :] for path in storage.find(str(tmp_path / pattern))]

    assert ["a.gz"] == found("*.gz")
    assert ["a.gz", "x/c.gz", "x/y/d.gz"] == found("**/*.gz")
    assert ["x/c.gz"] == found("?/*.gz")
    assert ["x/c.gz", "x/y/d.gz"] == found("x")
    assert ["b.txt"] == found("b.txt")
    assert [] == found("none")


def test_the_fixed_prefix_ends_before_the_first_wildcard() -> None:
    assert "/a/b/" == storage.fixed_prefix("/a/b/c*/d.gz")
    assert "s3://bucket/" == storage.fixed_prefix("s3://bucket/*.gz")
    assert "" == storage.fixed_prefix("*.gz")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.gz"):
        storage.open_input(str(tmp_path / "none.gz"))
    with pytest.raises(SourceError, match=r"none\.gz"):
        storage.size(str(tmp_path / "none.gz"))


@pytest.mark.parametrize("path", ["https://h/a", "ftp://h/a", "hf://datasets/a", "HTTP://h/a"])
def test_a_scheme_that_is_not_supported_is_named(path: str) -> None:
    scheme = path.partition(":")[0].lower()
    for use in (storage.find, storage.exists, storage.open_input, storage.check_scheme, storage.list_files):
        with pytest.raises(RecipeError, match=f"{path}: no files can be read or written at {scheme}:// .*, gs://"):
            use(path)


def test_letters_of_a_scheme_may_be_upper_case(tmp_path: Path) -> None:
    (tmp_path / "a%20b.txt").write_bytes(b"")
    (tmp_path / "a b.txt").write_bytes(b"A text.")

    assert b"A text." == storage.read_bytes(f"FILE://{tmp_path}/a%20b.txt")
    assert str(tmp_path) == storage.local_path(f"File:{tmp_path}")
    assert not storage.is_remote(f"FILE://{tmp_path}")
    storage.check_scheme("S3://bucket/a")
    storage.check_scheme(f"File://{tmp_path}")
    with pytest.raises(SourceError, match="names the machine 'h'"):
        storage.check_scheme("file://h/a")


def test_parquet_rows_bytes_and_digest_are_known(tmp_path: Path) -> None:
    path = str(tmp_path / "x.parquet")
    table = pa.table({"text": pa.array(["a" * 100] * 50, pa.large_string())})
    with ParquetOutput(path, table.schema, row_group_bytes=10_000) as output:
        for _ in range(5):
            output.write(table)

    assert table.num_rows * 5 == output.summary["rows"] == pq.read_table(path).num_rows
    assert storage.size(path) == output.summary["bytes"]
    assert file_digest(path) == output.summary["blake2b"]
    assert [100, 100, 50] == [pq.ParquetFile(path).metadata.row_group(i).num_rows for i in range(3)]


def test_parquet_row_groups_depend_on_rows_alone(tmp_path: Path) -> None:
    table = pa.table({"text": pa.array(["a" * (i % 90) for i in range(700)], pa.large_string()), "n": range(700)})
    digests = set()
    for step in (1, 7, 100, 700):
        path = str(tmp_path / f"{step}.parquet")
        with ParquetOutput(path, table.schema, row_group_bytes=5000, row_group_rows=97) as output:
            for first in range(0, 700, step):
                output.write(table.slice(first, step))
        digests.add(output.summary["blake2b"])

    assert 1 == len(digests)
    assert table == pq.read_table(path)


def test_parquet_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "x.parquet")
    schema = pa.schema([("a", pa.int64())])

    def half() -> None:
        with ParquetOutput(path, schema) as output:
            output.write(pa.table({"a": [1]}))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()

    assert [] == list(tmp_path.iterdir())


def test_many_files_of_a_store_are_removed_and_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 64 requests waits until 31 others are under way: one after the other they would never end."""
    together = threading.Barrier(storage.THREADS, timeout=20)
    removed: list[str] = []

    def ask(path: str) -> int:
        together.wait()
        removed.append(path)
        return 3

    monkeypatch.setattr(storage, "remove", ask)
    monkeypatch.setattr(storage, "size", ask)
    paths = [f"s3://bucket/{k}" for k in range(2 * storage.THREADS)]
    storage.remove_all(iter(paths))

    assert paths == sorted(removed, key=paths.index)
    assert 3 * len(paths) == storage.total_size(paths)
    storage.remove_all([])
    assert 0 == storage.total_size([])


def test_a_folder_of_a_source_that_cannot_be_read_is_named(folder_of_a_user: Path) -> None:
    base = folder_of_a_user
    for name in ("a/x.txt", "b/y.txt", "b/c/z.txt", ".h/x.txt", "lost+found/x.txt"):
        storage.write_bytes(str(base / name), b"")
    for name in ("b", ".h", "lost+found"):
        (base / name).chmod(0)

    def found(pattern: str) -> list[str]:
        return [path[len(str(base)) + 1 :] for path in storage.find(str(base / pattern))]

    for pattern in ("", "b", "b/", "b/*.txt", "*/*.txt", "**/*.txt", "**", "*/c/z.txt", "{a,b}/*.txt", "b/c/*"):
        with pytest.raises(SourceError, match=r"/b/?c?/?: cannot be read: Permission denied; make it readable"):
            found(pattern)
    with pytest.raises(SourceError, match=r"/b/y\.txt: cannot be read: Permission denied"):
        found("b/y.txt")
    assert ["a/x.txt"] == found("a/*") == found("{a,c}/**") == found("a")
    assert [] == found("*.txt") == found("b.txt") == found("a/x.txt/y") == found("none/*")
    (base / "b").chmod(0o700)
    assert ["a/x.txt", "b/c/z.txt", "b/y.txt"] == found("") == found("**/*.txt")
    (base / "b" / "c").chmod(0)
    assert ["a/x.txt", "b/y.txt"] == found("*/*.txt")
    with pytest.raises(SourceError, match=r"/b/c: cannot be read"):
        found("b")
