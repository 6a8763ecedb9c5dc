"""A page read again from its source, with kept and dropped blocks."""

from __future__ import annotations

import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from massivetext import readers
from massivetext.browse.source_page import Block, _blocks, blocks_of, read_page

PAGE = b"<html><body><nav>Home</nav><p>The story begins.</p><p>It ends.</p><footer>Home</footer></body></html>"


def _warc(pages: list[bytes]) -> bytes:
    members = []
    for k, page in enumerate(pages):
        body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/{k}\r\n"
            f"WARC-Date: 2020-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:{k:08}-0000-0000-0000-000000000001>\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        members.append(gzip.compress(head.encode() + body + b"\r\n\r\n"))
    return b"".join(members)


def _recipe(**source: Any) -> Any:
    settings = {"name": "", "fields": {}, **source}
    return SimpleNamespace(subsets={"web": SimpleNamespace(sources=[SimpleNamespace(**settings)])})


def test_a_record_is_found_by_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(_warc([b"<p>first</p>", PAGE, b"<p>last</p>"]))
    recipe = _recipe(format="warc", path=f"{tmp_path}/*.warc.gz")
    records = list(readers.read_part(str(path), "warc", start=0, stop=path.stat().st_size))
    for record in records:
        row = {"subset": "web", "source": "a.warc.gz", "offset": record.offset}
        read = read_page(recipe, row)

        assert read is not None
        assert record.page == read.page
    assert read_page(recipe, {"subset": "web", "source": "a.warc.gz", "offset": records[1].offset + 1}) is None
    assert read_page(recipe, {"subset": "web", "source": "../b.warc.gz", "offset": 0}) is None


def test_readers_of_the_users_own_are_not_run(tmp_path: Path) -> None:
    recipe = _recipe(format="./mine.py:read", path=f"{tmp_path}/*")

    assert read_page(recipe, {"subset": "web", "source": "x", "offset": 0}) is None


def test_blocks_of_a_page() -> None:
    blocks = blocks_of(PAGE, "text/html", "The story\nbegins.\n\nIt ends.")

    assert {"The story begins.", "It ends."} == {block.text for block in blocks if block.is_kept}
    assert {"Home"} <= {block.text for block in blocks_of(PAGE, None, "It ends.") if not block.is_kept}


def test_blocks_are_compared_by_whole_words_in_order() -> None:
    assert [Block("the end", True), Block("end", False)] == list(_blocks("the end\n \nend", "bend the  end"))
    assert [Block("be", False)] == list(_blocks("be", "bend the end"))
