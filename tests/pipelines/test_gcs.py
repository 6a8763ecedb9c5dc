"""Sources and DIR on gs://: pyarrow's own client against fake-gcs-server, a server on this machine.

`make test-dataflow` installs the server; without it these tests are skipped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.running import OUTPUTS
from tests.pipelines import gcs_server

PROGRAM = "from massivetext.cli import main; main()"
BUCKET = "texts"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with gcs_server.running(BUCKET) as url:
        yield url


def contents(store: str, prefix: str) -> dict[str, str]:
    """MD5 by name, as the store itself has them."""
    found = json.loads(gcs_server.ask(f"{store}/storage/v1/b/{BUCKET}/o?prefix={prefix}"))
    return {item["name"][len(prefix) :]: item["md5Hash"] for item in found.get("items", ())}


def python(program: str, *arguments: str, store: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "STORAGE_EMULATOR_HOST": store},
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + " ".join(done.stderr.split())


def test_the_main_job_gives_the_bytes_of_a_local_run(store: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(4):
        tales = [f"the tale of {n * 10 + k} and what became of {n * 10 + k} in the long war" for k in range(5)]
        data = "".join(json.dumps({"text": tale}) + "\n" for tale in [*tales, "the tale of 0 and what became"])
        (tmp_path / "in" / f"{n}.jsonl").write_text(data, "utf-8")
        gcs_server.ask(f"{store}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=in/{n}.jsonl", data.encode())
    for name, folder in (("local", tmp_path / "in"), ("gs", f"gs://{BUCKET}/in")):
        (tmp_path / f"{name}.yaml").write_text(
            "subsets:\n"
            "  c4:\n"
            f"    sources: [{{format: jsonl, path: '{folder}/*.jsonl'}}]\n"
            "    stages: [quality, deduplication]\n"
            "quality: {word_count: {min: 8}, stop_word_count: {min: 0}, mean_word_length: {min: 1}}\n"
            "mixture: {weights: {c4: 1.0}, shard_bytes: 4096}\n",
            "utf-8",
        )
    local = ("run", str(tmp_path / "local.yaml"), "--output", str(tmp_path / "out"))
    remote = ("run", str(tmp_path / "gs.yaml"), "--output", f"gs://{BUCKET}/out")
    said = [python(PROGRAM, *arguments, store=store) for arguments in (local, remote, remote)]
    verified = python(PROGRAM, "verify", f"gs://{BUCKET}/out", store=store)
    expected = {
        str(path.relative_to(tmp_path / "out")): md5(path.read_bytes())
        for kind in OUTPUTS
        for path in (tmp_path / "out" / kind).rglob("*")
        if path.is_file()
    }
    stored = {name: digest for name, digest in contents(store, "out/").items() if name.partition("/")[0] in OUTPUTS}

    for code, words in (*said, verified):
        assert 0 == code, words[-2000:]
    assert any(name.startswith("mixture/") for name in expected)
    assert expected == {name: digest for name, digest in stored.items() if not name.endswith("/")}
    assert "nothing was done" in said[2][1]


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_an_object_is_whole_or_absent(store: str) -> None:
    """A process that is killed while it sends leaves nothing under the name."""
    write = f"from massivetext import storage; storage.write_bytes('gs://{BUCKET}/whole/a', bytes(30_000_000))"
    blow = (
        "import os\n"
        "from massivetext import object_stores\n"
        f"stream = object_stores._gcs().open_output_stream('{BUCKET}/whole/a')\n"
        "stream.write(bytes(20_000_000))\n"
        "os._exit(9)\n"
    )
    assert 9 == python(blow, store=store)[0]
    assert {} == contents(store, "whole/")
    assert 0 == python(write, store=store)[0]
    assert ["a"] == list(contents(store, "whole/"))


def test_files_are_found_by_pattern_and_a_missing_one_is_named(store: str) -> None:
    for name in ("many/a/1.txt", "many/a/2.txt", "many/b/3.txt"):
        gcs_server.ask(f"{store}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}", b"text\n")
    look = (
        "from massivetext import storage\n"
        f"print(storage.find('gs://{BUCKET}/many/*/[13].txt'))\n"
        f"print(storage.find('gs://{BUCKET}/many/b'), storage.exists('gs://{BUCKET}/none'))\n"
        f"storage.remove('gs://{BUCKET}/none')\n"
        f"storage.remove_tree('gs://{BUCKET}/none/below')\n"
        f"storage.open_input('gs://{BUCKET}/none')\n"
    )
    code, said = python(look, store=store)

    assert 1 == code
    assert f"['gs://{BUCKET}/many/a/1.txt', 'gs://{BUCKET}/many/b/3.txt']" in said
    assert f"['gs://{BUCKET}/many/b/3.txt'] False" in said
    assert f"SourceError: gs://{BUCKET}/none: cannot be opened" in said
