"""The whole main job on one worker process, on two, and as two runs of one: digests, speed, memory, Beam's share.

    python benchmarks/bench_engine.py                                64 MB, a couple of minutes
    python benchmarks/bench_engine.py --bytes 2e9 --folder big       what docs/engines.md quotes
    python benchmarks/bench_engine.py --bytes 20e9 --folder big --runs two
    python benchmarks/bench_engine.py --runs one,two,s3,prism,service      with prism beside python or on PATH
    python benchmarks/bench_engine.py --bytes 5e8 --folder big --runs one,ray1,ray2      needs the extra ray

Input is made from real text by seeded edits, half of it WARC, half JSON lines (corpus_engine.py), and goes through all
stages of `massiveweb` and `c4` of the recipe `gopher`, a test set included. --bytes: of pages and texts, uncompressed.

With --folder, inputs and figures are kept: given again, the command makes no file twice and repeats no run that has
ended, so it can be stopped at any time. Outputs of a run are removed once their digest is taken. Disk for 20e9 bytes:
10 GB for the input, about as much for the largest output, besides what duplicates take while they are looked for.

MB/s are of content by the clock; where a machine is busy, see `CPU s` and `MB/s a CPU s`. `outside tasks` is the share
of a run's CPU time that is not spent inside a task: Beam, imports, the client's own work. `Beam` is the part of it that
worker processes spend after they have started. S3 is moto's server, a process of its own on this machine: its time and
memory are not counted, but its work takes from the same cores. ray1 and ray2 are Ray clusters of one and two nodes of
one processor each on this machine, prism is Beam's PrismRunner and service its local job service, both with workers in
the client. The figures count the processes of nodes and service too, and `nodes` has the CPU seconds of each one's.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import corpus_engine

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
PROGRAM = [sys.executable, "-c", "from massivetext.cli import main; main()"]
OUTPUTS = ("curated", "rejected", "ledger", "mixture")
RUNS = ("one", "two", "pair", "s3", "prism", "service", "ray1", "ray2")

RECIPE = """\
extends: gopher
subsets:
  massiveweb: {{sources: [{{format: warc, path: "{input}/warc/{half}/*.warc.gz"}}]}}
  c4: {{sources: [{{format: jsonl, path: "{input}/jsonl/{half}/*.jsonl.zst"}}]}}
testsets: [{{name: lambada, path: "{data}/testsets/lambada_test.jsonl", preset: lambada}}]
deduplication: {{across: [massiveweb, c4]}}
mixture: {{weights: {{massiveweb: 0.01, c4: 0.99}}, tokens: max, max_epochs: 1}}
"""


STORE = "s3://bench"
SERVER = """
from moto.server import ThreadedMotoServer
from moto.s3.models import s3_backends
import time
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
s3_backends["123456789012"]["aws"].create_bucket("bench", "us-east-1")
print(server.get_host_and_port()[1], flush=True)
time.sleep(86400)
"""


@contextlib.contextmanager
def store(folder: Path) -> Iterator[None]:
    """An object store that holds the input, for as long as the context lasts."""
    from massivetext import storage

    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
        os.environ |= {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{int(server.stdout.readline())}"}
        for path in (folder / "input").rglob("*.*z*"):
            storage.write_bytes(f"{STORE}/{path.relative_to(folder)}", path.read_bytes())
        yield
    finally:
        server.kill()


class Engine(NamedTuple):
    """Where a run executes: its options, and the processes that the workers of each node descend from."""

    options: tuple[str, ...] = ()
    nodes: tuple[int, ...] = ()


@contextlib.contextmanager
def engine(name: str) -> Iterator[Engine]:
    """An engine of this machine, for as long as the context lasts."""
    if name.startswith("ray"):
        with ray_nodes(int(name[3:])) as nodes:
            yield nodes
    elif name == "prism":
        path = Path(sys.executable).with_name("prism")
        location = path if path.exists() else shutil.which("prism")
        yield Engine(("--runner", "PrismRunner", "--", f"--prism_location={location}"))
    elif name == "service":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        module = "apache_beam.runners.portability.local_job_service_main"
        command = [sys.executable, "-m", module, f"--port={port}"]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while not _answers(port):
                time.sleep(0.1)
            beam_options = (f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK")
            yield Engine(("--runner", "PortableRunner", "--", *beam_options), (server.pid,))
        finally:
            server.kill()
    else:
        yield Engine()


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def ray_nodes(n: int) -> Iterator[Engine]:
    """A Ray cluster of some nodes of one processor each."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
    }  # of no lower priority than local workers
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        for _ in range(n - 1):
            cluster.add_node(**node)
        cluster.wait_for_nodes()
        nodes = [cluster.head_node, *cluster.worker_nodes]
        raylets = tuple(node.all_processes["raylet"][0].process.pid for node in nodes)
        # A cluster stands long before a run. The processes that Ray starts on each node take seconds to do so.
        _settle(raylets)
        yield Engine(("--runner", "ray", "--", f"--address={cluster.address}"), raylets)
    finally:
        cluster.shutdown()


