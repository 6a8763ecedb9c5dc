"""What a ledger says of other limits is what the pass over the text does with them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.cli._recipes import changed_recipe, run_recipe
from massivetext.demo import build
from massivetext.errors import RecipeError
from massivetext.looking.what_if import PARTNER_LOST, WhatIf, verdicts
from massivetext.looking.what_if import what_if as judge
from pipelines.curate import Curate
from pipelines.engines import Execution, open_engine
from pipelines.input_splits import find_parts
from pipelines.recipe import Recipe, read
from pipelines.run_folder.fingerprints import part_tasks
from pipelines.run_folder.folder import Folder

ENGLISH_LINE = (
    "the old man said that he would be back with the others before it was dark and we have waited for him since then "
    "because nobody in the house knew the way to the river and of all the children only two could swim as well as he"
)
GERMAN_LINE = "der alte mann sagte dass er mit den anderen vor dem abend nicht mehr aus dem dorf nach hause gehen will"
ENGLISH, GERMAN = ENGLISH_LINE.split(), GERMAN_LINE.split()
LICENCES = ("MIT", "GPL-3.0", "mit OR Foo", "Apache License, Version 2.0", None, "WTFPL", "ISC, Foo", "(")

SETTINGS = [
    ["quality.word_count.min=20"],
    ["quality.word_count.min=90", "quality.hash_ratio.max=0.02"],
    ["quality.word_count=null", "quality.stop_word_count.min=0", "quality.mean_word_length.max=4.2"],
    ["repetition.duplicate_line_fraction.max=0.05", "repetition.top_2gram_character_fraction=null"],
    ["repetition={}"],
    ["language.keep={de: 0.5}"],
    ["language.keep={en: 0.985, de: 0.2}", "quality={}"],
    ["safe_search.safe_search_score.max=0.02"],
    ["rules.size.max=300"],
    ["rules.size.max=null", "rules.size.min=400"],
    ["licence=[WTFPL, MIT]"],
    ["subsets.github.licence=[]"],
    ["subsets.massiveweb.quality.word_count.min=10", "quality.word_count.min=95"],
    ["subsets.massiveweb.stages=[language, deduplication]"],
    [
        "language.keep={en: 0.1, de: 0.1}",
        "quality.hash_ratio=null",
        "rules.size.max=1000000",
        "repetition.duplicate_paragraph_fraction.max=1",
    ],
]


def what_if(out: str, recipe: Recipe, *, examples: int = 2) -> WhatIf:
    return judge(out, run_recipe(out), recipe, examples=examples)


def _story(draw: random.Random) -> str:
    words = ENGLISH if draw.random() < 0.8 else GERMAN
    lines = [" ".join(draw.choices(words, k=draw.randint(3, 25))) for _ in range(draw.randint(1, 9))]
    if draw.random() < 0.3:
        lines += draw.choices(lines, k=draw.randint(1, 6))
    if draw.random() < 0.2:
        lines.append("# " * draw.randint(1, 12))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 300 web texts, with copies, and 60 pieces of code."""
    base = tmp_path_factory.mktemp("what-if")
    draw = random.Random(5)
    stories = [_story(draw) for _ in range(270)]
    stories += draw.sample(stories, 30)
    long = " ".join(draw.choices(ENGLISH, k=180))
    stories += [long, f"{long} once"]
    rows = [{"text": text, "url": f"http://example.org/{i}"} for i, text in enumerate(stories)]
    (base / "web.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n", "utf-8")
    code = [{"content": f"x = {i}", "path": f"{i}.py", "license": draw.choice(LICENCES)} for i in range(60)]
    (base / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in code), "utf-8")
    recipe = {
        "subsets": {
            "massiveweb": {
                "sources": [{"format": "jsonl", "path": "web.jsonl"}],
                "stages": ["language", "safe_search", "quality", "repetition", "rules", "deduplication"],
                "quality": {"mean_word_length": {"min": 2}},
            },
            "github": {"sources": [{"format": "code", "path": "code.jsonl"}]},
        },
        "rules": {"size": {"function": "pyarrow.compute:utf8_length", "max": 1200}},
        "max_failed": 0.1,
        "mixture": {"weights": {"massiveweb": 0.9, "github": 0.1}},
    }
    (base / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")
    _run(base, base / "out", base / "recipe.yaml")
    return base


def _run(base: Path, out: Path, recipe: Path, *options: str) -> None:
    arguments = ["run", str(recipe), "--output", str(out), "--quiet", *options]
    result = CliRunner().invoke(commands, arguments)
    assert 0 == result.exit_code, result.output


def _passed(recipe: Recipe, out: Path) -> dict[str, str | None]:
    """id -> reason of the documents, by the pass over the text itself, with the recipe's limits."""
    folder = Folder(str(out))
    with open_engine(Execution()) as engine:
        engine.run(Curate(folder, recipe), part_tasks(folder, recipe, find_parts(recipe)))
    table = ds.dataset(str(out / "work" / "ledger"), format="parquet").to_table(columns=["id", "outcome", "reason"])
    rows = {row["id"]: row["reason"] for row in table.to_pylist() if row["outcome"] in ("kept", "rejected")}
    curated = ds.dataset(str(out / "curated"), format="parquet").to_table(columns=["id"])["id"].to_pylist()
    assert sorted(curated) == sorted(name for name, reason in rows.items() if reason is None)
    return rows


def _judged(out: Path, recipe: Recipe) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for _, batch, reason in verdicts(str(out), recipe, ["id"]):
        found.update(zip(batch.column("id").to_pylist(), reason.to_pylist()))
    return found


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings[0])
def test_the_verdict_is_that_of_the_pass_over_the_text(folder: Path, tmp_path: Path, settings: list[str]) -> None:
    out = folder / "out"
    recipe = changed_recipe(str(out), None, settings)
    expected = _passed(recipe, tmp_path)

    assert expected == _judged(out, recipe)
    before = _judged(out, run_recipe(str(out)))
    found = what_if(str(out), recipe, examples=1000)
    changed = {name for name in before if (before[name] is None) != (expected[name] is None)}
    shown = {example["id"] for example in found.examples if not example["to"].endswith(PARTNER_LOST)}
    assert changed == shown
    assert len(changed) > 0
    passing = found.as_data()["subsets"]["massiveweb"]["passing"]["after"][0]
    passing += found.as_data()["subsets"]["github"]["passing"]["after"][0]
    assert passing == sum(reason is None for reason in expected.values())


