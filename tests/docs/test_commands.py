"""Every command line of the documentation, README.md and `--help` is one that the program takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from massivetext.cli import commands
from tests.docs.lines import command_lines, fault, programs, words_of

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def walk(group: click.Group, name: str = "massivetext") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for inner in group.list_commands(context):
        command = group.get_command(context, inner)
        assert command is not None
        yield f"{name} {inner}", command
        if isinstance(command, click.Group):
            yield from walk(command, f"{name} {inner}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_parses(page: Path) -> None:
    assert [] == [(line, said) for line in command_lines(page.read_text("utf-8")) if (said := fault(line))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_program_of_a_page_is_python(page: Path) -> None:
    for program in programs(page.read_text("utf-8")):
        compile(program, page.name, "exec")


@pytest.mark.parametrize(("name", "command"), list(walk(commands)), ids=lambda value: str(value))
def test_every_help_has_examples_that_parse(name: str, command: click.Command) -> None:
    shown = (command.help or "").replace("\b", "")
    examples = command_lines(shown)

    assert examples, f"{name} --help shows no example"
    assert all(f"{line} ".startswith(f"{name} ") for line in examples)
    assert [] == [(line, said) for line in examples if (said := fault(line))]
    assert all(
        option.help or not isinstance(option, click.Option) for option in command.params if option.name != "seed"
    )


def test_lines_are_found_and_judged() -> None:
    text = (
        "text massivetext no\n\n    massivetext run a \\\n        --output b  # why\n\n```bash\nmassivetext rum\n```\n"
    )

    assert ["massivetext run a  --output b  # why", "massivetext rum"] == command_lines(text)
    assert ["run", "a", "--output", "b"] == words_of(command_lines(text)[0])
    assert ["import a\n\nb()\n"] == programs("text\n\n    import a\n\n    b()\n\ntext\n\n    no import\n")
    assert ["x = 1\n"] == programs("```python\nx = 1\n```\n\n```text\n    import no\n```\n")
    assert fault("massivetext run a --output b -- --flink_master=x > log") is None
    assert "no command rum" == fault("massivetext rum")
    assert "No such option" in str(fault("massivetext run a --output b --wide"))
    assert "Missing argument" in str(fault("massivetext verify"))
