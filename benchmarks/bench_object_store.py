"""The main job with sources and DIR on S3, against the same on the local disk: digests, time, and peak memory.

`python benchmarks/bench_object_store.py [--mb 30]`. The store is moto's server, in a process of its own on this
machine: its time is another program's, and there is no network in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
OUTPUTS = ("curated", "rejected", "ledger", "mixture")
BUCKET = "bench"

SERVER = """
from moto.server import ThreadedMotoServer
from moto.s3.models import s3_backends
import time
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
s3_backends["123456789012"]["aws"].create_bucket("bench", "us-east-1")
print(server.get_host_and_port()[1], flush=True)
time.sleep(3600)
"""

RUN = """
import json, resource, sys, time
from massivetext.cli import _status
started = time.monotonic()
status = _status()
mine, theirs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
# Children are counted once they have ended: processes of the pool have.
cpu = mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
peak = max(mine.ru_maxrss, theirs.ru_maxrss) // 1024
print(json.dumps({"status": status, "wall": time.monotonic() - started, "cpu": cpu, "peak": peak}))
"""


def write_corpus(folder: Path, mb: int) -> None:
    """Seeded runs of lines of real texts, in files of about 4 MB."""
    folder.mkdir()
    lines = [
        line for path in sorted(DATA.rglob("*.txt"))[:40] for line in path.read_text("utf-8", "replace").split("\n")
    ]
    draw = random.Random(0)
    for number in range(max(1, mb // 4)):
        with (folder / f"{number:04d}.jsonl").open("w", encoding="utf-8") as stream:
            while stream.tell() < 4_000_000:
                start = draw.randrange(max(1, len(lines) - 60))
                text = "\n".join(lines[start : start + draw.randrange(20, 60)])
                stream.write(json.dumps({"text": text}) + "\n")


def recipe(folder: Path, name: str, sources: str) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(
        f"subsets: {{c4: {{sources: [{{format: jsonl, path: '{sources}/*.jsonl'}}], "
        "stages: [language, quality, repetition, deduplication]}}\n"
        "mixture: {weights: {c4: 1.0}, shard_bytes: 8000000}\n",
        "utf-8",
    )
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=int, default=30)
    mb = parser.parse_args().mb
    if not DATA.is_dir():
        sys.exit(f"no texts at {DATA}: set MASSIVETEXT_DATA")
    folder = Path(tempfile.mkdtemp(prefix="massivetext-bench-"))
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
        os.environ |= {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{int(server.stdout.readline())}"}
        from massivetext import storage

        write_corpus(folder / "in", mb)
        n_bytes = 0
        for path in sorted((folder / "in").iterdir()):
            storage.write_bytes(f"s3://{BUCKET}/in/{path.name}", path.read_bytes())
            n_bytes += path.stat().st_size
        cases = {
            "disk": (recipe(folder, "disk", str(folder / "in")), str(folder / "out")),
            "S3": (recipe(folder, "s3", f"s3://{BUCKET}/in"), f"s3://{BUCKET}/out"),
        }
        print(f"{n_bytes / 1e6:.0f} MB in {len(list((folder / 'in').iterdir()))} files, one worker")
        found = {}
        for name, (path, output) in cases.items():
            for again in ("", ", run again"):
                done = subprocess.run(
                    [sys.executable, "-c", RUN, "run", path, "--output", output, "--quiet"],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                figures = json.loads(done.stdout.splitlines()[-1])
                assert figures["status"] == 0, done.stderr
                said = "{wall:.1f} s, {cpu:.1f} s of CPU, {peak} MB at most".format(**figures)
                print(f"{name}{again}: {said}")
            paths = [path for kind in OUTPUTS for path in storage.list_files(f"{output}/{kind}")]
            found[name] = {path[len(output) :]: hashlib.sha256(storage.read_bytes(path)).hexdigest() for path in paths}
        print("digests equal" if found["disk"] == found["S3"] else "digests DIFFER", f"({len(found['disk'])} files)")
    finally:
        server.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
