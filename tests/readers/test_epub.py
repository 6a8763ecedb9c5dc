from __future__ import annotations

import io
import unicodedata
import zipfile
from collections import Counter

import pytest

from massivetext import readers
from massivetext.documents import Record
from tests.readers.reading import read

HEAD = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title></head>'
CHAPTER = f"{HEAD}<body><p>one</p></body></html>"


def package(items: str = "", spine: str = '<itemref idref="c1"/>', title: str = "T") -> str:
    items = items or '<item id="c1" href="c1.xhtml" media-type="application/xhtml+xml"/>'
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )


def item(href: str, kind: str = "application/xhtml+xml", key: str = "c1", more: str = "") -> str:
    return f'<item id="{key}" href="{href}" media-type="{kind}" {more}/>'


def epub(files: dict[str, str | bytes], *, path: str = "OEBPS/c.opf", first: str = "mimetype") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        if first:
            archive.writestr(first, "application/epub+zip")
        if path:
            container = f'<container><rootfiles><rootfile full-path="{path}"/></rootfiles></container>'
            archive.writestr("META-INF/container.xml", container)
        for name, content in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, content)
    return sink.getvalue()


def one(data: bytes, counts: Counter[str] | None = None) -> Record:
    found, error = read(data, "text", counts=counts)

    assert 1 == len(found)
    assert error is None
    return found[0]


def lines(data: bytes) -> list[str]:
    return [line for line in (one(data).text or "").split("\n") if line]


NFD = unicodedata.normalize("NFD", "é.xhtml")
BOOKS = {
    "plain": {"OEBPS/c.opf": package(), "OEBPS/c1.xhtml": CHAPTER},
    "backslashes in the name": {"OEBPS/c.opf": package(), "OEBPS\\c1.xhtml": CHAPTER},
    "backslashes in the link": {"OEBPS/c.opf": package(item("x\\c1.xhtml")), "OEBPS/x/c1.xhtml": CHAPTER},
    "another case": {"OEBPS/c.opf": package(item("C1.XHTML")), "OEBPS/c1.xhtml": CHAPTER},
    "another case of a folder": {"OEBPS/c.opf": package(item("Text/c1.xhtml")), "OEBPS/text/c1.xhtml": CHAPTER},
    "NFD in the name": {"OEBPS/c.opf": package(item("é.xhtml")), f"OEBPS/{NFD}": CHAPTER},
    "NFD in the link": {"OEBPS/c.opf": package(item(NFD)), "OEBPS/é.xhtml": CHAPTER},
    "percent": {"OEBPS/c.opf": package(item("a%20b.xhtml")), "OEBPS/a b.xhtml": CHAPTER},
    "percent in the name": {"OEBPS/c.opf": package(item("a%20b.xhtml")), "OEBPS/a%20b.xhtml": CHAPTER},
    "absolute link": {"OEBPS/c.opf": package(item("/OEBPS/c1.xhtml")), "OEBPS/c1.xhtml": CHAPTER},
    "link from the top": {"OEBPS/c.opf": package(item("OEBPS/c1.xhtml")), "OEBPS/c1.xhtml": CHAPTER},
    "dots": {"OEBPS/c.opf": package(item("../x/./c1.xhtml")), "x/c1.xhtml": CHAPTER},
    "fragment": {"OEBPS/c.opf": package(item("c1.xhtml#top")), "OEBPS/c1.xhtml": CHAPTER},
    "text/html": {"OEBPS/c.opf": package(item("c1.html", "text/html")), "OEBPS/c1.html": CHAPTER},
    "OEB 1": {"OEBPS/c.opf": package(item("c1.x", "text/x-oeb1-document")), "OEBPS/c1.x": CHAPTER},
    "DTBook": {"OEBPS/c.opf": package(item("c1.x", "application/x-dtbook+xml")), "OEBPS/c1.x": CHAPTER},
    "text/xml": {"OEBPS/c.opf": package(item("c1.xml", "text/xml")), "OEBPS/c1.xml": CHAPTER},
    "wrong type": {"OEBPS/c.opf": package(item("c1.xhtml", "text/plain")), "OEBPS/c1.xhtml": CHAPTER},
    "fallback": {
        "OEBPS/c.opf": package(item("a.svg", "image/svg+xml", more='fallback="c2"') + item("c1.xhtml", key="c2")),
        "OEBPS/a.svg": "<svg/>",
        "OEBPS/c1.xhtml": CHAPTER,
    },
    "raw & in the package": {"OEBPS/c.opf": package(title="A & B"), "OEBPS/c1.xhtml": CHAPTER},
    "HTML entity in the package": {"OEBPS/c.opf": package(title="A &eacute; B"), "OEBPS/c1.xhtml": CHAPTER},
    "blank line first": {"OEBPS/c.opf": "\n  " + package(), "OEBPS/c1.xhtml": CHAPTER},
    "mark first": {"OEBPS/c.opf": "\ufeff" + package(), "OEBPS/c1.xhtml": CHAPTER},
    "package in UTF-16": {"OEBPS/c.opf": package().encode("utf-16"), "OEBPS/c1.xhtml": CHAPTER},
    "package declares nonsense": {
        "OEBPS/c.opf": package().replace('"1.0"', '"1.0" encoding="none"'),
        "OEBPS/c1.xhtml": CHAPTER,
    },
    "tag not closed": {"OEBPS/c.opf": package().replace("</metadata>", ""), "OEBPS/c1.xhtml": CHAPTER},
    "attribute twice": {"OEBPS/c.opf": package(item("c1.xhtml", more='id="c1"')), "OEBPS/c1.xhtml": CHAPTER},
    "empty spine": {"OEBPS/c.opf": package(spine=""), "OEBPS/c1.xhtml": CHAPTER},
    "no spine": {
        "OEBPS/c.opf": package().replace("<spine>", "<x>").replace("</spine>", "</x>"),
        "OEBPS/c1.xhtml": CHAPTER,
    },
    "all not linear": {"OEBPS/c.opf": package(spine='<itemref idref="c1" linear="no"/>'), "OEBPS/c1.xhtml": CHAPTER},
    "prefixes": {
        "OEBPS/c.opf": package()
        .replace("<package xmlns=", "<opf:package xmlns:opf=")
        .replace("</package", "</opf:package")
        .replace("<item", "<opf:item"),
        "OEBPS/c1.xhtml": CHAPTER,
    },
    "package in an encoding that expat cannot read": {
        "OEBPS/c.opf": package(title="書").replace('"1.0"', '"1.0" encoding="shift_jis"').encode("shift_jis"),
        "OEBPS/c1.xhtml": CHAPTER,
    },
    "id in another case": {"OEBPS/c.opf": package(item("c1.xhtml", key="C1")), "OEBPS/c1.xhtml": CHAPTER},
    "percent in the name alone": {"OEBPS/c.opf": package(item("a b.xhtml")), "OEBPS/a%20b.xhtml": CHAPTER},
    "package of another case": {"oebps/C.OPF": package(), "oebps/c1.xhtml": CHAPTER},
}
CHAPTERS = {
    "closed title": CHAPTER.replace("<title>t</title>", "<title/>"),
    "closed title with a space": CHAPTER.replace("<title>t</title>", "<title />"),
    "closed script": CHAPTER.replace("<title>t</title>", '<script src="x.js"/>'),
    "closed script with type": CHAPTER.replace("<title>t</title>", '<script type="text/javascript" src="a/b.js" />'),
    "closed style": CHAPTER.replace("<title>t</title>", "<style/>"),
    "closed textarea": CHAPTER.replace("<p>", "<textarea/><p>"),
    "closed iframe": CHAPTER.replace("<p>", '<iframe src="x"/><p>'),
    "closed anchor": CHAPTER.replace("<p>", '<a id="x"/><p>'),
    "closed div": CHAPTER.replace("<p>", "<div/><p>"),
    "CDATA": CHAPTER.replace("<p>one</p>", "<p><![CDATA[one]]></p>"),
    "UTF-8 with mark": "\ufeff".encode() + CHAPTER.encode(),
    "declaration": '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>' + CHAPTER,
    "upper case": CHAPTER.replace("<p>", "<P>").replace("</p>", "</P>"),
    "no html tag": "<p>one</p>",
}


