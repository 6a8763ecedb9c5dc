"""What is said of a wrong recipe: the line, the key, what was expected, and what may have been meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from massivetext.errors import RecipeError
from pipelines.recipe import read
from pipelines.recipe.faults import line_of

RECIPE = """\
extends: base.yaml
subsets:
  books:
    sources:
      - {format: text, path: a.txt}
      - path: b.txt
    stagez: [quality]
quality:
  word_count: {min: many}
mixture: {tokens: -1}
rejected: non
count_duplicates: repeat
"""

BASE = """\
# A comment.
seed: 1.5
repetition: 3
"""


def faults(folder: Path, *settings: str) -> list[str]:
    (folder / "mine.yaml").write_text(RECIPE, "utf-8")
    (folder / "base.yaml").write_text(BASE, "utf-8")
    with pytest.raises(RecipeError) as error:
        read(str(folder / "mine.yaml"), settings)
    head, *lines = str(error.value).split("\n")
    assert f"{folder / 'mine.yaml'}: this recipe cannot be run" == head
    return [line.strip() for line in lines]


def test_a_fault_has_its_line_its_key_and_what_was_expected(tmp_path: Path) -> None:
    expected = {
        f"{tmp_path / 'base.yaml'}, line 2: seed: expected a whole number (value: 1.5)",
        f"{tmp_path / 'base.yaml'}, line 3: repetition: expected a block with keys (value: 3)",
        "line 6: subsets.books.sources.1.format: is missing; it has no default",
        "line 7: subsets.books.stagez: unknown key; did you mean 'stages'? (value: ['quality'])",
        "line 9: quality.word_count.min: expected a number (value: 'many')",
        "line 10: mixture.tokens: expected at least 1 or 'max' (value: -1)",
        "line 11: rejected: expected 'all' or 'none' or a number; did you mean 'none'? (value: 'non')",
        "line 12: count_duplicates: expected 'all' or 'repeats'; did you mean 'repeats'? (value: 'repeat')",
    }

    assert expected == set(faults(tmp_path))


@pytest.mark.parametrize("named", ["nope", "base64", "idna"])
def test_an_encoding_that_is_none_has_its_line_and_what_helps(tmp_path: Path, named: str) -> None:
    path = tmp_path / "mine.yaml"
    source = f'{{format: text, path: a.txt, fields: {{"@encoding": {named}}}}}'
    path.write_text(f"subsets:\n  books:\n    sources:\n      - {source}\n    stages: [deduplication]\n", "utf-8")

    with pytest.raises(RecipeError) as error:
        read(str(path))

    assert (
        f"{path}: this recipe cannot be run\n  line 4: subsets.books.sources.0.fields: @encoding: {named!r} is no "
        "encoding of text that Python knows; expected one such as cp1252, latin-1 or utf-16-le; leave @encoding out, "
        f"and each file's own is found out (value: {{'@encoding': {named!r}}})"
    ) == str(error.value)


def test_a_setting_of_the_command_line_has_no_line(tmp_path: Path) -> None:
    lines = faults(tmp_path, "seed=-1", "repetition={top_2gram: 1}", "quality.word_count.min=1", "mixture.tokens=max")

    assert "--set seed: expected at least 0 (value: -1)" in lines
    assert any(line.startswith("--set repetition.top_2gram: unknown key; ") for line in lines)
    assert not any("word_count" in line or "mixture" in line for line in lines)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("subsets", "books", "sources", "0"), 5),
        (("subsets", "books", "sources", "0", "path"), 5),
        (("subsets", "books", "sources", "1", "path"), 6),
        (("subsets", "books", "sources", "2"), None),
        (("subsets", "news"), None),
        (("rejected", "deeper"), None),
        ((), None),
    ],
)
def test_the_line_of_a_key(keys: tuple[str, ...], line: int | None) -> None:
    assert line == line_of(RECIPE, keys)


def test_what_is_not_yaml_has_no_lines() -> None:
    assert line_of("a: [", ("a",)) is None
    assert line_of("", ("a",)) is None
