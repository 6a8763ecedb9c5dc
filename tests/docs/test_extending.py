"""What docs/extending.md prints is run as it is printed: through the command line, by worker processes of their own."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
PROGRAM = "from massivetext.cli import main; main()"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def response(url: str, body: str) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2000-01-01T00:00:00Z\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress((head + http + "\r\n\r\n").encode(), mtime=0)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """Ledger rows by subset, with the text of those that were kept."""
    folder = tmp_path_factory.mktemp("extending")
    (folder / "mine.py").write_text("\n\n".join(blocks("python")[:3]), "utf-8")
    (folder / "recipe.yaml").write_text(blocks("yaml")[0], "utf-8")
    (folder / "a.fortunes").write_bytes(b"Quiet words.\r\nTwo lines.\n%%\nLOUD WORDS\n%%\n\xff\xfe\n%%\nlast")
    page = "<html><body><nav>menu</nav><p>First <b>one</b>.</p><div><p>Second.</p></div></body></html>"
    (folder / "a.warc.gz").write_bytes(response("http://example.org/", page))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "run", str(folder / "recipe.yaml"), "--output", str(folder / "out")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
    )
    # One record in four is no text, which is more than the recipe bears.
    assert 1 == done.returncode, done.stderr
    assert "1 of 4 records failed" in done.stderr
    found: dict[str, list[dict]] = {}
    for subset in ("books", "massiveweb"):
        ledger = pq.read_table(folder / "out" / "ledger" / subset).to_pylist()
        curated = pq.read_table(folder / "out" / "curated" / subset).to_pylist()
        texts = {row["id"]: row["text"] for row in curated}
        found[subset] = [{**row, "text": texts.get(row["id"])} for row in ledger]
    return found


def test_each_example_is_short() -> None:
    examples = blocks("python")

    assert 4 == len(examples)
    assert all(len(example.splitlines()) < 50 for example in examples)


def test_the_reader_gives_its_records(rows: dict[str, list[dict]]) -> None:
    assert [("kept", None), ("rejected", "rules.shouting"), ("failed", "failed.encoding"), ("kept", None)] == [
        (row["outcome"], row["reason"]) for row in rows["books"]
    ]
    assert ["Quiet words.\nTwo lines.", None, None, "last"] == [row["text"] for row in rows["books"]]
    assert [0, 28, 42, 48] == [row["offset"] for row in rows["books"]]


def test_the_rule_measures(rows: dict[str, list[dict]]) -> None:
    assert [2 / 23, 9 / 10, None, 0.0] == [row["shouting"] for row in rows["books"]]


def test_the_engine_extracts(rows: dict[str, list[dict]]) -> None:
    assert ["First one.\n\nSecond."] == [row["text"] for row in rows["massiveweb"]]


def test_a_stage_of_a_package_is_a_key_of_recipes(tmp_path: Path) -> None:
    (tmp_path / "mystage.py").write_text(blocks("python")[3], "utf-8")
    info = tmp_path / "mystage-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mystage\nVersion: 1\n", "utf-8")
    (points,) = blocks("toml")
    (info / "entry_points.txt").write_text(
        points.replace('project.entry-points."massivetext.stages"', "massivetext.stages").replace('"', ""), "utf-8"
    )
    (tmp_path / "weights.txt").write_text("leverage 3\nsynergy 3\n", "utf-8")
    (tmp_path / "in.txt").write_text("a plain text of a few words\nleverage the synergy\n", "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "subsets: {news: {sources: [{format: lines, path: in.txt}], stages: [jargon]}}\n"
        "jargon: {model: weights.txt, jargon: {max: 0.2}}\nmixture: {weights: {news: 1.0}}\n",
        "utf-8",
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=env)

    arguments = ("run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out"))
    done = run(*arguments)
    assert 0 == done.returncode, done.stderr
    rows = pq.read_table(tmp_path / "out" / "ledger" / "news").to_pylist()
    assert [("kept", None, 0.0), ("rejected", "jargon.jargon", 2.0)] == [
        (row["outcome"], row["reason"], row["jargon"]) for row in rows
    ]
    told = run("explain", str(tmp_path / "out"), rows[1]["id"])
    assert "0.2 or less" in told.stdout, told.stderr

    (tmp_path / "weights.txt").write_text("leverage 0\nsynergy 0\n", "utf-8")
    refused = run(*arguments)
    assert 1 == refused.returncode
    assert "jargon.model" in refused.stderr
