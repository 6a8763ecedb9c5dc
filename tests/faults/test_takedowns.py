"""What was taken out does not come back: from other files, by other addresses, in a later crawl, at another place."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.looking.verification import verify
from tests.faults.corpus import story

_RECIPE = """
subsets:
  c4:
    sources: [{format: jsonl, path: "FOLDER/*"}]
    stages: [quality, deduplication]
rejected: all
mixture: {weights: {c4: 1.0}, max_epochs: 1}
"""

SIGNED = "https://me:hunter2@example.org/6?page=1&X-Amz-Signature=hunter2"


def _write(path: Path, *rows: tuple[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"url": url, "text": text}) + "\n" for url, text in rows))


def _command(*arguments: str) -> None:
    result = CliRunner().invoke(commands, list(arguments))
    assert 0 == result.exit_code, result.output


def _run(folder: Path, out: str, source: str, *options: str) -> dict[str, tuple[str, str | None]]:
    """Run, and return outcome and reason of each document by its address."""
    (folder / f"{source}.yaml").write_text(_RECIPE.replace("FOLDER", source))
    _command("run", str(folder / f"{source}.yaml"), "--output", str(folder / out), "--quiet", *options)
    rows = [
        row for path in (folder / out / "ledger" / "c4").glob("*.parquet") for row in pq.read_table(path).to_pylist()
    ]
    return {row["url"]: (row["outcome"], row["reason"]) for row in rows}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    _write(
        tmp_path / "in" / "m.jsonl", *((f"https://example.org/{n}", story(n)) for n in range(1, 6)), (SIGNED, story(6))
    )
    return tmp_path


def test_copies_of_what_was_taken_out_are_refused(corpus: Path) -> None:
    _run(corpus, "out", "in")
    (corpus / "urls").write_text("http://example.org/2/#part\n")
    _command("remove", str(corpus / "out"), "--urls", str(corpus / "urls"))
    near = story(2) + " And here are some more."
    rows = [("https://other.org/a", story(2)), ("https://other.org/b", near), ("https://other.org/c", story(9))]
    _write(corpus / "in" / "z.jsonl", *rows, ("http://www.example.org/2", "no text that anyone would keep"))
    _write(corpus / "in" / "a.jsonl", ("http://example.org/2/", story(11)), ("https://example.org/3?x", story(12)))
    outcomes = _run(corpus, "out", "in", "--update")

    assert ("rejected", "removed.request") == outcomes["https://example.org/2"]
    assert ("rejected", "removed.request") == outcomes["http://example.org/2/"]
    assert ("rejected", "removed.copy") == outcomes["https://other.org/a"] == outcomes["https://other.org/b"]
    assert ("kept", None) == outcomes["https://other.org/c"] == outcomes["https://example.org/3?x"]
    assert ("kept", None) == outcomes["https://example.org/1"]
    shards = (corpus / "out" / "mixture").rglob("*.parquet")
    texts = [text for path in shards for text in pq.read_table(path).column("text").to_pylist()]
    assert story(2) not in texts
    assert near not in texts
    for path in (corpus / "out").rglob("*.parquet"):
        rows = str(pq.read_table(path).to_pylist())

        assert "number 2 alone" not in rows
        assert "hunter2" not in rows
    assert ("kept", None) == outcomes["https://example.org/6?page=1"]
    assert [] == verify(str(corpus / "out"))[0]

    # A later crawl, deduplicated against the index of this one.
    _command("index", str(corpus / "out"))
    _write(
        corpus / "later" / "m.jsonl",
        ("https://later.org/a", near),
        ("https://later.org/b", story(20)),
        (SIGNED, story(21)),
    )
    settings = (f"deduplication.against=[{corpus}/out]", "url_credentials=keep")
    later = _run(corpus, "out-2", "later", *(word for setting in settings for word in ("--set", setting)))

    assert ("rejected", "removed.copy") == later["https://later.org/a"]
    assert ("kept", None) == later["https://later.org/b"] == later[SIGNED]
