"""Sequences as files: against the blocks they come from, for any number of workers, after a kill, in both formats."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from massivetext.errors import LimitError, OutputError, RecipeError
from massivetext.packing import sequences
from massivetext.packing.files import write_megatron
from massivetext.packing.pack import pack
from massivetext.packing.permutation import Permutation
from tests.packing.conftest import Write, words

LENGTH = 16
WEIGHTS = {"books": 0.3, "code": 0.7}


@pytest.fixture
def folder(write_mixture: Write) -> str:
    texts = {"books": [words(40, i) for i in range(300)], "code": [words(20, i + 1000) for i in range(900)]}
    return write_mixture(texts, WEIGHTS)


def _digests(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.iterdir() if path.is_file()}


def _read_megatron(prefix: Path) -> list[np.ndarray]:
    """As the format is described, without what writes it."""
    index, data = prefix.with_suffix(".idx").read_bytes(), prefix.with_suffix(".bin").read_bytes()
    assert index[:9] == b"MMIDIDX\0\0"
    version, code = struct.unpack_from("<QB", index, 9)
    assert (version, code) == (1, 8)
    n, n_documents = struct.unpack_from("<QQ", index, 18)
    lengths = np.frombuffer(index, "<i4", n, 34)
    pointers = np.frombuffer(index, "<i8", n, 34 + 4 * n)
    documents = np.frombuffer(index, "<i8", n_documents, 34 + 12 * n)
    assert len(index) == 34 + 12 * n + 8 * n_documents
    assert documents.tolist() == list(range(n + 1))
    return [np.frombuffer(data, "<u2", size, at) for size, at in zip(lengths, pointers)]


def test_files_hold_the_first_sequences_of_each_subset(folder: str, model: str, tmp_path: Path) -> None:
    manifest = pack(folder, tokenizer=model, output=str(tmp_path / "o"), length=LENGTH, tokens=8000, shard_bytes=5000)

    shares = {"books": 150, "code": 350}
    assert shares == {name: found["sequences"] for name, found in manifest["counts"].items()}
    rows: list[tuple[str, bytes]] = []
    for path in sorted((tmp_path / "o").glob("*.parquet")):
        table = pq.read_table(path)
        assert str(table.schema.field("tokens").type) == "fixed_size_list<element: uint16 not null>[16]"
        tokens = table.column("tokens").combine_chunks().flatten().to_numpy().reshape(-1, LENGTH)
        rows += [(name, row.tobytes()) for name, row in zip(table.column("subset").to_pylist(), tokens)]
    expected: list[tuple[str, bytes]] = []
    stream = sequences(folder, tokenizer=model, length=LENGTH)
    for name, share in shares.items():
        found: list[bytes] = []
        number = 0
        while len(found) < share:
            found += [row.tobytes() for row in stream.blocks[name].block(number).sequences]
            number += 1
        expected += [(name, row) for row in found[:share]]
    assert Counter(expected) == Counter(rows)
    assert expected != rows
    # Shuffled: each quarter holds about its part of `books`; six standard deviations of a draw of 125.
    for at in range(0, 500, 125):
        assert abs(sum(name == "books" for name, _ in rows[at : at + 125]) - 37.5) < 6 * (125 * 0.21) ** 0.5


def test_both_formats_hold_the_same_rows(folder: str, model: str, tmp_path: Path) -> None:
    manifest = pack(folder, tokenizer=model, output=str(tmp_path / "o"), length=LENGTH, tokens=8000, shard_bytes=5000)

    shards = sorted((tmp_path / "o").glob("*.parquet"))
    assert len(shards) == 4
    for path in shards:
        tokens = pq.read_table(path).column("tokens").to_pylist()
        assert tokens == [row.tolist() for row in _read_megatron(path)]
    for name, summary in manifest["files"].items():
        data = (tmp_path / "o" / name).read_bytes()
        assert hashlib.blake2b(data, digest_size=32).hexdigest() == summary["blake2b"]


def test_counts_are_printed_and_stored(folder: str, model: str, tmp_path: Path) -> None:
    lines: list[str] = []

    manifest = pack(folder, tokenizer=model, output=str(tmp_path / "o"), length=LENGTH, tokens=8000, say=lines.append)

    books = manifest["counts"]["books"]
    assert books["crop_epochs"] == round(books["crops"] / 300, 4)
    assert 0 < books["dropped_share"] < (LENGTH - 1) / LENGTH
    assert any("epochs of crops" in line for line in lines)
    assert manifest["vocabulary"] == 400
    assert manifest["dtype"] == "uint16"
    assert not (tmp_path / "o" / "work").exists()


def test_any_number_of_workers_writes_the_same_bytes(folder: str, model: str, tmp_path: Path) -> None:
    for workers in (1, 3):
        pack(folder, tokenizer=model, output=str(tmp_path / str(workers)), length=LENGTH, workers=workers)

    assert _digests(tmp_path / "1") == _digests(tmp_path / "3")


def test_a_killed_run_goes_on_to_the_same_bytes(write_mixture: Write, model: str, tmp_path: Path) -> None:
    texts = {"books": [words(200, i) for i in range(6000)]}
    folder = write_mixture(texts, {"books": 1.0}, rows=500)
    command = [
        sys.executable,
        "-c",
        "from massivetext.cli import main; main()",
        "pack",
        folder,
        "--tokenizer",
        model,
        "--length",
        "64",
        "--quiet",
    ]
    command += ["--shard-bytes", "50000", "--output"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    for wait_for in ("runs/books/*.json", "shards/*.json"):
        with subprocess.Popen([*command, str(tmp_path / "killed")]) as process:
            until = time.monotonic() + 60
            while not list((tmp_path / "killed" / "work").glob(wait_for)) and process.poll() is None:
                assert time.monotonic() < until
                time.sleep(0.002)
            process.kill()
        assert not (tmp_path / "killed" / "manifest.json").exists()
    subprocess.run([*command, str(tmp_path / "killed")], check=True)

    found = _digests(tmp_path / "killed")
    assert _digests(tmp_path / "whole") == {name: d for name, d in found.items() if not name.endswith(".tmp")}


def test_what_is_finished_is_left_and_what_is_missing_made_again(folder: str, model: str, tmp_path: Path) -> None:
    output = tmp_path / "o"
    pack(folder, tokenizer=model, output=str(output), length=LENGTH, shard_bytes=5000)
    before = _digests(output)
    times = {path.name: path.stat().st_mtime_ns for path in output.iterdir()}

    pack(folder, tokenizer=model, output=str(output), length=LENGTH, shard_bytes=5000)
    assert times == {path.name: path.stat().st_mtime_ns for path in output.iterdir()}
    next(output.glob("*.bin")).unlink()
    pack(folder, tokenizer=model, output=str(output), length=LENGTH, shard_bytes=5000)

    assert before == _digests(output)


def test_wrong_input_is_refused(folder: str, model: str, model_without_bos: str, tmp_path: Path) -> None:
    output = str(tmp_path / "o")
    with pytest.raises(RecipeError, match="has no BOS token"):
        pack(folder, tokenizer=model_without_bos, output=output, length=LENGTH)
    with pytest.raises(LimitError, match="the largest budget under the cap is"):
        pack(folder, tokenizer=model, output=output, length=LENGTH, tokens=10**9)
    with pytest.raises(LimitError, match="fill no sequence of 3000 tokens"):
        pack(folder, tokenizer=model, output=output, length=3000)
    assert not os.path.exists(f"{output}/manifest.json")
    with pytest.raises(OutputError, match="is of other sequences, which differ in length"):
        pack(folder, tokenizer=model, output=output, length=LENGTH)
    with pytest.raises(RecipeError, match="name a local folder"):
        pack(folder, tokenizer=model, output="s3://bucket/o", length=LENGTH)
    with pytest.raises(RecipeError, match="expected some of parquet, megatron"):
        pack(folder, tokenizer=model, output=output, formats=["csv"])


def test_the_scratch_folder_keeps_what_is_not_ours(folder: str, model: str, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "theirs").write_text("kept")

    pack(folder, tokenizer=model, output=str(tmp_path / "o"), length=LENGTH, scratch=str(tmp_path / "scratch"))

    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["theirs"]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 1000, 4097])
def test_a_permutation_has_each_number_once(n: int) -> None:
    order = Permutation(n, 7)

    whole = order[0:n]

    assert sorted(whole.tolist()) == list(range(n))
    assert np.array_equal(whole[n // 3 : n // 2], order[n // 3 : n // 2])


def test_a_permutation_mixes() -> None:
    """Displacement is on average n / 3, as of a random permutation; neighbours part."""
    n = 100_000
    found = Permutation(n, 1)[0:n]

    assert abs(np.abs(found - np.arange(n)).mean() - n / 3) < 0.01 * n
    assert (np.abs(np.diff(found)) < 10).mean() < 0.001
    assert not np.array_equal(found, Permutation(n, 2)[0:n])


def test_a_manifest_is_json_that_names_its_kind(folder: str, model: str, tmp_path: Path) -> None:
    pack(folder, tokenizer=model, output=str(tmp_path / "o"), length=LENGTH, formats=["parquet"])

    manifest = json.loads((tmp_path / "o" / "manifest.json").read_text())
    assert manifest["kind"] == "sequences"
    assert all(name.endswith(".parquet") for name in manifest["files"])


def test_a_vocabulary_above_two_bytes_is_written_in_four(tmp_path: Path) -> None:
    tokens = np.array([[70_000, 1, 2], [3, 4, 5]], np.int32)

    write_megatron(str(tmp_path / "s"), [(tokens, ["a", "b"])], rows=2, length=3, dtype=np.dtype(np.int32))

    assert 4 == (tmp_path / "s.idx").read_bytes()[17]
    assert tokens.tobytes() == (tmp_path / "s.bin").read_bytes()
    assert [0, 12] == np.frombuffer((tmp_path / "s.idx").read_bytes(), "<i8", 2, 34 + 8).tolist()
