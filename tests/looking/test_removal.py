"""Taking documents out of a finished run, through the command line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.cli._recipes import changed_recipe, run_recipe
from massivetext.errors import OutputError
from massivetext.looking.verification import verify
from massivetext.looking.what_if import what_if
from massivetext.mixture import verify_mixture
from massivetext.parquet import file_digest
from massivetext.removal import Removal, remove
from massivetext.removed import Removed, read_removed, refuse_unfinished
from pipelines.engines import Execution, open_engine
from pipelines.removal import FinishedRun
from tests import in_process

STORY = (
    "The {a} went to the market and bought {b} apples with the money that they had saved for the winter. "
    "It was a cold morning, and of all the people who stood in the square only a few were there to sell. "
    "To be sure of a good price, {a} have to come early and to talk with those that know the {b} farms. "
    "Nobody in the town could say which of them would be the first to leave when the snow came down."
)
ITEM = "under the old bridge seven grey herons wait in silence for a ferryman who never comes again"

DIES = """
import os, signal
import massivetext.removal as removing
from pipelines.engines.local import LocalEngine
whole = LocalEngine.run
def half(self, work, tasks, **options):
    assert len(tasks) > 3
    whole(self, work, tasks[: len(tasks) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
def dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)
{patch}
from massivetext.cli import main
main()
"""


def massivetext(*arguments: object, program: str | None = None) -> subprocess.CompletedProcess[str]:
    if program is None:
        return in_process.massivetext(*arguments)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def take_out(folder: Path, ids: Iterable[str] = (), urls: Iterable[str] = ()) -> Removal:
    with open_engine(Execution()) as engine:
        return remove(FinishedRun(str(folder), engine), ids, urls)


def rows(folder: Path, kind: str) -> list[dict]:
    return [row for path in sorted((folder / kind).rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def digests(folder: Path, *kinds: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in kinds or ("curated", "rejected", "pieces", "ledger", "mixture", "removed.json")
        for path in [folder / kind, *sorted((folder / kind).rglob("*"))]
        if path.is_file()
    }


def named(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over three files with a copy, a short text and one with a test item that is cut out of it."""
    folder = tmp_path_factory.mktemp("remove")
    stories = [
        STORY.format(a=f"farmer{i}", b=f"kind{i}") + f" This is the tale of number {i} alone." for i in range(30)
    ]
    stories[7] += f" And {ITEM}!"
    texts = {"a": stories[:15], "b": [*stories[15:], stories[3]], "c": ["This is what people call a short text."]}
    for name, found in texts.items():
        lines = [json.dumps({"text": text, "url": f"https://e.example/{name}/{i}"}) for i, text in enumerate(found)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "items.jsonl").write_text(json.dumps({"text": ITEM}) + "\n", "utf-8")
    (folder / "recipe.yaml").write_text(
        "subsets:\n"
        "  c4:\n"
        "    sources: [{format: jsonl, path: '[abcd].jsonl'}]\n"
        "    stages: [language, quality, repetition, deduplication, contamination]\n"
        "    deduplication: {threshold: 0.9}\n"
        "testsets: [{name: planted, path: 'items.jsonl', text: '{text}'}]\n"
        "contamination: {remove: span}\n"
        "mixture: {weights: {c4: 1.0}, shard_bytes: 4096}\n",
        "utf-8",
    )
    done = massivetext("run", folder / "recipe.yaml", "--output", folder / "out", "--quiet")
    assert 0 == done.returncode, done.stderr
    assert 0 == massivetext("index", folder / "out").returncode
    return folder


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """The run's folder again, with its sources and recipe beside it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "out"


def chosen(out: Path) -> dict[str, dict]:
    """Rows of the ledger by what they are in the tests."""
    ledger = rows(out, "ledger")
    copy = next(row for row in ledger if row["outcome"] == "duplicate")
    return {
        "copy": copy,
        "kept instead": next(row for row in ledger if row["id"] == copy["partner_id"]),
        "short": next(row for row in ledger if row["outcome"] == "rejected"),
        "cut": next(row for row in ledger if row["outcome"] == "contaminated"),
        "other": next(row for row in ledger if row["url"] == "https://e.example/b/2"),
    }


def test_documents_go_from_every_file_and_stay_away(out: Path) -> None:
    found = chosen(out)
    before = digests(out)
    assert found["cut"]["pieces"] == 1 == len(rows(out, "pieces"))
    ids = [found[name]["id"] for name in ("kept instead", "short", "cut")]
    named_ids = named(out.parent, "ids", [ids[0], f"{ids[1]}\r", f"{ids[2]}#0", "0" * 32])
    urls = named(out.parent, "urls", ["https://e.example/b/2", "https://e.example/B/3", "https://e.example/d/0"])
    (out / "report" / "index.html").write_text("texts", "utf-8")
    done = massivetext("remove", out, "--ids", named_ids, "--urls", urls)
    gone = {*ids, found["other"]["id"], found["copy"]["id"]}
    ledger = {row["id"]: row for row in rows(out, "ledger")}

    assert 0 == done.returncode, done.stderr
    assert "Removed 4 documents, before: 1 contaminated, 2 kept, 1 rejected" in done.stdout
    assert "1 copy removed with them" in done.stdout
    assert "no document has 1 id of the list:\n  " + "0" * 32 in done.stderr
    assert "no document has 2 addresses of the list:\n  https://e.example/B/3\n  https://e.example/d/0" in done.stderr
    assert [] == [row["id"] for kind in ("curated", "rejected") for row in rows(out, kind) if row["id"] in gone]
    assert [] == [row["id"] for kind in ("pieces", "mixture") for row in rows(out, kind) if row["id"][:32] in gone]
    assert {"removed.request", "removed.copy"} == {ledger[name]["reason"] for name in gone}
    assert "removed.copy" == ledger[found["copy"]["id"]]["reason"]
    assert {"id", "subset", "source", "offset", "url", "outcome", "reason", "reasons"} == {
        key for key, value in ledger[ids[0]].items() if value is not None
    }
    assert not (out / "report" / "index.html").exists()
    # No other limit brings one back.
    other = changed_recipe(str(out), None, ["quality.word_count.min=1"])
    relaxed = what_if(str(out), run_recipe(str(out)), other).as_data()
    assert ([], True) == (relaxed["moves"], bool(relaxed["changes"]))
    explained = CliRunner().invoke(commands, ["explain", str(out), found["copy"]["id"]]).stdout
    assert "in favour of a document that was named; nothing else is known" in explained
    assert [] == verify(str(out))[0]
    counts = json.loads((out / "ledger" / "manifest.json").read_text("utf-8"))["counts"]["c4"]
    assert [4, 0, 0] == counts["rejected removed.request"]
    assert 29 - 2 == counts["kept"][0]
    # Only the shards that held one are other files; the rest of a shard stands as it stood.
    after = digests(out)
    shards = [name for name in before if name.startswith("mixture/") and name.endswith(".parquet")]
    changed = [name for name in shards if before[name] != after[name]]
    assert 0 < len(changed) < len(shards)
    card = (out / "mixture" / "gopher" / "README.md").read_text("utf-8")
    assert "4 documents were taken out by id or address, and 1 that were duplicates of them" in card


@pytest.mark.heavy
def test_later_files_and_a_run_from_the_sources_alone_keep_to_the_list(out: Path) -> None:
    found = chosen(out)
    ids = [found[name]["id"] for name in ("kept instead", "short", "cut")]
    take_out(out, ids, ["https://e.example/b/2", "https://e.example/d/0"])
    gone = {*ids, found["other"]["id"], found["copy"]["id"]}

    # A later file with a named address is not taken.
    with (out.parent / "d.jsonl").open("w", encoding="utf-8") as stream:
        stream.write(json.dumps({"text": STORY.format(a="smith", b="blue"), "url": "https://e.example/d/0"}) + "\n")
        stream.write(json.dumps({"text": STORY.format(a="baker", b="sour"), "url": "https://e.example/d/1"}) + "\n")
    again = massivetext("run", out.parent / "recipe.yaml", "--output", out, "--quiet")
    assert 0 == again.returncode, again.stderr
    assert ["removed.request", None] == [r["reason"] for r in rows(out, "ledger") if r["source"] == "d.jsonl"]
    assert [] == verify(str(out))[0]
    assert [] == [row["id"] for row in rows(out, "mixture") if row["id"][:32] in gone]

    # A run from the sources alone, but for the list, comes to the same ledger.
    held = rows(out, "ledger")
    shutil.copytree(out, out.parent / "fresh", ignore=lambda folder, names: set(names) - {"removed.json"})
    fresh = massivetext("run", out.parent / "recipe.yaml", "--output", out.parent / "fresh", "--quiet")
    assert 0 == fresh.returncode, fresh.stderr
    assert held == rows(out.parent / "fresh", "ledger")
    assert rows(out, "mixture") == rows(out.parent / "fresh", "mixture")


def test_a_run_without_news_leaves_the_mixture_alone(out: Path) -> None:
    found = chosen(out)
    other = found["other"]["id"]
    ids = named(out.parent, "ids", [found["copy"]["id"]])
    done = massivetext("remove", out, "--ids", ids)
    take_out(out, [other])
    held = digests(out, "mixture", "curated", "removed.json")
    again = massivetext("run", out.parent / "recipe.yaml", "--output", out)
    known = take_out(out, [other])

    assert "is a duplicate of" in done.stderr
    assert 0 == again.returncode, again.stderr
    assert "mixture gopher: stands as it was written" in again.stderr
    assert "curate" not in again.stderr
    assert held == digests(out, "mixture", "curated", "removed.json")
    assert (1, {}, 0) == (known.known, known.outcomes, known.files)
    assert 2 == len(json.loads((out / "removed.json").read_text("utf-8"))["ids"])
    manifest = json.loads((out / "index" / "manifest.json").read_text("utf-8"))
    assert 30 - 1 == sum(manifest["documents"].values())


@pytest.mark.parametrize(
    "patch", ["LocalEngine.run = half", pytest.param("removing._stage_markers = dies", marks=pytest.mark.heavy)]
)
def test_a_killed_removal_is_noticed_and_finished(out: Path, patch: str) -> None:
    names = [chosen(out)[name]["id"] for name in ("kept instead", "cut", "other")]
    ids = named(out.parent, "ids", names)
    shutil.copytree(out, out.parent / "undisturbed")
    take_out(out.parent / "undisturbed", names)
    killed = massivetext("remove", out, "--ids", ids, program=DIES.format(patch=patch))
    with pytest.raises(OutputError, match="give `massivetext remove"):
        refuse_unfinished(str(out))  # what `run` asks first
    faults, _ = verify(str(out))
    take_out(out)

    assert -9 == killed.returncode
    assert [f"{out}: a removal was begun and not finished; give `massivetext remove {out}`"] == [
        fault for fault in faults if "not finished" in fault
    ]
    assert digests(out.parent / "undisturbed") == digests(out)
    assert [] == verify(str(out))[0]


def test_a_removal_that_is_cut_short_before_its_list_is_written(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests of its texts are there, and the list does not state them: the same command again does."""
    name = chosen(out)["other"]["id"]

    def cut_short(self: Removed, root: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Removed, "write", cut_short)
        with pytest.raises(KeyboardInterrupt):
            take_out(out, [name])
    assert (out / "removed.parquet").exists()
    take_out(out, [name])

    assert [] == verify(str(out))[0]
    assert (file_digest(str(out / "removed.parquet")),) == read_removed(str(out)).texts


def test_a_folder_that_is_no_output_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "work" / "empty").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(OutputError, match="holds neither a ledger nor the manifest of a mixture"):
            take_out(folder, ["0" * 32])

    assert [tmp_path / "work", tmp_path / "work" / "empty"] == sorted(tmp_path.rglob("*"))


