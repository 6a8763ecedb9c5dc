"""The command line as a whole: help, short options, suggestions for misspelt names, and modules that shadow ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.cli._groups import HEADINGS
from massivetext.errors import RecipeError


def massivetext(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "massivetext", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=os.environ)


def invoke(*arguments: str) -> click.testing.Result:
    return CliRunner().invoke(commands, list(arguments), env={"COLUMNS": "80"})


def test_help_lists_every_command_on_one_line() -> None:
    shown = invoke("--help").output
    listed = [line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line[2:3].isalpha()]
    names = commands.list_commands(click.Context(commands))  # type: ignore[attr-defined]

    assert set(names) <= set(listed)
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert all(f"{heading}:" in shown for heading in HEADINGS)
    assert "..." not in shown.partition("Begin:")[2]
    assert all(len(line) <= 61 for lines in HEADINGS.values() for line in lines.values())


def test_misspelt_commands_and_recipes_are_suggested() -> None:
    wrong = invoke("curat")
    inner = invoke("tokenizer", "trian")
    unlike = invoke("xyzzy")
    recipe = invoke("validate", "gofer")

    assert (2, 2, 2) == (wrong.exit_code, inner.exit_code, unlike.exit_code)
    assert "no command 'curat'; did you mean 'curate'?" in wrong.stderr
    assert "no command 'trian'; did you mean 'train'?" in inner.stderr
    assert "commands are audit, " in unlike.stderr
    assert isinstance(recipe.exception, RecipeError)
    assert "did you mean 'gopher'?" in str(recipe.exception)


def test_a_recipe_file_beside_is_suggested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("{}", "utf-8")
    monkeypatch.chdir(tmp_path)

    assert "did you mean 'mine.yaml'?" in str(invoke("validate", "mine.yml").exception)


def test_options_have_the_same_short_forms_everywhere() -> None:
    context = click.Context(commands)
    for name in commands.list_commands(context):  # type: ignore[attr-defined]
        command = commands.get_command(context, name)  # type: ignore[attr-defined]
        for parameter in command.params:
            for long, short in (("--output", "-o"), ("--workers", "-w"), ("--quiet", "-q")):
                if long in parameter.opts:
                    assert short in parameter.opts, f"{name} {long}"
                    assert 1 == parameter.opts.count(short)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "gopher", "--output", ""],
        ["validate", ""],
        ["inspect", ""],
        ["verify", ""],
        ["init", ".", "-o", ""],
        ["export", "out", "-o", ""],
        ["demo", "-o", ""],
        ["classifier", "train", "data.jsonl", "--output", ""],
    ],
)
def test_an_empty_name_is_refused(arguments: list[str]) -> None:
    """It is what an unset variable of the shell gives, and all below it would lie in the root of the file system."""
    result = CliRunner().invoke(commands, arguments)

    assert 2 == result.exit_code
    assert "the name is empty" in result.output


def test_the_module_is_the_command_line(tmp_path: Path) -> None:
    done = massivetext("validate", "gopher", folder=tmp_path)

    assert 0 == done.returncode, done.stderr
    assert "weight 0.48" in done.stdout


@pytest.mark.parametrize("name", ["filters.py", "pipelines/__init__.py"])
def test_a_module_of_ones_own_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("", "utf-8")
    done = massivetext("validate", "gopher", folder=tmp_path)

    assert 2 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert str(tmp_path / name) in done.stderr
    assert "off the path" in done.stderr
    assert f"take {tmp_path} " in done.stderr


def test_the_transforms_name_it_too(tmp_path: Path) -> None:
    (tmp_path / "filters.py").write_text("", "utf-8")
    command = [sys.executable, "-c", "from pipelines import MeasureQuality"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert f"DependencyError: {tmp_path}/filters.py comes before MassiveText's own package `filters`" in done.stderr


def test_packaged_recipes_are_listed_and_shown() -> None:
    listed = json.loads(invoke("recipe", "list", "--json").output)
    written = invoke("recipe", "show", "gopher").output
    changed = json.loads(invoke("recipe", "show", "gopher", "--set", "quality.word_count.min=30", "--json").output)
    resolved = yaml.safe_load(invoke("recipe", "show", "fineweb", "--resolved").output)

    assert {"gopher", "chinchilla", "fineweb"} <= set(listed)
    assert written.startswith("#")
    assert 50 == yaml.safe_load(written)["quality"]["word_count"]["min"]
    assert 30 == changed["recipe"]["quality"]["word_count"]["min"]
    assert 32 == len(changed["digest"])
    assert "fineweb" in resolved
    assert isinstance(invoke("recipe", "show", "no/such.yaml").exception, RecipeError)


def test_errors_are_safe_on_a_terminal(tmp_path: Path) -> None:
    done = massivetext("verify", str(tmp_path / "a\x1b[31m\u202eb"))
    usage = massivetext("verify", "x", "\u202eb")

    assert (1, 2) == (done.returncode, usage.returncode)
    assert "a\\x1b[31m\\u202eb" in done.stderr
    assert "\\u202eb" in usage.stderr
    assert not set("\x1b\u202e") & set(done.stderr + usage.stderr)
