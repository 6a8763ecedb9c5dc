"""Imports run downward only: pipelines -> filters -> massivetext; Beam stays in pipelines."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "massivetext": {"filters", "pipelines", "apache_beam"},
    "filters": {"pipelines", "apache_beam"},
    "pipelines": set(),
}


def _imports(path: Path, tree: ast.AST) -> set[str]:
    """Top-level packages that a file imports; for the command line only those outside functions."""
    inside = set()
    if "cli" in path.parts:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside |= {id(child) for child in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_run_downward(package: str) -> None:
    files = sorted((REPOSITORY / package).rglob("*.py"))
    wrong = {
        str(path.relative_to(REPOSITORY)): sorted(bad)
        for path in files
        if (bad := _imports(path.relative_to(REPOSITORY), ast.parse(path.read_text("utf-8"))) & FORBIDDEN[package])
    }

    assert files
    assert wrong == {}


def test_the_base_package_loads_neither_beam_nor_a_compiler() -> None:
    program = "import sys, massivetext; print([m for m in ('apache_beam', 'numba', 'pandas') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded == "[]\n"


def test_processes_of_a_run_import_no_libraries_of_the_report():
    """Charts and queries take half a second to import, in every worker."""
    heavy = {"matplotlib", "duckdb", "trafilatura"}
    program = f"import sys, pipelines.main; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "set()\n" == result.stdout