def test_a_mixture_that_stands_alone(out: Path) -> None:
    alone = out.parent / "alone"
    shutil.copytree(out / "mixture" / "gopher", alone)
    url = named(out.parent, "urls", ["https://e.example/b/2"])
    done = massivetext("remove", alone, "--urls", url, "--workers", 2)
    with pytest.raises(OutputError, match=f"give {out}"):
        take_out(out / "mixture" / "gopher", (), ["https://e.example/b/2"])

    assert 0 == done.returncode, done.stderr
    assert "Removed 1 document" in done.stdout
    assert [] == [row["id"] for row in rows(alone, "") if row["url"] == "https://e.example/b/2"]
    assert "Taken out since" in (alone / "README.md").read_text("utf-8")
    assert [] == verify_mixture(str(alone))
    assert not (alone / "work").exists()


def test_wrong_usage_and_a_damaged_list(out: Path) -> None:
    nothing = massivetext("remove", out)
    (out / "removed.json").write_text("{", "utf-8")
    with pytest.raises(OutputError, match=r"removed\.json: is damaged"):
        take_out(out)

    assert 2 == nothing.returncode
    with pytest.raises(OutputError, match="neither a ledger nor"):
        take_out(out.parent, ["0" * 32])


def test_the_data_card_agrees_with_the_manifests(out: Path) -> None:
    base = out / "mixture" / "gopher"
    card, manifest = (base / "README.md").read_text("utf-8"), json.loads((base / "manifest.json").read_text("utf-8"))
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in card.splitlines() if line[:1] == "|"]
    files = {row[0]: row[1:] for row in tables if row[0].startswith("shard-")}
    counts = json.loads((out / "ledger" / "manifest.json").read_text("utf-8"))["counts"]["c4"]

    assert files == {
        name: [f"{found['rows']:,}", f"{found['bytes']:,}", f"`{found['blake2b']}`"]
        for name, found in manifest["files"].items()
    }
    assert hashlib.blake2b(card.encode(), digest_size=32).hexdigest() == manifest["card"]["blake2b"]
    funnel = {
        " ".join(row[1:3]).replace("`", "").strip(): row[3:] for row in tables if row[0] == "`c4`" and len(row) == 6
    }
    assert {name: [f"{n:,}" for n in sums] for name, sums in counts.items()} == {
        name: sums for name, sums in funnel.items() if name != "records"
    }
    assert ["`quality.word_count`", "50 to 100,000", "`c4`"] in tables
    assert ["`c4`", "jsonl", "`[abcd].jsonl`", "1", "32"] in tables  # three files in one part
    assert ["en", str(counts["kept"][0]), f"{counts['kept'][2]:,}"] in tables
    assert "no tokenizer" in card
    assert "`c4` 4.00 times" in card
    (base / "README.md").write_text(card.replace("Data card", "Card"), "utf-8")
    assert [f"{base}/README.md: differs from what was written, or is not there"] == verify(str(out))[0]
