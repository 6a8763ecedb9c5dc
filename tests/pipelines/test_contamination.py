"""Removal by test sets in the main job: by document, by span, not at all, and without what is everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from massivetext.parquet import file_digest
from pipelines import main
from pipelines import recipe as recipes
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker
from tests.in_process import massivetext
from tests.pipelines.reporter import Lines

ITEM = "under the old bridge seven grey herons wait in silence for a ferryman who never comes again"
LICENCE = "permission is hereby granted free of charge to any person who has a copy of this work to use it"


def run(folder: Path, output: str, *options: str) -> Path:
    out = folder / output
    done = massivetext("run", str(folder / "recipe.yaml"), "--output", str(out), "--quiet", *options)
    assert 0 == done.returncode, done.stderr
    return out


def rows(out: Path, kind: str = "ledger") -> list[dict]:
    return [row for path in sorted((out / kind).rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def mixed(out: Path) -> list[str]:
    return sorted({row["id"] for row in rows(out, "mixture")})


def prose(name: str, n: int) -> str:
    return " ".join(f"{name}{i}" for i in range(n))


PAGE = "<page><title>{title}</title><ns>0</ns><id>{n}</id><revision><text>{text}</text></revision></page>"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """a: the item between 100 words and 100, and after 5 words, then 100; the licence twice. b: the licence twice, the
    second text again, and a clean text."""
    texts = [
        f"{prose('alpha', 100)} {ITEM}. {prose('beta', 100)}",
        f"{prose('gamma', 5)} {ITEM}. {prose('delta', 100)}",
        *(f"{prose(f'story{k}x', 30)} {LICENCE}. {prose(f'end{k}x', 30)}" for k in range(4)),
    ]
    texts += [texts[-1], prose("clean", 80)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[:4]), "utf-8")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[4:]), "utf-8")
    pages = [
        PAGE.format(title=title, n=n, text=prose("wiki", 90))
        for n, title in enumerate(["Valkyria Chronicles III", "Other"])
    ]
    (tmp_path / "wiki.xml").write_text(f"<mediawiki>{''.join(pages)}</mediawiki>", "utf-8")
    (tmp_path / "titles.txt").write_text("Valkyria_Chronicles III!\n", "utf-8")
    (tmp_path / "items.jsonl").write_text(
        json.dumps({"text": ITEM}) + "\n" + json.dumps({"text": LICENCE}) + "\n", "utf-8"
    )
    (tmp_path / "recipe.yaml").write_text(
        "subsets:\n"
        "  c4:\n"
        "    sources: [{format: jsonl, path: '[ab].jsonl'}]\n"
        "    stages: [deduplication, contamination]\n"
        "  wikipedia:\n"
        "    sources: [{format: mediawiki, path: wiki.xml}]\n"
        "    stages: [contamination]\n"
        "testsets: [{name: planted, path: items.jsonl, text: '{text}', titles: titles.txt}]\n"
        "mixture: {weights: {c4: 0.5, wikipedia: 0.5}, max_epochs: 100}\n",
        "utf-8",
    )
    return tmp_path


def in_order(out: Path, subset: str) -> list[dict]:
    return sorted((row for row in rows(out) if row["subset"] == subset), key=lambda row: (row["source"], row["offset"]))


def test_spans_frequent_shingles_and_titles(corpus: Path) -> None:
    out = run(corpus, "out", "--set", "contamination.remove=span", "--set", "contamination.max_documents=3")
    c4, wiki = in_order(out, "c4"), in_order(out, "wikipedia")

    for row in c4[:2]:
        assert ("contaminated", "contamination.containment") == (row["outcome"], row["reason"])
        assert ("planted", 0) == (row["test_set"], row["test_item"])
    pieces = rows(out, "pieces")
    assert [2, 1] + [None] * 6 == [row["pieces"] for row in c4]
    assert [f"{c4[0]['id']}#0", f"{c4[0]['id']}#1", f"{c4[1]['id']}#0"] == [piece["id"] for piece in pieces]
    whole = f"{prose('alpha', 100)} {ITEM}. {prose('beta', 100)}"
    start, end = whole.index(ITEM), whole.index(f"{ITEM}.") + len(ITEM) + 1  # a word has its marks
    assert whole[: start - 200].strip() == pieces[0]["text"]
    assert whole[end + 200 :].strip() == pieces[1]["text"]
    assert [len(piece["text"]) for piece in pieces] == [piece["n_bytes"] for piece in pieces]
    assert pieces == [piece for piece in pieces if abs(piece["n_tokens"] - piece["n_bytes"] / 4) <= 1]

    # The licence stands in 5 documents, one of them a copy. 4 is more than 3, so it convicts none of them.
    assert [1.0] * 5 == [row["contamination_containment"] for row in c4[2:7]]
    assert [0.0] * 5 == [row["contamination_containment_rare"] for row in c4[2:7]]
    assert [1.0] * 2 == [row["contamination_containment_rare"] for row in c4[:2]]
    assert ["duplicate"] + ["kept"] * 4 == sorted(row["outcome"] for row in c4[2:7])

    assert ["contamination.title", None] == [row["reason"] for row in wiki]
    assert ["planted: Valkyria_Chronicles III!", None] == [row["test_title"] for row in wiki]
    assert [0, None] == [row["pieces"] for row in wiki]

    kept = {row["id"] for row in rows(out) if row["outcome"] == "kept"}
    assert sorted(kept | {piece["id"] for piece in pieces}) == mixed(out)
    assert 0 == massivetext("verify", str(out)).returncode
    assert "pieces left 2" in massivetext("explain", str(out), pieces[1]["id"]).stdout

    # The same bytes from two workers.
    two = run(
        corpus, "two", "--set", "contamination.remove=span", "--set", "contamination.max_documents=3", "--workers", "2"
    )
    for kind in ("ledger", "pieces", "mixture"):
        assert rows(out, kind) == rows(two, kind)

    # 4 are not more than 4: all convict. Nothing is cut now, and the pieces of before are gone.
    again = run(corpus, "out", "--set", "contamination.max_documents=4", "--update")
    c4 = in_order(again, "c4")
    assert ["contaminated"] * 6 + ["duplicate", "kept"] == [*sorted(row["outcome"] for row in c4[:7]), c4[7]["outcome"]]
    assert [] == rows(again, "pieces")
    assert 0 == massivetext("verify", str(again)).returncode

    marked = run(corpus, "out", "--set", "contamination.remove=mark", "--update")
    c4 = in_order(marked, "c4")
    assert {"kept", "duplicate"} == {row["outcome"] for row in c4}
    signals = ("containment", "alignment", "passage", "reformatted")
    assert [f"contamination.{signal}" for signal in signals] == c4[0]["reasons"]
    assert c4[0]["id"] in mixed(marked)
    assert 0 == massivetext("verify", str(marked)).returncode


def test_jaccard_is_the_rule_of_the_paper_alone(corpus: Path) -> None:
    """An item that stands whole in a longer text has a low J; limits that the recipe extends do not count either."""
    jaccard = in_order(run(corpus, "one", "--set", "contamination.contamination=jaccard"), "c4")[0]

    assert jaccard["contamination_alignment"] == 1.0
    assert ("kept", []) == (jaccard["outcome"], jaccard["reasons"])


@pytest.mark.parametrize(
    ("block", "reasons"),
    [
        ("contamination: jaccard", []),
        ("limits: {}", ["containment"]),
        ("limits: null", ["containment"]),
        ("limits: {contamination_alignment: null}", ["containment", "passage", "reformatted"]),
        ("containment: 0.9", ["containment", "alignment", "passage", "reformatted"]),
    ],
)
def test_limits_that_a_recipe_takes_away(corpus: Path, block: str, reasons: list[str]) -> None:
    with (corpus / "recipe.yaml").open("a", encoding="utf-8") as file:
        file.write(f"contamination: {{{block}}}\n")

    first = in_order(run(corpus, "out"), "c4")[0]

    assert [f"contamination.{reason}" for reason in reasons] == first["reasons"]


def test_a_quote_of_a_part_of_an_item_is_removed_where_the_recipe_says_so(corpus: Path) -> None:
    # Words 30 to 69 of 120 with every tenth one changed: none of the item's shingles is left.
    (corpus / "items.jsonl").write_text(json.dumps({"text": prose("item", 120)}) + "\n", "utf-8")
    quote = " ".join("other" if i % 10 == 0 else f"item{i}" for i in range(30, 70))
    text = f"{prose('alpha', 100)} {quote} {prose('beta', 100)}"
    (corpus / "a.jsonl").write_text(json.dumps({"text": text}) + "\n", "utf-8")
    options = ["--set", "contamination.remove=span", "--set", "contamination.limits={contamination_passage: 0.8}"]
    out = run(corpus, "out", *options)
    first = in_order(out, "c4")[0]

    assert ("contaminated", "contamination.passage") == (first["outcome"], first["reason"])
    assert (0.0, "planted", 0) == (first["contamination_containment"], first["test_set"], first["test_item"])
    start, end = map(int, first["test_span"].split(":"))
    assert start <= text.index(quote) + 40
    assert end >= text.index(quote) + len(quote) - 40
    assert [text[: start - 200].strip(), text[end + 200 :].strip()] == [row["text"] for row in rows(out, "pieces")]


def test_forms_in_which_items_stand_on_the_web_are_removed(corpus: Path) -> None:
    """A question with lettered options, a prompt inside a JSON string, and a hyphen that became a space."""
    question, options = "Which of the planets is the largest", ["Red Mars", "Jupiter", "Saturn", "Venus"]
    prompt = "Write a function that counts\nall vowels of a line\nand returns them\nin the order\nof the alphabet\n"
    hyphened = "the well-known long-term state-of-the-art follow-up study of low-income workers"
    texts = [
        f"{prose('alpha', 60)} {question}? A. Red Mars B. Jupiter C. Saturn D. Venus Answer: B {prose('beta', 60)}",
        f"{prose('gamma', 60)} {json.dumps({'prompt': prompt})} {prose('delta', 60)}",
        f"{prose('story', 60)} {hyphened.replace('-', ' ')} {prose('end', 60)}",
        prose("clean", 80),
    ]
    (corpus / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    (corpus / "b.jsonl").unlink()
    (corpus / "items.jsonl").write_text(
        "".join(json.dumps({"text": text, "more": ""}) + "\n" for text in (prompt, hyphened)), "utf-8"
    )
    (corpus / "mmlu.jsonl").write_text(json.dumps({"question": question, "choices": options, "answer": 1}) + "\n")
    recipe = (corpus / "recipe.yaml").read_text("utf-8")
    sets = (
        "[{name: mmlu, path: mmlu.jsonl, preset: mmlu}, {name: planted, path: items.jsonl, text: ['{text}', '{more}']}]"
    )
    lines = [line if not line.startswith("testsets") else f"testsets: {sets}" for line in recipe.splitlines()]
    (corpus / "recipe.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    c4 = in_order(run(corpus, "out"), "c4")

    assert ["contaminated"] * 3 + ["kept"] == [row["outcome"] for row in c4]
    assert [("mmlu", 0), ("planted", 0), ("planted", 1)] == [(row["test_set"], row["test_item"]) for row in c4[:3]]
    assert ["contamination.containment", *["contamination.reformatted"] * 2] == [row["reason"] for row in c4[:3]]


def test_a_set_that_is_not_searched_for_is_named(corpus: Path) -> None:
    short = [{"text": f"who wrote the book number {n}"} for n in range(3)]  # 6 words
    (corpus / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in short), "utf-8")
    warning = "testsets.planted: 3 of 3 items are not searched for (3 have fewer than 8 telling words)"
    done = massivetext("run", str(corpus / "recipe.yaml"), "--output", str(corpus / "out"))
    checked = massivetext("validate", str(corpus / "recipe.yaml"))

    assert [0, 0] == [done.returncode, checked.returncode]
    assert f"warning: {warning}" in done.stderr + done.stdout
    assert f"warning: {warning}" in checked.stderr


def test_an_index_of_another_version_is_made_anew(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of an earlier release, whose index this one cannot read, is brought up to date like any other."""
    recipe, folder = recipes.read(str(corpus / "recipe.yaml")), Folder(str(corpus / "out"))
    index = corpus / "out" / "work" / "testsets.index"
    monkeypatch.setattr(main, "INDEX_VERSIONS", (3, *main.INDEX_VERSIONS[1:]))
    main._prepare_testsets(recipe, folder, Lines())
    good = index.read_bytes()
    # As that release wrote it, with the marker that goes with it.
    index.write_bytes(good.replace(b"testsets 4", b"testsets 3"))
    marker = Path(folder.marker("testsets", "index"))
    summary = {"bytes": index.stat().st_size, "blake2b": file_digest(str(index))}
    fingerprint = Marker.read(str(marker)).fingerprint
    Marker(fingerprint, folder.outputs({"work/testsets.index": summary})).write(str(marker))
    main._prepare_testsets(recipe, folder, Lines())
    assert good != index.read_bytes()

    monkeypatch.undo()
    main._prepare_testsets(recipe, folder, Lines())
    assert good == index.read_bytes()
