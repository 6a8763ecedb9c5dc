"""Sources and DIR on S3: a real client against a server on this machine, behind a proxy that fails now and then."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.running import OUTPUTS, digests
from tests.pipelines.object_store import Proxy

PROGRAM = "from massivetext.cli import main; main()"
BUCKET = "texts"


@pytest.fixture(scope="module")
def store() -> Iterator[int]:
    """The port of an empty store with one bucket."""
    moto = pytest.importorskip("moto.server", reason="no S3 server here: pip install 'moto[server]'")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _backend().create_bucket(BUCKET, "us-east-1")
    yield server.get_host_and_port()[1]
    server.stop()


def _backend():
    from moto.s3.models import s3_backends

    return s3_backends["123456789012"]["aws"]


def environment(proxy: Proxy, **more: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
    return {**os.environ, **keys, "AWS_ENDPOINT_URL": proxy.url, "AWS_EC2_METADATA_DISABLED": "true", **more}


def python(program: str, *arguments: str, env: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=env, check=False, timeout=400
    )
    return done.returncode, done.stdout + " ".join(done.stderr.split())


def put(name: str, data: bytes) -> None:
    _backend().put_object(BUCKET, name, data)


def names(prefix: str) -> list[str]:
    return sorted(name for name in _backend().buckets[BUCKET].keys if name.startswith(prefix))


def content(name: str) -> bytes:
    return _backend().get_object(BUCKET, name).value


def test_bytes_are_written_as_they_are_whatever_the_name_says(store: int) -> None:
    """Arrow's streams compress by the ending of a name unless they are told not to."""
    with Proxy(store) as proxy:
        program = f"from massivetext import storage; storage.write_bytes('s3://{BUCKET}/as-is.jsonl.gz', b'plain')"
        code, said = python(program, env=environment(proxy))

    assert 0 == code, said
    assert b"plain" == content("as-is.jsonl.gz")


