"""`massivetext classifier train`: models, cards, folds, and the packaged score made again."""

from __future__ import annotations

import json
import random
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from filters.examples import Example, fold_of
from massivetext.cli import commands

WORDS = ["the", "of", "and", "to", "be", "have", "with", "that", "river", "stone", "house", "market", "winter", "apple"]


def train(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["classifier", "train", *arguments])


@pytest.fixture
def labelled(tmp_path: Path) -> str:
    draw = random.Random(1)
    rows = []
    for i in range(60):
        n, marks = (200, "") if i % 2 else (30, "# # ")
        words = " ".join(draw.choice(WORDS) for _ in range(n))
        rows.append({"text": marks + words, "label": ["bad", "good"][i % 2], "url": f"http://h{i % 15}.example/{i}"})
    (tmp_path / "labelled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(tmp_path / "labelled.jsonl")


@pytest.mark.parametrize("ending", ["json", "bin"])
def test_a_model_and_its_card_are_the_same_bytes_when_made_again(labelled: str, tmp_path: Path, ending: str) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        output = tmp_path / folder / f"model.{ending}"
        result = train(labelled, "--output", str(output), "--licence", "CC0", "--folds", "3", "--json")
        assert 0 == result.exit_code, result.output + str(result.exception)
        files.append((output.read_bytes(), Path(f"{output}.md").read_bytes()))

    assert files[0] == files[1]
    assert json.loads(result.output)["auc"] > (0.95 if ending == "json" else 0.0)
    card = files[0][1].decode()
    assert all(
        part in card for part in ("Licence: CC0.", "| auc |", "| `bad` | 30 |", "15 groups", "## What it weighs")
    )


def test_documents_of_a_group_are_in_one_fold() -> None:
    folds = {fold_of(Example(str(i), "x", f"host{i % 7}"), 5, 0) for i in range(0, 70, 7)}

    assert 1 == len(folds)
    assert 5 == len({fold_of(Example("", "x", f"host{i}"), 5, 0) for i in range(60)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "x.txt"], "ends in"),
        (["--output", "x.json", "--positive", "fine"], "no document has this label"),
        (["--output", "x.json", "--label", "quality"], "has no field 'quality'"),
        (["--output", "x.bin", "--kind", "linear"], "ends in .json"),
        (["--output", "x.json", "--without", "length"], "no such signal"),
    ],
)
def test_what_cannot_be_trained_is_said(labelled: str, arguments: list[str], message: str) -> None:
    result = train(labelled, *arguments)

    assert 0 != result.exit_code
    assert message in result.output + str(result.exception)


def test_numbers_are_fitted_as_numbers(labelled: str, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in Path(labelled).read_text("utf-8").splitlines()]
    path = tmp_path / "numbers.jsonl"
    path.write_text("".join(json.dumps({**row, "label": len(row["text"]) / 7}) + "\n" for row in rows), "utf-8")
    result = train(str(path), "--output", str(tmp_path / "m.json"), "--json")

    assert 0 == result.exit_code, result.output + str(result.exception)
    assert json.loads(result.output)["correlation"] > 0.9


def test_the_packaged_score_is_what_the_command_makes(shared_data: Path, tmp_path: Path) -> None:
    packaged = resources.files("filters").joinpath("data/quality_score.json").read_text("utf-8")
    output = tmp_path / "quality_score.json"
    file = str(shared_data / "quality/pages-250.jsonl.gz")
    result = train(file, "--label", "good", "--without", "mean_word_length", "--output", str(output), "--json")

    assert 0 == result.exit_code, result.output + str(result.exception)
    assert packaged == output.read_text("utf-8")
    assert json.loads(result.output)["auc"] >= 0.83


TEXT = "The river of stone and winter."


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no documents"),
        ([{"text": TEXT}], "row 1: has no field 'label'"),
        ([{"text": TEXT, "labl": "a"}], "did you mean 'labl'"),
        ([{"text": TEXT, "label": None}], "row 1: 'label' is null"),
        ([{"text": TEXT, "label": " "}], "row 1: 'label' is empty"),
        ([{"text": TEXT, "label": "a"}, {"text": TEXT, "label": ["a"]}], "row 2: 'label' is ['a']"),
        ([{"text": TEXT, "label": float("nan")}], "row 1: 'label' is nan; expected a word or a finite number"),
        ([{"text": TEXT, "label": "-Infinity"}], "row 1: 'label' is '-Infinity'"),
        ([{"text": TEXT, "label": 10**400}], "expected a word or a finite number"),
        ([{"text": 5, "label": "a"}], "row 1: 'text' is 5; expected a text"),
        ([{"text": TEXT, "label": "a"}] * 3, "all 3 have 'a'"),
        ([{"text": "", "label": "ab"[i % 2], "source": f"s{i}"} for i in range(40)], "nothing to learn"),
        ([{"text": TEXT, "label": f"x{i}"} for i in range(12)], "x0, x1, x10, x11, x2, x3, x4, x5, x6, x7 and 2 more"),
    ],
)
def test_sloppy_input_is_refused_with_row_and_value(tmp_path: Path, rows: list[object], message: str) -> None:
    path = tmp_path / "sloppy.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    result = train(str(path), "--output", str(tmp_path / "model.json"), "--folds", "2")

    assert message in str(result.exception)


def test_numbers_as_strings_are_numbers(tmp_path: Path) -> None:
    results = []
    for name, kind in (("numbers", int), ("strings", str)):
        rows = [{"text": f"{TEXT} " * (i % 7 + 1), "label": kind(i % 3), "source": f"s{i}"} for i in range(40)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        result = train(str(tmp_path / f"{name}.jsonl"), "--output", str(tmp_path / "model.json"), "--json")
        assert 0 == result.exit_code, result.exception
        results.append({**json.loads(result.output), "bytes": (tmp_path / "model.json").read_bytes()})
    assert results[0] == results[1]


def test_labels_that_fasttext_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    rows = [{"text": TEXT, "label": ["a b", "a_b"][i % 2], "source": f"s{i}"} for i in range(20)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    result = train(str(tmp_path / "in.jsonl"), "--output", str(tmp_path / "model.ftz"))

    assert "cannot tell these labels apart, for which a space is `_`: 'a b', 'a_b'" in str(result.exception)
