"""The pages in a headless Chromium: nothing on the console, nothing fetched from elsewhere, and they fit a phone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from massivetext.browse.app import Run, make_app
from massivetext.browse.query import Query
from massivetext.browse.server import ADDRESS, make_server
from tests.browse.conftest import TOKEN
from tests.report.chromium import Chromium, browser

SIZES = [(1280, False), (390, True)]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def address(run: Run) -> Iterator[str]:
    """Where the pages are served for as long as the tests run."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((ADDRESS, 0))
        listener.listen(16)
        server = make_server(make_app(run, TOKEN))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://{ADDRESS}:{listener.getsockname()[1]}/{TOKEN}/"
        server.should_exit = True
        thread.join(30)


def ids(run: Run) -> dict[str, str]:
    """A document of each kind that has a page of its own sort."""
    rows = run.store.page(Query())
    return {(row["reason"] or row["outcome"]).partition(".")[0]: row["id"] for row in rows}


@pytest.mark.parametrize(("width", "phone"), SIZES)
def test_every_page_is_quiet_local_and_fits(
    chromium: Chromium, address: str, run: Run, width: int, phone: bool
) -> None:
    views = ["", "?sort=-word_count", "?near=quality.word_count", "?text=market", "?min.x=1", "what-if"]
    views += [f"document/{name}" for name in ids(run).values()]
    for view in views:
        chromium.open_address(address + view, width=width, phone=phone)
        expected = ["the server responded with a status of 400 (Bad Request)"] if view == "?min.x=1" else []

        assert len(expected) == len(chromium.complaints()), (view, chromium.complaints())
        assert all(url.startswith((address, "data:")) for url in chromium.requests()), view
        assert "block" == chromium.value("getComputedStyle(document.body).display"), view
        assert width == chromium.value("document.documentElement.scrollWidth"), view
        assert "harmed" != chromium.value("document.title")


def test_a_slider_that_moves_says_what_would_change(chromium: Chromium, address: str, run: Run) -> None:
    chromium.open_address(f"{address}what-if?subset=massiveweb", width=1280)
    assert "No limit is changed." == chromium.value("document.getElementById('changes').textContent.trim()")
    chromium.value(
        """(() => { const input = document.querySelector("input[name='quality.word_count.min']");
        input.value = 5000; input.dispatchEvent(new Event("input", { bubbles: true })); })()"""
    )
    changes: Any = None
    for _ in range(100):
        changes = chromium.value("document.getElementById('changes').textContent")
        if "word_count" in changes:
            break
        time.sleep(0.1)

    lines = [f"--set subsets.massiveweb.quality.word_count.{end}" for end in ("max=100000", "min=5000")]
    assert "\n".join(lines) == changes
    before = chromium.value("document.getElementById('before').textContent")
    assert int(before.partition(" ")[0]) > 5
    assert before == chromium.value("document.getElementById('lost').textContent")
    assert "0 documents, 0 tokens" == chromium.value("document.getElementById('after').textContent")
    assert 3 == chromium.value("document.querySelectorAll('#lost-examples li a').length")
    assert [] == chromium.complaints()
