"""Planted test items, whole, moved and altered: which signal sees which, and that none sees what is clean."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from massivetext.contamination import TestSet, TestSets, verdict
from massivetext.readers import compression

SETS = {
    "passage": ("passage_question_answer", "{passage}"),
    "passage_question_answer": ("passage_question_answer", "{passage} {question} {answer}"),
    "question_answer": ("question_answer", "{question} {answer}"),
    "question": ("question", "{question}"),
    "answer": ("question_answer", "{answer}"),
}

# (file, line): (jaccard removes, containment removes, alignment of .8 or more)
EXPECTED = {
    ("contaminated_at_beginning", 0): (False, True, True),
    ("contaminated_at_end", 0): (False, True, True),
    ("contaminated_middle_position", 0): (False, True, True),
    ("contaminated_multiple_in_one", 0): (False, True, True),
    ("contaminated_punctuation_variation", 0): (False, True, True),
    ("contaminated_single_deletion", 0): (False, False, True),
    ("contaminated_single_edit", 0): (False, False, True),
    ("contaminated_single_insertion", 0): (False, False, True),
    ("contaminated_edge_cases", 0): (False, False, True),
    ("contaminated_edge_cases", 1): (True, True, True),
    ("contaminated_edge_cases", 2): (False, True, True),
    ("contaminated_edge_cases", 3): (False, True, True),
    ("contaminated_edge_cases", 4): (False, False, True),
    ("contaminated_mixed", 0): (False, True, True),
    ("contaminated_mixed", 3): (False, True, True),
    ("contaminated_mixed", 4): (False, True, True),
    ("long_document", 0): (False, True, True),
}
# Line 1 of the mixed file says in other words what an item says; line 2 and the demonstration hold none of these items.
CLEAN = [("clean", i) for i in range(5)] + [("contaminated_mixed", i) for i in (1, 2)] + [("demo", i) for i in (0, 1)]


@pytest.fixture(scope="module")
def planted(shared_data: Path) -> dict[tuple[str, int], dict[str, object]]:
    folder = shared_data / "testsets" / "planted"
    reference = str(folder / "reference" / "{}_reference.jsonl")
    entries = [TestSet(name, reference.format(file), text) for name, (file, text) in SETS.items()]
    testsets = TestSets.read(entries)
    found = {}
    for path in sorted((folder / "training").iterdir()):
        with path.open("rb") as stream:
            lines = b"".join(b.data or b"" for b in compression.blocks(stream, source=path.name)).splitlines()
        columns = testsets.measure(pa.array([json.loads(line)["text"] for line in lines if line]))
        reasons = verdict(columns)
        for i, row in enumerate(columns.to_pylist()):
            key = (path.name.removesuffix(".jsonl"), i)
            found[key] = {**row, **{reason: bool(mask[i]) for reason, mask in reasons.items()}}
    return found


@pytest.mark.parametrize("key", EXPECTED, ids=lambda key: f"{key[0]}-{key[1]}")
def test_planted(planted, key):
    row = planted[key]
    removes = row["contamination.jaccard"], row["contamination.containment"]

    assert (*removes, row["contamination_alignment"] >= 0.8) == EXPECTED[key]


@pytest.mark.parametrize("key", CLEAN, ids=lambda key: f"{key[0]}-{key[1]}")
def test_clean(planted, key):
    row = planted[key]

    assert row["test_items_hit"] == 0
    assert row["contamination_alignment"] == row["contamination_passage"] == 0.0


@pytest.mark.parametrize("suffix", ["bz2", "gz", "xz", "zst"])
def test_compressed_as_plain(planted, suffix):
    for i in range(5):
        assert planted[f"contaminated_mixed.jsonl.{suffix}", i] == planted["contaminated_mixed", i]
