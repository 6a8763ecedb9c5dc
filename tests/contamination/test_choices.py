"""The readings of multiple-choice items, and that each form in which they stand on the web is found."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from massivetext.contamination import TestSet, TestSets, verdict
from massivetext.contamination.choices import choice_readings, options_of, question_of
from massivetext.contamination.items import read_items
from massivetext.errors import SourceError

SHORT = "Which planet is the largest of all"  # 7 words
OPTIONS = ("Red Mars", "Jupiter", "Saturn", "Venus")
LONG = "Which one of all the planets that go around our sun is the very largest"  # 15 words
LIMITS = {f"contamination_{name}": 0.8 for name in ("alignment", "passage", "reformatted")}


def reasons(testsets: TestSets, text: str) -> set[str]:
    broken = verdict(testsets.measure(pa.array([text])), limits=LIMITS)
    return {reason.removeprefix("contamination.") for reason, mask in broken.items() if mask[0]}


def page(text: str) -> str:
    return f"{' '.join(f'before{i}' for i in range(80))}\n{text}\n{' '.join(f'after{i}' for i in range(80))}"


def mmlu(folder: Path, *questions: str) -> TestSets:
    path = folder / "mmlu.jsonl"
    records = [{"question": question, "choices": OPTIONS, "answer": 1} for question in questions]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return TestSets.read([TestSet("mmlu", str(path), preset="mmlu")])


def test_the_readings_of_a_question():
    plain, lettered = f"{SHORT} Red Mars Jupiter", f"{SHORT} A. Red Mars B. Jupiter"

    assert choice_readings(SHORT, OPTIONS[:2]) == (
        plain,
        lettered,
        f"{SHORT} choices text Red Mars label A text Jupiter label B",
    )
    assert choice_readings(SHORT, OPTIONS[1:2]) == (f"{SHORT} Jupiter",)
    twelve, thirteen = (" ".join(f"word{i}" for i in range(n)) for n in (12, 13))

    assert twelve not in choice_readings(twelve, OPTIONS)
    assert choice_readings(thirteen, OPTIONS)[2] == thirteen
    # Seven telling words: the names of fields make no item of them.
    assert len(choice_readings("one two three four five", ("1", "six", "seven"))) == 2
    assert len(choice_readings("one two three four five", ("eight", "six", "seven"))) == 3
    assert len(choice_readings(SHORT, [f"option{i}" for i in range(5)])) == 3
    assert len(choice_readings(SHORT, [f"option{i}" for i in range(6)])) == 2


@pytest.mark.parametrize(
    "record",
    [
        {"question": "Q", "choices": ["a", "b"], "answer": 1},
        {"question": {"stem": "Q", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]}},
        {"question": "Q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": "Q", "choices": [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]},
        {"question": "Q", "options": {"A": "a", "B": "b"}},
        {"question_stem": "Q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}},
        {"goal": "Q", "sol1": "a", "sol2": "b"},
        {"sentence": "Q", "option1": "a", "option2": "b"},
        {"ctx": "Q", "endings": ["a", "b"], "label": "0"},
        {"Question": 1, "question": "Q", "A": "a", "B": "b"},
    ],
)
def test_layouts_of_records(record):
    assert (question_of(record), options_of(record)) == ("Q", ["a", "b"])


def test_a_record_without_a_question_is_named(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "Q", "choices": ["a"]}\n')
    with pytest.raises(SourceError, match=r"a\.jsonl: a record has 'body', 'choices'; preset arc expects a question"):
        list(read_items(TestSet("x", str(path), preset="arc")))


FORMS = {
    "lettered": "\n".join([SHORT, "A. Red Mars", "B. Jupiter", "C. Saturn", "D. Venus", "Answer: B"]),
    "in one line": f"{SHORT}? (A) Red Mars (B) Jupiter (C) Saturn (D) Venus",
    "small letters": f"{SHORT}: a) Red Mars b) Jupiter c) Saturn d) Venus. Answer: b",
    "numbered": f"{SHORT} 1. Red Mars 2. Jupiter 3. Saturn 4. Venus",
    "JSON": json.dumps({"question": SHORT, "choices": OPTIONS, "answer": 1}),
    "ARC": json.dumps(
        {"question": {"stem": SHORT, "choices": [{"text": o, "label": c} for o, c in zip(OPTIONS, "ABCD")]}}
    ),
    "ARC of a dataset": json.dumps({"question": SHORT, "choices": {"text": OPTIONS, "label": list("ABCD")}}),
    "HellaSwag": json.dumps({"ind": 4, "ctx": SHORT, "endings": OPTIONS, "label": 1}),
    "dict": repr({"question": SHORT, "choices": list(OPTIONS), "answer": 1}),
    "array": f"{{'question': '{SHORT}', 'choices': array({list(OPTIONS)}, dtype=object), 'answer': 1}}",
    "prompt in JSON": json.dumps({"prompt": f"{SHORT}\nA. Red Mars\nB. Jupiter\nC. Saturn\nD. Venus\nAnswer:"}),
    "YAML": f"question: {SHORT}\nchoices:\n- Red Mars\n- Jupiter\n- Saturn\n- Venus\n",
    "HTML": f"<p>{SHORT}</p><ol><li>Red Mars</li><li>Jupiter</li><li>Saturn</li><li>Venus</li></ol>",
    "table": f"| {SHORT} | Red Mars | Jupiter | Saturn | Venus | B |",
}
row = io.StringIO()
csv.writer(row).writerow([SHORT, *OPTIONS, "B"])
FORMS["CSV"] = row.getvalue()
FORMS["CSV in quotes"] = ",".join(f'"{value}"' for value in (SHORT, *OPTIONS, "B"))


@pytest.mark.parametrize("form", FORMS)
def test_a_short_question_is_found_in_each_form(tmp_path: Path, form):
    assert reasons(mmlu(tmp_path, SHORT), page(FORMS[form]))


@pytest.mark.parametrize("form", ["lettered", "in one line", "small letters", "ARC"])
def test_forms_that_are_readings_are_found_by_containment(tmp_path: Path, form):
    assert "containment" in reasons(mmlu(tmp_path, SHORT), page(FORMS[form]))


def test_a_long_question_is_found_without_its_options(tmp_path: Path):
    testsets = mmlu(tmp_path, SHORT, LONG)
    row = testsets.measure(pa.array([page(f"{LONG}? Nobody knows.")])).to_pylist()[0]

    assert (row["contamination_containment"], row["test_item"], row["test_items_hit"]) == (1.0, 1, 1)
    assert not reasons(testsets, page(f"{SHORT}? Nobody knows."))


def test_another_record_of_the_same_layout_is_kept(tmp_path: Path):
    choices = [{"text": text, "label": c} for text, c in zip(("Iron ore", "Copper", "Gold", "Tin"), "ABCD")]
    other = json.dumps({"question": {"stem": "What metal do we find in most rocks", "choices": choices}})
    other += json.dumps({"question": "What metal is it", "choices": ["Iron", "Copper", "Gold", "Tin"], "answer": 1})

    assert not reasons(mmlu(tmp_path, SHORT, LONG), page(other))


def test_templates_in_a_list_make_readings(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    first = " ".join(f"first{i}" for i in range(14))
    second = " ".join(f"second{i}" for i in range(14))
    records = [{"a": "some other words", "b": "too short"}, {"a": first, "b": second}, {"a": first, "b": first}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    entry = {"name": "own", "path": str(path), "text": ["{a}", "{b}", "{b} {a}"]}
    items = list(read_items(TestSet.of(entry)))
    testsets = TestSets.read([entry])
    (members,) = testsets.members

    assert items[1].readings == (first, second, f"{second} {first}")
    assert items[2].readings == (first, f"{first} {first}")
    assert (members.n_items, members.n_short, testsets.n_items) == (3, 1, 3)
    measured = testsets.measure(pa.array([f"x {second} y", f"x {first} y", first, second]))

    assert measured.column("contamination_containment").to_pylist() == [1.0] * 4
    assert measured.column("contamination_jaccard").to_pylist()[2:] == [1.0, 1.0]
    assert measured.column("test_item").to_pylist() == [1, 1, 1, 1]
    assert measured.column("test_items_hit").to_pylist() == [1, 2, 2, 1]
    assert testsets.matched(f"x {second} y", 1) == f"2:{2 + len(second)}"


def test_a_seed_of_65_items_is_no_seed_and_of_readings_of_64_is_one(tmp_path: Path):
    # Three readings of an item count once: 64 items with three readings have a seed that 65 items have not.
    shared = " ".join(f"shared{i}" for i in range(10))
    for n, is_found in ((64, True), (65, False)):
        path = tmp_path / f"{n}.jsonl"
        path.write_text("".join(json.dumps({"a": f"item{k}"}) + "\n" for k in range(n)))
        text = [f"{shared} {{a}}", f"{shared} {{a}} one", f"{shared} {{a}} two"]
        testsets = TestSets.read([TestSet("own", str(path), tuple(text))])
        values = testsets.measure(pa.array([page(shared)])).column("contamination_alignment").to_numpy()

        assert bool(np.all(values > 0.8)) == is_found
