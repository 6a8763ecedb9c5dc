from __future__ import annotations

import importlib
import io
import re
from pathlib import Path

import pytest

from massivetext import readers
from massivetext.errors import SourceError

DOCS = Path(__file__).parent.parent.parent / "docs" / "readers.md"


def test_every_format_has_a_reader() -> None:
    for format in readers.FORMATS:
        module = importlib.import_module(f"massivetext.readers.{'warc' if format == 'wet' else format}")

        assert callable(module.read)


@pytest.mark.parametrize("format", [name for name in readers.FORMATS if name not in ("parquet", "mediawiki")])
def test_empty_files(tmp_path: Path, format: str) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    ranges = readers.split(str(path), format, size=0)
    found = [r for a, b in ranges for r in readers.read_part(str(path), format, start=a, stop=b)]

    assert ranges == [(0, 0)]
    assert [r.text for r in found] == ([""] if format in ("text", "repositories") else [])


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

    assert len(lines) < 40
    assert [(r.offset, r.text) for r in found] == [(0, "Subject: one\n\nHello"), (27, "Subject: two")]
