"""A first recipe from what lies in a folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.errors import OutputError, SourceError
from massivetext.looking.draft_recipe import find_groups, format_of, subset_of
from pipelines.input_splits import find_parts
from pipelines.recipe import read

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><p>A page of the web.</p></html>"
WARC = (
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/\r\n"
    b"WARC-Date: 2020-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\n"
    b"Content-Type: application/http; msgtype=response\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n" % (len(PAGE), PAGE)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    for name in ("crawl/a", "my-books", "press [x]", "out/work", "odd", "stack"):
        (data / name).mkdir(parents=True)
    (data / "crawl/a/1.warc.gz").write_bytes(gzip.compress(WARC))
    (data / "crawl/2.warc.gz").write_bytes(gzip.compress(WARC))
    (data / "my-books/one.txt").write_text("Call me Ishmael. # not a comment\nA second line.", "utf-8")
    table = pa.table({"id": ["1"], "body": ["News of the day"], "link": ["http://n"]})
    pq.write_table(table, data / "press [x]/n.parquet")
    for k in range(2):
        row = {"content": f"print({k})", "license": "MIT", "path": "a.py"}
        (data / f"stack/{k}.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    (data / "top.jsonl").write_text(json.dumps({"raw_content": "some text of a page", "n": 1}) + "\n", "utf-8")
    (data / "odd/x.pdf").write_bytes(b"%PDF-1.7\n")
    (data / "out/recipe.yaml").write_text("digest: x\n", "utf-8")
    (data / "out/work/x.jsonl").write_text("{}\n", "utf-8")
    (data / ".hidden.jsonl").write_text("{}\n", "utf-8")
    (data / "empty.jsonl").write_text("", "utf-8")
    return data


def test_files_are_grouped_by_folder_and_format(folder: Path) -> None:
    groups, unknown, is_cut = find_groups(str(folder))

    assert [
        ("massiveweb", "warc", "crawl/**/*.warc.gz", 2),
        ("books", "text", "my-books/one.txt", 1),
        ("news", "parquet", r"press \[x\]/n.parquet", 1),
        ("github", "code", "stack/*.jsonl", 2),
        ("massiveweb", "jsonl", "top.jsonl", 1),
    ] == [(group.subset, group.format, group.pattern, len(group.files)) for group in groups]
    assert ["odd/x.pdf"] == unknown
    assert not is_cut
    fields = {group.format: group.fields for group in groups}
    assert {"text": "body", "url": "link"} == fields["parquet"]
    assert {"text": "raw_content"} == fields["jsonl"]
    assert {} == fields["code"]
    assert not [group.fault for group in groups if group.fault]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_columns_of_csv_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes("link;body\nhttp://a/;Le café\n".encode(encoding))
    ((group,), _, _) = find_groups(str(tmp_path))

    assert {"text": "body", "url": "link"} == group.fields
    assert group.first is not None
    assert ("Le café", "http://a/") == (group.first.text, group.first.url)


def test_the_recipe_can_be_run(folder: Path) -> None:
    path = folder.parent / "mine.yaml"
    result = CliRunner().invoke(commands, ["init", str(folder), "--output", str(path)], catch_exceptions=False)
    text = path.read_text("utf-8")

    assert 0 == result.exit_code
    assert "# first text: Call me Ishmael. # not a comment A second line." in text
    assert "# first url: http://a.example/" in text
    assert "# fields: id, body, link" in text
    assert "# No format reads 1 file:" in text
    recipe = read(str(path))
    assert {"books", "github", "massiveweb", "news"} == set(recipe.filled)
    weights = {"massiveweb": 48 / 88, "books": 27 / 88, "news": 10 / 88, "github": 3 / 88}
    assert pytest.approx(weights, abs=1e-4) == dict(recipe.mixture.weights)
    validated = CliRunner().invoke(commands, ["validate", str(path)], catch_exceptions=False)
    assert 0 == validated.exit_code, validated.output


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for name in ("data/de/part.jsonl", "data/en/part.jsonl", "data/en/deep/part.jsonl", "data/other/one.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"text": f"a text of {name}"}) + "\n", "utf-8")
    result = CliRunner().invoke(commands, ["init", str(tmp_path / "data"), "--output", str(tmp_path / "r.yaml")])
    assert 0 == result.exit_code, result.output

    recipe = read(str(tmp_path / "r.yaml"))

    sources = sorted(member.source for part in find_parts(recipe) for member in part.members)
    assert ["de/part.jsonl", "en/deep/part.jsonl", "en/part.jsonl", "one.jsonl"] == sources


def test_nothing_is_written_over(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine", "utf-8")
    with pytest.raises(OutputError, match="is there already"):
        CliRunner().invoke(commands, ["init", str(folder), "--output", str(path)], catch_exceptions=False)

    assert "mine" == path.read_text("utf-8")
    CliRunner().invoke(commands, ["init", str(folder), "--output", str(path), "--force"], catch_exceptions=False)
    assert path.read_text("utf-8").startswith("# A first recipe")


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        find_groups(str(tmp_path / "nothing"))
    with pytest.raises(SourceError, match="holds no file that a format reads"):
        CliRunner().invoke(commands, ["init", str(tmp_path), "--output", "-"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("x.warc.wet.gz", b"WARC/1.0\r\n", "wet"),
        ("x.WARC.gz", b"", "warc"),
        ("x.json.zst", b'{"text": 1}', "jsonl"),
        ("x.json", b'{"content": 1, "license": 2}\n', "code"),
        ("x.tsv", b"a\tb", "csv"),
        ("x.pq", b"PAR1", "parquet"),
        ("x.epub", b"PK", "text"),
        ("x.xml.bz2", b"<mediawiki xmlns=", "mediawiki"),
        ("x.xml", b"<rss>", None),
        ("noname", b"WARC/1.0\r\n", "warc"),
        ("noname", b"plain words", None),
        ("x.tar.gz", b"", "repositories"),
        ("x.pdf", b"%PDF-1.7", None),
    ],
)
def test_formats(name: str, head: bytes, expected: str | None) -> None:
    assert expected == format_of(name, head)


@pytest.mark.parametrize(
    ("path", "format", "expected"),
    [
        ("enwiki/a.jsonl", "jsonl", "wikipedia"),
        ("wordpress/a.jsonl", "jsonl", "massiveweb"),
        ("wikipedia-en/a.jsonl", "jsonl", "wikipedia"),
        ("data/gutenberg/1.txt", "text", "books"),
        ("newspapers/x.jsonl", "jsonl", "news"),
        ("old_news/x.jsonl", "jsonl", "news"),
        ("c4/x.jsonl", "jsonl", "c4"),
        ("mac4/x.jsonl", "jsonl", "massiveweb"),
        ("anything", "mediawiki", "wikipedia"),
        ("crawl/x.warc", "warc", "massiveweb"),
    ],
)
def test_subsets(path: str, format: str, expected: str) -> None:
    assert expected == subset_of(path, format)


def test_what_cannot_be_read_is_named(folder_of_a_user: Path) -> None:
    for name in ("a", "b"):
        (folder_of_a_user / name).mkdir()
        (folder_of_a_user / name / "x.jsonl").write_text('{"text": "a"}\n', "utf-8")
    base = str(folder_of_a_user)
    for mode in (0, 0o400):
        (folder_of_a_user / "b").chmod(mode)
        for place in (base, f"{base}/b"):
            with pytest.raises(SourceError, match=r"/b(/x\.jsonl)?: cannot be read: Permission denied"):
                find_groups(place)
    with pytest.raises(SourceError, match="/b/c: cannot be read: Permission denied"):
        find_groups(f"{base}/b/c")
    (folder_of_a_user / "b").chmod(0o700)
    (folder_of_a_user / "b" / "x.jsonl").chmod(0)
    with pytest.raises(SourceError, match=r"/b/x\.jsonl: cannot be opened: Permission denied"):
        find_groups(base)
    with pytest.raises(SourceError, match="/c: no such folder"):
        find_groups(f"{base}/c")
