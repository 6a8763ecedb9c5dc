"""What a slider says is what `massivetext what-if` says of the same limits."""

from __future__ import annotations

import pytest

from massivetext.browse.app import Run
from massivetext.browse.sliders import moved, settings, sliders
from massivetext.looking.what_if import what_if


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
    changed = run.changed(settings(run.recipe, "massiveweb", limits))
    passing = what_if(run.store.folder, run.recipe, changed, examples=0).as_data()["subsets"]["massiveweb"]["passing"]

    assert [passing["before"][0], passing["before"][2]] == [move.before["documents"], move.before["tokens"]]
    assert [passing["after"][0], passing["after"][2]] == [move.after["documents"], move.after["tokens"]]
    assert move.after["documents"] - move.before["documents"] == move.gained["documents"] - move.lost["documents"]
    for side in (move.gained, move.lost):
        assert min(3, side["documents"]) == len(side.get("examples", []))
