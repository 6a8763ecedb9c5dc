"""The commands of docs/getting-started.md, in their order, as a reader would give them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "getting-started.md"
PROGRAM = "from massivetext.cli import main; main()"


def massivetext(line: str, folder: Path) -> str:
    command = [sys.executable, "-c", PROGRAM, *shlex.split(line)[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ)
    assert 0 == done.returncode, (line, done.stderr)
    return done.stdout


def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    text = PAGE.read_text("utf-8")
    lines = re.findall(r"^ {4}(massivetext .*)$", text, re.MULTILINE)
    recipe = re.search(r"cat > mine.yaml <<'EOF'\n(.*?) {4}EOF", text, re.DOTALL)
    assert recipe is not None
    (tmp_path / "mine.yaml").write_text("\n".join(line[4:] for line in recipe[1].splitlines()), "utf-8")
    (tmp_path / "books").mkdir()
    story = "It was a cold morning, and of all the people that had come to the square only a few were there to sell. "
    (tmp_path / "books" / "one.txt").write_text("".join(f"{story} So said number {i}. " for i in range(9)), "utf-8")
    massivetext(f"massivetext demo --output {tmp_path / 'demo'}", tmp_path)  # what `make run` does
    said = {line.split()[1]: massivetext(line, tmp_path) for line in lines}

    assert {"inspect", "explain", "validate", "run", "verify"} == set(said)
    assert "rejected" in said["explain"]
    assert " x " in said["explain"]
    massivetext("massivetext report demo/out", tmp_path)
    assert (tmp_path / "demo" / "out" / "report" / "index.html").stat().st_size < 5_000_000
