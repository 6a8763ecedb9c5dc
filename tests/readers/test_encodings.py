from __future__ import annotations

import codecs
import gzip
import io
import itertools
import json
from pathlib import Path
from random import Random

import pytest

from massivetext import readers
from massivetext.errors import RecipeError
from massivetext.readers import encodings
from tests.readers.member_files import chopped, split
from tests.readers.reading import drained, read
from tests.readers.test_json import texts

TEXTS = {
    "latin-1": ["# café\n", "Le café était fermé.\n", "Grüße aus München, schöne Straße\n", "/* © 2004 Foo */\n"],
    "cp1252": [
        "He said “hello” – it’s fine.\n",
        "// Author: José Núñez\nint main() { return 0; }\n",
        "x = 5; // 20° ± µ\n",
        "¿Qué pasó? ¡Año nuevo!\n",
        "Não há informação à mão\n",
        "Räksmörgås på ön\n",
        "Chapter I. The naïve façade of the café cost £5 – “really”.\n" * 50,
    ],
    "gbk": [
        "// 中文注释说明这个函数的作用\nint x;\n",
        "// 注释\n",
        "第一章 很久很久以前，有一个国王，他有三个女儿。\n",
    ],
    "cp932": ["// この関数は値を返します\nint x;\n", "// テスト\n", "// 日本語注釈\nint x;\n", "ｱｲｳ テスト 日本\n"],
    "euc-jp": ["// この関数は値を返します\nint x;\n"],
    "euc-kr": ["// 이 함수는 값을 반환합니다\nint x;\n", "안녕하세요 이것은 한국어 테스트입니다"],
    "big5": ["// 這個函數的作用是返回一個值\n"],
    "iso-2022-jp": ["これは日本語のテストです\n"],
    "cp1251": ["# Привет мир, это комментарий\n", "int x; // счётчик строк\nint main() { return 0; }"],
    "koi8-r": ["# Привет мир, это комментарий\n"],
    "iso-8859-7": ["Καλημέρα κόσμε, τι κάνεις;\n"],
    "cp1250": ["Příliš žluťoučký kůň úpěl ďábelské ódy\n", "Zażółć gęślą jaźń\n"],
    "iso-8859-2": ["Zażółć gęślą jaźń\n"],
    "cp1254": ["Türkçe karakterler: ğüşiöç İstanbul\n"],
    "cp1256": ["مرحبا بالعالم هذا نص عربي\n"],
    "cp1255": ["שלום עולם זה טקסט בעברית\n"],
    "cp874": ["สวัสดีชาวโลก นี่คือข้อความ\n"],
    "mac-roman": ["Le café était fermé.\n"],
    "cp850": ["Le café était fermé.\n"],
    "utf-16": ["Le café\n"],
    "utf-16-le": ["Le café était fermé.\n"],
    "utf-8": ["Le café\n", "plain\n", "中文\n"],
    "utf-8-sig": ["Le café\n"],
}


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in TEXTS.items() for text in texts])
def test_texts_that_say_nothing_of_their_encoding(encoding: str, text: str) -> None:
    assert (text, 0) == encodings.decode_any(text.encode(encoding))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"# -*- coding: gbk -*-\n", "gb18030"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1251 :\n", "cp1251"),
        (b"/* vim: set fenc=latin1: */", "cp1252"),
        (b"# encoding: euc-jp\n", "euc_jp"),
        (b"x\n" * 9 + b"// vim:enc=sjis\n", "cp932"),
        (b";; -*- mode: lisp; coding: iso-2022-jp-unix -*-\n", "iso2022_jp"),
        (b"import x\n\n# Local Variables:\n# coding: koi8-r\n# End:\n", "koi8-r"),
        (b"<?xml version='1.0' encoding='iso-8859-15'?>", "iso8859-15"),
        (b'@charset "windows-1251";', "cp1251"),
        (b"<html><head><meta charset=big5>", "big5hkscs"),
        (b"Title: x\nCharacter set encoding: ISO-8859-1\n", "cp1252"),
        (b"Title: x\r\nCharacter set encoding: ISO 8859-2\r\n", "iso8859-2"),
        (b"Character set encoding: Codepage 1252\r\n", "cp1252"),
        (b"Character set encoding: ISO Latin-1\n", "cp1252"),
        (b"Character set encoding: Unicode UTF-8\n", "utf-8"),
        (b"# This is coding: something\n", None),
        (b"# coding: rot13\n", None),
        (b"# coding: unicode_escape\n", None),
        (b"# coding: utf-7\n", None),
        (b"nothing of it\n", None),
    ],
)
def test_declarations(head: bytes, expected: str | None) -> None:
    assert expected == encodings.declared(head)


