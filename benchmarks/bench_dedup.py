"""Deduplication: speed and memory of the whole job, and what it finds against known truth.

    python benchmarks/bench_dedup.py                            20,000 documents and a peer, for `make bench`
    python benchmarks/bench_dedup.py --documents 1000000        the whole job at scale; --memory in MB
    python benchmarks/bench_dedup.py --signatures 10000000      candidates and grouping alone, synthetic signatures

CPU is user and system time of the job's process, which reads texts from Parquet, makes the evidence and runs all
phases. Making the corpus is not in it, nor is the check against the truth.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

DATA = Path(os.environ.get("MASSIVETEXT_DATA", Path(__file__).resolve().parents[2] / "shared/data"))


def generate(folder: Path, n: int, seed: int) -> None:
    from benchmarks.corpus_dedup import Corpus
    from massivetext.documents import document_id

    start = 0
    for number, (texts, kinds, clusters) in enumerate(Corpus(DATA / "books", seed).blocks(n)):
        ids = [document_id("bench", f"source-{number:05d}", offset) for offset in range(len(texts))]
        for kind, table in (
            ("curated", pa.table({"id": ids, "text": texts})),
            ("truth", pa.table({"id": ids, "kind": kinds, "cluster": clusters})),
        ):
            path = folder / kind / "bench" / f"part-{number:05d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, path, compression="zstd", row_group_size=5000)
        start += len(texts)


def job(folder: Path, memory: int) -> dict[str, float]:
    """The whole job over a corpus on disk, timed; run in a process of its own."""
    from massivetext import dedup
    from massivetext.dedup import phases
    from massivetext.parquet import ParquetOutput

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    options = dedup.Options(memory=memory)
    schema = dedup.evidence_schema(options.banding)
    warm(options)
    times: dict[str, float] = {}
    wall, begun = time.time(), time.process_time()
    n_documents = 0
    parts = []
    for path in sorted((folder / "curated/bench").glob("*.parquet")):
        target = folder / "evidence/bench" / path.name
        with ParquetOutput(str(target), schema) as output:
            for batch in pq.ParquetFile(path).iter_batches(2048, columns=["id", "text"], use_threads=False):
                texts = batch.column("text")
                rows = dedup.evidence(texts, batch.column("id"), source=path.stem, banding=options.banding)
                output.write(pa.Table.from_batches([rows]))
                n_documents += len(texts)
        parts.append(dedup.Part("bench", path.stem, str(target), str(path)))
    times["evidence"] = time.process_time() - begun
    memory_after = {"evidence": peak_rss()}
    scope = dedup.make_scope(str(folder / "work"), str(folder / "duplicates"), parts, options)
    disk = 0
    for phase, steps in phases.phases(scope):
        before = time.process_time()
        for step in steps:
            step()
        times[phase] = time.process_time() - before
        memory_after[phase] = peak_rss()
        disk = max(disk, sum(path.stat().st_size for path in (folder / "work").rglob("*") if path.is_file()))
    counts = phases.finish(scope)
    cpu = time.process_time() - begun
    rss = peak_rss()
    n_bytes = text_bytes(folder)
    evidence_bytes = sum(path.stat().st_size for path in (folder / "evidence").rglob("*.parquet"))
    return {
        "documents": n_documents,
        "text_mb": n_bytes / 1e6,
        "cpu_s": cpu,
        "wall_s": time.time() - wall,
        "mb_s": n_bytes / 1e6 / cpu,
        "peak_rss_mb": rss,
        **BEFORE,
        "evidence_bytes_a_document": evidence_bytes / n_documents,
        "temporary_bytes_a_document": disk / n_documents,
        "verifications_a_distinct": (counts["verifications"] + counts["core_overlaps"]) / counts["distinct"],
        **{name: float(value) for name, value in counts.items()},
        **{f"s_{phase}": seconds for phase, seconds in times.items()},
        **{f"peak_rss_mb_after_{phase}": value for phase, value in memory_after.items()},
    }


def peak_rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


BEFORE: dict[str, float] = {}


def warm(options: object) -> None:
    """Load kernels from the cache, so that their compilation is not timed."""
    from massivetext.dedup import near_duplicates

    words = [f"w{i}" for i in range(400)]
    near_duplicates(pa.array([" ".join(words[i:]) for i in range(100)]), [str(i) for i in range(100)])
    BEFORE["rss_before_mb"] = peak_rss()


def text_bytes(folder: Path) -> int:
    """UTF-8 bytes of all texts, from a column of lengths, not from the buffers of slices."""
    import pyarrow.compute as pc

    total = 0
    for path in (folder / "curated/bench").glob("*.parquet"):
        for batch in pq.ParquetFile(path).iter_batches(2048, columns=["text"], use_threads=False):
            total += pc.sum(pc.binary_length(batch.column("text"))).as_py()
    return total


def check(folder: Path, n_clusters: int = 3000) -> dict[str, object]:
    """What was removed against what is known: every kind, and a sample of clusters by brute force."""
    from benchmarks.corpus_dedup import CLUSTER, KINDS
    from tests.dedup import brute_force

    removed = {}
    for path in sorted((folder / "duplicates/bench").glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            removed[row["id"]] = (row["partner_id"], row["partner_jaccard"])
    kinds: dict[str, list[int]] = {kind: [0, 0] for kind in KINDS}
    members: dict[int, list[str]] = defaultdict(list)
    orphans = sum(partner in removed or not jaccard > 0.8 for partner, jaccard in removed.values())
    texts: dict[str, str] = {}
    for path in sorted((folder / "truth/bench").glob("*.parquet")):
        truth = pq.read_table(path)
        wanted = []
        for name, kind, cluster in zip(*(truth[column].to_pylist() for column in ("id", "kind", "cluster"))):
            kinds[KINDS[kind]][0] += 1
            kinds[KINDS[kind]][1] += name in removed
            if kind == CLUSTER and (cluster in members or len(members) < n_clusters):
                members[cluster].append(name)
                wanted.append(name)
        if wanted:
            rows = pq.read_table(folder / "curated/bench" / path.name)
            texts.update(zip(rows["id"].to_pylist(), rows["text"].to_pylist()))
            texts = {name: text for name, text in texts.items() if name in wanted or name in texts}
    missed = extra = other = same = 0
    for names in members.values():
        want = brute_force.near_duplicates([texts[name] for name in names], names)
        for name in names:
            got = removed.get(name)
            if name in want and got is None:
                missed += 1
            elif name not in want and got is not None:
                extra += 1
            elif got is not None and got != (want[name][0], float(want[name][1])):
                other += 1
            elif got is not None:
                same += 1
    return {
        "removed_of_kind": {kind: f"{gone} of {n}" for kind, (n, gone) in kinds.items()},
        "removed_without_kept_partner_above_0.8": orphans,
        "clusters_by_brute_force": {"equal": same, "other_partner": other, "missed": missed, "extra": extra},
    }


def synthetic(n: int, memory: int, folder: Path) -> dict[str, float]:
    """Candidates and grouping over random bands, a tenth of the documents in pairs that share a band."""
    from massivetext import dedup
    from massivetext.dedup import phases
    from massivetext.dedup.evidence import EVIDENCE_SCHEMA
    from massivetext.parquet import ParquetOutput

    options = dedup.Options(memory=memory)
    schema = dedup.evidence_schema(options.banding)
    n_bands = options.banding.bands
    generator = np.random.default_rng(0)
    parts = []
    for start in range(0, n, 100_000):
        size = min(100_000, n - start)
        bands = generator.integers(0, 1 << 64, (size, n_bands), dtype=np.uint64)
        tenth = size // 20
        bands[tenth : 2 * tenth, 3] = bands[:tenth, 3]
        raw = [
            pa.Array.from_buffers(pa.binary(16), size, [None, pa.py_buffer(generator.bytes(16 * size))]) for _ in "123"
        ]
        offsets = pa.py_buffer((np.arange(size + 1) * 8 * n_bands).astype(np.int32))
        columns = [
            *raw,
            pa.array(np.full(size, 300, np.uint32)),
            pa.Array.from_buffers(pa.binary(), size, [None, offsets, pa.py_buffer(bands)]),
            pa.array(np.full(size, 2000)),
            pa.nulls(size, pa.int64()),
            pa.nulls(size, pa.binary(16)),
            pa.repeat(pa.scalar(f"{start:012d}"), size),
        ]
        path = folder / "evidence/bench" / f"part-{start:012d}.parquet"
        with ParquetOutput(str(path), schema) as output:
            output.write(pa.Table.from_arrays(columns, schema=EVIDENCE_SCHEMA))
        parts.append(dedup.Part("bench", path.stem, str(path), ""))
    warm(options)
    begun = time.process_time()
    scope = dedup.make_scope(str(folder / "work"), str(folder / "duplicates"), parts, options)
    times = {}
    for phase, steps in phases.phases(scope):
        if phase == "sets":
            break
        before = time.process_time()
        for step in steps:
            step()
        times[f"s_{phase}"] = time.process_time() - before
    counts = phases.summary(scope)
    cpu = time.process_time() - begun
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "documents": n,
        "cpu_s": cpu,
        "us_a_document": 1e6 * cpu / n,
        "peak_rss_mb": rss,
        **BEFORE,
        **counts,
        **times,
    }


def peer(folder: Path, n: int = 300) -> float:
    """CPU seconds that datasketch takes for signatures and LSH of the first n texts, per MB."""
    from datasketch import MinHash, MinHashLSH

    from tests import oracle

    (path, *_) = sorted((folder / "curated/bench").glob("*.parquet"))
    texts = pq.read_table(path)["text"][:n].to_pylist()
    begun = time.process_time()
    lsh = MinHashLSH(threshold=0.8, num_perm=96)
    for number, text in enumerate(texts):
        signature = MinHash(96)
        signature.update_batch([" ".join(words).encode() for words in oracle.shingles(text)])
        lsh.query(signature)
        lsh.insert(str(number), signature)
    return (time.process_time() - begun) / (sum(len(text.encode()) for text in texts) / 1e6)


def show(name: str, values: object) -> None:
    print(f"{name}:")
    if isinstance(values, dict):
        for key, value in values.items():
            print(f"    {key:42s} {value:,.2f}" if isinstance(value, float) else f"    {key:42s} {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--signatures", type=int, default=0)
    parser.add_argument("--memory", type=int, default=256, help="MB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the corpus is kept between runs; else temporary")
    parser.add_argument("--step", choices=("generate", "job", "synthetic"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step == "generate":
        generate(arguments.folder, arguments.documents, arguments.seed)
        return
    if arguments.step == "job":
        print(json.dumps(job(arguments.folder, arguments.memory << 20)))
        return
    if arguments.step == "synthetic":
        print(json.dumps(synthetic(arguments.signatures, arguments.memory << 20, arguments.folder)))
        return
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="massivetext-bench-"))

    def step(name: str) -> str:
        command = [sys.executable, __file__, *sys.argv[1:], "--step", name, "--folder", str(folder)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    try:
        if arguments.signatures:
            show("candidates and grouping alone", json.loads(step("synthetic")))
            return
        if not (folder / "truth").exists():
            step("generate")
        for below in ("work", "duplicates", "evidence"):
            shutil.rmtree(folder / below, ignore_errors=True)
        measured = json.loads(step("job"))
        show("whole job", measured)
        show("against the truth", check(folder))
        if arguments.documents <= 100_000:
            ours = measured["cpu_s"] / measured["text_mb"]
            print(f"datasketch signatures and LSH, unverified: {peer(folder) / ours:.0f} times our CPU time a MB")
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
