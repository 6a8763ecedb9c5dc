"""The main job, end to end, through the command line."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.faults.running import digests
from tests.in_process import massivetext

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = "from massivetext.cli import main; main()"

STORY = (
    "The {a} went to the market and bought {b} apples with the money that they had saved for the winter. "
    "It was a cold morning, and of all the people who stood in the square only a few were there to sell. "
    "To be sure of a good price, {a} have to come early and to talk with those that know the {b} farms. "
    "Nobody in the town could say which of them would be the first to leave when the snow came down."
)


def ledger(folder: Path) -> list[dict]:
    return [row for path in sorted((folder / "ledger").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """News of which some are short, copies, contaminated or broken, in files with odd names."""
    folder = tmp_path / "cor pus ü"
    folder.mkdir()
    stories = [
        STORY.format(a=f"farmer{i}", b=f"kind{i}") + f" This is the tale of number {i} alone." for i in range(30)
    ]
    item = "under the old bridge seven grey herons wait in silence for a ferryman who never comes again"
    stories[7] += f" And {item}!"
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": s}) + "\n" for s in stories[:20]), "utf-8")
    with gzip.open(folder / "b.jsonl.gz", "wb") as stream:
        for s in [*stories[20:], stories[3], "This is what people call a short text, and it has to go for that."]:
            stream.write(json.dumps({"text": s}).encode() + b"\n")
        stream.write(b'{"text": 5}\nnot json\n')
    (folder / "items.jsonl").write_text(json.dumps({"text": item}) + "\n", "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "subsets:\n"
        "  c4:\n"
        "    sources: [{format: jsonl, path: 'cor pus ü/[ab].jsonl*'}]\n"
        "    stages: [language, quality, repetition, deduplication, contamination]\n"
        "    deduplication: {threshold: 0.9}\n"
        "testsets: [{name: planted, path: 'cor pus ü/items.jsonl', text: '{text}'}]\n"
        "max_failed: 0.2\n"
        "mixture: {weights: {c4: 1.0}, shard_bytes: 8192}\n",
        "utf-8",
    )
    return tmp_path


def test_from_files_to_mixture(corpus: Path) -> None:
    out = corpus / "out"
    command = [sys.executable, "-c", PROGRAM, "run", str(corpus / "recipe.yaml"), "--output", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = ledger(out)
    outcomes = {reason: sum(row["reason"] == reason for row in rows) for reason in {row["reason"] for row in rows}}

    assert 0 == done.returncode, done.stderr
    assert 34 == len(rows)
    assert 1 == outcomes["duplicate.exact"]
    assert 1 == outcomes["quality.word_count"]
    assert 1 == outcomes["contamination.containment"]
    assert 2 == sum(n for reason, n in outcomes.items() if (reason or "").startswith("failed."))
    assert 29 == outcomes[None]
    kept = {row["id"] for row in rows if row["outcome"] == "kept"}
    shards = sorted((out / "mixture" / "gopher").glob("shard-*.parquet"))
    mixed = [name for path in shards for name in pq.read_table(path).column("id").to_pylist()]
    assert kept == set(mixed)
    assert {4} == {mixed.count(name) for name in kept}
    assert len(shards) > 1

    assert 0 == massivetext("verify", str(out)).returncode
    removed = next(row for row in rows if row["outcome"] == "contaminated")
    explained = massivetext("explain", str(out), removed["id"]).stdout
    assert "contaminated: contamination.containment" in explained
    assert "item 0 of planted" in explained
    listed = massivetext("inspect", str(out), "--json", "--columns", "reason", "--where", "outcome = 'failed'").stdout
    assert 2 == len(listed.splitlines())

    before = digests(out)
    again = massivetext("run", str(corpus / "recipe.yaml"), "--output", str(out))
    assert "nothing was done" in again.stderr
    assert before == digests(out)
    # The run finds the same by itself, where no note of the last one tells it.
    (out / "work" / "finished.json").unlink()
    looked = massivetext("run", str(corpus / "recipe.yaml"), "--output", str(out))
    assert "nothing was done" in looked.stderr
    assert again.stdout == looked.stdout
    assert before == digests(out)

    refused = massivetext("run", str(corpus / "recipe.yaml"), "--output", str(out), "--set", "quality.word_count.min=1")
    assert 1 == refused.returncode
    assert "quality.word_count.min: 50.0 -> 1" in refused.stderr
    updated = massivetext(
        "run", str(corpus / "recipe.yaml"), "--output", str(out), "--set", "quality.word_count.min=1", "--update"
    )
    assert 0 == updated.returncode, updated.stderr
    assert not any(row["reason"] == "quality.word_count" for row in ledger(out))

    victim = next((out / "curated").rglob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    assert 1 == massivetext("verify", str(out)).returncode


def test_workers_make_no_difference(corpus: Path) -> None:
    for workers in ("1", "2"):
        done = massivetext(
            "run", str(corpus / "recipe.yaml"), "--output", str(corpus / workers), "--workers", workers, "--quiet"
        )
        assert 0 == done.returncode, done.stderr

    assert digests(corpus / "1") == digests(corpus / "2")


def test_a_killed_run_goes_on(corpus: Path) -> None:
    arguments = ["run", str(corpus / "recipe.yaml"), "--quiet", "--output"]
    massivetext(*arguments, str(corpus / "undisturbed"))
    for seconds in (1.0, 2.5, 4.0):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments, str(corpus / "killed")])
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = massivetext(*arguments, str(corpus / "killed"))

    assert 0 == done.returncode, done.stderr
    assert digests(corpus / "undisturbed") == digests(corpus / "killed")
    assert [] == list((corpus / "killed").rglob("*.tmp"))


def test_a_truncated_source_is_reported_and_the_run_goes_on(corpus: Path) -> None:
    path = corpus / "cor pus ü" / "b.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    done = massivetext("run", str(corpus / "recipe.yaml"), "--output", str(corpus / "out"), "--quiet")

    assert 1 == done.returncode
    assert "b.jsonl.gz" in done.stderr
    assert 0 == massivetext("verify", str(corpus / "out")).returncode
    assert any(row["outcome"] == "failed" for row in ledger(corpus / "out"))


def test_two_runs_on_one_folder_are_refused(corpus: Path) -> None:
    from pipelines.run_folder.folder import Folder

    with Folder(str(corpus / "out")).lock():
        done = massivetext("run", str(corpus / "recipe.yaml"), "--output", str(corpus / "out"))

    assert 1 == done.returncode
    assert f"process {os.getpid()}" in done.stderr


def _repositories(folder: Path) -> None:
    """Ten unpacked packages, each with its licence file, from what is installed here."""
    made = 0
    for distribution in sorted(metadata.distributions(), key=lambda found: found.metadata["Name"].lower()):
        files = distribution.files or []
        licences = [file for file in files if "licen" in file.name.lower() and "dist-info" in str(file)]
        sources = [file for file in files if file.suffix == ".py" and ".." not in str(file)]
        if licences and 3 <= len(sources) <= 60 and made < 10:
            for file in [*sources, licences[0]]:
                target = folder / distribution.metadata["Name"] / (file.name if file in licences else str(file))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(Path(str(file.locate())).read_bytes())
            made += 1
    assert 10 == made


def test_all_six_subsets_of_the_real_data(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one worker, and by two with the files listed the other way round."""
    _repositories(tmp_path / "repositories")
    monkeypatch.setenv("CORPUS", str(shared_data))
    monkeypatch.setenv("REPOSITORIES", str(tmp_path / "repositories"))
    recipe = str(REPOSITORY / "docs" / "examples" / "all-subsets.yaml")
    reverse = tmp_path / "reverse.yaml"
    text = Path(recipe).read_text("utf-8")
    # The same files, one pattern each, listed the other way round.
    books = sorted((shared_data / "books").glob("*.md"), reverse=True)
    listed = ", ".join(f'{{format: text, path: "{path}"}}' for path in books)
    reverse.write_text(text.replace('[{format: text, path: "${CORPUS}/books/*.md"}]', f"[{listed}]"), "utf-8")
    for name, path, workers in (("one", recipe, "1"), ("reverse", str(reverse), "2")):
        done = massivetext("run", path, "--output", str(tmp_path / name), "--workers", workers, "--quiet")
        assert 0 == done.returncode, done.stderr
    one = digests(tmp_path / "one")

    parts = {name: digest for name, digest in one.items() if name.endswith(".parquet")}
    assert parts == {n: d for n, d in digests(tmp_path / "reverse").items() if n.endswith(".parquet")}
    assert 0 == massivetext("verify", str(tmp_path / "one")).returncode
    manifest = json.loads((tmp_path / "one" / "mixture" / "gopher" / "manifest.json").read_text("utf-8"))
    total = sum(manifest["counts"]["tokens"].values())
    shares = {subset: n / total for subset, n in manifest["counts"]["tokens"].items()}
    expected = {"massiveweb": 0.48, "books": 0.27, "c4": 0.1, "news": 0.1, "github": 0.03, "wikipedia": 0.02}
    assert set(expected) == set(shares)
    counts = json.loads((tmp_path / "one" / "curated" / "manifest.json").read_text("utf-8"))["counts"]
    read = {subset: found["records"] for subset, found in counts.items()}
    rows = ledger(tmp_path / "one")
    assert read == {subset: sum(row["subset"] == subset for row in rows) for subset in expected}