def test_a_declaration_counts_where_the_bytes_are_not_utf8() -> None:
    assert (
        "# -*- coding: cp1251 -*-\n# да\n"
        == encodings.decode_any("# -*- coding: cp1251 -*-\n# да\n".encode("cp1251"))[0]
    )
    assert "# -*- coding: cp1251 -*-\n# да\n" == encodings.decode_any("# -*- coding: cp1251 -*-\n# да\n".encode())[0]
    wrong = "# -*- coding: utf-8 -*-\n# café au lait\n"
    assert wrong == encodings.decode_any(wrong.encode("latin-1"))[0]


@pytest.mark.parametrize(
    "data", [b"end \xff", b"\xff" * 5, "café, café ".encode() + b"\xe9\xff", b"\xc3\xa9" * 9 + b"\xff"]
)
def test_bytes_that_no_encoding_makes_text_of_are_counted(data: bytes) -> None:
    text, n_replaced = encodings.decode_any(data)

    assert "\ufffd" in text
    assert n_replaced == text.count("\ufffd")


def test_nothing_takes_long() -> None:
    for data in (b"\xe9" * 3_000_000, b"a\xe9 " * 1_000_000, b"\x81" * 3_000_000, b"\xe9\n" * 1_000_000):
        encodings.decode_any(data)


def test_lines_and_books_in_any_encoding() -> None:
    for encoding, lines in TEXTS.items():
        if encoding in ("utf-16", "utf-16-le", "utf-8-sig", "iso-2022-jp"):
            continue
        data = lines[0].encode(encoding)
        assert [lines[0].split("\n")[0]] == texts(data, "lines")[:1]
        assert [lines[0]] == texts(data, "text")
        assert [lines[0]] == texts(gzip.compress(data), "text")


def test_a_file_of_lines_has_one_encoding_and_a_line_its_own() -> None:
    greek = "Καλημέρα κόσμε, τι κάνεις;\nναι\n".encode("iso-8859-7")
    assert ["Καλημέρα κόσμε, τι κάνεις;", "ναι"] == texts(greek, "lines")
    assert ["plain"] * 20_000 + ["café"] == texts(b"plain\n" * 20_000 + b"caf\xe9\n", "lines")
    assert ["bad \ufffd"] == texts(b"\xef\xbb\xbfbad \xff\n", "lines")


def test_the_encoding_that_a_recipe_names() -> None:
    data = "ναι\n".encode("iso-8859-7")
    assert ["ναι"] == texts(data, "lines", {"@encoding": "iso-8859-7"})
    assert ["ναι\n"] == texts(data, "text", {"@encoding": "iso-8859-7"})


def stored(format: str, text: str) -> str:
    """A file of the format whose first document is `text`, and whose second is `b`."""
    return {
        "text": text,
        "lines": f"{text}\nb\n",
        "csv": f"text,url\n{text},http://a/\nb,\n",
        "jsonl": "".join(json.dumps({"text": one}, ensure_ascii=False) + "\n" for one in (text, "b")),
        "array": json.dumps([{"text": text}, {"text": "b"}], ensure_ascii=False),
    }[format]


