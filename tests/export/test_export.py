"""Exports: each format read back as it is described, and by the library itself where it is installed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import zstandard
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import massivetext
from massivetext.cli.export import export as command
from massivetext.errors import OutputError, RecipeError, SourceError
from massivetext.export import FORMATS, export
from massivetext.export.escape import escaped
from massivetext.tokenizers import read_tokenizer
from tests.loader.conftest import document, write_mixture
from tests.packing.conftest import _train

HOW = "is not installed here: `make test-loaders` runs this"
HOSTILE = 'a "quoted" \\ back\n\ttab \x00\x1f\x7f é漢😀  </s>'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _train(tmp_path_factory.mktemp("model") / "words.model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    rows = [document("c4", i, 8) for i in range(140)] + [document("books", i, 200) for i in range(10)]
    rows[3]["text"], rows[4]["text"] = HOSTILE, ""
    for number in (3, 7):
        rows[number] |= {"url": 'https://e.org/"x"', "timestamp": "2024-01-02T03:04:05Z"}
    path = str(tmp_path_factory.mktemp("mixture") / "out")
    write_mixture(f"{path}/mixture/main", rows, shards=3, group=20)
    return path


@pytest.fixture(scope="module")
def documents(folder: str) -> list[dict[str, Any]]:
    return list(massivetext.load(folder, shuffle=0))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def options(format_: str, model: str) -> dict[str, Any]:
    return {"format": format_, "tokenizer": model if format_ in ("megatron", "numpy", "nanogpt", "litdata") else None}


@given(
    st.lists(st.text(st.sampled_from('ab"\\\n\r\t\b\f\0\x1b\x1f\x7fé漢😀'), max_size=20), max_size=6), st.integers(0, 2)
)
def test_escapes_are_those_of_json(texts: list[str], offset: int) -> None:
    array = pa.array(["é"] * offset + texts, pa.large_string())[offset:]

    assert [json.dumps(text, ensure_ascii=False)[1:-1].encode() for text in texts] == escaped(array).to_pylist()


def test_jsonl_is_of_dolmas_layout(folder: str, documents: list[dict[str, Any]], tmp_path: Path) -> None:
    export(folder, format="jsonl", output=tmp_path / "o")

    lines = []
    for path in sorted((tmp_path / "o" / "documents").glob("*.jsonl.zst")):
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            lines += io.TextIOWrapper(stream, "utf-8", newline="\n").read().split("\n")[:-1]
    rows = [json.loads(line) for line in lines]
    assert [(one["id"], one["text"], one["subset"]) for one in documents] == [
        (row["id"], row["text"], row["source"]) for row in rows
    ]
    assert all(row["metadata"]["n_tokens"] == one["n_tokens"] for one, row in zip(documents, rows))
    (hostile,) = [row for row in rows if row["text"] == HOSTILE]
    assert ("2024-01-02T03:04:05Z", 'https://e.org/"x"') == (hostile["created"], hostile["metadata"]["url"])
    assert hostile["metadata"]["number"] == "3"


def read_mds(folder: Path) -> list[dict[str, Any]]:
    """As the format is described, without what writes it."""
    rows = []
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        (n,) = struct.unpack_from("<I", data)
        assert (n, len(data)) == (shard["samples"], shard["raw_data"]["bytes"])
        places = np.frombuffer(data, "<u4", n + 1, 4)
        assert json.loads(data[4 + 4 * (n + 1) : places[0]])["column_names"] == shard["column_names"]
        for first in places[:-1].tolist():
            n_variable = shard["column_sizes"].count(None)
            sizes = list(struct.unpack_from(f"<{n_variable}I", data, first))
            at, row = first + 4 * n_variable, {}
            for name, kind, fixed in zip(shard["column_names"], shard["column_encodings"], shard["column_sizes"]):
                size = sizes.pop(0) if fixed is None else fixed
                piece = data[at : at + size]
                at += size
                row[name] = {"str": bytes.decode, "json": json.loads, "int": lambda one: struct.unpack("<q", one)[0]}[
                    kind
                ](piece)
            rows.append(row)
    return rows


def test_mds_as_described_and_by_mosaicml(folder: str, documents: list[dict[str, Any]], tmp_path: Path) -> None:
    export(folder, format="mds", output=tmp_path / "o")

    rows = read_mds(tmp_path / "o")
    keys = ("id", "text", "subset", "n_tokens")
    assert [tuple(one[key] for key in keys) for one in documents] == [tuple(row[key] for key in keys) for row in rows]
    assert {row["metadata"]["number"] for row in rows if row["text"] == HOSTILE} == {"3"}
    streaming = pytest.importorskip("streaming", reason=f"mosaicml-streaming {HOW}")
    found = streaming.StreamingDataset(local=str(tmp_path / "o"), shuffle=False, batch_size=1)
    assert rows == [found[i] for i in range(len(rows))]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves the tar for the collector to close
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_is_a_tar(folder: str, documents: list[dict[str, Any]], tmp_path: Path) -> None:
    export(folder, format="webdataset", output=tmp_path / "o")

    texts, beside = [], []
    for path in sorted((tmp_path / "o").glob("*.tar")):
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            assert len({member.name for member in members}) == len(members)
            data = [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]
            assert [".txt", ".json"] * (len(members) // 2) == [Path(member.name).suffix for member in members]
            texts += [one.decode() for one in data[::2]]
            beside += [json.loads(one) for one in data[1::2]]
    assert [one["text"] for one in documents] == texts
    assert [(one["id"], one["subset"]) for one in documents] == [(one["id"], one["subset"]) for one in beside]
    webdataset = pytest.importorskip("webdataset", reason=f"webdataset {HOW}")
    paths = [str(path) for path in sorted((tmp_path / "o").glob("*.tar"))]
    rows = list(webdataset.WebDataset(paths, shardshuffle=False).decode())
    assert [(one["text"], one["id"]) for one in documents] == [(row["txt"], row["json"]["id"]) for row in rows]


def tokens_of(documents: list[dict[str, Any]], model: str) -> list[list[int]]:
    tokenizer = read_tokenizer(model)
    return [[*ids.tolist(), tokenizer.eos] for ids in tokenizer.encode([one["text"] for one in documents])]


def test_megatron_holds_each_document(folder: str, documents: list[dict[str, Any]], model: str, tmp_path: Path) -> None:
    export(folder, format="megatron", output=tmp_path / "o", tokenizer=Path(model))

    found = []
    for path in sorted((tmp_path / "o").glob("*.idx")):
        index, data = path.read_bytes(), path.with_suffix(".bin").read_bytes()
        assert (b"MMIDIDX\0\0", 1, 8) == struct.unpack_from("<9sQB", index)
        n, n_documents = struct.unpack_from("<QQ", index, 18)
        lengths = np.frombuffer(index, "<i4", n, 34)
        pointers = np.frombuffer(index, "<i8", n, 34 + 4 * n)
        assert list(range(n + 1)) == np.frombuffer(index, "<i8", n_documents, 34 + 12 * n).tolist()
        found += [np.frombuffer(data, "<u2", size, at).tolist() for size, at in zip(lengths, pointers)]
    expected = tokens_of(documents, model)
    assert expected == found
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset", reason=f"megatron-core {HOW}")
    prefixes = [str(path.with_suffix("")) for path in sorted((tmp_path / "o").glob("*.idx"))]
    sets = [indexed.IndexedDataset(prefix) for prefix in prefixes]
    assert expected == [one[i].tolist() for one in sets for i in range(len(one))]


def test_numpy_and_nanogpt_are_the_tokens_alone(
    folder: str, documents: list[dict[str, Any]], model: str, tmp_path: Path
) -> None:
    export(folder, format="numpy", output=tmp_path / "o", tokenizer=model)
    manifest = export(folder, format="nanogpt", output=tmp_path / "n", tokenizer=model)

    expected = [token for one in tokens_of(documents, model) for token in one]
    pieces = [np.memmap(path, "<u2", "r") for path in sorted((tmp_path / "o").glob("*.npy"))]
    assert expected == np.concatenate(pieces).tolist()
    assert expected == np.memmap(tmp_path / "n" / "train.bin", np.uint16, "r").tolist()
    assert ("uint16", 2) == (manifest["dtype"], manifest["eos"])
    assert ["manifest.json", "train.bin"] == sorted(digests(tmp_path / "n"))


def test_numpy_is_read_by_olmo_core(folder: str, documents: list[dict[str, Any]], model: str, tmp_path: Path) -> None:
    manifest = export(folder, format="numpy", output=tmp_path / "o", tokenizer=model)
    olmo = pytest.importorskip("olmo_core.data", reason=f"ai2-olmo-core {HOW}")
    paths = [str(path) for path in sorted((tmp_path / "o").glob("*.npy"))]
    dataset = olmo.NumpyFSLDataset(
        *paths,
        sequence_length=32,
        pad_token_id=0,
        eos_token_id=manifest["eos"],
        vocab_size=manifest["vocabulary"],
        dtype=np.uint16,
    )
    dataset.work_dir = tmp_path / "work"
    dataset.prepare()

    # It drops what is left of each file.
    files = [np.fromfile(path, "<u2").tolist() for path in paths]
    blocks = [one[first : first + 32] for one in files for first in range(0, len(one) - 31, 32)]
    assert blocks == [dataset[i]["input_ids"].tolist() for i in range(len(dataset))]
    assert len(dataset) > 10


def test_nanogpts_own_way_of_reading(folder: str, documents: list[dict[str, Any]], model: str, tmp_path: Path) -> None:
    """A batch as its train.py draws one: blocks of the map, and the same one further on, as int64."""
    export(folder, format="nanogpt", output=tmp_path / "n", tokenizer=model)
    data = np.memmap(tmp_path / "n" / "train.bin", dtype=np.uint16, mode="r")
    tokens = [token for one in tokens_of(documents, model) for token in one]
    starts = np.random.default_rng(0).integers(len(data) - 16, size=4).tolist()
    torch = pytest.importorskip("torch", reason=f"torch {HOW}")
    x = torch.stack([torch.from_numpy(data[i : i + 16].astype(np.int64)) for i in starts])
    y = torch.stack([torch.from_numpy(data[i + 1 : i + 17].astype(np.int64)) for i in starts])

    assert [tokens[i : i + 16] for i in starts] == x.tolist()
    assert [tokens[i + 1 : i + 17] for i in starts] == y.tolist()


@pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning")
def test_litdata_as_described_and_by_litdata(
    folder: str, documents: list[dict[str, Any]], model: str, tmp_path: Path
) -> None:
    manifest = export(folder, format="litdata", output=tmp_path / "o", tokenizer=model)

    expected = [token for one in tokens_of(documents, model) for token in one]
    index = json.loads((tmp_path / "o" / "index.json").read_text())
    blocks: list[list[int]] = []
    tokens: list[int] = []
    for chunk in index["chunks"]:
        data = (tmp_path / "o" / chunk["filename"]).read_bytes()
        assert (1, 12, len(data)) == struct.unpack_from("<III", data)
        own = np.frombuffer(data, "<i4", offset=12).tolist()
        assert (len(data), len(own)) == (chunk["chunk_bytes"], chunk["dim"])
        tokens += own
        blocks += [own[first : first + 16] for first in range(0, len(own) - 15, 16)]
    assert expected == tokens
    assert "int32" == manifest["dtype"]
    litdata = pytest.importorskip("litdata", reason=f"litdata {HOW}")
    dataset = litdata.StreamingDataset(
        str(tmp_path / "o"), item_loader=litdata.TokensLoader(block_size=16), shuffle=False
    )
    assert blocks == [dataset[i].tolist() for i in range(len(dataset))]


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_bytes_again_with_workers_and_after_a_stop(
    folder: str, model: str, format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = export(folder, output=tmp_path / "a", **options(format_, model))
    before = digests(tmp_path / "a")
    said: list[str] = []
    assert manifest == export(folder, output=tmp_path / "a", say=said.append, **options(format_, model))
    assert [f"{tmp_path}/a holds this already"] == said
    for name, summary in manifest["files"].items():
        data = (tmp_path / "a" / name).read_bytes()
        digest = hashlib.blake2b(data, digest_size=32).hexdigest()
        assert (len(data), digest) == (summary["bytes"], summary["blake2b"])

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(folder, output=tmp_path / "b", say=stop, **options(format_, model))
    assert not (tmp_path / "b" / "manifest.json").exists()
    export(folder, output=tmp_path / "b", workers=2 if format_ == "mds" else 1, **options(format_, model))

    assert before == digests(tmp_path / "b")
    assert not (tmp_path / "b" / "work").exists()


@pytest.mark.parametrize("format_", FORMATS)
def test_shards_without_documents_give_no_file(folder: str, model: str, format_: str, tmp_path: Path) -> None:
    """A small mixture has some; libraries refuse to map their files."""
    write_mixture(f"{tmp_path}/m/mixture/main", [document("c4", 1, 9)], shards=3)
    manifest = export(tmp_path / "m", output=tmp_path / "o", **options(format_, model))

    names = {*manifest["files"]} - {"index.json"}
    assert (1, {1}) == (manifest["rows"], {manifest["files"][name]["rows"] for name in names})
    stems = {Path(name).name.partition(".")[0] for name in names}
    assert 1 == len(stems)
    assert {*manifest["files"], "manifest.json"} == {*digests(tmp_path / "o")}
    if format_ == "mds":
        assert ["str"] == [type(row["text"]).__name__ for row in read_mds(tmp_path / "o")]
    write_mixture(f"{tmp_path}/n/mixture/main", [], shards=2)
    with pytest.raises(OutputError, match="its 2 shards hold no documents"):
        export(tmp_path / "n", output=tmp_path / "p", **options(format_, model))


def test_a_process_that_is_killed_goes_on(folder: str, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "massivetext", "export", folder, "--format", "jsonl", "--output", str(tmp_path / "o")]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    for _ in range(2000):
        if (tmp_path / "o" / "work").is_dir():
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    export(folder, format="jsonl", output=tmp_path / "o")
    export(folder, format="jsonl", output=tmp_path / "whole")

    kept = {name: digest for name, digest in digests(tmp_path / "o").items() if not name.endswith(".tmp")}
    assert digests(tmp_path / "whole") == kept


def test_what_does_not_fit_is_named(folder: str, model: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="'csv'; expected one of jsonl"):
        export(folder, format="csv", output=tmp_path / "o")
    with pytest.raises(RecipeError, match="'megatron' needs a tokenizer"):
        export(folder, format="megatron", output=tmp_path / "o")
    with pytest.raises(RecipeError, match="'mds' holds texts and takes no tokenizer"):
        export(folder, format="mds", output=tmp_path / "o", tokenizer=model)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty, and nothing there says that it is an export"):
        export(folder, format="mds", output=tmp_path / "mine")
    export(folder, format="mds", output=tmp_path / "o")
    with pytest.raises(OutputError, match="is of another mixture, format or tokenizer"):
        export(folder, format="jsonl", output=tmp_path / "o")
    write_mixture(f"{tmp_path}/m/mixture/main", [document("c4", i, 9) for i in range(50)], shards=1)
    shard = tmp_path / "m" / "mixture" / "main" / "shard-00000-of-00001.parquet"
    data = bytearray(shard.read_bytes())
    data[100:140] = bytes(40)
    shard.write_bytes(data)
    with pytest.raises(SourceError, match=r"shard-00000-of-00001\.parquet: row group 0 cannot be read"):
        export(tmp_path / "m", format="jsonl", output=tmp_path / "p")
    assert not os.path.exists(tmp_path / "p" / "manifest.json")


def test_the_command(folder: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        command, [folder, "--format", "mds", "--output", f"{tmp_path}/o"], catch_exceptions=False
    )

    assert 0 == result.exit_code
    assert "150 documents in 4 files" in result.output
