from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given

from filters import quality
from filters.limits import Limit, limits_of, violations
from tests import oracle
from tests.strategies import texts

WORDS = " ".join(f"word{i}" for i in range(60)) + " the and"


def broken(text: str) -> set[str]:
    columns = quality.measure(pa.array([text]))
    return {name for name, mask in violations(columns, quality.Limits()).items() if mask[0]}


def test_the_limits_are_those_of_the_paper() -> None:
    assert {
        "word_count": Limit(50, 100_000),
        "mean_word_length": Limit(3, 10),
        "hash_ratio": Limit(max=0.1),
        "ellipsis_ratio": Limit(max=0.1),
        "bullet_line_fraction": Limit(max=0.9),
        "ellipsis_line_fraction": Limit(max=0.3),
        "alphabetic_word_fraction": Limit(min=0.8),
        "stop_word_count": Limit(min=2),
    } == dict(limits_of(quality.Limits()))


@pytest.mark.parametrize("words", ["spaces", "written"])
@given(text=texts)
def test_equals_the_oracle(text: str, words: str) -> None:
    measured = quality.measure(pa.array([text], pa.large_string()), words=words).to_pylist()[0]

    assert oracle.quality(text, words == "written") == measured


def test_written_words_by_hand() -> None:
    # Words: 漢 字 。the か゚ - 本 ..., of 1, 1, 4, 2, 1, 1 and 3 code points.
    text = pa.array(["漢字。the か\u309a\n-本..."])
    spaces = quality.measure(text).to_pylist()[0]
    written = quality.measure(text, words="written").to_pylist()[0]

    assert (3, 13 / 3) == (spaces["word_count"], spaces["mean_word_length"])
    assert (7, 13 / 7) == (written["word_count"], written["mean_word_length"])
    assert (0, 1) == (spaces["stop_word_count"], written["stop_word_count"])
    assert 5 / 7 == written["alphabetic_word_fraction"]
    assert 1 / 7 == written["ellipsis_ratio"]
    # A hyphen is a bullet only where whitespace follows it.
    assert 0 == written["bullet_line_fraction"] == spaces["bullet_line_fraction"]


def test_another_kind_of_word_is_refused() -> None:
    with pytest.raises(ValueError, match="words: 'characters'; expected 'spaces' or 'written'"):
        quality.measure(pa.array(["a"]), words="characters")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "kept", "removed"),
    [
        ("word_count", "the and " + "word " * 48, "the and " + "word " * 47),
        ("word_count", "the and " + "word " * 99_998, "the and " + "word " * 99_999),
        ("mean_word_length", "the and " * 30, "the an " * 30),
        ("mean_word_length", "the and " + "w" * 17 + " " + "w" * 17 + " wwwwwwwwww" * 50,
         "the and " + "w" * 17 + " " + "w" * 18 + " wwwwwwwwww" * 50),
        ("hash_ratio", "the and " + "word " * 58 + "#" * 6, "the and " + "word " * 57 + "#" * 7),
        ("ellipsis_ratio", "the and " + "word " * 53 + "word... " * 4 + "word……", "the and " + "word " * 58 + "." * 21),
        ("bullet_line_fraction", WORDS + "\n- a" * 9, WORDS + "\n- a" * 10),
        ("ellipsis_line_fraction", "\n".join([WORDS] * 7 + ["w..."] * 3), "\n".join([WORDS] * 6 + ["w…"] * 3)),
        ("alphabetic_word_fraction", "the and " + "word " * 46 + "12 " * 12, "the and " + "word " * 46 + "12 " * 13),
        ("stop_word_count", "The (and) " + "word " * 60, "The the- " + "word " * 60),
    ],
)  # fmt: skip
def test_limits_just_kept_and_just_broken(rule: str, kept: str, removed: str) -> None:
    assert rule not in broken(kept)
    assert rule in broken(removed)


def test_all_broken_rules_are_known() -> None:
    assert {"word_count", "mean_word_length", "alphabetic_word_fraction", "stop_word_count"} == broken("")


def test_a_lone_dash_is_no_bullet() -> None:
    values = quality.measure(pa.array(["- \nx", "- x\ny", "-x\ny", "•\ny", "-\u3000x"]))["bullet_line_fraction"]

    assert values.to_pylist() == [0.0, 0.5, 0.0, 0.5, 1.0]


def test_any_text_array() -> None:
    rows = ["the end", None, "", "a # b", "日本"]
    expected = quality.measure(pa.array(["the end", "", "", "a # b", "日本"])).to_pylist()

    assert expected == quality.measure(pa.array(rows, pa.string())).to_pylist()
    assert expected == quality.measure(pa.array(rows, pa.large_string())).to_pylist()
    assert expected == quality.measure(pa.array(["x", *rows, "y"]).slice(1, 5)).to_pylist()
    assert expected == quality.measure(pa.chunked_array([rows[:2], rows[2:]], pa.string())).to_pylist()
    assert quality.measure(pa.array([], pa.string())).to_pylist() == []
    assert quality.measure(pa.chunked_array([], pa.string())).to_pylist() == []


def test_no_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="string"):
        quality.measure(pa.array([1, 2]))
