"""Documents that hold up, blow up or kill a process of an engine that watches none: as on the local engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext import isolation
from massivetext.batches import Place, from_records
from massivetext.documents import Record
from massivetext.guarded import ChildDiedError
from pipelines.engines import Execution
from pipelines.engines.beam_runner import BeamEngine
from pipelines.input_splits import find_parts
from pipelines.main import Outcome, run, run_stages
from pipelines.recipe import read
from pipelines.run_folder.folder import Folder
from pipelines.transforms import guard
from tests.faults.test_isolation import HARM, KINDS, OWN, text
from tests.pipelines.engines.test_graphs import digests
from tests.pipelines.reporter import Lines

SOURCES = {
    "rules": "{format: jsonl, path: '*.jsonl'}",
    "extraction": "{format: jsonl, path: '*.jsonl', fields: {page: text}}",
    "reading": "{format: './suffering.py:reader', path: '*.txt', pack: false}",
}


def write(folder: Path, step: str, harms: tuple[str, ...]) -> None:
    (folder / "suffering.py").write_text(OWN, "utf-8")
    texts = [text(n, dict(zip((3, 11, 12), harms)).get(n, "")) for n in range(16)]
    if step == "reading":
        (folder / "a.txt").write_text("".join(line + "\n" for line in texts), "utf-8")
        (folder / "b.txt").write_text("".join(line + "\n" for line in texts[:3]), "utf-8")
    else:
        (folder / "a.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in texts), "utf-8")
    (folder / "recipe.yaml").write_text(
        f"subsets:\n  massiveweb:\n    sources: [{SOURCES[step]}]\n"
        f"    stages: [{'quality' if step == 'reading' else step}, quality]\n".replace("quality, quality", "quality")
        + "isolation: {seconds: 1, memory: 300_000_000}\nmax_failed: 1\nmixture: {weights: {massiveweb: 1}}\n"
        "quality: {word_count: {min: 1}}\n"
        + {
            "rules": "rules: {suffering: {function: './suffering.py:rule', max: 1000000}}\n",
            "extraction": "extraction: {engine: './suffering.py:engine'}\n",
        }.get(step, ""),
        "utf-8",
    )


def run_graphs(folder: Path) -> Outcome:
    """Run the recipe of a folder as graphs on FnApiRunner, whose process nobody watches."""
    recipe = read(str(folder / "recipe.yaml"))
    output = Folder(str(folder / "graph"))
    output.adopt(recipe, update=False)
    outcome = Outcome()
    run_stages(recipe, output, find_parts(recipe), BeamEngine(Execution()), Lines(), outcome, "mix")
    return outcome


def rows_of(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "graph" / "ledger").rglob("*.parquet"))
    return sorted((row for path in paths for row in pq.read_table(path).to_pylist()), key=lambda row: row["offset"])


def test_a_document_that_holds_up_a_graph_fails_alone(tmp_path: Path) -> None:
    write(tmp_path, "rules", ("LOOP",))
    outcome = run_graphs(tmp_path)
    rows = rows_of(tmp_path)

    assert 16 == len(rows)
    assert {3: "failed.timeout in rules"} == {n: row["reason"] for n, row in enumerate(rows) if row["reason"]}
    assert (None, None) == (rows[3]["suffering"], rows[3]["word_count"])
    assert all(row["suffering"] == row["n_bytes"] > 0 for n, row in enumerate(rows) if n != 3)
    assert [] == outcome.failures


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("step", "harms"),
    [("rules", HARM), ("extraction", HARM), ("reading", ("LOOP",)), ("reading", ("DIE",))],
    ids=["rules", "extraction", "reading-loop", "reading-die"],
)
def test_a_graph_gives_the_bytes_of_the_local_engine(tmp_path: Path, step: str, harms: tuple[str, ...]) -> None:
    write(tmp_path, step, harms)
    local = run(read(str(tmp_path / "recipe.yaml")), str(tmp_path / "local"), Execution(), Lines())
    outcome = run_graphs(tmp_path)

    assert local.counts == outcome.counts
    assert local.failures == outcome.failures
    assert digests(tmp_path / "local") == digests(tmp_path / "graph")
    reasons = [row["reason"] for row in rows_of(tmp_path) if row["outcome"] == "failed"]
    assert [f"failed.{KINDS[harm]} in {step}" for harm in harms] == reasons


def blame(key: int, source: str = "a", kind: str = "timeout") -> isolation.Blame:
    return isolation.Blame(isolation.DOCUMENT, key, "rules", kind, isolation.file_number(source))


def test_a_document_that_is_left_out_has_no_text_and_no_measures() -> None:
    batch = from_records([Record(n, text=f"text {n}") for n in range(3)], Place("s", "", "p"), ["a", "b", "a"])
    batch = batch.append_column("word_count", pa.array([2, 2, 2]))
    rows = guard._without(batch, blame(2)).to_pylist()

    assert batch.slice(0, 2).to_pylist() == rows[:2]
    assert (None, None, "failed", "failed.timeout in rules") == tuple(
        rows[2][name] for name in ("text", "word_count", "outcome", "reason")
    )
    # The offset alone is not the document: another source has one there too.
    assert batch.to_pylist() == guard._without(batch, blame(1)).to_pylist()


def test_deaths_without_evidence_end_with_the_error_and_blame_nobody() -> None:
    evidence = guard._Evidence()
    died = ChildDiedError("the kernel ended it")

    assert evidence.blame_of(died) is None
    assert evidence.blame_of(died) is None
    with pytest.raises(ChildDiedError, match="the kernel ended it"):
        evidence.blame_of(died)


def test_three_deaths_at_one_document_are_evidence_and_at_three_documents_are_none() -> None:
    evidence = guard._Evidence()
    at_one = ChildDiedError("died", blame(7, kind="died"))

    assert [None, None, blame(7, kind="died")] == [evidence.blame_of(at_one) for _ in range(3)]
    with pytest.raises(ChildDiedError):
        [evidence.blame_of(ChildDiedError("died", blame(key, kind="died"))) for key in (1, 2, 3)]


def test_one_overrun_is_evidence() -> None:
    assert blame(7) == guard._Evidence().blame_of(ChildDiedError("ended", blame(7), True))
