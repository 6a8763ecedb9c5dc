"""What a slider says is what `massivetext what-if` says of the same limits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext.browse.app import Run
from massivetext.browse.query import Query, QueryError
from massivetext.browse.sliders import languages, moved, settings, sliders
from massivetext.browse.store import Store
from massivetext.looking.what_if import what_if
from pipelines.recipe import with_settings


def test_every_limit_of_a_per_document_rule_has_a_slider(run: Run) -> None:
    keys = [slider.key for slider in sliders(run.store, "massiveweb")]

    assert "quality.word_count.min" in keys
    assert "quality.word_count.max" in keys
    assert "repetition.duplicate_line_fraction.max" in keys
    assert not [key for key in keys if key.startswith(("contamination", "language"))]
    for slider in sliders(run.store, "massiveweb"):
        assert slider.low <= slider.limit <= slider.high
        assert 0 < slider.step <= slider.high - slider.low


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"quality.word_count.min": 1.0},
        {"quality.word_count.min": 150.0},
        {"quality.word_count.min": 1.0, "quality.word_count.max": 100.0},
        {"repetition.duplicate_line_fraction.max": 0.0, "quality.stop_word_count.min": 0.0},
        {f"repetition.duplicate_{n}gram_character_fraction.max": 1.0 for n in range(5, 11)}
        | {f"repetition.top_{n}gram_character_fraction.max": 1.0 for n in range(2, 5)},
    ],
)
def test_counts_are_those_of_what_if(run: Run, limits: dict[str, float]) -> None:
    move = moved(run.store, "massiveweb", limits)
    changed = run.changed(settings(run.store, "massiveweb", limits))
    passing = what_if(run.store.folder, run.recipe, changed, examples=0).as_data()["subsets"]["massiveweb"]["passing"]

    assert [passing["before"][0], passing["before"][2]] == [move.before["documents"], move.before["tokens"]]
    assert [passing["after"][0], passing["after"][2]] == [move.after["documents"], move.after["tokens"]]
    assert move.after["documents"] - move.before["documents"] == move.gained["documents"] - move.lost["documents"]
    for side in (move.gained, move.lost):
        assert min(3, side["documents"]) == len(side.get("examples", []))


def test_a_limit_that_moves_keeps_its_other_end(run: Run) -> None:
    changes = settings(run.store, "massiveweb", {"quality.word_count.min": 30.0})

    assert [
        "subsets.massiveweb.quality.word_count.max=100000",
        "subsets.massiveweb.quality.word_count.min=30",
    ] == changes
    limit = run.changed(changes).limits("massiveweb", "quality")["word_count"]  # type: ignore[attr-defined]
    assert (30, 100_000) == (limit.min, limit.max)


@pytest.fixture(scope="module")
def german(run: Run, out: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The run, but that German documents need 90 words, and three of the kept ones are German: of 80, 95 and 120."""
    folder = tmp_path_factory.mktemp("german") / "out"
    shutil.copytree(out, folder)
    (path,) = (folder / "ledger").rglob("*.parquet")
    table = pq.read_table(path)
    rows = table.to_pylist()
    kept = [row for row in rows if row["outcome"] == "kept"]
    for row, n_words in zip(kept, (80, 95, 120)):
        row.update(language="de", language_score=0.9, word_count=n_words)
    kept[0].update(outcome="rejected", reason="quality.word_count", reasons=["quality.word_count"])
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    recipe = with_settings(
        run.recipe,  # type: ignore[arg-type]
        ["language.keep.de=0.65", "quality.by_language.de.word_count.min=90"],
        "recipe",
    )
    with Store(str(folder), recipe) as store:
        yield store


@pytest.mark.parametrize(
    ("language", "limits", "n_gained", "n_lost"),
    [
        ("de", {"quality.word_count.min": 80.0}, 1, 0),
        ("de", {"quality.word_count.min": 81.0}, 0, 0),
        ("de", {"quality.word_count.min": 95.0}, 0, 0),
        ("de", {"quality.word_count.min": 96.0}, 0, 1),
        ("", {"quality.word_count.min": 1.0}, 0, 0),
        ("", {"quality.word_count.min": 90_000.0}, 0, 6),
    ],
)
def test_the_limits_of_a_language_move_its_documents_alone(
    german: Store, language: str, limits: dict[str, float], n_gained: int, n_lost: int
) -> None:
    move = moved(german, "massiveweb", limits, language)
    changes = settings(german, "massiveweb", limits, language)
    changed = with_settings(german.recipe, changes, "recipe")  # type: ignore[arg-type]
    passing = what_if(german.folder, german.recipe, changed, examples=0).as_data()["subsets"]["massiveweb"]["passing"]

    assert (n_gained, n_lost) == (move.gained["documents"], move.lost["documents"])
    assert [passing["before"][0], passing["after"][0]] == [move.before["documents"], move.after["documents"]]


def test_sliders_of_a_language_are_its_own_limits(german: Store) -> None:
    assert ["de"] == languages(german, "massiveweb")
    assert ["quality.word_count.min"] == [slider.key for slider in sliders(german, "massiveweb", "de")]
    assert [90.0] == [slider.limit for slider in sliders(german, "massiveweb", "de")]
    assert ["quality.by_language.de.word_count.min=70"] == settings(
        german, "massiveweb", {"quality.word_count.min": 70.0}, "de"
    )
    with pytest.raises(QueryError, match="'fr' has no limits of its own"):
        moved(german, "massiveweb", {}, "fr")


def test_documents_near_a_limit_are_ordered_by_that_of_their_language(german: Store) -> None:
    rows = german.page(Query(near="quality.word_count", language=("de",)))

    assert [95, 80, 120] == [row["sort_value"] for row in rows]
    assert [pytest.approx(5 / 90), pytest.approx(10 / 90), pytest.approx(30 / 90)] == [
        row["limit_distance"] for row in rows
    ]
    assert {"language.language_score"} <= set(german.limits())
