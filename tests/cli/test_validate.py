from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.errors import RecipeError
from tests.in_process import massivetext


def test_the_packaged_recipe_is_valid() -> None:
    done = massivetext("validate", "gopher")

    assert 0 == done.returncode, done.stderr
    assert "weight 0.48" in done.stdout


def test_wrong_recipes_and_wrong_usage_exit_2() -> None:
    wrong = massivetext("validate", "gopher", "--set", "quality.word_count.min=200000")

    assert 2 == wrong.returncode
    assert "impossible limit" in wrong.stderr
    assert 2 == massivetext("validate").returncode
    assert 2 == massivetext("no-such-command").returncode


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "one.txt").write_text("A text.", "utf-8")
    (tmp_path / "mine.yaml").write_text(
        "subsets: {books: {sources: [{format: text, path: '*.txt'}], stages: [language, quality]}}\n", "utf-8"
    )
    return tmp_path / "mine.yaml"


def test_what_is_there_is_said(recipe: Path) -> None:
    done = CliRunner().invoke(commands, ["validate", str(recipe), "--json"])
    found = json.loads(done.stdout)

    assert {"weight": 0.27, "files": 1, "parts": 1, "bytes": 7, "stages": ["language", "quality"]} == found["subsets"][
        "books"
    ]
    assert 32 == len(found["digest"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["subsets.books.sources=[{format: text, path: /nope/*.md}]"], "subsets.books.sources.0.path: no file matches"),
        (
            ["subsets.books.sources=[{format: text, path: 'https://h/a.txt'}]"],
            "--set subsets.books.sources.0.path: https://h/a.txt: no files can be read or written at https:// URLs",
        ),
        (["safe_search.block_lists=['hf://datasets/a']"], "--set safe_search.block_lists.0: hf://datasets/a: no files"),
        (
            ["tokenizer=az://a/b.model"],
            "--set tokenizer: az://a/b.model: no files can be read or written at az:// URLs",
        ),
        (
            ["subsets.books.sources=[{format: text, path: 'abfs://container/a.txt'}]"],
            "subsets.books.sources.0.path: abfs://container/a.txt: abfs:// URLs cannot be used here",
        ),
        (
            ["subsets.books.stages=[deduplication]", "deduplication.across=[books, zz]"],
            "deduplication.across.1: 'zz'; expected subsets of the recipe, each once: books, ",
        ),
        (
            ["subsets.books.stages=[deduplication]", "subsets.books.deduplication.against=['{folder}']"],
            "deduplication.against.0: {folder}: holds no index; make one with `massivetext index {folder}`",
        ),
        (
            ["subsets.books.stages=[deduplication]", "deduplication.against=[/nope]"],
            "deduplication.against.0: /nope: holds no index",
        ),
        (["deduplication.against=[/nope]"], "deduplication.against.0: no file at '/nope'; correct the path"),
        (["subsets.books.safe_search.block_lists=[/nope]"], "subsets.books.safe_search.block_lists.0: no file at"),
        (["scores.a.model=/nope.json"], "scores.a.model: no file at '/nope.json'"),
        (["language.model={folder}/one.txt"], "language.model: {folder}/one.txt: not a fastText model"),
        (["language.model=/nope.bin"], "language.model: no file at '/nope.bin'; expected a fastText model"),
        (
            ["subsets.books.stages=[safe_search]", "safe_search.block_lists=[/nope]"],
            "safe_search.block_lists.0: no file at '/nope'; expected a file or a folder with lists",
        ),
        (
            ["subsets.books.stages=[safe_search]", "safe_search.terms=/nope"],
            "safe_search.terms: /nope: cannot be opened: No such file or directory; expected a file of weight<TAB>term",
        ),
        (
            ["subsets.books.stages=[safe_search]", "safe_search.model={folder}/one.txt"],
            "safe_search.model: {folder}/one.txt: not a fastText model",
        ),
        (
            ["subsets.books.sources=[{format: csv, path: one.txt, fields: {'@delimiter': ';;'}}]"],
            "subsets.books.sources.0.fields: @delimiter: ';;'; expected one character other than the quotation mark",
        ),
        (["testsets=[{name: a, path: /nope.jsonl}]"], "testsets.0.path: no file matches '/nope.jsonl'; expected"),
        (["quality.word_count.min=x"], "--set quality.word_count.min: expected a number (value: 'x')"),
        (["quality.wordcount={min: 1}"], "quality.wordcount: unknown key; did you mean 'word_count'?"),
        (["mixture.weights={books: 0.5}"], "weights must sum to 1, these sum to 0.5"),
        (["seed=-1"], "--set seed: expected at least 0 (value: -1)"),
    ],
)
def test_what_cannot_run_exits_2_with_key_value_and_what_is_expected(
    recipe: Path, settings: list[str], said: str
) -> None:
    filled = [setting.replace("{folder}", str(recipe.parent)) for setting in settings]
    arguments = [word for setting in filled for word in ("--set", setting)]
    with pytest.raises(RecipeError, match=re.escape(said.replace("{folder}", str(recipe.parent)))) as error:
        CliRunner().invoke(commands, ["validate", str(recipe), *arguments], catch_exceptions=False)

    assert 2 == error.value.exit_status


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], "tokenizer: none is named"),
        ([], "mixture.weights: massiveweb, c4, news, github, wikipedia have weight and no sources"),
        (["mixture.weights={c4: 1}"], "mixture.weights.books: is 0 or missing"),
        (["subsets.books.stages=[contamination]"], "testsets: none is named, so the stage contamination of books"),
        (["testsets=[{name: a, path: '{folder}/one.txt', unit: file}]"], "subsets.books.stages: without contamination"),
        (["rules.wide={function: 'pyarrow.compute:utf8_length'}"], "rules: no subset declares the stage rules"),
        (["subsets.books.repetition={}"], "subsets.books.repetition: has no effect"),
        (
            ["language.keep={en: 0.5, de: 0.5}"],
            "quality.stop_word_count: counts English words, and so removes text in de",
        ),
        (["subsets.books.stages=[c4]"], "c4: the stage of books has no limits"),
        (["max_failed=0.5"], "max_failed: 0.5 bears"),
        (["mixture.max_epochs=9"], "mixture.max_epochs: 9"),
        (
            ["subsets.books.stages=[safe_search]", "safe_search.terms=false", "safe_search.model=false"],
            "subsets.books.safe_search: terms, model and block_lists are all off",
        ),
        (
            ["subsets.github.sources=[{format: text, path: '{folder}/one.txt'}]", "subsets.github.stages=[language]"],
            "subsets.github.stages: without licence",
        ),
    ],
)
def test_what_would_be_regretted_is_warned_of(recipe: Path, settings: list[str], said: str) -> None:
    filled = [setting.replace("{folder}", str(recipe.parent)) for setting in settings]
    arguments = [word for setting in filled for word in ("--set", setting)]
    done = CliRunner().invoke(commands, ["validate", str(recipe), *arguments], catch_exceptions=False)

    assert 0 == done.exit_code
    assert f"warning: {said}" in done.stderr
    if settings:
        plain = CliRunner().invoke(commands, ["validate", str(recipe)], catch_exceptions=False)
        assert said not in plain.stderr


