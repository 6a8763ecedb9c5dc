"""`massivetext completion SHELL`: the script that completes commands, options, recipes and paths."""

from __future__ import annotations

import click

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell: commands, options, their choices, packaged recipes and paths.

    Put it where the shell reads it at its start:

    \b
    massivetext completion bash > ~/.local/share/bash-completion/completions/massivetext
    massivetext completion zsh > ~/.zfunc/_massivetext
    massivetext completion fish > ~/.config/fish/completions/massivetext.fish

    bash 4.4 and later; zsh with ~/.zfunc in its fpath before compinit.
    """
    from click.shell_completion import get_completion_class

    from massivetext.cli import commands

    found = get_completion_class(shell)
    assert found is not None
    script = found(commands, {}, "massivetext", "_MASSIVETEXT_COMPLETE")
    # What `source()` does, without looking for the shell's version on this machine: the script may be for another.
    click.echo(script.source_template % script.source_vars())
