from __future__ import annotations

import subprocess
import sys

PROGRAM = "from massivetext.cli import main; main()"


def massivetext(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)


def test_the_packaged_recipe_is_valid() -> None:
    done = massivetext("validate", "gopher")

    assert 0 == done.returncode, done.stderr
    assert "weight 0.48" in done.stdout


def test_wrong_recipes_and_wrong_usage_exit_2() -> None:
    wrong = massivetext("validate", "gopher", "--set", "quality.word_count.min=200000")

    assert 2 == wrong.returncode
    assert "impossible limit" in wrong.stderr
    assert 2 == massivetext("validate").returncode
    assert 2 == massivetext("no-such-command").returncode