def _settle(roots: tuple[int, ...]) -> None:
    """Wait until some processes and their descendants take less than .2 CPU seconds in two seconds."""
    seen = Processes(list(roots))
    seen.start()
    time.sleep(1)
    before, now = -1.0, 0.0
    while now - before > 0.2:
        time.sleep(2)
        before, now = now, sum(seen.seconds.values())
    seen.is_over = True


def fetch(folder: Path) -> None:
    """Copy what a run has left in the store below a local folder."""
    from massivetext import storage

    for path in storage.list_files(f"{STORE}/{folder.name}"):
        target = folder.parent / path[len(STORE) + 1 :]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(storage.read_bytes(path))


class Processes(threading.Thread):
    """Looks at some processes and at their descendants. Keeps the largest resident set that each has had, its CPU time,
    and which of the first ones it descends from."""

    def __init__(self, roots: list[int]) -> None:
        super().__init__(daemon=True)
        self.roots, self.is_over = set(roots), False
        self.root_of: dict[int, int] = {}
        self.peaks: dict[int, int] = {}
        self.seconds: dict[int, float] = {}

    def run(self) -> None:
        while not self.is_over:
            parents: dict[int, int] = {}
            for entry in os.listdir("/proc"):
                if entry.isdigit() and (fields := _read(f"/proc/{entry}/stat").rpartition(")")[2].split()):
                    parents[int(entry)] = int(fields[1])
                    if int(entry) in self.peaks:
                        self.seconds[int(entry)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            for process in parents:
                above = process
                while above in parents and above not in self.roots:
                    above = parents[above]
                if above in parents:
                    self.root_of[process] = above
                    self.peaks[process] = max(self.peaks.get(process, 0), _peak(process))
            time.sleep(0.25)


def _read(path: str) -> str:
    try:
        with open(path) as stream:
            return stream.read()
    except OSError:
        return ""


def _peak(process: int) -> int:
    """Bytes of the largest resident set that a process has had."""
    for line in _read(f"/proc/{process}/status").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    return 0


def digest(folder: Path) -> str:
    """One digest of the names and bytes of all files of a run's output."""
    found = hashlib.blake2b(digest_size=16)
    for path in sorted(path for kind in OUTPUTS for path in (folder / kind).rglob("*") if path.is_file()):
        found.update(str(path.relative_to(folder)).encode() + b"\0")
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                found.update(block)
    return found.hexdigest()


class Run:
    """`massivetext run` over all files or half of them, while it lasts and after."""

    def __init__(
        self,
        folder: Path,
        name: str,
        half: str,
        workers: int,
        memory: int,
        place: Engine = Engine(),  # noqa: B008
    ) -> None:
        self.output = folder / f"output-{name}"
        shutil.rmtree(self.output, ignore_errors=True)  # of one that was stopped: its time is not known
        recipe = folder / f"{name}.yaml"
        self.is_stored = name == "s3"
        base = STORE if self.is_stored else folder
        recipe.write_text(RECIPE.format(input=f"{base}/input", half=half, data=DATA), encoding="utf-8")
        output = f"{base}/{self.output.name}"
        options = ["--output", output, "--workers", str(workers), "--memory", str(memory), "--quiet"]
        options += place.options
        self.nodes = place.nodes
        self.started = time.monotonic()
        self.process = subprocess.Popen([*PROGRAM, "run", str(recipe), *options])
        self.seen = Processes([self.process.pid, *self.nodes])
        self.seen.start()

    def figures(self) -> dict[str, Any]:
        """Waits for the end, and removes the output."""
        status = os.waitpid(self.process.pid, 0)[1]
        seconds = time.monotonic() - self.started
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.seen.is_over = True
        if status:
            sys.exit(f"the run failed with status {self.process.returncode}; its output is left in {self.output}")
        if self.is_stored:
            fetch(self.output)
        course = json.loads((self.output / "work" / "runs.json").read_text())[-1]
        spent = course["cpu_seconds"]
        peaks = self.seen.peaks
        seen = self.seen.seconds.items()
        nodes = [sum(cpu for one, cpu in seen if self.seen.root_of[one] == raylet) for raylet in self.nodes]
        found = {
            "seconds": seconds,
            "cpu": sum(self.seen.seconds.values()),
            "nodes": nodes,
            "cpu_in_tasks": spent["tasks"],
            "cpu_of_beam": spent["worker_processes"] - spent["starts"] - spent["tasks"],
            "stages": {stage["stage"]: stage["seconds"] for stage in course["stages"]},
            "peak_of_client": peaks.pop(self.process.pid),
            "peaks_of_workers": sorted(peaks.values(), reverse=True),
            "output_bytes": sum(path.stat().st_size for path in self.output.rglob("*") if path.is_file()),
            "digest": digest(self.output),
        }
        shutil.rmtree(self.output)
        return found


def take(folder: Path, name: str, memory: int, sizes: dict[str, int]) -> list[dict[str, Any]]:
    """The figures of one kind of run; those of an earlier command where there are any."""
    note = folder / f"figures-{name}.json"
    if not note.exists():
        if name == "pair":
            both = [Run(folder, f"pair-{half}", half, 1, memory // 2) for half in "ab"]
            found = [{**run.figures(), "bytes": sizes[half]} for run, half in zip(both, "ab")]
        else:
            with store(folder) if name == "s3" else contextlib.nullcontext(), engine(name) as place:
                run = Run(folder, name, "*", 2 if name in ("two", "s3") else 1, memory, place)
                found = [{**run.figures(), "bytes": sum(sizes.values())}]
        note.write_text(json.dumps(found, indent=1))
    return json.loads(note.read_text())


def make(folder: Path, n_bytes: int, seed: int) -> dict[str, int]:
    """The input, and the bytes of content in each half of it."""
    begun = time.monotonic()
    tasks = corpus_engine.tasks(folder / "input", n_bytes, seed)
    with multiprocessing.Pool(min(2, os.cpu_count() or 1)) as pool:
        files = list(pool.imap_unordered(corpus_engine.make, tasks))
    sizes = {half: sum(held for path, held, _ in files if Path(path).parent.name == half) for half in "ab"}
    n_documents = sum(documents for _, _, documents in files)
    packed = sum(os.path.getsize(path) for path, _, _ in files)
    print(
        f"input: {sum(sizes.values()) / 1e9:.2f} GB of content in {n_documents:,} documents, {len(files)} files of "
        f"{packed / 1e9:.2f} GB together; {time.monotonic() - begun:.0f} s to make or to find\n",
        flush=True,
    )
    return sizes


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Markdown: a row a run."""
    stages = list(next(iter(rows.values()))["stages"])
    head = ["run", "wall s", "CPU s", "MB/s", "MB/s a CPU s", "peak client", "largest workers, MB", "outside tasks"]
    head += ["Beam", "nodes, CPU s", *(f"{stage} s" for stage in stages), "digest"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, found in rows.items():
        size, cpu = found["bytes"] / 1e6, found["cpu"]
        is_known = found["cpu_in_tasks"] > 0
        cells = [
            name,
            f"{found['seconds']:.1f}",
            f"{cpu:.1f}",
            f"{size / found['seconds']:.2f}",
            f"{size / cpu:.2f}",
            f"{found['peak_of_client'] / 1e6:,.0f}",
            ", ".join(f"{peak / 1e6:,.0f}" for peak in found["peaks_of_workers"][:2]),
            f"{(cpu - found['cpu_in_tasks']) / cpu:.1%}" if is_known else "",
            f"{found['cpu_of_beam'] / cpu:.1%}" if is_known else "",
            ", ".join(f"{cpu:.1f}" for cpu in found.get("nodes", ())),
            *(f"{found['stages'][stage]:.1f}" for stage in stages),
            found["digest"][:12],
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=float, default=64e6, help="of content; default 64e6")
    parser.add_argument("--runs", default="one,two,pair", help=f"of {', '.join(RUNS)}; default one,two,pair")
    parser.add_argument("--memory", type=int, default=2048, help="MB, as of `massivetext run`; default 2048")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep inputs and figures here; default a temporary folder")
    chosen = parser.parse_args()
    names = chosen.runs.split(",")
    if not set(names) <= set(RUNS):
        parser.error(f"--runs {chosen.runs}: expected some of {', '.join(RUNS)}")
    if not DATA.is_dir():
        print(f"no real data at {DATA}: set MASSIVETEXT_DATA")
        return
    os.environ["MASSIVETEXT_DATA"] = str(DATA)
    with tempfile.TemporaryDirectory(prefix="bench-engine-") as temporary:
        folder = (chosen.folder or Path(temporary)) / f"{chosen.bytes:.0f}-{chosen.seed}-{chosen.memory}"
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        sizes = make(folder, int(chosen.bytes), chosen.seed)
        if any(not (folder / f"figures-{name}.json").exists() for name in names):
            warm(folder, chosen.memory)
        found = {name: take(folder, name, chosen.memory, sizes) for name in names}
    rows = {}
    for name in names:
        for half, figures in zip("ab", found[name]):
            rows[f"{name} {half}" if name == "pair" else name] = figures
    print(table(rows))
    print()
    whole = [name for name in names if name != "pair"]
    if len(whole) > 1:
        is_equal = len({found[name][0]["digest"] for name in whole}) == 1
        print(f"digests of {', '.join(whole)}: {'equal' if is_equal else 'DIFFERENT'}")
        if not is_equal:
            sys.exit(1)
    if "ray1" in found and "ray2" in found:
        ratio = found["ray1"][0]["seconds"] / found["ray2"][0]["seconds"]
        print(f"two nodes of Ray are {ratio:.2f} times as fast as one")
    if "two" in found and "pair" in found:
        two = found["two"][0]
        apart = sum(figures["bytes"] / figures["seconds"] for figures in found["pair"])
        print(f"two workers reach {two['bytes'] / two['seconds'] / apart:.0%} of what two separate runs reach together")


def warm(folder: Path, memory: int) -> None:
    """A run over a little, so that compiled kernels are on disk for those that count."""
    small = folder / "warm"
    for task in corpus_engine.tasks(small / "input", 400_000, 0):
        corpus_engine.make(task)
    Run(small, "one", "*", 1, memory).figures()
    shutil.rmtree(small)


if __name__ == "__main__":
    main()
