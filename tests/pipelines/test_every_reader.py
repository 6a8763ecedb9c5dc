"""A run over every format at once: each record has its row, and what the sources lack is said."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from massivetext import readers
from tests.faults.running import ledger, massivetext
from tests.readers.archives import members, record, records
from tests.readers.test_epub import CHAPTER, epub, item, package
from tests.readers.test_tables import arrow
from tests.readers.test_warc_kinds import wacz

MIT = Path(__file__).parents[1] / "readers" / "mit.txt"
TABLE = pa.table({"text": ["one", None, "three"]})
WIKI = (
    "<page><title>{0}</title><ns>0</ns><id>{1}</id><revision><id>1</id><model>wikitext</model>"
    "<text>The page on {0}.</text></revision></page>"
)


def zipped(files: dict[str, str]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def repository(files: dict[str, str | bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(f"repo/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


STAMPS = ["2020-01-02", "yesterday", "", None, "Thu, 02 Jan 2020 03:04:05 GMT"]
JSONL = "".join(json.dumps({"text": f"line {n}", "when": stamp}) + "\n" for n, stamp in enumerate(STAMPS))
SPINE = '<itemref idref="c1"/><itemref idref="c2"/>'
BOOK = epub({"OEBPS/c.opf": package(item("c1.xhtml") + item("c2.xhtml", key="c2"), SPINE), "OEBPS/c1.xhtml": CHAPTER})
TITLED = '{"text": "the play", "headline": "Hamlet"}\n{"text": "another", "headline": "Macbeth"}\n'

SOURCES: dict[str, tuple[dict[str, bytes], int]] = {
    "warc": ({"a.warc.gz": members(records(4)), "cut.warc.gz": members(records(3))[:-20]}, 8),
    "wet": (
        {"a.wet": b"".join(record(b"words", n, kind=b"conversion", content_type=b"text/plain") for n in range(3))},
        3,
    ),
    "wacz": ({"a.wacz": wacz({"archive/a.warc.gz": members(records(3))})}, 3),
    "html": ({"a.html": b"<p>words", "b.html": b"\x89PNG\r\n\x1a\n"}, 2),
    "jsonl": ({"a.jsonl": JSONL.encode(), "b.zip": zipped({"b.jsonl": JSONL + "{\n", "notes.pdf": "x"})}, 11),
    "csv": ({"a.csv": b"text,n\none,1\n,2\nthree,3,4\n"}, 3),
    "lines": ({"a.txt": b"one\n\ntwo\n", "b.txt": b"%PDF-1.4\nx\ny\n"}, 3),
    "parquet": ({"a.parquet": parquet(TABLE)}, 3),
    "arrow": ({"a.arrow": arrow(TABLE)}, 3),
    "text": ({"a.txt": b"A book.", "b.epub": BOOK, "c.txt": b"{\\rtf1 x}"}, 3),
    "mediawiki": ({"a.xml": f"<mediawiki>{WIKI.format('Hamlet', 1)}{WIKI.format('Tea', 2)}</mediawiki>".encode()}, 2),
    "code": ({"a.jsonl": b'{"content": "x = 1", "path": "a.py", "repo_name": "r", "license": "mit"}\n{}\n'}, 2),
    "repositories": (
        {"r.tar.gz": repository({"LICENSE": MIT.read_bytes(), "a.py": "x = 1\n", "b.png": b"\x89PNG\r\n\x1a\n\0"})},
        3,
    ),
    "titled": ({"a.jsonl": TITLED.encode()}, 2),
}
"""By format: files, and how many records they have; `titled` is one of JSON lines with titles."""

FIELDS = {"jsonl": {"text": "text", "timestamp": "when"}, "titled": {"text": "text", "title": "headline"}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("readers")
    subsets = {}
    for name, (files, _) in SOURCES.items():
        (folder / name).mkdir()
        for file, data in files.items():
            (folder / name / file).write_bytes(data)
        source = {"format": "jsonl" if name == "titled" else name, "path": f"{name}/*", "fields": FIELDS.get(name, {})}
        stages = ["deduplication"] if name == "jsonl" else ["contamination"]
        subsets[name] = {"sources": [source], "stages": stages}
    (folder / "items.txt").write_text("Hamlet\n")
    testset = {"name": "plays", "path": "items.txt", "unit": "line", "titles": "items.txt", "titles_in": ["titled"]}
    recipe = {
        "subsets": subsets,
        "testsets": [testset],
        "deduplication": {"keep": "newest"},
        "max_failed": 1.0,
        "mixture": {"weights": {"lines": 1.0}},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    done = massivetext("decontaminate", str(folder / "recipe.yaml"), "--output", str(folder / "out"))
    assert 1 == done.returncode, done.stderr  # the archive that was cut
    assert ["cut.warc.gz"] == re.findall(r"failed: \S*?([^/\s]+): ", done.stderr)
    return folder / "out", done.stdout + done.stderr


def test_all_formats_are_here() -> None:
    assert set(readers.FORMATS) == set(SOURCES) - {"titled"}


@pytest.mark.parametrize("name", SOURCES)
def test_the_ledgers_sums_are_the_records_read(run, name: str) -> None:
    rows = [row for row in ledger(run[0]) if row["subset"] == name]
    read = json.loads((run[0] / "curated" / "manifest.json").read_text())["counts"][name]
    sums = json.loads((run[0] / "ledger" / "manifest.json").read_text())["counts"][name]

    assert SOURCES[name][1] == len(rows) == read["records"] == sum(counts[0] for counts in sums.values())
    assert len(rows) == len({row["id"] for row in rows})
    assert Counter(row["outcome"] for row in rows) == sum(
        (Counter({key.split(" ")[0]: counts[0]}) for key, counts in sums.items()), Counter()
    )


def test_the_folder_is_sound(run) -> None:
    assert 0 == massivetext("verify", str(run[0])).returncode


def test_what_the_sources_lack_is_said(run) -> None:
    read = json.loads((run[0] / "curated" / "manifest.json").read_text())["counts"]

    assert 2 == read["jsonl"]["timestamps_unreadable"]
    assert "jsonl: the timestamps of 2 documents cannot be read; for `keep: newest` they have none" in run[1]
    assert 1 == read["jsonl"]["members_left_out"]
    assert "jsonl: 1 members of archives were left out" in run[1]
    assert 1 == read["text"]["chapters_unreadable"]
    assert "text: 1 chapters of EPUB books cannot be read" in run[1]
    assert 0 == massivetext("report", str(run[0])).returncode
    page = (run[0] / "report" / "index.html").read_text()
    for words in ("timestamps_unreadable 2", "members_left_out 1", "chapters_unreadable 1"):
        assert words in page


def test_titles_go_where_the_recipe_says_so(run) -> None:
    rows = {name: [row for row in ledger(run[0]) if row["subset"] == name] for name in ("titled", "mediawiki")}

    assert ["contamination.title", None] == [row["reason"] for row in rows["titled"]]
    assert [None, None] == [row["reason"] for row in rows["mediawiki"]]