def test_the_main_job_on_a_faulty_store_gives_the_bytes_of_a_local_run(store: int, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(6):
        tales = [f"the tale of {n * 10 + k} and what became of {n * 10 + k} in the long war" for k in range(5)]
        data = "".join(json.dumps({"text": tale}) + "\n" for tale in [*tales, "the tale of 0 and what became"])
        (tmp_path / "in" / f"{n}.jsonl").write_text(data, "utf-8")
        put(f"in/{n}.jsonl", data.encode())
    recipe = (
        "subsets:\n"
        "  c4:\n"
        "    sources: [{{format: jsonl, path: '{0}/*.jsonl'}}]\n"
        "    stages: [quality, deduplication, contamination]\n"
        "quality: {{word_count: {{min: 8}}, stop_word_count: {{min: 0}}, mean_word_length: {{min: 1}}}}\n"
        "testsets: [{{name: own, path: '{1}', text: '{{text}}'}}]\n"
        "mixture: {{weights: {{c4: 1.0}}, shard_bytes: 4096}}\n"
    )
    item = json.dumps({"text": "the tale of 41 and what became of 41 in the long war which nobody has told"})
    (tmp_path / "items.jsonl").write_text(item, "utf-8")
    put("items.jsonl", item.encode())
    (tmp_path / "local.yaml").write_text(recipe.format(tmp_path / "in", tmp_path / "items.jsonl"), "utf-8")
    (tmp_path / "s3.yaml").write_text(recipe.format(f"s3://{BUCKET}/in", f"s3://{BUCKET}/items.jsonl"), "utf-8")
    with Proxy(store) as proxy:
        env = environment(proxy)
        code, said = python(PROGRAM, "run", str(tmp_path / "local.yaml"), "--output", str(tmp_path / "out"), env=env)
        assert 0 == code, said
        proxy.faults.busy, proxy.faults.lost = 23, 151
        command = ("run", str(tmp_path / "s3.yaml"), "--output", f"s3://{BUCKET}/out", "--workers", "2")
        code, said = python(PROGRAM, *command, env=env)
        assert 0 == code, said
        faults = dict(proxy.faults.counts)
        again = python(PROGRAM, *command, env=env)
        verified = python(PROGRAM, "verify", f"s3://{BUCKET}/out", env=env)

    assert faults["busy"] > 10
    assert faults["lost"] > 1
    expected = digests(tmp_path / "out")
    stored = {
        name[4:]: hashlib.sha256(content(name)).hexdigest()
        for kind in OUTPUTS
        for name in names(f"out/{kind}/")
        if not name.endswith("/")
    }
    assert expected == stored
    assert 0 == again[0]
    assert "nothing was done" in again[1]
    assert 0 == verified[0], verified[1]


def test_an_object_is_whole_or_absent(store: int) -> None:
    write = "from massivetext import storage; storage.write_bytes({!r}, bytes(40_000_000))"
    with Proxy(store) as proxy:
        # The third piece is refused for good.
        proxy.faults.last_write = 3
        code, said = python(write.format(f"s3://{BUCKET}/whole/a"), env=environment(proxy, AWS_MAX_ATTEMPTS="2"))
        assert 0 != code
        assert "OSError" in said
        assert proxy.faults.counts["writes"] >= 3
        assert [] == names("whole/a")
        # Killed while it waits for the store to take the third piece.
        proxy.faults.counts.clear()
        process = subprocess.Popen(
            [sys.executable, "-c", write.format(f"s3://{BUCKET}/whole/b")], env=environment(proxy)
        )
        deadline = time.monotonic() + 60
        while proxy.faults.counts["writes"] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.wait()
        assert [] == names("whole/b")
        proxy.faults.last_write = 0
        assert 0 == python(write.format(f"s3://{BUCKET}/whole/b"), env=environment(proxy))[0]
    assert 40_000_000 == len(content("whole/b"))


def test_ten_thousand_parts_are_found_with_few_requests(store: int) -> None:
    for n in range(10_000):
        put(f"many/{n // 1000}/{n:05d}.jsonl", b'{"text": "a"}\n')
    look = (
        "from pipelines import input_splits, recipe\n"
        "import json, tempfile\n"
        "source = [{'format': 'jsonl', 'path': 's3://%s/many/**/*.jsonl'}]\n"
        "with tempfile.NamedTemporaryFile('w', suffix='.yaml') as stream:\n"
        "    json.dump({'subsets': {'c4': {'sources': source, 'stages': ['quality']}}}, stream)\n"
        "    stream.flush()\n"
        "    found = input_splits.find_parts(recipe.read(stream.name))\n"
        "files = [file for part in found for file in part.members]\n"
        "print(len(files), len({file.source for file in files}), {file.n_bytes for file in files}, len(found))\n"
    )
    with Proxy(store) as proxy:
        code, said = python(look % BUCKET, env=environment(proxy))

    assert 0 == code, said
    assert said.startswith("10000 10000 {14} 1"), said
    assert proxy.faults.counts["requests"] < 60


def test_inspect_reads_a_store_as_it_reads_a_disk(store: int, tmp_path: Path) -> None:
    (tmp_path / "o ut").mkdir()
    for name in ("a", "b"):
        table = pa.table({"id": [f"{name}{k}" for k in range(40)], "text": [f"text {k} é" * 50 for k in range(40)]})
        pq.write_table(table, tmp_path / "o ut" / f"{name}.parquet", row_group_size=9)
        put(f"o ut/{name}.parquet", (tmp_path / "o ut" / f"{name}.parquet").read_bytes())
    (tmp_path / "o ut" / "manifest.json").write_text("{}", "utf-8")
    put("o ut/manifest.json", b"{}")
    found = []
    with Proxy(store) as proxy:
        proxy.faults.busy = 7
        for root in (f"s3://{BUCKET}/o ut", str(tmp_path / "o ut")):
            options = ("--json", "--where", "id LIKE 'b%' AND text LIKE '%1 é%'")
            found.append(python(PROGRAM, "inspect", root, *options, env=environment(proxy)))
        code, said = python(PROGRAM, "inspect", f"s3://{BUCKET}/none", env=environment(proxy))

    assert found[0] == found[1]
    assert (0, 4) == (found[0][0], found[0][1].count('"id": "b'))
    assert proxy.faults.counts["busy"] > 0
    assert 1 == code
    assert "no such file or folder" in said


@pytest.mark.heavy
def test_documents_are_taken_out_of_a_store_as_out_of_a_disk(store: int, tmp_path: Path) -> None:
    tales = [f"the tale of {k} and what became of {k} in the long war of {k}" for k in range(40)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": tale}) + "\n" for tale in tales), "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "subsets: {c4: {sources: [{format: jsonl, path: in.jsonl}], stages: [deduplication]}}\n"
        "mixture: {weights: {c4: 1.0}, shard_bytes: 4096}\n",
        "utf-8",
    )
    with Proxy(store) as proxy:
        env = environment(proxy)
        code, said = python(PROGRAM, "run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out"), env=env)
        assert 0 == code, said
        for path in sorted((tmp_path / "out").rglob("*")):
            if path.is_file():
                put(f"taken/{path.relative_to(tmp_path / 'out')}", path.read_bytes())
        ids = pq.read_table(tmp_path / "out" / "curated" / "c4").column("id").to_pylist()[3:5]
        (tmp_path / "ids").write_text("\n".join(ids), "utf-8")
        proxy.faults.busy = 23
        for root in (str(tmp_path / "out"), f"s3://{BUCKET}/taken"):
            code, said = python(PROGRAM, "remove", root, "--ids", str(tmp_path / "ids"), env=env)
            assert (0, True) == (code, "Removed 2 documents, before: 2 kept" in said), said
        verified = python(PROGRAM, "verify", f"s3://{BUCKET}/taken", env=env)

    assert 0 == verified[0], verified[1]
    expected = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for kind in (*OUTPUTS, "removed.json")
        for path in [tmp_path / "out" / kind, *(tmp_path / "out" / kind).rglob("*")]
        if path.is_file()
    }
    assert expected == {name: content(f"taken/{name}") for name in expected}
    assert [] == names("taken/work/done/remove/")