def test_the_recipe_of_the_run_changes_nothing(folder: Path) -> None:
    found = what_if(str(folder / "out"), run_recipe(str(folder / "out")))

    assert [] == found.changes == found.examples
    assert all(before == after for moves in found.moves.values() for before, after in moves)


def test_a_run_with_these_limits_keeps_what_was_said(folder: Path, tmp_path: Path) -> None:
    setting = "quality.word_count.min=70"
    found = what_if(str(folder / "out"), changed_recipe(str(folder / "out"), None, [setting]), examples=1000)
    _run(folder, tmp_path, folder / "out" / "recipe.yaml", "--set", setting)
    ledger = ds.dataset(str(tmp_path / "ledger"), format="parquet", exclude_invalid_files=True)
    table = ledger.to_table(columns=["id", "subset", "outcome"])
    kept = sum(row["outcome"] == "kept" for row in table.to_pylist())
    after = found.sums("massiveweb", 1)
    certain = after["kept", None][0] + found.sums("github", 1)["kept", None][0]
    unknown = sum(sums[0] for key, sums in after.items() if key[0] == "unknown")

    assert certain <= kept <= certain + unknown
    # A limit on the text alone: copies go with their partner.
    assert 0 == unknown


def test_a_duplicate_whose_partner_goes_is_unknown(folder: Path) -> None:
    out = str(folder / "out")
    rows = ds.dataset(f"{out}/ledger/massiveweb", format="parquet").to_table().to_pylist()
    (near,) = [row for row in rows if row["reason"] == "duplicate.near"]
    n_kept = 361 - near["word_count"]
    limit = "max=180" if n_kept == 181 else "min=181"
    found = what_if(out, changed_recipe(out, None, [f"quality.word_count.{limit}"]), examples=1000)
    lost = [example for example in found.examples if example["to"] == f"unknown {PARTNER_LOST}"]

    assert [near["id"]] == [example["id"] for example in lost]
    assert near["partner_id"] == lost[0]["partner_id"]
    assert "duplicate duplicate.near" == lost[0]["from"]
    sums = found.moves["massiveweb"][("duplicate", "duplicate.near"), ("unknown", PARTNER_LOST)]
    assert [1, near["n_bytes"], near["n_tokens"]] == sums
    assert ("duplicate", "duplicate.near") not in found.sums("massiveweb", 1)


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("deduplication.threshold=0.7", "deduplication.threshold: 0.8 -> 0.7: duplicates are found from the texts"),
        ("extraction.engine=trafilatura", "pages would have to be extracted again"),
        ("count_duplicates=repeats", "repetition signals would have to be measured again"),
        ("tokenizer=/no/such/file", "tokens would have to be counted again"),
        ("rules.size.function=pyarrow.compute:binary_length", "no ledger holds"),
        ("rules.other={function: 'pyarrow.compute:binary_length'}", "no ledger holds"),
        ("safe_search.terms=false", "scores would have to be measured again"),
        ("language.model=/no/such/file", "languages would have to be told again"),
        ("contamination.jaccard=0.5", "test-set filtering comes after"),
        ("seed=1", "which duplicate is kept"),
        ("subsets.github.stages=[licence, quality]", "with quality: the stage was not measured in this run"),
        ("isolation.seconds=1", "given up"),
    ],
)
def test_what_needs_the_text_is_refused(folder: Path, setting: str, why: str) -> None:
    result = CliRunner().invoke(commands, ["what-if", str(folder / "out"), "--set", setting])

    assert isinstance(result.exception, RecipeError)
    assert why in str(result.exception)
    assert "massivetext run --update" in str(result.exception)