FORMATS = ["text", "lines", "csv", "jsonl", "array"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("mark", "encoding", "named"),
    [
        *[(encodings.bom("\ufeff".encode(one))[0], one, other)
          for one in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
          for other in ("cp1252", "utf-8", "utf-16", "utf-16-be", "utf-32", None)],
        *[(b"", one, one) for one in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp1252", "cp037")],
        (b"", "utf-16-le", "UTF-16"),
        (b"", "utf-16-be", "utf16"),
        (b"", "utf-32-le", "utf-32"),
        (b"", "utf-32-be", "utf-32"),
        (b"", "utf-16-le", None),
        (b"", "utf-16-be", None),
        (b"", "utf-8", None),
    ],
)  # fmt: skip
def test_a_mark_goes_before_the_recipe_and_the_recipe_before_what_is_detected(
    format: str, mark: bytes, encoding: str, named: str | None
) -> None:
    data = mark + stored(format, "Le café fermé").encode(encoding)
    options = {"@encoding": named} if named else {}

    for content in (data, gzip.compress(data)):
        records, error = read(content, "jsonl" if format == "array" else format, options)

        assert ["Le café fermé", "b"][: len(records)] == [r.text for r in records]
        assert len(records) == 1 + (format != "text")
        assert not any(r.n_replaced for r in records)
        assert error is None


@pytest.mark.parametrize("format", FORMATS)
def test_utf16_that_nothing_but_the_recipe_tells(format: str) -> None:
    data = stored(format, "Привет мир. " * 200).encode("utf-16-le")
    records, _ = read(data, "jsonl" if format == "array" else format, {"@encoding": "utf-16-le"})

    assert ("Привет мир. " * 200).strip() == (records[0].text or "").strip()


@pytest.mark.parametrize("format", ["lines", "jsonl", "array"])
def test_ranges_of_a_file_that_is_not_known_to_be_utf16_when_it_is_split(
    format: str, tmp_path: Path, small_margin: None
) -> None:
    random = Random(0)
    documents = ["".join(map(chr, random.choices(range(0x4E00, 0x9FA5), k=50))) for _ in range(4000)]
    rows = [{"text": text} for text in documents]
    lines = documents if format == "lines" else [json.dumps(row, ensure_ascii=False) for row in rows]
    data = (f"[{','.join(lines)}]" if format == "array" else "\n".join(lines)).encode("utf-16-le")
    name, options = "lines" if format == "lines" else "jsonl", {"@encoding": "utf-16-le"}
    path = tmp_path / "a"
    path.write_bytes(data)
    ranges = readers.split(str(path), name, size=len(data), target_bytes=100_000)
    parts = (readers.read_part(str(path), name, start=start, stop=stop, options=options) for start, stop in ranges)

    assert len(ranges) > 3
    assert documents == [r.text for r in itertools.chain(*parts)]

    data = chopped(data, 5003)
    how = readers.get(name).members
    assert how is not None
    cuts, _ = split(data, name, 40_000)
    records = []
    for one in cuts:
        records += list(how.read(io.BytesIO(data), members=one, source="file", options=options, counts={}))

    assert len(cuts) > 3
    assert documents == [r.text for r in records]


@pytest.mark.parametrize("format", FORMATS)
def test_what_utf16_cannot_mean_is_counted(format: str) -> None:
    data = stored(format, "Le café fermé").encode("utf-16-le").replace("f".encode("utf-16-le"), b"\x00\xd8")
    records, _ = read(codecs.BOM_UTF16_LE + data, "jsonl" if format == "array" else format)

    assert [("Le ca\ufffdé \ufffdermé", 2)] == [((r.text or "").strip(), r.n_replaced) for r in records[:1]]


@pytest.mark.parametrize("named", ["nope", "base64", "rot13", "idna", "punycode", "undefined", "unicode_escape", "\0"])
def test_a_name_that_is_no_encoding_of_text(named: str) -> None:
    options = {"@encoding": named}
    for format in ("text", "lines", "csv", "jsonl", "repositories"):
        (fault,) = readers.faults(format, options)
        assert fault.startswith(f"@encoding: {named!r} is no encoding of text")
    with pytest.raises(RecipeError, match="no encoding of text"):
        drained(readers.read(io.BytesIO(b"a"), "lines", start=0, stop=1, source="file", options=options))


@pytest.mark.parametrize("named", ["cp1252", "Latin-1", "UTF_16", "utf8", "utf-8-sig", "utf-7", "x-sjis", "cp037", ""])
def test_names_of_encodings(named: str) -> None:
    assert [] == readers.faults("text", {"@encoding": named})


def test_names_that_only_the_web_knows() -> None:
    assert ["ア"] == texts(b"\x83\x41", "lines", {"@encoding": "x-sjis"})


def test_what_may_have_been_meant_by_a_wrong_name_of_an_encoding() -> None:
    assert "did you mean 'koi8-r'?" in readers.faults("text", {"@encoding": "KOI8_RU"})[0]


HEADER = "The Project Gutenberg EBook of X\n\nTitle: X\nAuthor: Y\n\nCharacter set encoding: {}\n\n"
START = "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n"


@pytest.mark.parametrize(
    ("label", "encoding", "body"),
    [
        ("ISO-8859-1", "latin-1", 'Le café était fermé, "dit-il".\n'),
        ("ISO 8859-1 (Latin-1)", "latin-1", "é\n"),
        ("Codepage 1252", "cp1252", "“é”\n"),
        ("Big5", "big5", "中文\n"),
        ("windows-1251", "cp1251", "да\n"),
        ("ASCII", "latin-1", "café\n"),
        ("UTF-8", "utf-8", "café\n"),
        ("UTF-8", "latin-1", "Le café était fermé.\n"),
    ],
)
def test_books_of_gutenberg(label: str, encoding: str, body: str) -> None:
    data = (HEADER.format(label) + START + body).encode(encoding)
    found, error = read(data.replace(b"\n", b"\r\n"), "text")

    assert [(body, 0)] == [(r.text, r.n_replaced) for r in found]
    assert error is None


def test_a_damaged_book_keeps_what_stands_before_the_fault() -> None:
    found, error = read(gzip.compress(b"Once upon a time. " * 1000)[:-4], "text")

    assert ["Once upon a time. " * 1000, None] == [r.text for r in found]
    assert {"damage": "truncated"} == dict(found[0].metadata)
    assert "failed.truncated" == found[1].reason
    assert error is not None
