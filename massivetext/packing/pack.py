"""`massivetext pack`: token sequences as files, in two passes of independent tasks.

    1 tokenize  runs of blocks of one subset, each to a file of its sequences, until the subset has what it is to give
    2 shuffle   one shard: its places of a seeded permutation of all sequences, gathered from those files

Each task's file is whole or absent, and what it holds is a function of the mixture, the tokenizer, the length and the
seed: a run that was interrupted goes on, and any number of workers writes the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from massivetext import storage
from massivetext.errors import LimitError, OutputError, RecipeError
from massivetext.mixture.plan import Available, plan
from massivetext.packing.blocks import Blocks, check, fingerprint
from massivetext.packing.documents import Mixture, open_mixture
from massivetext.packing.files import FORMATS, write_megatron, write_parquet
from massivetext.packing.permutation import Permutation
from massivetext.tokenizers import Tokenizer, read_tokenizer
from massivetext.worker_processes import spawn_pool

__all__ = ["pack"]

_BLOCKS_A_RUN = 8
_SLICE_BYTES = 32 << 20


@dataclass(frozen=True)
class Source:
    """What a task opens for itself: all that sequences are a function of, and where the first pass leaves them."""

    path: str
    mixture: str | None
    weights: tuple[tuple[str, float], ...] | None
    tokenizer: str
    bos: str | None
    eos: str | None
    length: int
    seed: int
    scratch: str

    def open(self) -> tuple[Mixture, Tokenizer]:
        weights = None if self.weights is None else dict(self.weights)
        tokenizer = read_tokenizer(self.tokenizer, bos=self.bos, eos=self.eos)
        check(tokenizer, self.length)
        opened = open_mixture(self.path, mixture=self.mixture, weights=weights, scratch=self.scratch)
        return opened, tokenizer

    def run_path(self, subset: str, number: int) -> str:
        return storage.join(self.scratch, "runs", subset, f"{number:08d}.bin")


@dataclass(frozen=True)
class Shard:
    """One shard: rows first to last - 1 of the shuffled whole. given: (subset, (sequences taken of each run))."""

    name: str
    first: int
    last: int
    given: tuple[tuple[str, tuple[int, ...]], ...]


Counts = dict[str, Any]
"""Of a run: sequences, crops, and of each of its blocks [sequences, crops, tokens, dropped tokens]."""

_opened: dict[Source, dict[str, Blocks]] = {}


def _run(source: Source, subset: str, number: int, need: int) -> Counts:
    """The task of the first pass: one run of blocks, ended early by the block that has the `need` met, which is never
    less than the sequences that are used of it. Returns its counts, which are also left beside it."""
    path = source.run_path(subset, number)
    known = _counts(path)
    if known is not None:
        return known
    if source not in _opened:
        mixture, tokenizer = source.open()
        _opened.clear()
        _opened[source] = {
            name: Blocks(mixture, name, tokenizer, length=source.length, seed=source.seed) for name in mixture.weights
        }
    counts: Counts = {"sequences": 0, "crops": 0, "blocks": []}
    with storage.open_output(path) as stream:
        for block in range(number * _BLOCKS_A_RUN, (number + 1) * _BLOCKS_A_RUN):
            if counts["sequences"] >= need:
                break
            made = _opened[source][subset].block(block)
            stream.write(made.sequences.data)
            counts["sequences"] += len(made.sequences)
            counts["crops"] += made.crops
            counts["blocks"].append([len(made.sequences), made.crops, made.tokens, made.dropped])
    storage.write_bytes(f"{path}.json", json.dumps(counts).encode())
    return counts


def _counts(path: str) -> Counts | None:
    """Of a run that is done; None if it is not."""
    if not (storage.exists(f"{path}.json") and storage.exists(path)):
        return None
    return json.loads(storage.read_bytes(f"{path}.json"))


def _shard(source: Source, shard: Shard, output: str, formats: Sequence[str], dtype: np.dtype) -> dict[str, Any]:
    """The task of the second pass. Returns rows, bytes and digest of each file, by name."""
    marker = storage.join(source.scratch, "shards", f"{shard.name}.json")
    if storage.exists(marker):
        known = json.loads(storage.read_bytes(marker))
        if _whole(output, known):
            return known
    base = storage.join(output, shard.name)
    found: dict[str, Any] = {}
    length = source.length
    if "parquet" in formats:
        slices = _slices(source, shard, dtype)
        found[f"{shard.name}.parquet"] = write_parquet(f"{base}.parquet", slices, length=length, dtype=dtype)
    if "megatron" in formats:
        rows = shard.last - shard.first
        pair = write_megatron(base, _slices(source, shard, dtype), rows=rows, length=length, dtype=dtype)
        found |= {f"{shard.name}.{kind}": summary for kind, summary in pair.items()}
    storage.write_bytes(marker, json.dumps(found).encode())
    return found


def _slices(source: Source, shard: Shard, dtype: np.dtype) -> Iterator[tuple[np.ndarray, list[str]]]:
    """The rows of a shard, some MB at a time, each slice read run by run."""
    names = [subset for subset, _ in shard.given]
    runs = [(subset, number) for subset, taken in shard.given for number in range(len(taken))]
    ends = np.cumsum([n for _, taken in shard.given for n in taken])
    of_subset = np.repeat(np.arange(len(names)), [len(taken) for _, taken in shard.given])
    order = Permutation(int(ends[-1]), source.seed)
    step = max(1, _SLICE_BYTES // (source.length * dtype.itemsize))
    for first in range(shard.first, shard.last, step):
        places = order[first : min(first + step, shard.last)]
        run = np.searchsorted(ends, places, side="right")
        tokens = np.empty((len(places), source.length), dtype)
        by_run = np.lexsort((places, run))
        for at in np.split(by_run, np.flatnonzero(np.diff(run[by_run])) + 1):
            number = int(run[at[0]])
            start = int(ends[number - 1]) if number else 0
            held = np.memmap(source.run_path(*runs[number]), dtype, "r").reshape(-1, source.length)
            tokens[at] = held[places[at] - start]
        yield tokens, [names[i] for i in of_subset[run]]


def pack(
    path: str | os.PathLike[str],
    *,
    tokenizer: str | os.PathLike[str],
    output: str | os.PathLike[str],
    length: int = 2048,
    tokens: int | None = None,
    seed: int = 0,
    weights: Mapping[str, float] | None = None,
    mixture: str | None = None,
    formats: Sequence[str] = FORMATS,
    shard_bytes: int = 256 << 20,
    max_epochs: float = 4,
    workers: int = 1,
    scratch: str | os.PathLike[str] | None = None,
    bos: str | None = None,
    eos: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Write token sequences of a mixture (spec section 10) to the folder `output`; returns its manifest.

    tokens: how many in all, by default as many as the mixture has; each subset gives its weight of the sequences, in
    as many epochs of crops as that takes. max_epochs: of tokens, above which LimitError names the largest budget.
    shard_bytes: of tokens in a shard. scratch: a local folder for the first pass, by default work/ in the output; as
    large as the tokens and the texts that they come from; removed at the end. say: is given what is planned, and what
    came of it, line by line.

    Memory of a worker: one row group of the mixture for each subset, a block, and 32 MB. Errors as for `sequences`,
    and OutputError for an output folder that holds other sequences.
    """
    path, tokenizer, output = os.fspath(path), os.fspath(tokenizer), os.fspath(output)
    scratch = None if scratch is None else os.fspath(scratch)
    wrong = [name for name in formats if name not in FORMATS]
    if wrong or not formats:
        raise RecipeError(f"formats: {list(formats)!r}; expected some of {', '.join(FORMATS)}")
    if scratch is None and storage.is_remote(output):
        raise RecipeError(f"scratch: {output} is an object store; name a local folder for the first pass")
    scratch = scratch or storage.join(output, "work")
    chosen = None if weights is None else tuple(sorted(weights.items()))
    source = Source(path, mixture, chosen, tokenizer, bos, eos, length, seed, scratch)
    opened, found = source.open()
    _opened.clear()
    available = {name: Available(opened.n_documents(name), opened.tokens[name]) for name in opened.weights}
    wanted = plan(
        available,
        opened.weights,
        tokens=tokens or sum(found.tokens for found in available.values()),
        max_epochs=max_epochs,
    )
    for line in (*found.notes, *wanted.lines()):
        say(line)
    shares = _whole_shares(opened.weights, wanted.tokens // length)
    mark = fingerprint(opened, found, length=length, seed=seed)
    mark |= {"sequences": shares, "shard_bytes": shard_bytes, "formats": sorted(formats)}
    finished = _adopt(output, scratch, mark)
    if finished is not None:
        _sweep(scratch, opened.digest)
        say(f"{output} holds these sequences already")
        return finished
    pool: Executor | None = None
    if workers > 1:
        pool = spawn_pool(workers)
    try:
        runs = _tokenize(source, shares, pool, workers, opened)
        given = tuple((name, _prefix(counts, shares[name])) for name, counts in runs.items())
        total = sum(shares.values())
        rows = max(1, shard_bytes // (length * found.dtype.itemsize))
        n_shards = -(-total // rows)
        shards = [
            Shard(f"sequences-{i:05d}-of-{n_shards:05d}", total * i // n_shards, total * (i + 1) // n_shards, given)
            for i in range(n_shards)
        ]
        files: dict[str, Any] = {}
        arguments = [(source, shard, output, tuple(formats), found.dtype) for shard in shards]
        if pool is None:
            results: Iterator[dict[str, Any]] = (_shard(*argument) for argument in arguments)
        else:
            results = (future.result() for future in [pool.submit(_shard, *argument) for argument in arguments])
        for summaries in results:
            files |= summaries
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    counts = {name: _summary(opened, name, taken, shares[name], length) for name, taken in runs.items()}
    manifest = {
        "kind": "sequences",
        "schema": "sequences-1",
        "of": mark,
        "length": length,
        "dtype": found.dtype.name,
        "vocabulary": found.vocabulary,
        "weights": dict(opened.weights),
        "seed": seed,
        "counts": counts,
        "files": dict(sorted(files.items())),
    }
    storage.write_bytes(storage.join(output, "manifest.json"), (json.dumps(manifest, indent=1) + "\n").encode())
    _sweep(scratch, opened.digest)
    for line in summary_lines(counts):
        say(line)
    return manifest


def _adopt(output: str, scratch: str, mark: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest if the output holds these sequences already; OutputError if it holds or began others."""
    done = storage.join(output, "manifest.json")
    begun = storage.join(scratch, "plan.json")
    for place, get in ((done, lambda data: data.get("of")), (begun, lambda data: data)):
        if storage.exists(place):
            data = json.loads(storage.read_bytes(place))
            held = get(data)
            if held != mark:
                other = [key for key in mark if not isinstance(held, dict) or held.get(key) != mark[key]]
                raise OutputError(
                    f"{place}: is of other sequences, which differ in {', '.join(other)}; name another output"
                )
            if place == done and _whole(output, data["files"]):
                return data
    if not storage.exists(done) and not storage.exists(begun) and storage.list_files(output):
        raise OutputError(
            f"{output}: is not empty, and nothing there shows that it holds sequences; name another output"
        )
    storage.write_bytes(begun, json.dumps(mark).encode())
    return None


def _sweep(scratch: str, digest: str) -> None:
    """Remove what the first pass left, and nothing else that may lie there."""
    for name in ("runs", "shards", f"texts-{digest}"):
        storage.remove_tree(storage.join(scratch, name))
    storage.remove(storage.join(scratch, "plan.json"))
    with contextlib.suppress(OSError):
        os.rmdir(scratch)


def _whole(output: str, files: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether all files are there, of the size known."""
    paths = [(storage.join(output, name), summary["bytes"]) for name, summary in files.items()]
    return all(storage.exists(path) and storage.size(path) == n_bytes for path, n_bytes in paths)


def _whole_shares(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Sequences of each subset, which sum to total: rounded down, the largest remainders up."""
    exact = {name: weight * total / sum(weights.values()) for name, weight in weights.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_rest = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_rest[: total - sum(shares.values())]:
        shares[name] += 1
    if not total:
        raise LimitError("tokens: fewer than one sequence has; take a smaller length or more tokens")
    return shares


def _tokenize(
    source: Source, shares: Mapping[str, int], pool: Executor | None, workers: int, mixture: Mixture
) -> dict[str, list[Counts]]:
    """Runs of each subset in order, until they have its share of sequences. Beside each other the subsets furthest
    behind; what is begun beyond the need is not used."""
    done: dict[str, dict[int, Counts]] = {name: {} for name in shares}
    begun = dict.fromkeys(shares, 0)
    running: dict[Future[Counts], tuple[str, int]] = {}

    def progress(name: str) -> float:
        """Share of the need that runs done and running meet, the latter taken for average."""
        if not shares[name]:
            return 1
        made = [counts["sequences"] for counts in done[name].values()]
        return (sum(made) / len(made) * begun[name] if made else 0) / shares[name]

    def need(name: str) -> int:
        return shares[name] - sum(counts["sequences"] for counts in done[name].values())

    while True:
        wanting = [name for name in shares if need(name) > 0]
        if not wanting:
            break
        for name in wanting:
            _refuse_barren(source, name, done[name], mixture)
        while len(running) < workers:
            name = min(wanting, key=lambda name: (progress(name), begun[name], name))
            if running and progress(name) >= 1:
                break
            number = begun[name]
            begun[name] += 1
            if pool is None:
                done[name][number] = _run(source, name, number, need(name))
                break
            running[pool.submit(_run, source, name, number, need(name))] = (name, number)
        if running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name, number = running.pop(future)
                done[name][number] = future.result()
    for future, (name, number) in running.items():
        done[name][number] = future.result()
    return {name: [found[number] for number in sorted(found)] for name, found in done.items()}


def _refuse_barren(source: Source, name: str, done: Mapping[int, Counts], mixture: Mixture) -> None:
    crops = sum(counts["crops"] for counts in done.values())
    if (
        done
        and not any(counts["sequences"] for counts in done.values())
        and crops >= min(mixture.n_documents(name), 1000)
    ):
        raise LimitError(
            f"{name}: {crops} crops fill no sequence of {source.length} tokens: its documents are too short; "
            "take a smaller length, or weight 0 for it"
        )


def _prefix(runs: Sequence[Counts], share: int) -> tuple[int, ...]:
    """Sequences to take of each run: all, until the share is met; runs beyond it none."""
    taken = []
    for counts in runs:
        taken.append(min(counts["sequences"], share))
        share -= taken[-1]
    return tuple(taken)


def _summary(mixture: Mixture, name: str, runs: Sequence[Counts], share: int, length: int) -> dict[str, Any]:
    """What one subset gave. Of its last block only a part is used, and so much of its crops and tokens is counted."""
    sums, left = np.zeros(3), share
    for n, *held in (block for counts in runs for block in counts["blocks"]):
        if left > 0:
            sums += np.array(held) * (min(n, left) / n if n else 1)
            left -= min(n, left)
    crops, made, dropped = (round(float(n)) for n in sums)
    documents, available = mixture.n_documents(name), mixture.tokens[name]
    return {
        "sequences": share,
        "tokens": share * length,
        "documents": documents,
        "crops": crops,
        "dropped_tokens": dropped,
        "dropped_share": round(dropped / made, 4) if made else 0.0,
        "crop_epochs": round(crops / documents, 4),
        "token_epochs": round(share * length / available, 4) if available else None,
    }


def summary_lines(counts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What each subset gave, as a table for people."""
    head = ("subset", "sequences", "tokens", "crops", "epochs of crops", "of tokens", "dropped")
    lines = ["{:<12}{:>12}{:>18}{:>14}{:>17}{:>11}{:>9}".format(*head)]
    for name, found in counts.items():
        epochs = "" if found["token_epochs"] is None else f"{found['token_epochs']:.2f}"
        lines.append(
            f"{name:<12}{found['sequences']:>12,}{found['tokens']:>18,}{found['crops']:>14,}"
            f"{found['crop_epochs']:>17.2f}{epochs:>11}{found['dropped_share']:>9.1%}"
        )
    return lines