def test_the_command_says_how_to_make_it_real(folder: Path, tmp_path: Path) -> None:
    arguments = ["what-if", str(folder / "out"), "--set", "quality.word_count.min=20", "--examples", "1"]
    said = CliRunner().invoke(commands, arguments).output
    data = json.loads(CliRunner().invoke(commands, [*arguments, "--json"]).output)

    assert ["massiveweb: quality.word_count.min: 50.0 -> 20.0"] == data["changes"]
    last = said.splitlines()[-1].strip()
    assert last == data["update"]
    assert last.endswith("--update --set quality.word_count.min=20")
    example = data["examples"][0]
    assert example["from"] == "rejected quality.word_count"
    assert example["to"] == "unknown"
    assert example["text"] is not None
    (rule,) = [rule for rule in example["rules"] if rule["rule"] == "quality.word_count"]
    assert 20 <= rule["value"] < 50
    assert {"from": "50 to 100,000", "to": "20 to 100,000"} == rule["limit"]
    assert {"from": True, "to": False} == rule["broken"]
    assert example["id"] in said
    assert "later stages unknown" in said


def test_another_recipe_is_laid_over_the_sources_of_the_run(folder: Path, tmp_path: Path) -> None:
    other = json.loads((folder / "recipe.yaml").read_text("utf-8"))
    for subset in other["subsets"].values():
        del subset["sources"]
    other["quality"] = {"word_count": {"min": 20}}
    (tmp_path / "other.yaml").write_text(json.dumps(other), "utf-8")
    by_recipe = what_if(str(folder / "out"), changed_recipe(str(folder / "out"), str(tmp_path / "other.yaml"), []))
    by_setting = what_if(str(folder / "out"), changed_recipe(str(folder / "out"), None, ["quality.word_count.min=20"]))

    assert by_setting.as_data() == by_recipe.as_data()


def test_a_rule_of_ones_own_may_be_taken_out(folder: Path, tmp_path: Path) -> None:
    other = json.loads((folder / "recipe.yaml").read_text("utf-8"))
    del other["rules"]
    (folder / "without.yaml").write_text(json.dumps(other), "utf-8")
    recipe = changed_recipe(str(folder / "out"), str(folder / "without.yaml"), [])

    assert _passed(recipe, tmp_path) == _judged(folder / "out", recipe)


def test_a_run_takes_the_recipe_that_a_run_has_left(folder: Path) -> None:
    held = read(str(folder / "out" / "recipe.yaml"))

    assert read(str(folder / "recipe.yaml")) == held


@pytest.mark.heavy
@pytest.mark.parametrize(
    "settings",
    [
        ["quality.word_count.min=150", "quality.alphabetic_word_fraction.min=0.7", "repetition={}"],
        ["language.keep={en: 0.9, fr: 0.5, de: 0.5}", "safe_search.safe_search_score.max=0.05"],
        ["subsets.massiveweb.repetition.duplicate_5gram_character_fraction.max=0.05", "quality={}"],
        ["licence=[MIT, PSF-2.0]", "rules.size.max=4000", "subsets.massiveweb.quality.stop_word_count=null"],
    ],
    ids=lambda settings: settings[0],
)
def test_on_the_real_data(real: Path, tmp_path: Path, settings: list[str]) -> None:
    recipe = changed_recipe(str(real), None, settings)
    expected = _passed(recipe, tmp_path)
    before = _judged(real, run_recipe(str(real)))

    assert expected == _judged(real, recipe)
    assert 5 < sum((before[name] is None) != (reason is None) for name, reason in expected.items())


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the real data and of the demo's."""
    base = tmp_path_factory.mktemp("real")
    build(str(base))
    formats = {"massiveweb": "warc", "c4": "jsonl", "news": "lines", "wikipedia": "mediawiki"}
    paths = {"massiveweb": "warc/*.warc.gz", "c4": "peps/*.gz", "news": "news/*.txt", "wikipedia": "wikipedia/*.bz2"}
    sources = {name: [{"format": formats[name], "path": str(shared_data / paths[name])}] for name in formats}
    sources["massiveweb"].append({"format": "warc", "path": str(base / "pydoc.warc.gz"), "name": "demo/"})
    sources["github"] = [{"format": "code", "path": str(base / "library.jsonl")}]
    stages = ["language", "safe_search", "quality", "repetition", "rules", "deduplication"]
    recipe = {
        "subsets": {name: {"sources": found} for name, found in sources.items()},
        "rules": {"size": {"function": "pyarrow.compute:utf8_length", "max": 100_000}},
        "max_failed": 0.5,
        "mixture": {"weights": {"massiveweb": 1.0}},
    }
    recipe["subsets"]["massiveweb"]["stages"] = stages
    (base / "real.yaml").write_text(json.dumps(recipe), "utf-8")
    _run(base, base / "out", base / "real.yaml")
    return base / "out"
