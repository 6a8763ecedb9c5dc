"""Which encoding a page is in."""

from __future__ import annotations

import codecs

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from massivetext.extraction.encoding import declared_encoding, decode_page, is_binary, page_encoding


@pytest.mark.parametrize(
    ("page", "content_type", "expected"),
    [
        (codecs.BOM_UTF8 + b'<meta charset="gbk">', "text/html; charset=koi8-r", "utf-8"),
        (codecs.BOM_UTF16_LE + "<p>a".encode("utf-16-le"), None, "utf-16-le"),
        (codecs.BOM_UTF16_BE + "<p>a".encode("utf-16-be"), "text/html; charset=utf-8", "utf-16-be"),
        (b'<meta charset="gbk">', "text/html; charset=KOI8-R", "koi8-r"),
        (b'<meta charset="gbk">', "text/html; charset=nonsense", "gb18030"),
        (b'<meta charset="gbk">', "text/html", "gb18030"),
        (b"<META http-equiv=Content-Type content='text/html; charset=Shift_JIS'>", None, "cp932"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><html>', None, "cp1252"),
        (b'<!-- <meta charset="gbk"> --><meta charset="big5">', None, "big5hkscs"),
        (b'<meta charset="utf-16">', None, "utf-8"),
        (b'<meta charset="utf-7">', None, None),
        (b" " * 4000 + b'<meta charset="koi8-r">', None, "koi8-r"),
        (b" " * 4096 + b'<meta charset="koi8-r">', None, None),
        (b"", None, None),
    ],
)
def test_declarations_count_in_the_order_of_browsers(page, content_type, expected):
    assert declared_encoding(page, content_type) == expected


def test_what_is_not_utf8_is_detected():
    text = "<title>Новости дня</title><p>Вчера в городе прошёл большой праздник, на который пришли все жители."
    page = b'<meta charset="utf-8">' + text.encode("cp1251")

    assert page_encoding(page) == "cp1251"
    assert text in decode_page(page)


def test_a_slip_does_not_change_utf8():
    page = "<p>Größe, Übung, Straße, schön, über, für, daß".encode() + b"\xe4</p>"

    assert page_encoding(page) == "utf-8"
    assert decode_page(page).endswith("daß\ufffd</p>")


def test_utf16_without_a_mark():
    page = "<html><p>Plain text of a page, in sixteen bits.".encode("utf-16-le")

    assert page_encoding(page) == "utf-16-le"
    assert not is_binary(page)


def test_half_a_surrogate_becomes_a_replacement_character():
    page = codecs.BOM_UTF16_LE + "<p>a".encode("utf-16-le") + b"\x00\xd8" + "b".encode("utf-16-le")

    assert decode_page(page) == "<p>a\ufffdb"


@pytest.mark.parametrize(("page", "expected"), [(bytes(range(256)) * 8, True), (b"<p>\x01" + b"a" * 100, False)])
def test_binary(page, expected):
    assert is_binary(page) is expected
    assert not is_binary(b"")


def test_agreement_with_common_crawl(shared_data):
    """The metadata records of a Common Crawl file hold its own finding for each page."""
    same = {"UTF-8": "utf-8", "windows-1251": "cp1251", "GB2312": "gb18030", "GBK": "gb18030", "ISO-8859-1": "cp1252"}
    found, expected = [], []
    page, content_type = b"", None
    with open(shared_data / "warc" / "warcfile.warc.gz", "rb") as stream:
        for record in ArchiveIterator(stream, parse_http=True):
            if record.record_type == WarcRecordType.response:
                page, content_type = record.reader.read(), record.http_headers.get("content-type")
            elif record.record_type == WarcRecordType.metadata:
                fields = dict(
                    line.split(": ", 1) for line in record.reader.read().decode().splitlines() if ": " in line
                )
                found.append(page_encoding(page, content_type))
                expected.append(same[fields["charset-detected"]])

    assert len(found) == 16
    assert found == expected


RUSSIAN = "Привет мир. Это тест, в котором много слов. Я думаю, что это так."
LATIN = "The café owner’s naïve façade cost £5 – “really”."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("안녕하세요", "euc_kr"),
        ("안녕하세요 이것은 한국어 테스트입니다. 똠방각하", "cp949"),
        ("これは日本語のテストです", "iso2022_jp"),
        ("これは日本語のテストです。", "cp932"),
        ("ｱｲｳｴｵ半角カナのテスト", "cp932"),
        ("これは日本語のテストです。", "euc_jp"),
        ("这是一个中文测试。今天天气很好。", "gbk"),
        ("這是一個中文測試。今天天氣很好。", "big5"),
        (RUSSIAN, "mac_cyrillic"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        ("Це український текст, і він досить довгий, щоб його впізнати.", "koi8_u"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "iso8859_5"),
        ("Καλημέρα κόσμε, αυτό είναι ένα τεστ.", "cp1253"),
        ("שלום עולם, זה מבחן", "cp1255"),
        ("مرحبا بالعالم هذا اختبار", "cp1256"),
        ("Größe, Übung, Straße", "cp1252"),
    ],
)
def test_undeclared_encodings_are_detected(text, encoding):
    assert text in decode_page(f"<html><body><p>{text}</p></body></html>".encode(encoding))


