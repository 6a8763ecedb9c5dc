"""What is marked in a text is what the kernels counted."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from filters import fineweb, quality, repetition
from massivetext.browse.marks import LONGEST, Options, Piece, is_markable, pieces, spans

NOTHING = Options()


def marked(rule: str, text: str, options: Options = NOTHING, **row: object) -> list[str]:
    return [text[start:end] for start, end in spans(rule, text, row, options)]


def test_a_repeated_ngram_is_marked_where_it_stands() -> None:
    text = "a b c d e f\nx y a b c d e f z"

    assert ["a b c d e f", "a b c d e f"] == marked("repetition.duplicate_5gram_character_fraction", text)
    assert [] == marked("repetition.duplicate_7gram_character_fraction", text)


def test_repeats_leave_the_first_occurrence_out() -> None:
    text = "one two three four five and one two three four five"
    rule = "repetition.duplicate_5gram_character_fraction"

    assert [(28, 51)] == spans(rule, text, {}, Options(repeats=True))
    assert ["line"] == marked("repetition.duplicate_line_fraction", "line\nother\nline", Options(repeats=True))


def test_the_top_ngram_is_the_longer_one_of_equals() -> None:
    text = "aa bb cc dddd eeee . aa bb - dddd eeee"

    assert ["dddd eeee", "dddd eeee"] == marked("repetition.top_2gram_character_fraction", text)
    assert [] == marked("repetition.top_2gram_character_fraction", "every word is another one")


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("quality.bullet_line_fraction", "* one\n*two\n\u2022three\n-\n- four", ["* one", "\u2022three", "- four"]),
        ("quality.ellipsis_line_fraction", "one...\ntwo\u2026 \nthree. ..", ["one...", "two\u2026"]),
        ("quality.hash_ratio", "## a #b", ["##", "#"]),
        ("quality.ellipsis_ratio", ".... \u2026 ......", ["...", "\u2026", "...", "..."]),
        ("quality.alphabetic_word_fraction", "a1 22 --", ["22", "--"]),
        ("quality.stop_word_count", "The, (cat) TO of-", ["The", "TO", "of"]),
        ("repetition.duplicate_paragraph_fraction", "p q\n \np q\n\nr", ["p q", "p q"]),
        ("fineweb.short_line_fraction", "x" * 29 + "\n" + "y" * 30, ["x" * 29]),
        ("fineweb.punctuation_line_fraction", "open\nclosed.", ["open"]),
        ("quality.word_count", "nothing to mark", []),
    ],
)
def test_lines_words_and_characters(rule: str, text: str, expected: list[str]) -> None:
    assert expected == marked(rule, text)


def test_words_beyond_the_limits_of_the_mean_are_marked() -> None:
    options = Options(least=3, most=5)

    assert ["ab", "abcdef"] == marked("quality.mean_word_length", "ab abc abcde abcdef", options)


def test_written_words_are_characters_of_scripts_without_spaces() -> None:
    options = Options(written=frozenset({"repetition"}))

    rule, text = "repetition.top_2gram_character_fraction", "\u4e2d\u6587x\u4e2d\u6587"

    assert ["\u4e2d\u6587", "\u4e2d\u6587"] == marked(rule, text, options)
    assert [] == marked(rule, text)


def test_spans_of_test_items_come_from_the_ledger() -> None:
    row = {"test_span": "0:3,5:7,6:8,4:2,90:99", "contamination_passage_span": "1:2"}

    assert [(0, 3), (5, 8)] == spans("contamination.containment", "0123456789", row, NOTHING)
    assert [(1, 2)] == spans("contamination.passage", "0123456789", row, NOTHING)
    assert [] == spans("contamination.jaccard", "0123456789", {"test_span": None}, NOTHING)


def test_unsafe_terms_and_replaced_addresses() -> None:
    options = Options(unsafe_terms=(r"(?i)\b(?:bad|worse)\b",), replacements=("192.0.2.1",))

    assert ["Bad", "worse"] == marked("safe_search.safe_search_score", "Bad badly worse", options)
    assert ["192.0.2.1"] == marked("pii.ip", "at 192.0.2.1 or 192x0.2.1", options)


def test_a_text_beyond_the_limit_has_no_marks() -> None:
    assert [] == spans("quality.hash_ratio", "#" * (LONGEST + 1), {}, NOTHING)
    assert [(0, LONGEST)] == spans("quality.hash_ratio", "#" * LONGEST, {}, NOTHING)


def test_pieces_are_the_whole_text_in_order() -> None:
    cut = list(pieces("abcdefg", {"one": [(1, 4)], "two": [(0, 2), (3, 5)]}))

    assert [("a", ("two",)), ("b", ("one", "two")), ("c", ("one",)), ("d", ("one", "two"))] == [
        (piece.text, piece.rules) for piece in cut[:4]
    ]
    assert "abcdefg" == "".join(piece.text for piece in cut)
    assert [Piece("abc", ())] == list(pieces("abc", {}))
    assert [] == list(pieces("", {}))


@pytest.mark.parametrize("repeats", [False, True])
def test_marked_characters_are_the_measured_fractions(repeats: bool) -> None:
    draw = random.Random(7)
    words = ["a", "bb", "ccc", "#", "x...", "1", "the", "\u00e9t\u00e9", "-"]
    texts = [
        "\n".join(" ".join(draw.choices(words, k=draw.randint(0, 9))) for _ in range(draw.randint(1, 8)))
        for _ in range(60)
    ]
    options = Options(repeats=repeats)
    columns = repetition.measure(pa.array(texts), count_duplicates="repeats" if repeats else "all")
    for name in columns.schema.names:
        if "gram" not in name and "line_character" not in name:
            continue
        for text, value in zip(texts, columns.column(name).to_pylist()):
            parts = marked(f"repetition.{name}", text, options)
            whole = sum(map(len, text.split()))
            if "line_character" in name:
                whole = sum(len(line.strip()) for line in text.split("\n"))
                n = sum(map(len, parts))
            else:
                n = sum(len(word) for part in parts for word in part.split())

            assert pytest.approx(value) == (n / whole if whole else 0.0), (name, text)


def test_marked_lines_and_words_are_the_measured_shares() -> None:
    text = "- one two\nthe 22 ...\n\u2022 be it so\nan end."
    columns = quality.measure(pa.array([text])).to_pylist()[0]
    lines = fineweb.measure(pa.array([text])).to_pylist()[0]

    assert columns["bullet_line_fraction"] == len(marked("quality.bullet_line_fraction", text)) / 4
    assert columns["ellipsis_line_fraction"] == len(marked("quality.ellipsis_line_fraction", text)) / 4
    n_words = columns["word_count"]
    n_without = len(marked("quality.alphabetic_word_fraction", text))
    assert columns["alphabetic_word_fraction"] == (n_words - n_without) / n_words
    assert columns["stop_word_count"] == len(set(marked("quality.stop_word_count", text)))
    assert lines["short_line_fraction"] == len(marked("fineweb.short_line_fraction", text)) / 4
    assert lines["punctuation_line_fraction"] == 1 - len(marked("fineweb.punctuation_line_fraction", text)) / 4


def test_what_can_be_marked() -> None:
    assert is_markable("repetition.top_3gram_character_fraction")
    assert is_markable("contamination.title")
    assert not is_markable("quality.word_count")
    assert not is_markable("duplicate.near")
