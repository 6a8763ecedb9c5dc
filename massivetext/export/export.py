"""`massivetext export`: each shard of a mixture is written in another format by a task of its own.

A task's files are whole or absent, and what they hold is a function of the shard and the options: the same command goes
on after a kill, and any number of workers writes the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from massivetext import storage
from massivetext.errors import OutputError, RecipeError
from massivetext.export.rows import digested
from massivetext.mixture.finished import finished_shards
from massivetext.parquet import file_digest
from massivetext.worker_processes import spawn_pool

__all__ = ["FORMATS", "export"]

_OF_TOKENS = ("megatron", "numpy", "nanogpt", "litdata")
FORMATS = ("jsonl", "mds", "webdataset", *_OF_TOKENS)


@dataclass(frozen=True)
class _Task:
    """One shard. output: where its files go; marker: the file that says that they are written."""

    path: str
    name: str
    output: str
    marker: str
    format: str
    tokenizer: str | None
    eos: str | None

    def __call__(self) -> dict[str, Any]:
        if storage.exists(self.marker):
            known = json.loads(storage.read_bytes(self.marker))
            if _are_whole(self.output, known):
                return known
        files = self._write()
        if not any(one["rows"] for one in files.values()):
            # Libraries refuse to map files of no tokens, or to list shards of no samples.
            for name in files:
                storage.remove(storage.join(self.output, name))
            files = {}
        storage.write_bytes(self.marker, json.dumps(files).encode())
        return files

    def _write(self) -> dict[str, Any]:
        if self.format in _OF_TOKENS:
            from massivetext.export.token_formats import TOKEN_FORMATS, document_tokenizer

            assert self.tokenizer is not None
            tokenizer = document_tokenizer(self.tokenizer, self.eos)
            return TOKEN_FORMATS[self.format](self.path, self.output, self.name, tokenizer)
        from massivetext.export.text_formats import TEXT_FORMATS

        return TEXT_FORMATS[self.format](self.path, self.output, self.name)


def export(
    path: str | os.PathLike[str],
    *,
    format: str,
    output: str | os.PathLike[str],
    mixture: str | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
    eos: str | None = None,
    workers: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Write a mixture in another format to the folder `output`.

    Args:
        path: An output folder, a mixture in it, or a folder or file of Parquet with `text`.
        format: One of FORMATS. "jsonl", "mds" and "webdataset" hold documents; "megatron", "numpy" (OLMo-core),
            "nanogpt" and "litdata" (litgpt) hold their tokens, whole documents with EOS behind each.
        output: A folder. One that was begun by the same command is gone on with.
        mixture: Its name, where the folder has several.
        tokenizer: For the formats of tokens: a file, or a folder with one.
        eos: The piece behind each document, where the tokenizer does not say which.
        workers: Processes.
        say: Is given what is done, line by line.

    Returns:
        The manifest: files with rows, bytes and digests.

    Raises:
        RecipeError: For another format, and a tokenizer that is missing or has no EOS.
        OutputError: For an output folder that holds something else, shards that are not what their manifest says, and
            a mixture without documents.
        SourceError: For a shard that cannot be read.
    """
    path, output = os.fspath(path), os.fspath(output)
    if format not in FORMATS:
        raise RecipeError(f"format: {format!r}; expected one of {', '.join(FORMATS)}")
    if (tokenizer is None) != (format not in _OF_TOKENS):
        what = "needs a tokenizer" if tokenizer is None else "holds texts and takes no tokenizer"
        raise RecipeError(f"format: {format!r} {what}")
    _, shards, manifest = finished_shards(path, mixture)
    listed = {} if manifest is None else manifest["files"]
    digests = {os.path.basename(one): _digest(one, listed) for one in shards}
    mark: dict[str, Any] = {"format": format, "shards": digests}
    about: dict[str, Any] = {}
    if tokenizer is not None:
        from massivetext.export.token_formats import document_tokenizer, token_type

        found = document_tokenizer(os.fspath(tokenizer), eos)
        mark["tokenizer"] = [found.digest, found.eos]
        about = {"dtype": token_type(found, format).name, "vocabulary": found.vocabulary, "eos": found.eos}
        for note in found.notes:
            say(note)
    finished = _adopt(output, mark)
    if finished is not None:
        say(f"{output} holds this already")
        return finished
    work = storage.join(output, "work")
    base = work if format == "nanogpt" else output
    chosen = None if tokenizer is None else os.fspath(tokenizer)
    tasks = [
        _Task(one, name, base, storage.join(work, f"{name}.json"), format, chosen, eos)
        for one in shards
        for name in [os.path.basename(one).removesuffix(".parquet")]
    ]
    files: dict[str, Any] = {}
    rows = 0
    for number, written in enumerate(_run(tasks, workers), 1):
        files |= written
        rows += max((one["rows"] for one in written.values()), default=0)
        say(f"{number:,} of {len(tasks):,} shards, {rows:,} documents")
    if not rows:
        raise OutputError(f"{path}: its {len(shards)} shards hold no documents")
    if format == "nanogpt":
        files = _one_file(work, output, files)
    if format in ("mds", "litdata"):
        files["index.json"] = _index(format, output, files)
    data = {"kind": "export", "of": mark, **about, "rows": rows, "files": dict(sorted(files.items()))}
    storage.write_bytes(storage.join(output, "manifest.json"), (json.dumps(data, indent=1) + "\n").encode())
    _sweep(work, format, tasks)
    return data


