"""The site of the documentation builds without a warning, from the code as it is, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from massivetext.cli import commands
from massivetext.documents import DOCUMENT_SCHEMA
from pipelines.recipe import Recipe
from pipelines.stages import rule_families

REPOSITORY = Path(__file__).resolve().parents[2]
LOADING = re.compile(r"""<(?:script|img|iframe)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*rel="stylesheet"[^>]*//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("mkdocs", "material", "mkdocstrings"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return folder


def test_every_page_of_the_documentation_is_there(site: Path) -> None:
    written = {path.stem for path in (REPOSITORY / "docs").glob("*.md")}

    assert written | {"recipe", "commands", "api"} <= {path.stem for path in site.glob("*.html")}


def test_the_reference_names_every_key_and_every_command(site: Path) -> None:
    recipe = (site / "recipe.html").read_text("utf-8")
    help_ = (site / "commands.html").read_text("utf-8")

    assert [key for key in Recipe.model_fields if f"<code>{key}</code>" not in recipe] == []
    assert [name for name in commands.list_commands(None) if f"massivetext {name}" not in help_] == []
    assert "num_hashes" in (site / "api.html").read_text("utf-8")


def test_the_page_of_files_lists_every_column(site: Path) -> None:
    text = (site / "formats.html").read_text("utf-8")

    assert "made:" not in text
    assert [name for name in DOCUMENT_SCHEMA.names if f"<code>{name}</code>" not in text] == []
    assert [name for name, family in rule_families().items() if f"<code>{family.signals()[0]}</code>" not in text] == []


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loading = {path.name: LOADING.findall(path.read_text("utf-8")) for path in site.glob("*.html")}

    assert {"index.html"} <= set(loading)
    assert {} == {name: found for name, found in loading.items() if found}
