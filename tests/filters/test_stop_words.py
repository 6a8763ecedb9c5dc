"""Stop words by language: hand-counted texts, languages with and without a list."""

from __future__ import annotations

import pyarrow as pa
import pytest

from filters import quality, stop_words
from pipelines.stages.families import Quality

pytest.importorskip("stopwordsiso")
GERMAN = "Der Hund und die Katze, UND der Vogel: sind nicht da."


@pytest.mark.parametrize(
    ("text", "words", "n"),
    [
        (GERMAN, ["der", "und", "die", "nicht"], 4),
        (GERMAN, ["Der", "UND"], 2),
        (GERMAN, ["hund und"], 0),  # two words are none
        (GERMAN, [], 0),
        ("", ["der"], 0),
        ("我是中国人，是的。", ["是", "的", "在"], 2),
        ("ce n'est pas l'homme", ["n'est", "lhomme"], 2),  # punctuation is deleted from both
    ],
)
def test_different_words_of_a_list_are_counted(text: str, words: list[str], n: int) -> None:
    assert [n, 0] == stop_words.count(pa.array([text, None], pa.large_string()), words).tolist()


def test_the_package_has_lists_for_more_than_fifty_languages() -> None:
    known = stop_words.known_languages()

    assert len(known) > 50
    assert {"de", "fr", "zh", "ja", "ar", "hi"} <= set(known)
    assert not {"en", "th"} & set(known)
    assert () == stop_words.listed("xx")


@pytest.mark.parametrize(
    ("chosen", "counts"),
    [
        ("english", [3, 0, 0, 0]),
        ("iso", [3, 6, None, 0]),
        ({"de": ["der", "vogel"], "th": ["ไม่"]}, [3, 2, 0, 0]),
    ],
)
def test_a_document_is_counted_by_the_list_of_its_language(chosen: object, counts: list[int | None]) -> None:
    texts = pa.array(["the cat and the dog have it", GERMAN, "ไม่", None], pa.large_string())
    batch = pa.RecordBatch.from_pydict({"text": texts, "language": pa.array(["en", "de", "th", None])})
    stage = Quality(Quality.block(stop_words=chosen))

    assert counts == stage.measure(batch)["stop_word_count"].to_pylist()
    others = {name: column for name, column in stage.measure(batch).items() if name != "stop_word_count"}
    assert others == {
        name: column
        for name, column in zip(quality.measure(texts).schema.names, quality.measure(texts).columns)
        if name != "stop_word_count"
    }