@pytest.mark.parametrize("name", BOOKS)
def test_books_as_they_are(name: str) -> None:
    assert ["one"] == lines(epub(BOOKS[name]))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapters_as_they_are(name: str) -> None:
    assert ["one"] == lines(epub({"OEBPS/c.opf": package(), "OEBPS/c1.xhtml": CHAPTERS[name]}))


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "cp1252", "windows-1250", "utf-8"]
)
def test_encodings_of_chapters(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{HEAD}<body><p>café</p></body></html>'
    data = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"") + text.encode(encoding)

    assert ["café"] == lines(epub({"OEBPS/c.opf": package(), "OEBPS/c1.xhtml": data}))


@pytest.mark.parametrize("path", ["/OEBPS/c.opf", "OEBPS\\c.opf", "oebps/C.opf", "./OEBPS/c.opf", "none.opf", ""])
def test_packages_that_the_container_misnames(path: str) -> None:
    assert ["one"] == lines(epub(BOOKS["plain"], path=path))  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["", "readme.txt"])
def test_a_zip_file_that_does_not_begin_with_mimetype(first: str) -> None:
    assert ["one"] == lines(epub(BOOKS["plain"], first=first))  # type: ignore[arg-type]
    assert ["one"] == lines(epub({**BOOKS["plain"], "MimeType": "application/epub+zip"}, first=first, path=""))  # type: ignore[dict-item]


