"""A run whose texts mean harm, and the pages over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra `browse` is not installed")

from massivetext.browse.app import Run, make_app
from massivetext.cli.browse import open_run
from tests.report.runs import run as harmful_run

TOKEN = "token-of-the-tests"


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harmful_run(tmp_path_factory.mktemp("browse"))


@pytest.fixture(scope="session")
def run(out: Path) -> Iterator[Run]:
    opened = open_run(str(out), 20.0)
    with opened.store:
        yield opened


@pytest.fixture(scope="session")
def client(run: Run) -> Any:
    from starlette.testclient import TestClient

    return TestClient(make_app(run, TOKEN), base_url=f"http://127.0.0.1:8000/{TOKEN}/")
