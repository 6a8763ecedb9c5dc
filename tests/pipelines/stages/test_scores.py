"""The stage `scores` in a recipe: what is refused, what is measured, and that every view of a run knows it."""

from __future__ import annotations

import json
import random
from importlib import resources
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from filters import linear, quality
from filters.score_training import fit_fasttext, signals_of
from massivetext.cli import commands
from massivetext.errors import RecipeError
from massivetext.report.gather import gather
from pipelines.recipe import read
from pipelines.stages.scores import Score, Scores
from tests.filters.test_scores import SETTINGS

WORDS = ["the", "of", "and", "to", "be", "have", "with", "that", "river", "stone", "house", "market", "winter", "apple"]


def text(seed: int, n: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(n)) + "."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a score of each kind, one of them with a limit that removes half."""
    base = tmp_path_factory.mktemp("scores")
    lines = [
        f"__label__{one} {words} w{i}" for i in range(30) for one, words in (("lo", "market"), ("hq", "river stone"))
    ]
    fit_fasttext(lines, str(base / "hq.bin"), SETTINGS, seed=0)
    (base / "mine.py").write_text(
        "import pyarrow.compute as pc\n\n\n"
        "def half(batch, *, factor):\n    return pc.multiply(pc.cast(batch['word_count'], 'float64'), factor)\n",
        "utf-8",
    )
    rows = [{"text": text(i, 40 + 10 * i), "url": f"http://h{i}.example/"} for i in range(12)] + [{"text": None}]
    (base / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    recipe = {
        "subsets": {
            "massiveweb": {"sources": [{"format": "jsonl", "path": "in.jsonl"}], "stages": ["quality", "scores"]}
        },
        "scores": {
            "quality_score": {},
            "hq": {"model": "hq.bin", "label": "__label__hq"},
            "half": {"function": "./mine.py:half", "args": {"factor": 0.5}, "min": 50},
        },
        "max_failed": 0.5,
        "mixture": {"weights": {"massiveweb": 1.0}},
    }
    (base / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    run = CliRunner().invoke(commands, ["run", str(base / "recipe.yaml"), "--output", str(base / "out"), "--quiet"])
    assert 0 == run.exit_code, run.output
    return base


def rows(folder: Path) -> list[dict]:
    return [
        row for path in sorted((folder / "out/ledger").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def test_each_score_is_a_column_and_a_limit_removes(folder: Path) -> None:
    documents = [row for row in rows(folder) if row["outcome"] in ("kept", "rejected")]
    assert 12 == len(documents)

    by_words = sorted(documents, key=lambda row: row["word_count"])
    assert [20.0 + 5 * i for i in range(12)] == [row["half"] for row in by_words]
    assert ["scores.half"] == sorted({reason for row in documents for reason in row["reasons"] if "scores" in reason})
    # 49.x is below, 50 is not.
    assert [row["half"] < 50 for row in by_words] == ["scores.half" in row["reasons"] for row in by_words]
    model = linear.load(str(Score().linear_path("quality_score")))
    texts = [text(i, 40 + 10 * i) for i in range(12)]
    # The subset does not go through repetition: the stage measures what the model needs.
    assert model.measure(signals_of(texts)).tolist() == [row["quality_score"] for row in by_words]
    assert all(0 < row["hq"] < 1 for row in documents)


def test_every_view_of_a_run_shows_the_scores(folder: Path) -> None:
    out = str(folder / "out")
    one = min((row for row in rows(folder) if row["word_count"] is not None), key=lambda row: row["word_count"])

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(commands, [*arguments])
        assert 0 == result.exit_code, result.output
        return " ".join(result.output.split())

    explained = said("explain", out, one["id"])
    assert "x half 20 keep 50 or more" in explained
    assert "word_count 40: -" in explained or "word_count 40: +" in explained
    assert "river: +" in explained
    moved = json.loads(said("what-if", out, "--set", "scores.half.min=30", "--json"))
    assert ["massiveweb: scores.half.min: 50.0 -> 30.0"] == moved["changes"]
    best = json.loads(said("what-if", out, "--keep", "scores.quality_score=0.3", "--by", "documents", "--json"))
    kept = sorted((row["quality_score"] for row in rows(folder) if row["outcome"] == "kept"), reverse=True)
    assert [f"massiveweb: scores.quality_score.min: None -> {kept[1]}"] == best["changes"]
    assert [2, 6] == sorted(best["subsets"]["massiveweb"]["passing"][side][0] for side in ("before", "after"))
    page = gather(out)
    shown = {e["found"].limited.signal: e["found"] for stage in page["signals"] for e in stage["signals"]}
    assert {"quality_score", "hq", "half", "word_count"} <= set(shown)
    assert ("keep 50 or more", 6) == (shown["half"].limited.words, shown["half"].broken)
    card = next((folder / "out" / "mixture").rglob("README.md")).read_text("utf-8")
    assert "`scores.half`" in card
    assert 0 == CliRunner().invoke(commands, ["validate", f"{out}/recipe.yaml", "--trust"]).exit_code


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"unknown": {}}, "no packaged score has this name"),
        ({"x": {"model": "none.json"}}, "no such file"),
        ({"x": {"model": "none.bin", "label": "hq"}}, "no such file"),
    ],
)
def test_models_that_are_not_there_stop_a_run_before_it_begins(tmp_path: Path, block: dict, message: str) -> None:
    (tmp_path / "in.txt").write_text("words\n", "utf-8")
    recipe = {
        "subsets": {"news": {"sources": [{"format": "lines", "path": "in.txt"}], "stages": ["scores"]}},
        "scores": block,
        "mixture": {"weights": {"news": 1.0}},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    result = CliRunner().invoke(commands, ["run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out")])

    assert isinstance(result.exception, RecipeError)
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ({"model": "a.bin"}, "needs `label`"),
        ({"model": "a.json", "label": "x"}, "are for a fastText model"),
        ({"model": "a.bin", "function": "pyarrow.compute:utf8_length"}, "expected one of them"),
        ({"model": "a.bin", "label": "x", "values": {"y": 1}}, "expected one of them"),
        ({"args": {"x": 1}}, "are for a `function`"),
        ({"min": 2, "max": 1}, "impossible limit"),
    ],
)
def test_a_score_is_of_one_kind(score: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Score(**score)


def test_names_of_columns_and_of_other_blocks_are_taken(tmp_path: Path) -> None:
    for block, message in (
        ("scores: {word_count: {}}", "a column of ledgers"),
        ("scores: {size: {}}", "one of the block"),
    ):
        path = tmp_path / "recipe.yaml"
        rules = "rules: {size: {function: 'pyarrow.compute:utf8_length'}}\n"
        path.write_text(f"{rules}{block}\nmixture: {{weights: {{c4: 1}}}}\n", "utf-8")
        with pytest.raises(RecipeError, match=message):
            read(str(path))


def test_a_model_that_needs_a_column_that_nothing_measures_is_named(tmp_path: Path) -> None:
    model = linear.LinearModel((linear.Term("language_score", False, 0.5, 0.1, 1.0),), 0.0)
    (tmp_path / "m.json").write_text(model.as_json(), "utf-8")
    recipe = {
        "subsets": {"c4": {"sources": [{"format": "lines", "path": "x"}], "stages": ["scores"]}},
        "scores": {"m": {"model": "m.json"}},
        "mixture": {"weights": {"c4": 1.0}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), "utf-8")

    with pytest.raises(RecipeError, match="needs the column language_score"):
        read(str(tmp_path / "recipe.yaml")).check()
    recipe["subsets"]["c4"]["stages"] = ["language", "scores"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), "utf-8")
    read(str(tmp_path / "recipe.yaml")).check()


def test_a_score_may_rest_on_an_earlier_one(tmp_path: Path) -> None:
    model = linear.LinearModel((linear.Term("first", False, 0.0, 1.0, 2.0),), 0.0, "identity", 1e6)
    (tmp_path / "m.json").write_text(model.as_json(), "utf-8")
    stage = Scores({"first": Score(function="pyarrow.compute:list_value_length"), "x": Score()})
    stage.settings = {
        "first": Score(function="tests.pipelines.stages.test_scores:length"),
        "second": Score(model=str(tmp_path / "m.json")),
    }
    columns = stage.apply(pa.RecordBatch.from_pydict({"text": pa.array(["ab", None, "abc"], pa.large_string())}))

    assert [2.0, None, 3.0] == columns["first"].to_pylist()
    assert [4.0, None, 6.0] == columns["second"].to_pylist()


def length(batch: pa.RecordBatch) -> pa.Array:
    return pa.array([len(one) for one in batch["text"].to_pylist()])


def test_words_for_people_hardly_move_the_packaged_score() -> None:
    words = [
        word
        for line in resources.files("filters").joinpath("data/identities.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
        for word in line.split()
    ]
    story = "\n".join(text(i, 30) for i in range(8)).replace("people", "market").replace("market", "people", 3)
    model = linear.load(str(Score().linear_path("quality_score")))
    values = model.measure(signals_of([story, *(story.replace("people", word) for word in words)]))

    assert len(words) > 300
    assert abs(values - values[0]).max() < 0.01


def test_signals_of_the_batch_are_used_as_they_are() -> None:
    texts = pa.array([text(1, 60)], pa.large_string())
    batch = pa.RecordBatch.from_pydict(
        {"text": texts, **dict(zip(quality.measure(texts).schema.names, quality.measure(texts)))}
    )
    stage = Scores({"quality_score": Score()})
    whole = stage.measure(batch)["quality_score"][0].as_py()
    other = batch.set_column(batch.schema.get_field_index("word_count"), "word_count", pa.array([5000]))

    assert whole < stage.measure(other)["quality_score"][0].as_py()
