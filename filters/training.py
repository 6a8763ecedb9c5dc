"""Training of the classifier of unsafe text from labelled files.

A plan (YAML) names sources and the model's settings; a labelled file by itself is a source with fields `text` and
`label` (JSON lines, CSV), or lines `__label__x text`. One thread and a fixed seed: equal input gives an equal model.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from filters.classifier import PIECE, SAFE, words
from filters.examples import rows_of
from filters.score_training import fit_fasttext
from massivetext import readers, storage
from massivetext.errors import RecipeError, SourceError

__all__ = ["EVERYDAY_PLAN", "PLAN", "documents", "is_held_out", "read_plan", "train"]

PLAN = Path(__file__).parent / "data" / "safe_search.yaml"
"""The plan of the packaged model."""
EVERYDAY_PLAN = PLAN.with_name("safe_search_everyday.yaml")
"""The plan of the packaged second opinion."""
PACKAGED = "package:"
"""What the path of a source begins with that lies beside the packaged plan."""
SETTINGS = {"dim": 16, "epoch": 15, "lr": 0.2, "minn": 3, "maxn": 5, "bucket": 60_000, "minCount": 2, "wordNgrams": 1}
SOURCE = {"path", "format", "text", "label", "labels", "names", "is", "repeat", "most", "held_out", "pieces"}
TRUE = {"1", "true", "yes"}
_RECORDS = {".csv": "csv", ".txt": "fasttext", ".jsonl": "jsonl"}


def is_held_out(text: str, one_in: int) -> bool:
    """Whether a document belongs to the part that no training sees: by BLAKE2b of its text, one in so many."""
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return one_in > 0 and int.from_bytes(digest, "big") % one_in == 0


def read_plan(paths: list[str]) -> dict[str, Any]:
    """The plan in the one YAML file, or one of labelled files. Raises RecipeError for unknown keys."""
    if len(paths) == 1 and paths[0].endswith((".yaml", ".yml")):
        plan = yaml.safe_load(storage.read_bytes(paths[0]))
        if not isinstance(plan, dict) or not isinstance(plan.get("sources"), list):
            raise RecipeError(f"{paths[0]}: expected a mapping with a list `sources`")
    else:
        plan = {"sources": [{"path": path} for path in paths]}
    for key in plan.keys() - {"sources", "model", "seed", "drop"}:
        raise RecipeError(f"{key}: unknown key of a plan; expected sources, model, seed, drop")
    for key in (plan.get("model") or {}).keys() - SETTINGS.keys():
        raise RecipeError(f"model.{key}: unknown setting; expected one of {', '.join(SETTINGS)}")
    for i, source in enumerate(plan["sources"]):
        for key in source.keys() - SOURCE:
            raise RecipeError(f"sources[{i}].{key}: unknown key; expected one of {', '.join(sorted(SOURCE))}")
        if "path" not in source:
            raise RecipeError(f"sources[{i}]: has no path")
    return dict(plan)


def _rows(path: str, format: str, text: str) -> Iterator[dict[str, Any]]:
    """Rows with the text under `text`'s name; documents of any reader's format have no other field."""
    if format in ("csv", "fasttext"):
        data = storage.read_bytes(path)
        content = (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8")
        if format == "csv":
            yield from csv.DictReader(io.StringIO(content, newline=""))
            return
        for line in content.split("\n"):
            parts = line.split()
            labels = [part.removeprefix("__label__") for part in parts if part.startswith("__label__")]
            if labels:
                yield {text: " ".join(parts[len(labels) :]), "label": labels}
    elif format == "jsonl":
        yield from rows_of(path)
    else:
        for record in readers.read_part(path, format, start=0, stop=readers.size(path, format)):
            if record.text:
                yield {text: record.text}


def _labels(row: dict[str, Any], source: dict[str, Any], path: str) -> list[str]:
    if "is" in source:
        return [source["is"]]
    if "labels" in source:
        found = [
            label
            for label, fields in source["labels"].items()
            if any(str(row.get(field)).lower() in TRUE for field in fields)
        ]
        return sorted(found) or [SAFE]
    value = row.get(source.get("label", "label"))
    values = value if isinstance(value, list) else [value]
    names = source.get("names")
    if any(v is None or (names and str(v) not in names) for v in values):
        raise SourceError(f"{path}: label {value!r} of {str(row)[:80]!r}; expected {list(names) if names else 'one'}")
    return [names[str(v)] if names else str(v) for v in values] or [SAFE]


def documents(source: dict[str, Any], data: str = "") -> Iterator[tuple[str, list[str]]]:
    """(text, labels) of each document of a source of a plan, held out or not, in order of files.

    A path that begins with `package:` is a file of this package's data; any other is relative to the folder `data`.
    """
    pattern = source["path"]
    if pattern.startswith(PACKAGED):
        pattern = str(PLAN.parent / pattern.removeprefix(PACKAGED))
    elif data:
        pattern = storage.join(data, pattern)
    paths = storage.find(pattern)
    if not paths:
        raise RecipeError(f"sources: no file at {pattern!r}")
    for path in paths:
        ending = Path(path.removesuffix(".gz")).suffix
        format = source.get("format") or _RECORDS.get(ending)
        if format is None:
            raise RecipeError(f"{path}: give the source a format; by ending only {', '.join(_RECORDS)} are known")
        name = source.get("text", "text")
        for row in _rows(path, format, name):
            if not isinstance(row.get(name), str):
                raise SourceError(f"{path}: {str(row)[:80]!r} has no text under {name!r}")
            yield row[name], _labels(row, source, path)


def _parts(text: str, n: int) -> list[str]:
    """At most n pieces of a text at equal distances."""
    every = [text[i : i + PIECE] for i in range(0, len(text), PIECE)]
    return [every[i * len(every) // n] for i in range(n)] if len(every) > n else every


def train(plan: dict[str, Any], output: str, *, data: str = "") -> Counter[str]:
    """Trains the model of a plan and writes it, quantised, to a local path. Returns the documents of each label.

    data: folder that relative paths of sources start from.
    """
    drop, seed = float(plan.get("drop", 0.0)), int(plan.get("seed", 0))
    rng = random.Random(seed)
    lines: list[str] = []
    counts: Counter[str] = Counter()
    for source in plan["sources"]:
        repeat, most = source.get("repeat", 1), source.get("most", {})
        taken: Counter[str] = Counter()
        for text, labels in documents(source, data):
            if is_held_out(text, source.get("held_out", 0)):
                continue
            if any(taken[label] >= most.get(label, float("inf")) for label in labels):
                continue
            taken.update(labels)
            prefix = " ".join(f"__label__{label}" for label in labels)
            kept = _parts(text, source["pieces"]) if "pieces" in source else [text]
            times = repeat if isinstance(repeat, int) else max(repeat.get(label, 1) for label in labels)
            for piece in kept:
                seen = words(piece).split()
                for _ in range(times):
                    # Words are left out at random where an example is repeated: the model is to rest on no few of them.
                    some = [w for w in seen if rng.random() >= drop] if times > 1 and drop else seen
                    if some:
                        lines.append(f"{prefix} {' '.join(some)}")
        counts += taken
    if len(counts) < 2 or SAFE not in counts:
        raise RecipeError(f"training needs documents labelled {SAFE!r} and of a category; there are {dict(counts)}")
    rng.shuffle(lines)
    settings = {"loss": "ova", **SETTINGS, **(plan.get("model") or {})}
    fit_fasttext(lines, output, settings, seed=seed, is_quantised=True)
    return counts
