"""The program of docs/examples/own_pipeline.py: what somebody writes who imports Beam and `pipelines` alone."""

from __future__ import annotations

import gzip
import html
import runpy
from pathlib import Path
from pydoc_data.topics import topics

import pyarrow.parquet as pq
from click.testing import CliRunner

from massivetext.cli import commands
from tests.conftest import REPOSITORY

PROGRAM = REPOSITORY / "docs" / "examples" / "own_pipeline.py"

TOPICS = (
    "assignment",
    "comparisons",
    "exceptions",
    "import",
    "naming",
    "numeric-types",
    "try",
    "with",
    "customization",
    "types",
)
"""Pages of the interpreter's own documentation, which are English prose."""


def write_archive(path: Path, names: tuple[str, ...]) -> None:
    """A page for each topic, and a copy of the first one."""
    with gzip.open(path, "wb") as stream:
        for n, name in enumerate([*names, names[0]]):
            paragraphs = "".join(f"<p>{html.escape(text)}</p>\n" for text in topics[name].split("\n\n"))
            page = f"<html><body><article><h1>{name}</h1>{paragraphs}</article></body></html>".encode()
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
            head = (
                f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://host{n}.example/{name}\r\n"
                f"WARC-Date: 2024-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:{n}>\r\n"
                f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(answer)}\r\n\r\n"
            )
            stream.write(head.encode() + answer + b"\r\n\r\n")


def texts(folder: Path) -> list[str]:
    (mixture,) = (folder / "mixture").iterdir()
    return sorted(row["text"] for path in mixture.glob("*.parquet") for row in pq.read_table(path).to_pylist())


def test_a_pipeline_of_ones_own_gives_the_texts_of_a_run(tmp_path: Path) -> None:
    for n in range(2):
        write_archive(tmp_path / f"{n}.warc.gz", TOPICS[5 * n : 5 * n + 5])
    pattern = f"{tmp_path}/*.warc.gz"
    runpy.run_path(str(PROGRAM))["curate"](pattern, str(tmp_path / "own"))
    (tmp_path / "recipe.yaml").write_text(
        f"subsets: {{massiveweb: {{sources: [{{format: warc, path: '{pattern}'}}]}}}}\n"
        "mixture: {weights: {massiveweb: 1}}\n",
        "utf-8",
    )
    arguments = ["run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "run"), "--quiet"]
    result = CliRunner().invoke(commands, arguments)

    assert 0 == result.exit_code, result.output
    assert texts(tmp_path / "run") == texts(tmp_path / "own")
    assert len(texts(tmp_path / "own")) == 4 * len(set(texts(tmp_path / "own"))) >= 4 * 3
    assert 40 >= len([line for line in PROGRAM.read_text("utf-8").splitlines() if line.strip()])
