"""`verify`: a flipped bit of every kind of file is a fault that names it, and ids are unique in bounded memory."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext import storage
from massivetext.cli import commands
from massivetext.dedup.index import write_index
from massivetext.errors import MassiveTextError, OutputError
from massivetext.looking.unique_ids import UniqueIds, packed_ids
from massivetext.looking.verification import verify
from massivetext.parquet import READ_ERRORS
from pipelines.deduplicate import find_documents
from pipelines.run_folder.folder import Folder
from tests.faults.corpus import line, lines

_RECIPE = """
subsets:
  c4:
    sources: [{format: jsonl, path: "in/*", pack: false}]
    stages: [quality, deduplication, contamination]
testsets: [{name: planted, path: items.jsonl, text: '{text}'}]
contamination:
  limits: {contamination_alignment: 1.0, contamination_passage: 1.0, contamination_reformatted: 1.0}
  max_documents: 30
max_failed: 1.0
mixture: {weights: {c4: 1.0}, shard_bytes: 8192}
"""


def _run(folder: Path, *options: str) -> str:
    arguments = ["run", str(folder / "recipe.yaml"), "--output", str(folder / "out"), "--log-json", *options]
    result = CliRunner().invoke(commands, arguments)
    assert 0 == result.exit_code, result.output
    return result.output


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verified")
    (folder / "in").mkdir()
    (folder / "in" / "a.jsonl").write_bytes(lines(1, 12) + line(3) + line(7).replace(b"cold", b"warm"))
    (folder / "in" / "b.jsonl").write_bytes(lines(30, 12) + b"not json\n" + b'{"text": "short"}\n')
    text = "To be sure of a good price, farmer33 have to come early and to talk with those that know the kind33 farms."
    (folder / "items.jsonl").write_text(f'{{"text": "{text} Nobody in the town could say"}}\n')
    (folder / "recipe.yaml").write_text(_RECIPE)
    _run(folder)
    write_index(str(folder / "out"), find_documents(Folder(str(folder / "out")), "c4"))
    return folder


@pytest.fixture
def out(corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(corpus / "out", tmp_path / "out"))


def _kind(out: Path, path: Path) -> str:
    """A kind of file that shapes output, or that a later run would use; empty for those that only inform."""
    names = path.relative_to(out).parts
    if names[0] == "work":
        only_inform = names[1] in ("lock", "runs.json", "mix")
        return "" if only_inform else "/".join(names[: 3 if names[1] == "done" else 2])
    return f"{names[0]}/{path.suffix or path.name}"


def test_a_whole_folder_has_no_fault(corpus: Path) -> None:
    faults, checked = verify(str(corpus / "out"))

    assert [] == faults
    assert ["recipe.yaml", "curated: 2 files", "rejected: 2 files", "ledger: 2 files"] == checked[:4]
    assert checked == verify(str(corpus / "out"), workers=1)[1]


@pytest.mark.parametrize("kind", ["curated", "rejected", "ledger"])
def test_a_folder_whose_files_are_all_gone_is_a_fault(out: Path, kind: str) -> None:
    """Each file that a manifest lists, then also the manifest, then also the folder."""
    for path in (out / kind).rglob("*.parquet"):
        path.unlink()
    if kind == "ledger":
        assert any(f"{out}/{kind}/" in fault for fault in verify(str(out))[0])
        return
    for remove in (lambda: None, (out / kind / "manifest.json").unlink, lambda: shutil.rmtree(out / kind)):
        remove()
        faults = verify(str(out))[0]

        assert any(f"{out}/{kind}/" in fault for fault in faults), faults


def test_a_flipped_bit_of_each_kind_of_file_is_named(out: Path) -> None:
    """Four bits of each file, at seeded places."""
    kinds = set()
    choice = random.Random(7)
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        kind = _kind(out, path)
        content = path.read_bytes()
        for _ in range(4 if kind and content else 0):
            damaged = bytearray(content)
            damaged[choice.randrange(len(content))] ^= 1 << choice.randrange(8)
            path.write_bytes(damaged)
            faults = verify(str(out), workers=1)[0]

            assert any(str(path) in fault for fault in faults), (path, faults)
        path.write_bytes(content)
        kinds.add(kind)
    expected = {
        "recipe.yaml/.yaml",
        "report/.json",
        "mixture/.parquet",
        "mixture/.json",
        "mixture/.md",
        "work/evidence",
    }
    expected |= {
        f"{kind}/{suffix}" for kind in ("curated", "rejected", "ledger", "index") for suffix in (".parquet", ".json")
    }
    expected |= {f"work/done/{stage}" for stage in ("curate", "settle", "mix", "testsets")}
    expected |= {"work/ledger", "work/contamination", "work/duplicates", "work/testsets.index"}

    assert expected <= kinds


def test_a_flipped_bit_never_gives_a_loader_other_rows(out: Path) -> None:
    """Of a shard or of the mixture's manifest: an error that names the file, or the rows as they are."""
    from massivetext import load

    mixture = out / "mixture" / "gopher"
    rows = list(load(str(mixture)))
    choice = random.Random(8)
    noticed = unnamed = 0
    for path in [mixture / "manifest.json", *sorted(mixture.glob("*.parquet"))]:
        content = path.read_bytes()
        for _ in range(12):
            damaged = bytearray(content)
            damaged[choice.randrange(len(content))] ^= 1 << choice.randrange(8)
            path.write_bytes(damaged)
            try:
                assert rows == list(load(str(mixture)))
            except MassiveTextError as error:
                noticed += path.name in str(error)
                unnamed += path.name not in str(error)
        path.write_bytes(content)

    assert noticed > 20
    assert not unnamed


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"files": 3}', b'{"files": {"a": 1}}', b"\xff\xfe", b"{" * 99]
)
@pytest.mark.parametrize("name", ["ledger", "curated", "mixture/gopher", "index"])
def test_what_is_no_manifest_is_a_fault(out: Path, name: str, content: bytes) -> None:
    (out / name / "manifest.json").write_bytes(content)
    faults, _ = verify(str(out), workers=1)

    assert any(fault.startswith(f"{out}/{name}/manifest.json: is no manifest: ") for fault in faults), faults


