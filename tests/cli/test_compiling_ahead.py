"""What a first run says and does about kernels that are not compiled yet."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from massivetext import portable_kernels, warm_up
from massivetext.cli import _running
from pipelines import recipe as recipes
from pipelines.engines import Execution

RECIPE = """
extends: gopher
subsets:
  news: {{sources: [{{format: {format}, path: {path}}}], stages: {stages}}}
mixture: {{weights: {{news: 1.0}}, tokens: max, max_epochs: 1}}
"""


def write_recipe(folder: Path, *, format: str, stages: list[str]) -> Path:
    path = folder / f"news.{format}"
    path.write_text(
        "".join(json.dumps({"text": f"The news of day {i}, in plain English words. " * 9}) + "\n" for i in range(3))
    )
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(format=format, path=path, stages=json.dumps(stages)))
    return recipe


@pytest.mark.slow
def test_the_first_run_compiles_ahead_and_says_so_and_the_second_has_nothing_to_say(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, format="jsonl", stages=["language"])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}

    def run(name: str) -> str:
        command = [sys.executable, "-m", "massivetext", "run", str(recipe), "--output", str(tmp_path / name)]
        return subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=True).stderr

    first, second = run("first"), run("second")

    assert "compiling kernels: once on this machine" in first
    assert re.search(r"compiled: language \(1 of 1, \d+ s\)", first)
    assert first.index("compiled: language") < first.index("curate:")
    assert "compil" not in second
    assert not list((tmp_path / "kernels").glob("filters_*/rules.*"))


@pytest.mark.parametrize(
    ("format", "stages", "expected"),
    [
        ("jsonl", ["language", "extraction"], {"language"}),
        ("warc", ["language", "extraction"], {"language", "extraction"}),
        ("jsonl", ["quality", "repetition", "deduplication"], {"quality", "repetition", "deduplication"}),
        ("jsonl", ["licence"], set()),
    ],
)
def test_what_is_compiled_depends_on_stages_and_formats(
    tmp_path: Path, format: str, stages: list[str], expected: set[str]
) -> None:
    kernels = recipes.read(str(write_recipe(tmp_path, format=format, stages=stages))).kernels()

    assert expected == {stage.name for group in kernels.values() for stage in group}
    assert all(stage.compiled_by == job for job, group in kernels.items() for stage in group)


class Lines:
    """Collects what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.mark.parametrize(
    ("where", "obstacle", "compiled", "said"),
    [
        (Execution("DataflowRunner"), None, [True], "compiling kernels: once for the workers"),
        (Execution("DataflowRunner"), "no AVX2", [], "workers without kernels compile them first"),
        (Execution("DataflowRunner", beam_options=("--sdk_container_image=own",)), None, [], "workers without kernels"),
        (Execution("PortableRunner"), None, [], "workers without kernels compile them first"),
        (Execution("FnApiRunner"), None, [False], "compiling kernels: once on this machine"),
    ],
)
def test_kernels_are_compiled_here_for_workers_that_get_this_package(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: Execution,
    obstacle: str | None,
    compiled: list[bool],
    said: str,
) -> None:
    recipe = recipes.read(str(write_recipe(tmp_path, format="jsonl", stages=["language"])))
    asked: list[bool] = []
    monkeypatch.setattr(portable_kernels, "obstacle", lambda: obstacle)
    monkeypatch.setattr(warm_up, "is_compiled", lambda groups, *, portable: False)
    monkeypatch.setattr(warm_up, "run_jobs", lambda missing, *, report, portable, server: asked.append(portable))
    lines = Lines()

    _running._compile(recipe, lines, where)

    assert compiled == asked
    assert [said] == [line[: len(said)] for line in lines.lines]
