"""What a finished run looked at: the answer stands as long as all of that does, and for nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from massivetext import finished_run as module
from massivetext.finished_run import finished_run, note_finished, state_of

ASKED = {"through": "mix", "recipe": "/r.yaml", "settings": ["seed=1"]}
ANSWER = {"counts": {"c4": {"kept": [1, 2, 3]}}}


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe, two sources, code, a tokenizer and DIR, of which a finished run is noted."""
    for name in ("recipe.yaml", "base.yaml", "in/a.jsonl", "in/b.jsonl", "mine.py", "tokens/tokenizer.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"of {name}")
    for name in ("work/lock", "work/runs.json", "curated/c4/part.parquet", "recipe.yaml"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("x")
    monkeypatch.setenv("CORPUS", "one")
    state = state_of(str(tmp_path / "out"), ASKED, recipe_files(tmp_path), ["CORPUS", "NOT_SET"], recipe(tmp_path))
    assert state is not None
    note_finished(str(tmp_path / "out"), state, ANSWER)
    return tmp_path


def recipe_files(folder: Path) -> list[str]:
    return [str(folder / "recipe.yaml"), str(folder / "base.yaml"), "gopher"]


def recipe(folder: Path, **values: Any) -> dict[str, Any]:
    sources = [{"format": "jsonl", "path": str(folder / "in" / "*.jsonl")}]
    functions = [{"function": f"{folder}/mine.py:shouting"}]
    return {
        "subsets": {"c4": {"sources": sources}},
        "functions": functions,
        "tokenizer": str(folder / "tokens/tokenizer.json"),
        "seed": 0,
        **values,
    }


def answer(folder: Path, asked: dict[str, Any] = ASKED) -> dict[str, Any] | None:
    return finished_run(str(folder / "out"), asked)


def test_the_answer_stands_while_nothing_has_changed(finished: Path) -> None:
    assert ANSWER == answer(finished)
    # What tells of runs, and what another program writes beside DIR, changes nothing.
    (finished / "out/work/runs.json").write_text("another")
    (finished / "other").write_text("x")
    assert ANSWER == answer(finished)


def test_what_a_pattern_matches_in_the_output_folder_changes_nothing(finished: Path) -> None:
    everywhere = {"subsets": {"c4": {"sources": [{"format": "parquet", "path": f"{finished}/**/*.parquet"}]}}}
    out = finished / "out"
    (finished / "in/b.parquet").write_text("x")
    state = state_of(str(out), ASKED, [], [], recipe(finished, **everywhere))
    (out / "curated/c4/later.parquet").write_text("x")
    assert state is not None
    note_finished(str(out), state, ANSWER)
    assert ANSWER == answer(finished)
    (finished / "in/c.parquet").write_text("x")
    assert answer(finished) is None


def test_where_a_folder_cannot_be_read_nothing_is_concluded(folder_of_a_user: Path) -> None:
    (folder_of_a_user / "in").mkdir()
    values = {"subsets": {"c4": {"sources": [{"format": "jsonl", "path": f"{folder_of_a_user}/in"}]}}}
    assert state_of(str(folder_of_a_user / "out"), ASKED, [], [], values) is not None
    (folder_of_a_user / "in").chmod(0)
    assert state_of(str(folder_of_a_user / "out"), ASKED, [], [], values) is None


def rewritten(path: Path) -> None:
    """The same size and the same time as before, and other bytes."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "the recipe": lambda folder: rewritten(folder / "recipe.yaml"),
    "what it extends": lambda folder: rewritten(folder / "base.yaml"),
    "a source": lambda folder: rewritten(folder / "in/a.jsonl"),
    "a new source": lambda folder: (folder / "in/c.jsonl").write_text("x"),
    "a source that is gone": lambda folder: (folder / "in/b.jsonl").unlink(),
    "code": lambda folder: rewritten(folder / "mine.py"),
    "the tokenizer": lambda folder: rewritten(folder / "tokens/tokenizer.json"),
    "what lies beside the tokenizer": lambda folder: (folder / "tokens/tokenizer_config.json").write_text("{}"),
    "an output": lambda folder: rewritten(folder / "out/curated/c4/part.parquet"),
    "an output that is gone": lambda folder: (folder / "out/curated/c4/part.parquet").unlink(),
    "an output that was not there": lambda folder: (folder / "out/curated/c4/part-2.parquet").write_text("x"),
    "the folder's recipe": lambda folder: rewritten(folder / "out/recipe.yaml"),
    "the note, damaged": lambda folder: rewritten(folder / "out/work/finished.json"),
    "the note, empty": lambda folder: (folder / "out/work/finished.json").write_text(""),
    "the note, of another version": lambda folder: (folder / "out/work/finished.json").write_text('{"asked": 1}'),
    "the note, gone": lambda folder: (folder / "out/work/finished.json").unlink(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_any_change_withdraws_the_answer(finished: Path, name: str) -> None:
    CHANGES[name](finished)
    assert answer(finished) is None


def test_other_questions_have_no_answer(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in ({**ASKED, "through": "curate"}, {**ASKED, "recipe": "/s.yaml"}, {**ASKED, "settings": []}):
        assert answer(finished, asked) is None
    assert finished_run(str(finished / "no such folder"), ASKED) is None
    monkeypatch.setenv("CORPUS", "two")
    assert answer(finished) is None
    monkeypatch.setenv("CORPUS", "one")
    monkeypatch.setenv("NOT_SET", "")
    assert answer(finished) is None


def test_another_version_of_the_program_has_no_answer(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module._program.cache_clear()
    assert ANSWER == answer(finished)
    module._program.cache_clear()
    monkeypatch.setattr(module, "__version__", "0.0.1")
    assert answer(finished) is None
    module._program.cache_clear()


def test_variables_are_not_written_down(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "a secret of mine")
    state = state_of(str(finished / "out"), ASKED, [], ["KEY"], recipe(finished))
    assert state is not None
    assert "a secret of mine" not in str(state)


@pytest.mark.parametrize(
    ("files", "values"),
    [
        (["s3://bucket/recipe.yaml"], {}),
        ([], {"testsets": [{"path": "gs://bucket/items.jsonl"}]}),
        ([], {"engine": "a.package:function"}),
        ([], {"deduplication": {"against": ["/other/index"]}}),
        ([], {"subsets": {"github": {"sources": [{"format": "repositories", "path": "/code"}]}}}),
    ],
    ids=[
        "a recipe on a store",
        "a file on a store",
        "code of a package",
        "an index",
        "a reader that finds files by itself",
    ],
)
def test_what_times_of_files_do_not_tell_is_not_noted(tmp_path: Path, files: list[str], values: dict[str, Any]) -> None:
    assert state_of(str(tmp_path / "out"), ASKED, files, [], recipe(tmp_path, **values)) is None
