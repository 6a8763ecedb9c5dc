from __future__ import annotations

import bz2
from pathlib import Path
from typing import Any

import pytest

from massivetext.extraction import wikitext
from massivetext.readers import mediawiki
from tests.readers.reading import read, reasons

HEADER = """<mediawiki xml:lang="en"><siteinfo><base>https://en.wikipedia.org/wiki/Main_Page</base><namespaces>
<namespace key="0" case="first-letter" /><namespace key="10" case="first-letter">Template</namespace>
</namespaces></siteinfo>
"""


def wiki_page(title: str = "A page", text: str = "Some ''words''.", *, ns: str | None = "0", more: str = "") -> str:
    element = f"<ns>{ns}</ns>" if ns is not None else ""
    return (
        f"<page><title>{title}</title>{element}<id>7</id>{more}<revision><id>8</id><timestamp>2020-01-01T00:00:00Z"
        f'</timestamp><contributor><id>9</id></contributor><text xml:space="preserve">{text}</text></revision></page>\n'
    )


def dump(*pages: str) -> str:
    return HEADER + "".join(pages) + "</mediawiki>"


def test_a_page() -> None:
    found, error = read(
        bz2.compress(dump(wiki_page("Ä &amp; B?", "Text &lt;b&gt;x&lt;/b&gt; [[a|link]].")).encode()), "mediawiki"
    )

    assert found[0].text is not None
    assert found[0].text.strip() == "Text x link."
    assert dict(found[0].metadata) == {"title": "Ä & B?", "page_id": "7"}
    assert found[0].url == "https://en.wikipedia.org/wiki/%C3%84_&_B%3F"
    assert found[0].timestamp == "2020-01-01T00:00:00Z"
    assert error is None


def test_the_namespaces_of_the_dump_name_its_files_and_categories() -> None:
    header = HEADER.replace("</namespaces>", '<namespace key="6" case="x">Bildo</namespace></namespaces>')
    found, _ = read(
        (header + wiki_page(text="a[[Bildo:x|y]]b [[Kuva: A film]]") + "</mediawiki>").encode(), "mediawiki"
    )

    assert found[0].text == "ab Kuva: A film"


def test_what_is_no_article_is_skipped_with_its_reason() -> None:
    pages = [
        wiki_page(more='<redirect title="B" />'),
        wiki_page(text="#REDIRECT [[B]]"),
        wiki_page(text="#виж [[B]]"),
        wiki_page("Template:A", ns="10"),
        wiki_page("Template:A", ns=None),
        wiki_page("Terminator: A film", ns=None),
        wiki_page().replace("<timestamp>", "<model>javascript</model><timestamp>"),
        wiki_page().replace("<text", "<texts").replace("</text>", "</texts>"),
        wiki_page(text="broken & text"),
        wiki_page(text="&undefined;"),
        wiki_page(text="control \x01 character"),
        wiki_page(),
    ]
    found, error = read(dump(*pages).encode(), "mediawiki")

    assert [r.reason for r in found] == [
        "skipped.redirect",
        "skipped.redirect",
        "skipped.redirect",
        "skipped.namespace",
        "skipped.namespace",
        None,
        "skipped.not_wikitext",
        "failed.no_text",
        "failed.xml",
        "failed.xml",
        None,
        None,
    ]
    assert [r.offset for r in found] == list(range(12))
    assert error is None


def test_a_page_whose_markup_raises_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    to_text = wikitext.to_text

    def fragile(markup: str, **how: Any) -> str:
        if markup == "bad":
            raise KeyError(markup)
        return to_text(markup, **how)

    monkeypatch.setattr(wikitext, "to_text", fragile)
    records, error = read(dump(*(wiki_page(text=text) for text in ("one", "bad", "two"))).encode(), "mediawiki")

    assert [("one", None), (None, "failed.KeyError in wikitext"), ("two", None)] == [
        (r.text, r.reason) for r in records
    ]
    assert ("A page", "https://en.wikipedia.org/wiki/A_page") == (records[1].metadata["title"], records[1].url)
    assert [0, 1, 2] == [r.offset for r in records]
    assert error is None


def test_the_last_revision_counts() -> None:
    page = wiki_page(text="old").replace("</page>", "") + "<revision><text>new</text></revision></page>"
    found, _ = read(dump(page).encode(), "mediawiki")

    assert (found[0].text or "").strip() == "new"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_encodings(encoding: str) -> None:
    found, _ = read(dump(wiki_page("Б", "Някакви думи")).replace("\n", "\r\n").encode(encoding), "mediawiki")

    assert (found[0].text or "").strip() == "Някакви думи"


def test_a_declared_encoding_and_bytes_that_are_not_utf8() -> None:
    declared = '<?xml version="1.0" encoding="iso-8859-1"?>' + dump(wiki_page("é", "été"))

    assert read(declared.encode("latin-1"), "mediawiki")[0][0].metadata["title"] == "é"

    found, _ = read(dump(wiki_page("a", "x\x00")).encode().replace(b"\x00", b"\xff"), "mediawiki")

    assert ((found[0].text or "").strip(), found[0].n_replaced) == ("x\ufffd", 1)


def test_entities_of_a_document_type_are_never_expanded() -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    found, _ = read((bomb + dump(wiki_page(text="&a;"), wiki_page(text="&b;"), wiki_page())).encode(), "mediawiki")

    assert [r.reason for r in found] == ["failed.xml", "failed.xml", None]


def test_cut_and_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = dump(*[wiki_page(f"Page {i}") for i in range(9)]).encode()
    found, error = read(stored[:-40], "mediawiki")

    assert reasons(found) == {"document": 8, "failed.truncated": 1}
    assert error == "file: truncated: ends inside page 8"

    monkeypatch.setattr(mediawiki, "MAX_PAGE", 1000)
    found, error = read(
        dump(wiki_page(text="x" * 200_000), wiki_page(), wiki_page(text="x" * 2000)).encode(), "mediawiki"
    )

    assert [r.reason for r in found] == ["failed.too_large", None, "failed.too_large"]
    assert error is None


def test_no_dump_at_all() -> None:
    found, error = read(b"<html></html>", "mediawiki")

    assert found == []
    assert error == "file: no <page> in it; expected a MediaWiki XML dump"


def test_the_real_dumps(shared_data: Path) -> None:
    outcomes = {
        path.name: reasons(read(path.read_bytes(), "mediawiki")[0]) for path in (shared_data / "wikipedia").iterdir()
    }

    assert outcomes == {
        "enwiki-206-pages.xml.bz2": {"document": 106, "skipped.redirect": 99, "skipped.namespace": 1},
        "enwiki-table-markup.xml.bz2": {"document": 5},
        "bgwiki-latest-pages-articles-shortened.xml.bz2": {"document": 1, "skipped.namespace": 2},
    }