def _digest(path: str, listed: Mapping[str, Mapping[str, Any]]) -> str:
    """Of a shard, as its manifest has it, or by reading it."""
    known = listed.get(os.path.basename(path))
    return str(known["blake2b"]) if known is not None else file_digest(path)


def _adopt(output: str, mark: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest if the output holds this already. Raises OutputError if it holds or began something else."""
    done, begun = storage.join(output, "manifest.json"), storage.join(output, "work", "plan.json")
    for place, is_done in ((done, True), (begun, False)):
        if not storage.exists(place):
            continue
        data = json.loads(storage.read_bytes(place))
        of = data.get("of") if is_done else data
        if of != mark:
            raise OutputError(f"{place}: is of another mixture, format or tokenizer; name another output")
        if is_done and _are_whole(output, data["files"]):
            return data
    if not storage.exists(done) and not storage.exists(begun) and storage.list_files(output):
        raise OutputError(f"{output}: is not empty, and nothing there says that it is an export; name another output")
    storage.write_bytes(begun, json.dumps(mark).encode())
    return None


def _are_whole(output: str, files: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether all files are there, of the size known."""
    paths = [(storage.join(output, name), summary["bytes"]) for name, summary in files.items()]
    return all(storage.exists(path) and storage.size(path) == n_bytes for path, n_bytes in paths)


def _run(tasks: list[_Task], workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1:
        yield from (task() for task in tasks)
        return
    with spawn_pool(workers) as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            yield from (future.result() for future in futures)
        finally:
            pool.shutdown(cancel_futures=True)


def _one_file(work: str, output: str, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """All shards' tokens in train.bin, in order."""
    with digested(storage.join(output, "train.bin")) as target:
        for name in sorted(files):
            with storage.open_input(storage.join(work, name)) as stream:
                shutil.copyfileobj(stream, target, 1 << 20)  # type: ignore[misc]
    sums = {key: sum(one[key] for one in files.values()) for key in ("rows", "tokens")}
    return {"train.bin": {**sums, "bytes": target.n_bytes, "blake2b": target.hexdigest()}}


def _index(format_: str, output: str, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    from massivetext.export.text_formats import mds_index
    from massivetext.export.token_formats import litdata_index

    with digested(storage.join(output, "index.json")) as stream:
        stream.write(mds_index(files) if format_ == "mds" else litdata_index(files))
    return {"rows": 0, "bytes": stream.n_bytes, "blake2b": stream.hexdigest()}


def _sweep(work: str, format_: str, tasks: list[_Task]) -> None:
    """Remove what the tasks left in `work`, and nothing else that may lie there."""
    for task in tasks:
        storage.remove(task.marker)
        if format_ == "nanogpt":
            storage.remove(storage.join(work, f"{task.name}.npy"))
    storage.remove(storage.join(work, "plan.json"))
    with contextlib.suppress(OSError):
        os.rmdir(work)
