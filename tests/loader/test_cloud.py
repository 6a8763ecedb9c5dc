"""Documents from an object store: a real client against a server on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BUCKET = "documents"
PROGRAM = """
import json, sys, massivetext
path = sys.argv[1]
whole = [row["id"] for row in massivetext.load(path)]
ranks = [massivetext.load(path, rank=rank, world_size=2, read_ahead=2) for rank in range(2)]
first = [row["id"] for rank in ranks for _, row in zip(range(50), rank)]
last = massivetext.load(path)
last.load_state_dict([rank.state_dict() for rank in ranks])
curated = massivetext.load(path, weights={"books": 0.4, "c4": 0.6}, columns=["id"])
print(json.dumps([whole, first + [row["id"] for row in last], [row["id"] for row in curated]]))
"""


@pytest.fixture
def store(out: str) -> Iterator[str]:
    """The address of a store that holds the output folder."""
    moto = pytest.importorskip("moto.server", reason="no S3 server here: pip install 'moto[server]'")
    from moto.s3.models import s3_backends

    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    backend = s3_backends["123456789012"]["aws"]
    backend.create_bucket(BUCKET, "us-east-1")
    for path in Path(out).rglob("*"):
        if path.is_file():
            backend.put_object(BUCKET, f"out/{path.relative_to(out)}", path.read_bytes())
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


def test_an_object_store_gives_what_a_disk_gives(store: str, out: str, ids: list[str]) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
    env = {**os.environ, **keys, "AWS_ENDPOINT_URL": store, "AWS_EC2_METADATA_DISABLED": "true"}
    found = []
    for path in (f"s3://{BUCKET}/out", out):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, env=env, check=False
        )
        assert 0 == done.returncode, done.stderr
        found.append(json.loads(done.stdout))

    assert found[0] == found[1]
    assert ids == sorted(found[0][0]) == sorted(found[0][1])
