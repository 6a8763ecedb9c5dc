from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given

from filters import repetition
from filters.limits import Limit, limits_of, violations
from tests import oracle
from tests.strategies import texts


@pytest.mark.parametrize("words", ["spaces", "written"])
@pytest.mark.parametrize("mode", ["all", "repeats"])
@given(text=texts)
def test_equals_the_oracle(text: str, mode: str, words: str) -> None:
    measured = repetition.measure(pa.array([text]), count_duplicates=mode, words=words).to_pylist()[0]

    assert oracle.repetition(text, mode == "repeats", words == "written") == measured
    assert all(0 <= value <= 1 for value in measured.values())


def test_one_10gram_twice_among_100_words() -> None:
    words = [f"wrd{i:04d}" for i in range(100)]
    text = pa.array([" ".join([*words, *words[40:50]])])
    name = "duplicate_5gram_character_fraction"

    assert repetition.measure(text)[name][0].as_py() == 20 / 110
    assert repetition.measure(text, count_duplicates="repeats")[name][0].as_py() == 10 / 110


def test_lines_and_paragraphs_by_hand() -> None:
    text = "one\ntwo\n\none\ntwo\n \t\nthree"
    values = repetition.measure(pa.array([text])).to_pylist()[0]

    assert values["duplicate_line_fraction"] == 4 / 5
    assert values["duplicate_line_character_fraction"] == 12 / 17
    assert values["duplicate_paragraph_fraction"] == 2 / 3
    assert values["duplicate_paragraph_character_fraction"] == 14 / 19


def test_ties_of_the_top_ngram() -> None:
    # "a b" and "cc d" both stand twice: the one with more characters counts; then the one that comes first.
    values = repetition.measure(pa.array(["a b x cc d y a b z cc d", "a b x c d y a b z c dd"]))
    expected = [6 / 13, 4 / 12]

    assert expected == values["top_2gram_character_fraction"].to_pylist()


def test_a_word_repeated_covers_all_of_itself_once() -> None:
    values = repetition.measure(pa.array(["a " * 100])).to_pylist()[0]

    assert {1.0} == {value for name, value in values.items() if "gram" in name}


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="'first'"):
        repetition.measure(pa.array(["a"]), count_duplicates="first")


def _broken(text: str) -> set[str]:
    columns = repetition.measure(pa.array([text]))
    return {name for name, mask in violations(columns, repetition.Limits()).items() if mask[0]}


def test_the_limits_are_those_of_the_papers_table() -> None:
    top = {2: 0.20, 3: 0.18, 4: 0.16}
    covered = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
    expected = {
        "duplicate_line_fraction": 0.30,
        "duplicate_paragraph_fraction": 0.30,
        "duplicate_line_character_fraction": 0.20,
        "duplicate_paragraph_character_fraction": 0.20,
        **{f"top_{n}gram_character_fraction": most for n, most in top.items()},
        **{f"duplicate_{n}gram_character_fraction": most for n, most in covered.items()},
    }

    assert {name: Limit(max=most) for name, most in expected.items()} == dict(limits_of(repetition.Limits()))


def _twice(n: int, total: int) -> str:
    """`total` seven-letter words, all different except that one n-gram stands twice."""
    words = [f"wrd{i:04d}" for i in range(total - n)]
    return " ".join([*words, *words[:n]])


@pytest.mark.parametrize(
    ("n", "kept", "removed"),
    # 2 n of the words are covered: 4 of 20 is .20, the limit; 4 of 19 is over it; and so on.
    [(2, 20, 19), (3, 34, 33), (4, 50, 49), (5, 67, 66), (6, 86, 85), (7, 108, 107), (8, 134, 133), (9, 164, 163),
     (10, 200, 199)],
)  # fmt: skip
def test_ngram_limits_just_kept_and_just_broken(n: int, kept: int, removed: int) -> None:
    name = f"top_{n}gram_character_fraction" if n < 5 else f"duplicate_{n}gram_character_fraction"

    assert name not in _broken(_twice(n, kept))
    assert name in _broken(_twice(n, removed))


@pytest.mark.parametrize(
    ("rule", "kept", "removed"),
    [
        ("duplicate_line_fraction", "a\na\na\nb\nc\nd\ne\nf\ng\nh", "a\na\na\nb\nc\nd\ne\nf\ng"),
        ("duplicate_line_character_fraction", "a\na\nbbbbbbbb", "a\na\nbbbbbbb"),
        ("duplicate_paragraph_fraction", "a\n\na\n\na\n\n" + "\n\n".join("bcdefgh"),
         "a\n\na\n\na\n\n" + "\n\n".join("bcdefg")),
        ("duplicate_paragraph_character_fraction", "a\n\na\n\nbbbbbbbb", "a\n\na\n\nbbbbbbb"),
    ],
)  # fmt: skip
def test_line_limits_just_kept_and_just_broken(rule: str, kept: str, removed: str) -> None:
    assert rule not in _broken(kept)
    assert rule in _broken(removed)