COMMANDS = """
import json, sys
from click.testing import CliRunner
from massivetext.cli import commands

def call(*arguments):
    result = CliRunner().invoke(commands, list(arguments))
    print(arguments[0], result.exit_code, flush=True)
    if result.exit_code:
        print(result.output[-1500:], repr(result.exception))
    return result.output

recipe, out, items, local, scratch = sys.argv[1:]
call("validate", recipe)
call("plan", recipe)
call("run", recipe, "--output", out, "--quiet")
rows = call("inspect", out + "/ledger", "--json", "--rows", "1", "--columns", "id")
call("inspect", out + "/curated", "--where", "n_bytes > 20")
identity = json.loads(rows.splitlines()[-1])
call("explain", out, identity.get("id") or identity["rows"][0]["id"])
call("report", out)
call("what-if", out, "--set", "quality.word_count.min=9")
call("diff", out, local)
call("index", out)
call("audit", out, "--testset", items)
call("verify", out)
model = scratch + "/model"
call("tokenizer", "train", out, "--output", model, "--vocabulary", "300")
call("pack", out, "--tokenizer", model, "--length", "16", "--output", out + "/packed", "--scratch", scratch)
"""


@pytest.mark.heavy
def test_every_command_reads_a_dir_on_a_store(store: int, tmp_path: Path) -> None:
    for n in range(2):
        tales = [f"the tale of {n * 10 + k} and what became of {n * 10 + k} in the long war" for k in range(5)]
        put(f"tales/{n}.jsonl", "".join(json.dumps({"text": tale}) + "\n" for tale in tales).encode())
    item = json.dumps({"text": "the tale of 3 and what became of 3 in the long war"})
    put("tested.jsonl", item.encode())
    recipe = (
        f"subsets: {{c4: {{sources: [{{format: jsonl, path: 's3://{BUCKET}/tales/*.jsonl'}}], "
        "stages: [quality, deduplication]}}\n"
        "quality: {word_count: {min: 8}, stop_word_count: {min: 0}, mean_word_length: {min: 1}}\n"
        "mixture: {weights: {c4: 1.0}}\n"
    )
    put("tales.yaml", recipe.encode())
    out = f"s3://{BUCKET}/commands"
    with Proxy(store) as proxy:
        proxy.faults.busy = 31
        arguments = (f"s3://{BUCKET}/tales.yaml", out, f"s3://{BUCKET}/tested.jsonl", out, str(tmp_path))
        code, said = python(COMMANDS, *arguments, env=environment(proxy))

    assert 0 == code, said
    called = ["validate", "plan", "run", "inspect", "inspect", "explain", "report", "what-if", "diff", "index", "audit"]
    called += ["verify", "tokenizer", "pack"]
    assert [f"{name} 0" for name in called] == said.split("\n")[: len(called)], said
    assert any(name.startswith("commands/report/") for name in names("commands/"))
    packed = {name.removeprefix("commands/packed/"): content(name) for name in names("commands/packed/")}
    files = json.loads(packed.pop("manifest.json"))["files"]
    assert {name: file["bytes"] for name, file in files.items()} == {name: len(data) for name, data in packed.items()}
    assert {".parquet", ".bin", ".idx"} == {os.path.splitext(name)[1] for name in packed}