def test_a_file_that_cannot_be_read_is_named_once_an_ending(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"part.{number}").write_bytes(b"no Parquet")
    pq.write_table(pa.table({"text": ["A text."]}), tmp_path / "a.parquet")
    (tmp_path / "README.md").write_text("# A data set", "utf-8")
    recipe = tmp_path / "_recipe.yaml"
    recipe.write_text("subsets: {books: {sources: [{format: parquet, path: .}], stages: [quality]}}\n", "utf-8")
    done = CliRunner().invoke(commands, ["validate", str(recipe)], catch_exceptions=False)
    warnings = [line for line in done.stderr.splitlines() if "not a Parquet file" in line]

    assert 0 == done.exit_code
    assert 2 == len(warnings)
    assert "README.md: not a Parquet file that can be read" in warnings[0]
    assert "give the source its format, or a pattern that leaves it out" in warnings[0]
    assert "part.0: " in warnings[1]


def test_a_run_without_a_mixture_prints_which_sources_failed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n', "utf-8")
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "subsets: {t: {sources: [{format: parquet, path: a.jsonl}], stages: [quality]}}\nmixture: {weights: {t: 1}}\n",
        "utf-8",
    )
    done = massivetext("run", str(recipe), "--output", str(tmp_path / "out"), "--quiet")
    lines = done.stderr.splitlines()

    assert 1 == done.returncode
    assert lines[0].startswith(f"failed: {tmp_path}/a.jsonl: not a Parquet file that can be read")
    assert "failed: t: 1 of 1 records failed" in lines[1]
    assert lines[-1].startswith("error: mixture.weights: no documents are kept of t")


def test_a_folder_of_a_source_that_cannot_be_read_is_named(folder_of_a_user: Path) -> None:
    for name in ("a", "b"):
        (folder_of_a_user / "in" / name).mkdir(parents=True)
        (folder_of_a_user / "in" / name / "x.txt").write_text("A text.", "utf-8")
    (folder_of_a_user / "in" / "b").chmod(0)
    recipe = folder_of_a_user / "mine.yaml"
    recipe.write_text("subsets: {books: {sources: [{format: text, path: in}], stages: [quality]}}\n", "utf-8")
    done = massivetext("validate", recipe)

    assert 1 == done.returncode
    assert "/in/b: cannot be read: Permission denied" in done.stderr