def test_a_chapter_that_cannot_be_read_costs_itself_and_is_counted() -> None:
    items = "".join(item(f"c{i}.xhtml", key=f"c{i}") for i in (1, 2, 3))
    spine = "".join(f'<itemref idref="c{i}"/>' for i in (1, 2, 3, 4))
    files = {
        "OEBPS/c.opf": package(items, spine),
        **{f"OEBPS/c{i}.xhtml": CHAPTER.replace("one", f"text of {i}") for i in (1, 2)},
    }
    data = epub(files).replace(b"text of 2", b"text of x")
    counts: Counter[str] = Counter()
    record = one(data, counts)

    assert ["text of 1"] == [line for line in (record.text or "").split("\n") if line]
    assert {"title": "T", "chapters_unreadable": "3"} == dict(record.metadata)
    assert {"chapters_unreadable": 3} == counts
    record = one(data.replace(b"text of 1", b"text of y"))

    assert ("failed.corrupt", "4") == (record.reason, record.metadata["chapters_unreadable"])


THREE = {f"OEBPS/c{i}.xhtml": CHAPTER.replace("one", f"text of {i}") for i in (1, 2, 3)}
ITEMS = "".join(item(f"c{i}.xhtml", key=f"c{i}") for i in (3, 1, 2))
SPINE = "".join(f'<itemref idref="c{i}"/>' for i in (2, 3, 1))
DAMAGED: dict[str, tuple[bytes, str]] = {
    "container with a wrong byte": (
        epub({"OEBPS/c.opf": package(ITEMS, SPINE), **THREE}).replace(b"<rootfiles>", b"<rootfilez>", 1),
        "231",
    ),
    "package with a wrong byte": (
        epub({"OEBPS/c.opf": package(ITEMS, SPINE, "A title"), **THREE}).replace(b"A title", b"B title", 1),
        "123",
    ),
    "no package": (epub({**THREE, "__MACOSX/OEBPS/._c1.xhtml": "text of no chapter"}), "123"),
    "spine of unknown items": (
        epub({"OEBPS/c.opf": package(ITEMS, '<itemref idref="x"/><itemref idref="y"/>'), **THREE}),
        "312",
    ),
    "items that are not there": (epub({"OEBPS/c.opf": package(item("x/gone.xhtml")), **THREE}), "123"),
    "encryption with a wrong byte": (
        epub({"OEBPS/c.opf": package(ITEMS, SPINE), "META-INF/encryption.xml": "<encryption/>", **THREE}).replace(
            b"<encryption/>", b"<encryptiom/>", 1
        ),
        "231",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_book_is_read_without_what_names_its_chapters(name: str) -> None:
    data, order = DAMAGED[name]
    counts: Counter[str] = Counter()

    assert [f"text of {i}" for i in order] == lines(data)
    assert "corrupt" == one(data, counts).metadata["damage"]
    assert {"books_damaged": 1} == counts


def test_chapters_that_may_be_encrypted_are_not_read_as_text() -> None:
    encryption = '<encryption><CipherReference URI="OEBPS/c1.xhtml"/></encryption>'
    files = {"OEBPS/c.opf": package(ITEMS, SPINE), **THREE, "OEBPS/c1.xhtml": bytes(range(256)) * 9}
    data = epub({**files, "META-INF/encryption.xml": encryption})

    assert "failed.encrypted" == one(data).reason
    damaged = data.replace(encryption.encode(), encryption.replace("c1", "c9").encode(), 1)
    assert ["text of 2", "text of 3"] == lines(damaged)
    assert {"damage": "corrupt", "chapters_unreadable": "1"}.items() <= one(damaged).metadata.items()


def test_a_book_of_pictures_is_one_without_text() -> None:
    files = {"OEBPS/c.opf": package(item("1.png", "image/png") + item("c1.xhtml", key="c2")), **THREE}

    assert "failed.no_text" == one(epub(files)).reason


def test_a_damaged_book_without_chapters_is_reported() -> None:
    records, error = read(epub({"OEBPS/c.opf": package()}).replace(b"<rootfiles>", b"<rootfilez>", 1), "text")

    assert ["failed.corrupt"] == [r.reason for r in records]
    assert error is not None
    assert "Bad CRC-32" in error


def test_a_chapter_whose_name_speaks_of_encryption_is_not_locked() -> None:
    items = item("c1.xhtml") + item("encrypted.xhtml", key="c2")
    files = {"OEBPS/c.opf": package(items, '<itemref idref="c1"/><itemref idref="c2"/>'), "OEBPS/c1.xhtml": CHAPTER}
    data = epub({**files, "OEBPS/encrypted.xhtml": CHAPTER.replace("one", "text")})

    assert ["one"] == lines(data.replace(b"<p>text", b"<p>tezt", 1))


def test_a_mimetype_with_a_wrong_byte() -> None:
    files = {**BOOKS["plain"], "mimetype": "application/epub+zip"}
    data = epub(files, path="", first="")  # type: ignore[arg-type]

    assert ["one"] == lines(data.replace(b"mimetypeapplication", b"mimetypeapplicatiom", 1))


def test_other_zip_files_are_no_books() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    record = one(sink.getvalue())

    assert ("skipped.content", "office document") == (record.reason, record.metadata["content"])
    assert list(readers.get("text").options) == ["encoding"]
