"""Command lines in documentation, and whether the command line takes them."""

from __future__ import annotations

import re
import shlex
import textwrap

import click

from massivetext.cli import commands

__all__ = ["command_lines", "fault", "programs", "words_of"]

_ENDS = {">", ">>", "|", "&&", "2>", ";"}


def command_lines(text: str) -> list[str]:
    """Lines that begin with `massivetext`, in indented or fenced code; one that goes on after a backslash is whole."""
    whole = re.sub(r"\\\n\s*", " ", text)
    return [found.strip() for found in re.findall(r"^(?: {4,}|\t|)(?:\$ )?(massivetext [^`\n]*)$", whole, re.MULTILINE)]


def programs(text: str) -> list[str]:
    """Python of a page: fenced as such, or indented and beginning with an import."""
    fenced = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(
        r"(?:^(?: {4}.*| *)\n)+", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    blocks = [textwrap.dedent(block).strip("\n") + "\n" for block in indented]
    return [*fenced, *(block for block in blocks if block.startswith(("import ", "from ")))]


def words_of(line: str) -> list[str]:
    """What the program is given, without what the shell takes for itself."""
    words = shlex.split(line, comments=True)[1:]
    cut = [at for at, word in enumerate(words) if word in _ENDS]
    return words[: cut[0]] if cut else words


def fault(line: str) -> str | None:
    """What click says against a line, or None if it parses."""
    command: click.Command = commands
    words = words_of(line)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        context = click.Context(command)
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]}"
        command, words = found, words[1:]
    try:
        command.make_context("massivetext", list(words))
    except click.exceptions.Exit:  # --help and --version
        return None
    except click.ClickException as error:
        return error.format_message()
    return None
