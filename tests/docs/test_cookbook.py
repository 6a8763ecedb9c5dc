"""Every recipe of the cookbook passes `validate`, beside files of the kinds that it names."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands

PAGES = Path(__file__).resolve().parents[2] / "docs"
STORY = "It was a cold morning, and of all the people that had come to the square only a few were there to sell. "


def recipes(page: str) -> list[tuple[str, str]]:
    """Return the recipes of a page, each with the heading that it stands under."""
    sections = re.split(r"^## ", (PAGES / page).read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [
        (section.partition("\n")[0], recipe)
        for section in sections
        for recipe in re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    ]


RECIPES = [(page, *recipe) for page in ("cookbook.md", "coming-from.md") for recipe in recipes(page)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of each kind that the pages name."""
    folder = tmp_path_factory.mktemp("cookbook")
    for name in ("in", "tests", "books", "hub/train", "crawl", "repositories/one", "last-month"):
        (folder / name).mkdir(parents=True)
    (folder / "in" / "a.jsonl").write_text(json.dumps({"text": STORY, "url": "http://a.example/"}) + "\n", "utf-8")
    items = [{"question": f"{STORY} How many were {n} of them?", "answer": f"There were {n}."} for n in range(3)]
    for name in ("gsm8k", "questions"):
        (folder / "tests" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, items)) + "\n", "utf-8")
    (folder / "books" / "a.txt").write_text(STORY * 9, "utf-8")
    table = pa.table({"content": [STORY], "link": ["http://b.example/"], "topic": ["markets"]})
    pq.write_table(table, folder / "hub" / "train" / "0.parquet")
    page = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><body><p>{STORY}</p></body></html>".encode()
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://c.example/\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
        "WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(page)}\r\n\r\n"
    )
    (folder / "crawl" / "a.warc.gz").write_bytes(gzip.compress(head.encode() + page + b"\r\n\r\n"))
    (folder / "repositories" / "one" / "LICENSE").write_text("MIT License\n", "utf-8")
    (folder / "repositories" / "one" / "a.py").write_text("print('hello')\n", "utf-8")
    return folder


def test_the_cookbook_has_twenty_recipes() -> None:
    assert 20 <= len(recipes("cookbook.md"))


@pytest.mark.parametrize(("page", "title", "recipe"), RECIPES, ids=[f"{page}: {title}" for page, title, _ in RECIPES])
def test_every_recipe_is_valid(files: Path, page: str, title: str, recipe: str) -> None:
    (files / "mine.yaml").write_text(recipe, "utf-8")
    # The index of an earlier run is more than a test of a page should make.
    settings = ["--set", "deduplication.against=[]"] if "against:" in recipe else []
    result = CliRunner().invoke(commands, ["validate", str(files / "mine.yaml"), *settings], catch_exceptions=False)

    assert 0 == result.exit_code, result.output
