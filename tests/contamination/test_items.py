"""Which text is an item: templates, units, compressed files, known layouts."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest
import zstandard

from massivetext.contamination import TestSet
from massivetext.contamination.items import read_items
from massivetext.errors import RecipeError, SourceError


def texts(**entry: str | None) -> list[str]:
    return [item.text for item in read_items(TestSet(name="x", **entry))]  # type: ignore[arg-type]


def test_template_over_fields(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    records = [
        {"question": "Who?", "choices": ["a", "b"], "n": 3},
        {"question": None, "choices": {"text": ["c", "d"], "label": ["A", "B"]}},
        {"choices": {"A": "e", "B": "f"}},
    ]
    path.write_text("\n".join(map(json.dumps, records)) + "\n\n")

    assert texts(path=str(path), text="{question} {choices}") == ["Who? a b", "c d", "e f"]
    assert texts(path=str(path), text="{{{n}}}") == ["{3}", "{}", "{}"]


def test_lines_and_files(tmp_path: Path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\n\r\ntw\xff\n\xef\xbb\xbfthree")
    (tmp_path / "b.txt").write_bytes(b"")

    assert texts(path=str(tmp_path), unit="line") == ["one", "tw\ufffd", "three"]  # an empty line is none (spec: lines)
    assert texts(path=str(tmp_path), unit="file") == ["one\n\ntw\ufffd\n\ufeffthree", ""]


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress, bytes]
)
def test_compressed_files_are_known_by_content(tmp_path: Path, compress):
    path = tmp_path / "whatever.jsonl"
    path.write_bytes(compress(b'{"text": "caf\\u00e9"}\n' * 3))

    assert texts(path=str(path)) == ["café"] * 3


def test_hostile_strings_are_cleaned(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a\\u0000b\\ud800c\\r\\nd"}\n')

    assert texts(path=str(path)) == ["abc\nd"]


@pytest.mark.parametrize("content", [b"{", b"[1]\n", b"[" * 100_000, b'{"text": 1}\n3\n'])
def test_a_bad_record_names_file_and_line(tmp_path: Path, content):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"bad\.jsonl: line [12] "):
        texts(path=str(path), text="{text}")


def test_a_truncated_file_is_no_shorter_test_set(tmp_path: Path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n' * 1000)[:-12])
    with pytest.raises(SourceError, match="truncated"):
        texts(path=str(path))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"text": "{a.b}"}, "expected a field's name"),
        ({"text": "{a"}, "no template"),
        ({"text": "plain"}, "names no field"),
        ({"text": "{a}", "unit": "line"}, "template is for records"),
        ({"unit": "page"}, "expected record, line or file"),
        ({"preset": "glue"}, "expected one of gsm8k, hellaswag"),
        ({"path": "/nowhere/at/all"}, "no file"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(entry, message):
    with pytest.raises(RecipeError, match=message):
        texts(**{"path": "/nowhere", **entry})


def test_an_entry_without_name_or_path():
    with pytest.raises(RecipeError, match="'path'"):
        TestSet.of({"name": "x"})


def test_mmlu_joins_the_choices_of_a_question(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    rows = [(0, "Q?", "a"), (0, "Q?", "b"), (1, "Q?", "c")]
    path.write_text(
        "".join(json.dumps({"eval_instance_index": i, "question": q, "answer": a}) + "\n" for i, q, a in rows)
        + json.dumps({"question": "R?", "choices": ["x", "y"], "answer": 1})
    )

    assert texts(path=str(path), preset="mmlu") == ["Q? a b", "Q? c", "R? x y"]


def test_hellaswag_in_both_layouts(tmp_path: Path):
    plain, records = tmp_path / "a.txt", tmp_path / "a.jsonl"
    plain.write_text("A man. he\n1\nw.\nright.\nx.\ny.\n" * 2)
    records.write_text(json.dumps({"ctx": "A man. he", "endings": ["w.", "right."], "label": "1"}))

    assert texts(path=str(plain), preset="hellaswag") == ["A man. he right."] * 2
    assert texts(path=str(records), preset="hellaswag") == ["A man. he right."]
    plain.write_text("A man. he\n1\nw.\n")
    with pytest.raises(SourceError, match="within an item"):
        texts(path=str(plain), preset="hellaswag")
    plain.write_text("A man. he\n7\nw.\nright.\nx.\ny.\n")
    with pytest.raises(SourceError, match="'7'"):
        texts(path=str(plain), preset="hellaswag")
    for label in ("²", "1" * 5000):
        plain.write_text(f"A man. he\n{label}\nw.\nright.\nx.\ny.\n")
        with pytest.raises(SourceError, match="expected an ending's number"):
            texts(path=str(plain), preset="hellaswag")


def test_wikitext_by_paragraph_or_article(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text(" \n = One = \n \n a @-@ b . \n\n = Two = \n \n c \n")

    assert texts(path=str(path), preset="wikitext") == ["= One =", "a-b.", "= Two =", "c"]
    assert [t.split() for t in texts(path=str(path), preset="wikitext", unit="record")] == [
        ["=", "One", "=", "a-b."],
        ["=", "Two", "=", "c"],
    ]


@pytest.mark.parametrize(
    ("record", "preset"),
    [
        ({"question": "q", "subject": "s", "choices": ["a"], "answer": 0}, "mmlu"),
        ({"question": "q", "choices": ["a"], "context": "c"}, None),
        ({"question": "q", "answer": "1 + 1 = <<1+1=2>>2\n#### 2"}, "gsm8k"),
        ({"question": "q", "answer": "two"}, None),
        ({"ind": 1, "ctx": "c", "endings": ["a", "b"], "label": "0"}, "hellaswag"),
    ],
)
def test_layouts_are_guessed_by_fields(tmp_path: Path, record, preset):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record))

    assert TestSet.guess(str(path)) == TestSet("a", str(path), preset=preset)


def test_a_field_that_no_record_has(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "Who?", "anwser": "a"}\n{"question": "What?"}\n')

    assert texts(path=str(path), text="{question} {anwser}") == ["Who? a", "What?"]
    with pytest.raises(RecipeError, match=r"no record has 'answer'; the first one has 'question', 'anwser'"):
        texts(path=str(path), text="{question} {answer}")
    path.write_text('{"id": 1, "body": "a b c"}\n')
    with pytest.raises(RecipeError, match="the first one has 'id', 'body'"):
        texts(path=str(path))
    path.write_text("")

    assert texts(path=str(path)) == []


def test_layouts_are_guessed(shared_data: Path):
    found = {}
    for path in sorted((shared_data / "testsets").glob("*_*")):
        testset = TestSet.guess(str(path))
        found[testset.name] = (testset.preset, testset.unit, sum(1 for _ in read_items(testset)))

    assert found["hellaswag_val_full"] == ("hellaswag", None, 10_042)
    assert found["gsm8k_test"] == ("gsm8k", None, 1_319)
    assert found["lambada_test"] == (None, None, 5_153)
    assert found["mmlu_validation-1"] == ("mmlu", None, 1_531)
    assert TestSet.guess(str(shared_data / "testsets" / "wikitext-test.txt")).preset == "wikitext"


def test_mmlu_of_the_shared_layout(shared_data: Path):
    items = texts(path=str(shared_data / "testsets" / "mmlu_validation-1.jsonl.gz"), preset="mmlu")

    assert items[0] == "The cyclic subgroup of Z_24 generated by 18 has order 4 8 12 6"
    assert len(items) == 1531


def test_a_record_without_choices_among_those_with_them(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "Who?", "choices": ["a"]}\n{"question": "Who?", "answer": 1}\n')

    assert ["Who? a", "Who? "] == texts(path=str(path), preset="mmlu")
