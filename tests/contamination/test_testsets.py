"""Every document against every item: by hand, and against plain Python."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massivetext.contamination import Members, TestSet, TestSets
from massivetext.contamination.words import words
from massivetext.errors import OutputError
from tests import oracle
from tests.contamination import plain
from tests.strategies import texts as any_texts


def index(folder: Path, *sets: list[str]) -> TestSets:
    entries = []
    for number, items in enumerate(sets):
        path = folder / f"{number}.jsonl"
        path.write_text("".join(json.dumps({"text": item}) + "\n" for item in items), "utf-8")
        entries.append(TestSet(f"set{number}", str(path), "{text}"))
    return TestSets.read(entries)


def numbers(first: int, n: int) -> str:
    return " ".join(f"wo{i}" for i in range(first, first + n))


def row(testsets: TestSets, text: str, **options: bool) -> dict[str, object]:
    return testsets.measure(pa.array([text]), **options).to_pylist()[0]


def test_a_question_inside_a_page(tmp_path):
    # 30 words have 18 shingles, 500 have 488: J = 18 / 488, which no limit sees; containment is 1.
    testsets = index(tmp_path, [numbers(1000, 20), numbers(0, 30)])
    found = row(testsets, f"{numbers(5000, 235)} {numbers(0, 30)} {numbers(6000, 235)}")

    assert found["contamination_jaccard"] == 18 / 488
    assert found["contamination_containment"] == 1.0
    assert (found["test_set"], found["test_item"], found["test_items_hit"]) == ("set0", 1, 1)


def test_an_item_of_twelve_words_stands_or_does_not(tmp_path):
    testsets = index(tmp_path, [numbers(0, 12)])

    assert row(testsets, f"x y {numbers(0, 12)} z")["contamination_containment"] == 1.0
    assert row(testsets, f"x y {numbers(0, 12)} z")["contamination_jaccard"] == 0.0
    assert row(testsets, numbers(0, 12))["contamination_jaccard"] == 1.0
    assert row(testsets, f"x {numbers(0, 11)} y wo11")["contamination_containment"] == 0.0


def test_items_of_seven_words_are_left_out_and_counted(tmp_path):
    testsets = index(tmp_path, [numbers(0, 7), numbers(20, 8), ""])
    found = row(testsets, f"{numbers(0, 7)} and {numbers(20, 8)}")

    assert testsets.members[0].n_short == 2
    assert testsets.members[0].n_searched == 1
    assert (found["test_item"], found["test_items_hit"]) == (1, 1)
    assert row(testsets, numbers(0, 7))["contamination_jaccard"] == 0.0


def test_ties_go_to_the_first_set_and_item(tmp_path):
    testsets = index(tmp_path, [numbers(100, 20)], [numbers(50, 20), numbers(0, 14), numbers(0, 14)])
    found = row(testsets, f"{numbers(0, 14)} middle {numbers(50, 20)}")

    assert (found["test_set"], found["test_item"], found["test_items_hit"]) == ("set1", 0, 3)


def test_jaccard_and_containment_may_name_different_items(tmp_path):
    testsets = index(tmp_path, [numbers(0, 13), numbers(0, 40)])
    found = row(testsets, numbers(0, 40))

    assert (found["contamination_containment"], found["test_item"]) == (1.0, 0)
    assert (found["contamination_jaccard"], found["contamination_jaccard_item"]) == (1.0, 1)


def test_span_is_in_characters(tmp_path):
    testsets = index(tmp_path, [numbers(0, 13)])
    text = f"Émile — naïve: “{numbers(0, 13)}”, end; {numbers(0, 13)}"
    found = row(testsets, text)
    stretches = [text[int(a) : int(b)] for a, b in (s.split(":") for s in str(found["test_span"]).split(","))]

    assert stretches == [f"“{numbers(0, 13)}”,", numbers(0, 13)]
    assert testsets.spans(text) == [tuple(map(int, s.split(":"))) for s in str(found["test_span"]).split(",")]


def test_punctuation_case_and_composition_do_not_matter(tmp_path):
    testsets = index(tmp_path, ["Le café, à l'été: un deux trois quatre cinq six sept huit neuf dix"])
    text = "LE CAFE\u0301 — A\u0300 L'E\u0301TE\u0301 un. deux. trois. quatre (cinq) six sept huit neuf dix"

    assert row(testsets, text)["contamination_jaccard"] == 1.0
    assert row(testsets, text.replace("L'", "L' "))["contamination_containment"] == 0.0


def test_an_unknown_word_matches_nothing(tmp_path):
    path = tmp_path / "wiki.txt"
    path.write_text(f" = Title = \n \n {numbers(0, 15)} <unk> {numbers(20, 13)} <unk> {numbers(40, 5)} \n")
    testsets = TestSets.read([TestSet("wiki", str(path), preset="wikitext")])

    assert testsets.arrays.n_shingles.tolist() == [0, 3 + 1]
    assert row(testsets, numbers(0, 15) + " unk " + numbers(20, 13))["contamination_containment"] == 1.0


def test_private_use_characters_are_words_like_others(tmp_path):
    # Only WikiText has unknown words.
    item = f"\ue000 {numbers(0, 14)} \uf8ff"

    assert index(tmp_path, [item]).arrays.n_shingles.tolist() == [4]
    assert row(index(tmp_path, [item]), item)["contamination_jaccard"] == 1.0


@pytest.mark.parametrize("place", range(1, 17))
def test_one_edit_in_an_item_is_aligned(tmp_path, place):
    # 18 words: an edit in the middle leaves no shingle of the six.
    testsets = index(tmp_path, [numbers(0, 18)])
    item = numbers(0, 18).split()

    def found(words: list[str]) -> dict[str, object]:
        return row(testsets, f"{numbers(50, 60)} {' '.join(words)} {numbers(200, 60)}")

    changed = found([*item[:place], "x", *item[place + 1 :]])
    deleted = found(item[:place] + item[place + 1 :])
    inserted = found([*item[:place], "x", *item[place:]])

    assert changed["contamination_alignment"] == 17 / 18
    assert deleted["contamination_alignment"] == 17 / 18
    assert inserted["contamination_alignment"] == 1.0
    assert inserted["contamination_alignment_item"] == 0


def test_a_page_that_quotes_a_third_of_an_item(tmp_path):
    # Words 40 to 89 of 150, one changed in ten: the passage of words 48 to 79 stands in it but for four of its words.
    testsets = index(tmp_path, [numbers(1000, 60), numbers(0, 150)])
    quote = [f"x{i}" if i % 10 == 9 else f"wo{i}" for i in range(40, 90)]
    text = f"{numbers(2000, 300)} “{' '.join(quote)}” {numbers(3000, 300)}"
    found = row(testsets, text)

    assert found["contamination_containment"] == 0.0
    assert found["contamination_alignment"] == 45 / 150
    assert found["contamination_alignment_item"] is None
    assert found["contamination_passage"] == 28 / 32
    assert (found["contamination_passage_set"], found["contamination_passage_item"]) == ("set0", 1)
    start, end = map(int, str(found["contamination_passage_span"]).split(":"))
    # The passages beside it reach .5 too: from word 32, and to word 95.
    assert (start, end) == (text.index("“") - 8 * len("wo2000 "), text.index("”") + 1 + 6 * len(" wo3000"))


def test_a_passage_that_ends_with_its_item(tmp_path):
    # Passages of 50 words begin at 0, 16 and 18; the last 32 words are the third.
    testsets = index(tmp_path, [numbers(0, 50)])

    assert row(testsets, f"x y {numbers(18, 32)}")["contamination_passage"] == 1.0
    assert row(testsets, f"x y {numbers(19, 31)}")["contamination_passage"] == 31 / 32
    assert row(testsets, numbers(18, 40))["contamination_passage_span"] == f"0:{len(numbers(18, 32))}"


_word = st.sampled_from(["the", "to", "A", "b.", "c", "é", "e\u0301", "İ", "1", "—", "x,", "\ue000"])
_line = st.lists(_word, min_size=0, max_size=45).map(" ".join)


@settings(max_examples=150)
@given(items=st.lists(_line, min_size=1, max_size=8), data=st.data())
def test_same_as_plain_python(tmp_path_factory, items, data):
    quoted = st.lists(st.one_of(_line, st.sampled_from(items), any_texts), min_size=1, max_size=4)
    documents = data.draw(st.lists(quoted.map(" ".join), min_size=1, max_size=6))
    testsets = index(tmp_path_factory.mktemp("items"), items)
    found = testsets.measure(pa.array(documents)).to_pylist()
    for document, values in zip(documents, found):
        expected = plain.measure(document, items)

        assert {name: values[name] for name in expected} == expected
        assert values["contamination_alignment"] >= plain.alignment(document, items) - 1e-12


@settings(max_examples=100)
@given(items=st.lists(st.lists(_word, min_size=8, max_size=64).map(" ".join), min_size=1, max_size=3), document=_line)
def test_alignment_same_as_plain_python(tmp_path_factory, items, document):
    testsets = index(tmp_path_factory.mktemp("items"), items)

    found = row(testsets, document)

    assert found["contamination_alignment"] == pytest.approx(plain.alignment(document, items))
    assert found["contamination_passage"] == pytest.approx(plain.passage(document, items))


@given(st.lists(any_texts, max_size=5))
def test_words_are_those_of_the_definition(documents):
    found = words(pa.array(documents, pa.string()))
    for i, document in enumerate(documents):
        hashes = found.hashes[found.bounds[i] : found.bounds[i + 1]].tolist()

        assert hashes == [oracle.fmix(_raw(word)) for word in oracle.normalised_words(document)]


def _raw(word: str) -> int:
    h = 0xCBF29CE484222325
    for c in word:
        h = (h ^ ord(c)) * 0x9E3779B97F4A7C15 & oracle.MASK
    return h


def test_any_form_of_texts_and_any_size_of_batch(tmp_path):
    items = [numbers(10 * i, 14) for i in range(20)]
    testsets = index(tmp_path, items)
    documents = [f"{numbers(7 * i, 30)} é" for i in range(40)]
    whole = testsets.measure(pa.array(documents))
    for size in (1, 3, 39):
        parts = [testsets.measure(pa.array(documents[i : i + size])) for i in range(0, 40, size)]

        assert pa.Table.from_batches(parts).combine_chunks().to_batches()[0].equals(whole)
    with_null = pa.chunked_array([pa.array(["x", *documents[:5]])[1:], pa.array([None, *documents[5:]], pa.string())])
    found = testsets.measure(with_null)

    assert found.num_rows == 41
    assert found.take(pa.array([i for i in range(41) if i != 5])).equals(whole)
    assert found.slice(5, 1).to_pylist()[0]["test_items_hit"] == 0
    assert testsets.measure(pa.array(documents, pa.large_string()), words=words(pa.array(documents))).equals(whole)
    assert testsets.measure(pa.array([], pa.string())).num_rows == 0


def test_saved_and_mapped(tmp_path):
    testsets = index(tmp_path, [numbers(0, 20)], [numbers(30, 9), numbers(60, 200)])
    path = str(tmp_path / "index")
    testsets.save(path)
    opened = TestSets.open(path)
    documents = pa.array([numbers(0, 40), numbers(60, 300), "", "none of it"])

    assert opened.members == testsets.members
    assert all(np.array_equal(a, b) for a, b in zip(opened.arrays, testsets.arrays))
    assert opened.measure(documents).equals(testsets.measure(documents))
    assert len(pickle.dumps(opened)) < 500
    assert pickle.loads(pickle.dumps(opened)).measure(documents).equals(testsets.measure(documents))
    before = Path(path).read_bytes()
    opened.save(path)
    assert Path(path).read_bytes() == before


def test_what_is_no_index_is_refused(tmp_path):
    path = tmp_path / "index"
    index(tmp_path, [numbers(0, 20)]).save(str(path))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(OutputError, match="cut short"):
        TestSets.open(str(path))
    for content in (b"", b"something else\n"):
        path.write_bytes(content)
        with pytest.raises(OutputError, match="not an index"):
            TestSets.open(str(path))


def test_no_items_at_all(tmp_path):
    testsets = index(tmp_path, [])

    assert row(testsets, numbers(0, 30))["contamination_containment"] == 0.0
    assert TestSets.read([]).measure(pa.array(["a b c d e f g h i j"])).to_pylist()[0]["test_set"] is None


@pytest.mark.parametrize(
    ("item", "is_searched"),
    [
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", False),
        ("a b c d e f g h i j k l m n o p q r s t u v w x y z", False),
        ("0 0 0 0 0 0 0 0 0 0 0 0 0 0", False),
        ("01 02 03 04 05 06 07 08 09 10 11 12", False),
        # Names are telling words: a page that holds them all is removed, unless max_documents keeps it.
        ("January February March April May June July August September October November December", True),
        ("one two three four five six seven 8", False),  # seven telling words
        ("one two three four five six seven eight", True),
        ("\u4e00\u4e01\u4e02\u4e03\u4e04\u4e05\u4e06", False),
        ("\u4e00\u4e01\u4e02\u4e03\u4e04\u4e05\u4e06\u4e07", True),
    ],
)
def test_items_need_eight_telling_words(tmp_path, item, is_searched):
    (tmp_path / "items.txt").write_text(item + "\n", "utf-8")
    testsets = TestSets.read([{"name": "own", "path": str(tmp_path / "items.txt"), "unit": "line"}])
    measured = testsets.measure(pa.array([f"before it {item} after it"]))

    assert [float(is_searched)] == measured.column("contamination_containment").to_pylist()
    assert [int(not is_searched)] == [members.n_short for members in testsets.members]


@pytest.mark.parametrize(("n_short", "is_said"), [(0, False), (1, False), (2, True), (10, True)])
def test_more_than_a_tenth_that_is_not_searched_for_is_said(tmp_path, n_short, is_said):
    items = [numbers(0, 7)] * n_short + [numbers(10 * k, 9) for k in range(10 - n_short)]
    (tmp_path / "items.txt").write_text("\n".join(items) + "\n")
    testset = TestSet("own", str(tmp_path / "items.txt"), unit="line")
    (members,) = TestSets.read([testset]).members

    assert members == Members.count(testset)
    assert (members.warning() is not None) == is_said
    if is_said:
        assert f"testsets.own: {n_short} of 10 items are not searched for" in str(members.warning())


def test_a_set_without_items_is_a_warning(tmp_path):
    (tmp_path / "items.txt").write_text(" \n\n")

    warning = Members.count(TestSet("own", str(tmp_path / "items.txt"), unit="line")).warning()

    assert str(warning).startswith("testsets.own: it has no items, so no document is compared with it")


def test_blank_lines_are_no_items(tmp_path):
    (tmp_path / "items.txt").write_text(f"{numbers(0, 9)}\n\n \n{numbers(20, 9)}\n\n")
    testsets = TestSets.read([TestSet("own", str(tmp_path / "items.txt"), unit="line")])

    assert [(2, 0)] == [(members.n_items, members.n_short) for members in testsets.members]
    assert [1] == testsets.measure(pa.array([numbers(20, 9)]))["test_item"].to_pylist()


def test_items_of_unknown_words_are_counted_with_those_left_out(tmp_path):
    (tmp_path / "wiki.txt").write_text(f" = Title = \n {numbers(0, 10)} <unk> \n {numbers(0, 20)} \n")
    testset = TestSet("wiki", str(tmp_path / "wiki.txt"), preset="wikitext")
    members = Members.count(testset)

    assert [members] == list(TestSets.read([testset]).members)
    assert (members.n_items, members.n_short, members.n_unknown) == (3, 1, 1)
    assert "1 have fewer than 8 telling words, 1 an unknown word in every shingle" in str(members.warning())


def test_paths_of_any_kind(tmp_path):
    (tmp_path / "a.txt").write_text(f"{' '.join(f'word{i}' for i in range(20))}\n")
    path = tmp_path / "a.txt"
    forms = [
        path,
        str(path),
        [path],
        TestSet("a", path, unit="line"),
        [TestSet("a", path, unit="line")],
        [{"name": "a", "path": path, "unit": "line"}],
    ]

    assert {1} == {TestSets.read(form).n_items for form in forms}
    TestSets.read(path).save(tmp_path / "index")
    assert 1 == TestSets.open(tmp_path / "index").n_items
