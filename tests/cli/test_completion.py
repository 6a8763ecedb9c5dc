"""What a shell asks, and what it is answered, through main() and its own way of ending."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from massivetext.cli import main; main()"


def completed(*words: str, shell: str = "bash") -> list[str]:
    env = {
        **os.environ,
        "_MASSIVETEXT_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["massivetext", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=env, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


def test_commands_options_choices_recipes_and_paths() -> None:
    assert ["plain,recipe", "plain,remove", "plain,report"] == completed("re")
    assert {"plain,--where", "plain,--seed", "plain,--json"} <= set(completed("inspect", "out", "--"))
    assert ["plain,zsh"] == completed("completion", "z")
    assert ["plain,gopher", "file,go"] == completed("run", "go")
    assert ["file,ou"] == completed("verify", "ou")
    assert ["plain,parquet", "plain,megatron"] == completed("pack", "out", "--format", "")
    assert ["file,"] == completed("tokenizer", "train", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_it_can_read(shell: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    script = tmp_path / "script"
    script.write_text(done.stdout, "utf-8")

    assert 0 == done.returncode
    assert f"_MASSIVETEXT_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell):
        read = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
        assert (0, "") == (read.returncode, read.stderr)


def test_bash_fills_in_what_it_is_answered(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    # By way of a shell: a `#!` cannot name an interpreter whose path has a space in it.
    program = shlex.join([sys.executable, "-c", PROGRAM])
    (tmp_path / "massivetext").write_text(f'#!/bin/sh\nexec {program} "$@"\n', "utf-8")
    (tmp_path / "massivetext").chmod(0o755)
    asked = (
        "source <(massivetext completion bash); COMP_WORDS=(massivetext val); COMP_CWORD=1; "
        '_massivetext_completion massivetext; echo "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=False, env=env)

    assert "validate\n" == done.stdout, done.stderr