def test_a_manifest_that_is_gone_is_a_fault(out: Path) -> None:
    for name in ("curated", "mixture/gopher"):
        (out / name / "manifest.json").unlink()
    faults, _ = verify(str(out))

    assert 2 == sum("manifest.json: is no manifest: cannot be opened: No such file" in fault for fault in faults)


def test_a_list_of_removals_that_is_damaged_is_a_fault(out: Path) -> None:
    (out / "removed.json").write_text("{}")

    assert any(fault.startswith(f"{out}/removed.json: is damaged") for fault in verify(str(out))[0])


def test_work_that_was_deleted_is_no_fault(out: Path) -> None:
    shutil.rmtree(out / "work" / "evidence")
    assert [] == verify(str(out))[0]
    shutil.rmtree(out / "work")
    assert [] == verify(str(out))[0]


def test_rows_that_the_ledger_does_not_account_for(out: Path, corpus: Path) -> None:
    """What digests cannot tell: files that agree with manifests, which do not agree with each other."""
    changes: list[tuple[str, Callable[[pa.Table], pa.Table], str]] = [
        ("curated", lambda table: table.slice(1), "documents that the ledger has are missing"),
        ("curated", lambda table: table.take(pa.array(range(len(table) - 1, -1, -1))), "not in the ledger's order"),
        ("curated", lambda table: pa.concat_tables([table, table.slice(0, 1)]), "rows are not in the ledger's order"),
        ("ledger", lambda table: pa.concat_tables([table, table.slice(0, 1)]), "id stands twice in the ledger (1 row"),
        ("ledger", lambda table: table.set_column(table.schema.get_field_index("reason"), table.schema.field("reason"),
                                                  pa.nulls(len(table), pa.string())), "not kept has no reason"),
    ]  # fmt: skip
    from massivetext.parquet import file_digest
    from massivetext.sealed import read_sealed, sealed

    for kind, change, fault in changes:
        shutil.rmtree(out)
        shutil.copytree(corpus / "out", out)
        path = sorted((out / kind / "c4").glob("*.parquet"))[0]
        pq.write_table(change(pq.read_table(path)), path)
        manifest = read_sealed(str(out / kind / "manifest.json"))
        summary = {"bytes": path.stat().st_size, "blake2b": file_digest(str(path))}
        manifest["files"][f"c4/{path.name}"] |= summary
        storage.write_bytes(str(out / kind / "manifest.json"), sealed(manifest))

        assert any(fault in line for line in verify(str(out))[0]), fault


