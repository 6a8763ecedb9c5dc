"""What the tests of engines share: a small run that has duplicates across subsets and a test set."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.recipe import Recipe, read


@dataclass(frozen=True)
class NamedTask:
    """A task of an engine's test, which does what its name says: `__call__` is the test's."""

    folder: str
    name: str
    weight: int = 1
    fingerprint: str = "f"

    @property
    def marker(self) -> str:
        return f"{self.folder}/{self.name}.json"

    def note_attempt(self, line: str) -> None:
        """Add a line to NAME.attempts."""
        with open(f"{self.folder}/{self.name}.attempts", "a", encoding="ascii") as stream:
            stream.write(f"{line}\n")


def attempts_of(folder: Path, name: str) -> list[str]:
    """Return what each attempt at a task has noted."""
    path = folder / f"{name}.attempts"
    return path.read_text("ascii").split() if path.exists() else []


def write_recipe(folder: Path) -> Recipe:
    """Two subsets that are deduplicated across each other, and a test set."""
    item = "seven grey herons wait under the old bridge in silence for a ferryman who never comes again today"
    (folder / "items.txt").write_text(item + "\n", "utf-8")
    for n in range(3):
        texts = [
            f"the tale of {i} and of what became of all the people of {i} in it " * 2 + f"{n // 2}" for i in range(9)
        ]
        texts.append(f"{item} {n}")
        for name in ("c4", "news"):
            rows = texts if name == "c4" else [*texts[:4], *(f"{name} {text} {n}" for text in texts[4:])]
            path = folder / f"{name}-{n}.jsonl"
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), "utf-8")
    (folder / "recipe.yaml").write_text(
        "subsets:\n"
        "  c4:\n"
        "    sources: [{format: jsonl, path: 'c4-*.jsonl', pack: false}]\n"
        "    stages: [quality, deduplication, contamination]\n"
        "  news:\n"
        "    sources: [{format: jsonl, path: 'news-*.jsonl', pack: false}]\n"
        "    stages: [quality, deduplication, contamination]\n"
        "quality: {word_count: {min: 5}, stop_word_count: {min: 0}, mean_word_length: {min: 1}}\n"
        "deduplication: {across: [c4, news]}\n"
        "testsets: [{name: own, path: items.txt, unit: line}]\n"
        "mixture: {weights: {c4: 0.5, news: 0.5}}\n",
        "utf-8",
    )
    return read(str(folder / "recipe.yaml"))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return write_recipe(tmp_path)
