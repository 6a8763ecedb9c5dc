"""Bare words: against plain Python, by hand, and what the reformatted passage finds."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.contamination import TestSet, TestSets, verdict
from massivetext.contamination.bare import bare_words, located_bare_words
from tests import oracle
from tests.strategies import texts as any_texts

CODE = (
    'def longest_common_prefix(words, default="none"):\n    """Return the longest prefix that all words share."""\n'
    "    if not words:\n        return default\n    first, last = min(words), max(words)\n"
    "    for position, letter in enumerate(first):\n        if letter != last[position]:\n"
    "            return first[:position]\n    return first\n"
)
LATEX = r"Suppose that the function $f(x)=\frac{x^2+3x}{2}$ is continuous on $[0,1]$ and let $\alpha=f(1)-f(0)$ hold"
HYPHENS = "a well-known state-of-the-art long-term follow-up study of low-income middle-aged part-time workers"


def plain(text: str) -> list[str]:
    """The bare words of a text without escapes."""
    text = unicodedata.normalize("NFC", text)
    words: list[str] = []
    open_ = alone = False
    for c in text:
        kind = unicodedata.category(c)
        if kind == "Cf":
            continue
        if c.isspace() or kind[0] in "PS":
            open_ = alone = False
            continue
        unspaced = oracle.is_unspaced(c)
        if open_ and (kind[0] != "M" if alone else unspaced):
            open_ = False
        if not open_:
            words.append("")
            open_, alone = True, unspaced
        words[-1] += c.lower()
    return words


def hashed(word: str) -> int:
    h = 0xCBF29CE484222325
    for c in word:
        h = (h ^ ord(c)) * 0x9E3779B97F4A7C15 & oracle.MASK
    return oracle.fmix(h)


def words_in(text: str) -> list[str]:
    located = located_bare_words(text)
    return [text[start:end] for start, end in zip(located.starts, located.ends)]


@given(st.lists(any_texts.map(lambda text: re.sub(r"[\\&]", "", text)), max_size=5))
def test_same_as_plain_python(documents):
    words = bare_words(pa.array(documents, pa.string()))
    for i, document in enumerate(documents):
        hashes = words.hashes[words.bounds[i] : words.bounds[i + 1]].tolist()

        assert hashes == [hashed(word) for word in plain(document)]
        assert located_bare_words(document).hashes.tolist() == hashes


def test_texts_of_as_many_words_as_their_bytes_can_have():
    """Also where the text in NFC is longer: U+0958 becomes a letter and a mark."""
    documents = ["a", "a b", "a b ", " a b", "a " * 999 + "a", "", "\u0958 " * 300, "b", "e\u0301 " * 300 + "a b c"]
    words = bare_words(pa.array(documents))
    for i, document in enumerate(documents):
        hashes = words.hashes[words.bounds[i] : words.bounds[i + 1]].tolist()

        assert hashes == [hashed(word) for word in plain(document)]
        assert located_bare_words(document).hashes.tolist() == hashes


def test_a_word_that_nfc_alone_makes_stands_in_the_whole_text():
    """U+2ADC is a symbol; NFC takes it apart, into a symbol and a mark, and a mark is a word."""
    located = located_bare_words("\u2adc ")

    assert [hashed("\u0338")] == located.hashes.tolist() == bare_words(pa.array(["\u2adc "])).hashes.tolist()
    assert [(0, 2)] == list(zip(located.starts, located.ends))


@given(st.text(alphabet='\\&;#xunrt0a9dD8 "é\u0301\u4e00', max_size=40))
def test_escapes_never_read_past_the_end(text):
    located = located_bare_words(text)

    assert all(0 <= start < end <= len(text) for start, end in zip(located.starts, located.ends))
    assert bare_words(pa.array([text])).hashes.tolist() == located.hashes.tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"one\ntwo\\nthree\tfour\r\nfive", ["one", "two", "three", "four", "five"]),
        (r"say \"yes\" or \'no\'", ["say", "yes", "or", "no"]),
        ("state-of-the-art", ["state", "of", "the", "art"]),
        (r"x_1+\frac{1}{2}", ["x", "1", "frac", "1", "2"]),
        ("&quot;a&quot; &#39;b&#39; R&D", ["a", "b", "R", "D"]),
        ("so\u00adft", ["so\u00adft"]),
        ("\u65e5\u672ctext", ["\u65e5", "\u672c", "text"]),
        ("", []),
    ],
)
def test_words_by_hand(text, expected):
    assert words_in(text) == expected


@pytest.mark.parametrize(
    "escaped", [r"caf\u00e9", r"caf\\u00e9", r"caf\xe9", "caf&#233;", "caf&#xE9;", "cafe\u0301", "caf\u00e9"]
)
def test_escapes_are_the_code_points_that_they_write(escaped):
    assert located_bare_words(f"un {escaped} noir").hashes.tolist() == [hashed(w) for w in ("un", "café", "noir")]


def test_two_escapes_of_one_code_point():
    assert located_bare_words(r"\ud835\udc9c").hashes.tolist() == [hashed("\U0001d49c")]
    assert words_in(r"a\ud83db \ud83d\u0041") == ["a", "b", r"\u0041"]


REFORMATTED = {
    "JSON": (CODE, json.dumps({"prompt": CODE})),
    "JSON in JSON": (CODE, json.dumps({"line": json.dumps({"prompt": CODE})})),
    "Python": (CODE, repr(CODE)),
    "notebook": (CODE, json.dumps({"source": CODE.splitlines(keepends=True)}, indent=1)),
    "HTML": (CODE, CODE.replace("<", "&lt;").replace('"', "&quot;").replace("!=", "&#33;=")),
    "formatted again": (
        CODE,
        re.sub(r"\s*([=,()\[\]:!+])\s*", r"\1", CODE).replace('"', "'").replace("return", "\n  return "),
    ),
    "tabs": (CODE, CODE.replace("    ", "\t")),
    "one line": (CODE, " ".join(CODE.split())),
    "spaces of LaTeX": (LATEX, re.sub(r"([=+^{}()$\[\],-])", r" \1 ", LATEX)),
    "no spaces of LaTeX": (re.sub(r"([=+^{}()$\[\],-])", r" \1 ", LATEX), LATEX),
    "LaTeX in JSON": (LATEX, json.dumps(LATEX)),
    "hyphens as spaces": (HYPHENS, HYPHENS.replace("-", " ")),
    "spaces as hyphens": (HYPHENS.replace("-", " "), HYPHENS),
    "dashes": (HYPHENS, HYPHENS.replace("-", "\u2013")),
    "slashes": (HYPHENS.replace("-", "/"), HYPHENS.replace("-", " / ")),
}


@pytest.mark.parametrize("form", REFORMATTED)
def test_a_reformatted_item_is_removed(tmp_path: Path, form):
    item, text = REFORMATTED[form]
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": item}) + "\n")
    testsets = TestSets.read([TestSet("own", str(tmp_path / "a.jsonl"), "{text}")])
    document = f"{' '.join(f'before{i}' for i in range(60))} {text} {' '.join(f'after{i}' for i in range(60))}"
    columns = testsets.measure(pa.array([document]))
    broken = verdict(columns, limits={"contamination_reformatted": 0.8})
    row = columns.to_pylist()[0]

    assert broken["contamination.reformatted"].tolist() == [True]
    assert (row["contamination_reformatted_set"], row["contamination_reformatted_item"]) == ("own", 0)
    stretches = [tuple(map(int, part.split(":"))) for part in row["contamination_reformatted_span"].split(",")]
    first, last = len(document.split("before59 ")[0]) + 9, document.index(" after0")

    # The names of fields and the escapes around the item are no words of it.
    assert stretches[0][0] <= first + 40
    assert last - 40 <= stretches[-1][1]


@pytest.mark.parametrize(
    "text", [f"{LATEX[:40]} something else", "def f(x, y): return x + y", "1-2-3 4-5 6-7 a-b", r"\n\n\n\n\n\n\n\n\n\n"]
)
def test_what_holds_no_item_is_kept(tmp_path: Path, text):
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": item}) + "\n" for item in (CODE, LATEX, HYPHENS)))
    testsets = TestSets.read([TestSet("own", str(tmp_path / "a.jsonl"), "{text}")])

    assert testsets.measure(pa.array([text])).column("contamination_reformatted").to_pylist()[0] < 0.8


def test_a_passage_of_numbers_convicts_nobody(tmp_path: Path):
    # 40 words, then 60 numbers: passages of numbers alone are not searched for, by either kind of words.
    words = " ".join(f"word{i}x" for i in range(40))
    numbers = " ".join(map(str, range(1, 61)))
    (tmp_path / "a.txt").write_text(f"{words} {numbers}\n")
    testsets = TestSets.read([TestSet("own", str(tmp_path / "a.txt"), unit="line")])
    measured = testsets.measure(pa.array([f"page {numbers} next", f"page {words} next"])).to_pylist()

    # The passage from word 32 on has 8 words, and the 24 numbers after them.
    assert [row["contamination_passage"] for row in measured] == [24 / 32, 1.0]
    assert [row["contamination_reformatted"] for row in measured] == [24 / 32, 1.0]
