"""The files around the code: metadata, citation, continuous integration, container, templates."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import pytest
import yaml

from massivetext import __version__

REPOSITORY = Path(__file__).resolve().parent.parent


def _setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    return parser


def _read(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def test_every_place_states_the_same_version() -> None:
    assert __version__ == _setup()["metadata"]["version"]
    assert __version__ == yaml.safe_load(_read("CITATION.cff"))["version"]
    assert f"## {__version__}" in _read("CHANGELOG.md")


def test_ci_runs_on_the_pythons_of_the_metadata() -> None:
    job = yaml.safe_load(_read(".github/workflows/ci.yml"))["jobs"]["ci"]
    stated = re.findall(r"Python :: (3\.\d+)$", _setup()["metadata"]["classifiers"], re.MULTILINE)

    assert stated == job["strategy"]["matrix"]["python"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    assert "PYTHON ?=" in _read("Makefile")  # which the workflow sets


@pytest.mark.parametrize("package", ["massivetext", "filters", "pipelines"])
def test_each_package_is_typed(package: str) -> None:
    assert (REPOSITORY / package / "py.typed").is_file()
    assert "py.typed" in _setup()["options.package_data"][package].split()


def test_the_container_copies_what_it_installs() -> None:
    dockerfile = _read("Dockerfile")
    (version,) = re.findall(r"FROM python:(3\.\d+)", dockerfile)
    allowed = {line[1:] for line in _read(".dockerignore").splitlines() if line.startswith("!")}
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE) for name in line.split()}

    assert f"Python :: {version}" in _setup()["metadata"]["classifiers"]
    assert copied == allowed
    assert all((REPOSITORY / name).exists() for name in copied)


def test_the_other_files_are_of_their_format() -> None:
    json.loads(_read(".devcontainer/devcontainer.json"))
    for path in (REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text("utf-8"))
        assert path.name == "config.yml" or {"name", "description", "body"} <= set(form)
    hooks = [hook for repo in yaml.safe_load(_read(".pre-commit-config.yaml"))["repos"] for hook in repo["hooks"]]
    assert {"ruff", "ruff-format", "mypy"} == {hook["id"] for hook in hooks}


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "README.md"])
def test_links_and_targets_exist(name: str) -> None:
    text = _read(name)
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.MULTILINE))

    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (REPOSITORY / link).exists(), link
    for line in re.findall(
        r"\bmake ((?:[a-z]+(?:-[a-z]+)*)(?: test[a-z-]*)*)", re.sub(r"make (it|a|the|of)\b", "", text)
    ):
        assert set(line.split()) <= targets | {"sure"}, line
