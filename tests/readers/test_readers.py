from __future__ import annotations

import io
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext import readers
from massivetext.errors import RecipeError, SourceError

DOCS = Path(__file__).parent.parent.parent / "docs" / "readers.md"


@pytest.mark.parametrize("format", readers.FORMATS)
def test_every_format_is_in_the_documentation(format: str) -> None:
    assert callable(readers.get(format).read)
    assert format == readers.get(format).name
    assert f"| `{format}`" in DOCS.read_text("utf-8").replace("`warc`, `wet`", "`warc` | | `wet`")


@pytest.mark.parametrize(
    "format", [name for name in readers.FORMATS if name not in ("parquet", "mediawiki", "arrow", "wacz")]
)
def test_empty_files(tmp_path: Path, format: str) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    ranges = readers.split(str(path), format, size=0)
    found = [r for a, b in ranges for r in readers.read_part(str(path), format, start=a, stop=b)]

    assert ranges == [(0, 0)]
    assert [r.text for r in found if r.reason is None] == ([""] if format in ("text", "repositories") else [])


@pytest.mark.parametrize("format", ["parquet", "arrow", "wacz"])
def test_empty_files_that_are_none_of_their_format(tmp_path: Path, format: str) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")

    with pytest.raises(SourceError, match="not a"):
        list(readers.read_part(str(path), format, start=0, stop=1))


OWN = """from massivetext.documents import Record
from massivetext.readers import Reader

def read(stream, *, start, stop, source, options, counts):
    yield Record(0, stream.read().decode().upper())

READER = Reader("shout", read, fields={"text": "words"}, options={"volume": "how loud"})
"""


def test_a_reader_of_ones_own_in_a_file(tmp_path: Path) -> None:
    path, data = tmp_path / "own reader.py", tmp_path / "a.txt"
    path.write_text(OWN)
    data.write_text("hello")
    for name in ("read", "READER"):
        found = list(readers.read_part(str(data), f"{path}:{name}", start=0, stop=1))

        assert ["HELLO"] == [record.text for record in found]
    assert [] == readers.faults(f"{path}:read", {"anything": "x", "@option": "y"})
    assert readers.split(str(data), f"{path}:read", size=5) == [(0, 5)]


def test_a_reader_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shouting-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[massivetext.readers]\nshout = shouting:READER\n")
    (tmp_path / "shouting.py").write_text(OWN)
    (tmp_path / "a.txt").write_text("hello")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert "shout" in readers.formats()
    assert ["HELLO"] == [r.text for r in readers.read_part(str(tmp_path / "a.txt"), "shout", start=0, stop=1)]
    assert ["format shout has no option @volum; its options are: @volume; did you mean @volume?"] == readers.faults(
        "shout", {"@volum": "11"}
    )


@pytest.mark.parametrize(
    ("format", "message"),
    [
        ("json", "did you mean 'jsonl'"),
        ("none.such:read", "cannot be imported"),
        ("./none.py:read", "cannot be imported"),
        ("json:none", "cannot be imported"),
        ("sys:version", "expected a massivetext.readers.Reader or a function"),
    ],
)
def test_formats_that_are_none(format: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        readers.get(format)


def test_fields_are_checked_before_a_file_is_read() -> None:
    assert [] == readers.faults("jsonl", {"text": "body", "anything": "x", "@encoding": "cp1252"})
    assert ["format text has no named fields, so 'text' means nothing for it"] == readers.faults(
        "text", {"text": "body", "@encoding": "cp1252"}
    )


def test_a_wrong_field_is_said_with_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"content": "a long text", "meta": {"url": "u"}, "messages": [{"content": "x"}]}\n' * 3)
    array = tmp_path / "a.json"
    array.write_text('[{"content": "a long text"}]')
    sentence = readers.look(str(path), "jsonl", {"text": "contents"})

    assert sentence is not None
    assert "none of its first 3 records has text in the field 'contents'" in sentence
    assert "their fields are content, " in sentence
    assert "messages.0.content" in sentence
    assert "did you mean 'content'?" in sentence
    assert "did you mean" not in str(readers.look(str(path), "jsonl"))
    assert readers.look(str(array), "jsonl") is not None
    assert readers.look(str(path), "jsonl", {"text": "content"}) is None
    assert readers.look(str(path), "text") is None
    assert "none: No such file or directory" in str(readers.look(str(tmp_path / "none"), "jsonl"))
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "a.parquet")
    assert "its columns are body" in str(readers.look(str(tmp_path / "a.parquet"), "parquet"))
    texts = pa.array([[("text", "a")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"m": texts}), tmp_path / "b.parquet")
    assert readers.look(str(tmp_path / "b.parquet"), "parquet", {"text": "m.text"}) is None
    for format in ("parquet", "code"):
        assert "has text in the column 'm.txt'" in str(
            readers.look(str(tmp_path / "b.parquet"), format, {"text": "m.txt"})
        )


@pytest.mark.parametrize(
    ("content", "format", "sentence"),
    [
        (b'{"text": "a"}\n', "parquet", "not a Parquet file that can be read"),
        (b'{"text": "a"}\n', "warc", "no record in it; expected a WARC, WET or ARC file"),
        (
            b"A text.\nMore of it.\n",
            "jsonl",
            "format jsonl can read none of its first 2 records (2 failed.json); if it",
        ),
        (b"PAR1\0\0\0\0PAR1", "jsonl", "format jsonl cannot read it, it is Parquet: format `parquet` reads it"),
        (b"PAR1\0\0\0\0PAR1", "text", "format text cannot read it, it is Parquet: format `parquet` reads it"),
        (b"PAR1\0\0\0\0PAR1", "mediawiki", "no <page> in it"),
        (b'{"text": "a"}\nbroken\n', "jsonl", None),
        (b"", "jsonl", None),
    ],
)
def test_a_file_of_another_format_is_named_with_the_reason(
    tmp_path: Path, content: bytes, format: str, sentence: str | None
) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(content)
    answer = readers.look(str(path), format)

    assert (answer is None) if sentence is None else str(answer).startswith(f"{path}: {sentence}")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="cannot be opened"):
        list(readers.read_part("/nowhere/at/all", "warc", start=0, stop=1))


def test_the_reader_in_the_documentation() -> None:
    code = re.search(r"This one reads mail folders:\n\n((?:    .*\n|\n)+)", DOCS.read_text("utf-8"))

    assert code is not None
    lines = [line[4:] for line in code[1].strip("\n").split("\n")]
    names: dict[str, object] = {}
    exec("\n".join(lines), names)
    mail = b"From a\nSubject: one\n\nHello\nFrom b\nSubject: two\n"
    found = names["read"](io.BytesIO(mail), start=0, stop=len(mail), source="mail", options={}, counts={})  # type: ignore[operator]

    assert len(lines) < 45
    assert [(r.offset, r.text) for r in found] == [(0, "Subject: one\n\nHello"), (27, "Subject: two")]


def test_paths_of_any_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n', "utf-8")

    assert [str(path)] == readers.find(tmp_path, "jsonl") == readers.find(path, "jsonl")
    assert 14 == readers.size(path, "jsonl")
    assert ["a"] == [record.text for record in readers.read_part(path, "jsonl", start=0, stop=14)]
    assert readers.look(path, "jsonl") is None
    assert "has text in the field 'b'" in str(readers.look(path, "jsonl", {"text": "b"}))
