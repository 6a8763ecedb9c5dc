"""The notebook of the documentation: its cells run one after the other, and print what the notebook shows."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "examples" / "first-steps.ipynb"


def test_the_notebook_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    names: dict[str, Any] = {"__name__": "notebook"}
    monkeypatch.chdir(tmp_path)
    for cell in cells:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)

        shown = "".join(line for output in cell["outputs"] for line in output["text"])
        assert shown == printed.getvalue()
    assert len(cells) > 5
    assert "9 kept" in "".join(cells[-2]["outputs"][0]["text"])