@pytest.mark.parametrize(
    ("page", "content_type", "expected"),
    [
        (f'<div data-charset=gbk><meta name=a data-charset="gbk">{LATIN}'.encode(), None, LATIN),
        (f'<meta name=a content="text/html; charset=gbk">{LATIN}'.encode(), None, LATIN),
        (f"<meta charset=iso-8859-1>{LATIN}".encode(), None, LATIN),
        (LATIN.encode(), "text/html; charset=us-ascii", LATIN),
        (LATIN.encode()[:-1] + b"\xe2\x80", "text/html; charset=windows-1252", LATIN[:-1]),
        (LATIN.encode(), "text/html; charset=gb2312", LATIN),
        ("<meta charset=windows-1251>Привет мир".encode("cp1251"), "text/html; charset=utf-8", "Привет мир"),
        ("<meta charset=utf-8>Привет мир".encode("cp1251"), "text/html; charset=windows-1251", "Привет мир"),
        ("<meta charset=koi8-r>Привет мир".encode("cp1251"), "text/html; charset=windows-1251", "Привет мир"),
        ("<p>这是一个测试".encode("utf-16-be"), "text/html; charset=utf-16be", "这是一个测试"),
        (b"<p>plain", "text/html; charset=utf-16", "plain"),
        (b"<meta charset=euc-jp>\xad\xa1\xad\xa2 \xad\xea \xa1\xc1", None, "①② ㈱ ～"),
        (b"<meta charset=iso-2022-jp>\x1b$B-!-j\x1b(B a \x1b(I1\x1b(B", None, "①㈱ a ｱ"),
        (b"<meta charset=gb2312>\x80 5", None, "€ 5"),
        ("<meta charset=x-mac-cyrillic>Привет мир".encode("mac_cyrillic"), None, "Привет мир"),
        (b"<meta charset=windows-874>\x80\x85\xa1", None, "€…ก"),
        (b"<meta charset=windows-1252>\x81\x93a", None, "\x81“a"),
        (b"<meta charset=koi8-u>\xae\xa4", None, "ўє"),
        (b"<meta charset=big5>\xa3\xe1\xa1E", None, "€‧"),
        ("<meta charset='windows-949'>똠".encode("cp949"), None, "똠"),
    ],
)
def test_the_declaration_that_fits_the_bytes_counts(page, content_type, expected):
    assert expected in decode_page(page, content_type)
    assert not is_binary(page, content_type)


def test_bytes_that_say_utf16_and_are_none():
    assert is_binary(b"\x01\0\x02\0" * 64, "image/x; charset=utf-16")
