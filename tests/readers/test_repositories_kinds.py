"""Encodings of code, and files that are no code."""

from __future__ import annotations

from pathlib import Path

import pytest

from massivetext import readers
from tests.readers.reading import drained
from tests.readers.test_encodings import TEXTS


def read(
    tmp_path: Path, name: str, data: bytes, options: dict[str, str] | None = None
) -> tuple[str | None, str | None]:
    (tmp_path / "repo").mkdir(exist_ok=True)
    (tmp_path / "repo" / name).write_bytes(data)
    parts = readers.read_part(str(tmp_path / "repo"), "repositories", start=0, stop=1, options=options)
    found, error = drained(parts)

    assert error is None
    return found[0].text, found[0].reason


@pytest.mark.parametrize("encoding", TEXTS)
def test_code_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    for text in TEXTS[encoding]:
        assert (text, None) == read(tmp_path, "a.c", text.encode(encoding))


def test_the_encoding_that_a_recipe_names(tmp_path: Path) -> None:
    assert ("// ναι\n", None) == read(tmp_path, "a.c", "// ναι\n".encode("cp1253"), {"@encoding": "cp1253"})


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0",
        bytes(range(1, 8)) * 20,
        b"%PDF-1.4\n1 0 obj\n<< >>\nendobj\n",
        b"GIF89a" + b"\x01" * 20,
        b"\xff\xd8\xff\xe0JFIF",
        b"PK\x03\x04rest",
        b"\x1f\x8b\x08rest",
        b"x\0y",
        b"BZh91AY&SYrest",
        b"wOFFrest",
    ],
)
def test_what_is_no_code(tmp_path: Path, data: bytes) -> None:
    assert (None, "skipped.binary") == read(tmp_path, "a.bin", data)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "\x1b[31mred\x1b[0m\n",
            "page\x0cbreak\n",
            "dos\r\nend\x1a",
            "<!DOCTYPE html><html>",
            "{\\rtf1}",
            "",
            "\x01\x02",
        ),
        *("%!PS-Adobe\n", "BMI = 5\n", "MZ = 3\n", "ID3 tags\n", "WARC/1.0\r\n", "<mediawiki>"),
    ],
)
def test_text_that_looks_odd_is_code(tmp_path: Path, text: str) -> None:
    assert (text.replace("\r\n", "\n"), None) == read(tmp_path, "a.txt", text.encode())