def test_a_folder_without_a_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no ledger"):
        verify(str(tmp_path))


# A mixture that was renamed, a source that is gone.


def test_a_mixture_of_an_earlier_name_is_named_and_then_removed(corpus: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(corpus, tmp_path / "copy"))
    theirs = folder / "out" / "mixture" / "theirs" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    shutil.copytree(folder / "out" / "mixture" / "gopher", folder / "out" / "mixture" / "older")

    assert any("mixture/older: is of an earlier recipe" in fault for fault in verify(str(folder / "out"))[0])
    (folder / "in" / "b.jsonl").unlink()
    told = _run(folder, "--update", "--set", "mixture.name=v2")

    assert re.search(r"mixture gopher: removed, \d+ rows in \d+ shards; the recipe.s mixture is called v2 now", told)
    assert "mixture older: removed, " in told
    assert "warning: c4: source b.jsonl is gone; its 14 rows leave the output" in told
    assert f"{theirs.parent}: is no mixture of this recipe, and stays" in told
    assert "mine" == theirs.read_text()
    theirs.unlink()
    theirs.parent.rmdir()
    assert [] == verify(str(folder / "out"))[0]
    ids = {
        row for path in (folder / "out" / "ledger" / "c4").glob("*") for row in pq.read_table(path)["id"].to_pylist()
    }
    shards = list((folder / "out").glob("mixture/*/*.parquet"))
    rows = [row for path in shards for row in pq.read_table(path)["id"].to_pylist()]

    assert len(rows) == 4 * len(set(rows))  # four epochs
    assert set(rows) <= ids


# Ids.


@pytest.mark.parametrize("memory", [1 << 20, 16 * 100])
def test_repeated_ids_are_counted(memory: int) -> None:
    ids = np.random.default_rng(1).integers(0, 256, (1000, 16), np.uint8)
    with UniqueIds(1000, memory=memory) as unique:
        unique.add(ids[:600])
        unique.add(ids[600:])
        folder = unique._folder
        assert 0 == unique.n_repeated()
        unique.add(ids[[5, 5, 999]])
        assert 3 == unique.n_repeated()

    assert (folder is None) == (memory == 1 << 20)
    assert folder is None or not folder.exists()


def test_ids_are_packed_as_their_digits_say() -> None:
    names = ["00112233445566778899aabbccddeeff", "f" * 32, "0" * 31 + "1"]
    column = pa.chunked_array([pa.array(names[:1]), pa.array(["x", *names[1:]]).slice(1), pa.array([], pa.string())])

    assert [bytes.fromhex(name) for name in names] == [row.tobytes() for row in packed_ids(column)]
    for wrong in ("0" * 31, "0" * 33, "G" * 32, "A" * 32):
        with pytest.raises(READ_ERRORS):
            packed_ids(pa.chunked_array([[wrong]]))


def test_ids_that_share_half_of_their_bytes_are_different() -> None:
    ids = np.zeros((6, 16), np.uint8)
    ids[1:4, 15], ids[4:, 0] = [1, 2, 2], [7, 7]

    with UniqueIds(6) as unique:
        for chunk in (ids[:3], ids[3:5], ids[5:]):
            unique.add(chunk)

        assert 2 == unique.n_repeated()
