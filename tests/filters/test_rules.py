from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import c4, fineweb, pii, quality, repetition, rules
from massivetext.dedup.signatures import signatures
from tests.checked import checked_environment
from tests.strategies import texts


@given(st.lists(texts, max_size=5), st.sampled_from(["all", "repeats"]), st.sampled_from(["spaces", "written"]))
def test_one_pass_gives_what_each_family_gives(rows: list[str], mode: str, words: str) -> None:
    column = pa.array(rows, pa.string())
    measured = rules.measure(column, count_duplicates=mode, words=words, num_hashes=16, seed=3)

    assert quality.measure(column, words=words) == measured.quality
    assert repetition.measure(column, count_duplicates=mode, words=words) == measured.repetition
    np.testing.assert_array_equal(signatures(column, num_hashes=16, seed=3), measured.signatures)


def test_the_order_of_documents_makes_no_difference() -> None:
    rows = ["a b c a b", "", "the cat. the cat. " * 40, "e\u0301 " * 30]
    forward = rules.measure(pa.array(rows))
    backward = rules.measure(pa.array(rows[::-1]))

    assert forward.repetition.to_pylist() == backward.repetition.to_pylist()[::-1]
    np.testing.assert_array_equal(forward.signatures, backward.signatures[::-1])


def test_random_bytes_stay_within_bounds() -> None:
    # Arrow does not check UTF-8 that a caller vouches for: kernels must not read outside whatever the bytes are.
    program = """
import numpy as np, pyarrow as pa
from filters import rules
r = np.random.default_rng(7)
for n in (0, 1, 2, 3, 7, 1000, 20000):
    for high in (256, 128, 0xF8):
        data = r.integers(0xC0 if high == 0xF8 else 0, high, n, dtype=np.uint8)
        cuts = np.sort(r.integers(0, n + 1, 5)).astype(np.int64)
        offsets = np.concatenate([[0], cuts, [n]]).astype(np.int64)
        texts = pa.LargeStringArray.from_buffers(6, pa.py_buffer(offsets), pa.py_buffer(data))
        rules.measure(texts, num_hashes=4)
print("ok")
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=checked_environment(), check=False)

    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr


def test_importing_filters_compiles_nothing() -> None:
    program = "from filters import one_pass; print(one_pass._pass_over.signatures)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert out == "[]\n"


def test_c4_lines_and_pages() -> None:
    text = "This line has five words.\nToo short.\nThis one has no end mark\nPlease do enable Javascript here now.\n" \
           "This one trails off slowly...\n“All of this is quoted.”"  # fmt: skip

    assert c4.without_lines(pa.array([text, None])).to_pylist() == [
        "This line has five words.\n“All of this is quoted.”",
        None,
    ]
    assert c4.measure(pa.array(["One. Two! Lorem IPSUM {x} 3.14 e.g.this is?"])).to_pylist()[0] == {
        "sentence_count": 3,
        "lorem_ipsum_count": 1,
        "curly_bracket_count": 2,
    }


def test_fineweb_by_hand() -> None:
    long = "A line of more than thirty characters."
    values = fineweb.measure(pa.array([f"{long}\nshort\n{long}\nx", ""])).to_pylist()

    assert values[0]["punctuation_line_fraction"] == 2 / 4
    assert values[0]["short_line_fraction"] == 2 / 4
    assert len(long) / (2 * len(long) + 6) == values[0]["repeated_line_character_fraction"]
    assert {0.0} == set(values[1].values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail jane.doe+x@mail.example.co.uk now", "Mail email@example.com now"),
        ("host 8.8.8.8, 192.168.0.1 and 127.0.0.1", "host 192.0.2.1, 192.168.0.1 and 127.0.0.1"),
        ("version 1.2.3.4.5 and 999.1.1.1", "version 1.2.3.4.5 and 999.1.1.1"),
        ("", ""),
        (None, None),
    ],
)
def test_addresses_are_replaced(text: str | None, expected: str | None) -> None:
    assert [expected] == pii.replace(pa.array([text], pa.string())).to_pylist()
