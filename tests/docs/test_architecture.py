"""The graphs on the page are those of the code."""

from __future__ import annotations

import runpy

from tests.conftest import REPOSITORY


def test_the_graphs_of_the_page_are_made_from_the_code() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    drawn = runpy.run_path(str(REPOSITORY / "docs" / "builder" / "graphs.py"))["graphs"]()

    assert {"curate", "deduplicate", "decontaminate", "mix"} == set(drawn)
    for name, text in drawn.items():
        assert f"{name}:\n\n```text\n{text}\n```\n" in page, name
    assert "ReadDocuments" in drawn["curate"]


def test_every_folder_of_the_program_has_a_line() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    folders = {path.parent.name for path in (REPOSITORY / "pipelines").glob("*/__init__.py")}
    folders |= {path.parent.name for path in (REPOSITORY / "massivetext").glob("*/__init__.py")}

    assert [] == [name for name in sorted(folders) if f"{name}/`" not in page]
