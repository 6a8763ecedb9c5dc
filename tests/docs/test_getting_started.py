"""The commands of docs/getting-started.md, in their order, as a reader would give them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from tests import in_process
from tests.docs.lines import command_lines, programs, words_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "getting-started.md"
PROGRAM = "from massivetext.cli import main; main()"


def massivetext(line: str) -> str:
    done = in_process.massivetext(*shlex.split(line)[1:])
    assert 0 == done.returncode, (line, done.stderr)
    return done.stdout


def test_every_command_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text("utf-8")
    lines = re.findall(r"^ {4}(massivetext .*)$", text, re.MULTILINE)
    recipe = re.search(r"cat > mine.yaml <<'EOF'\n(.*?) {4}EOF", text, re.DOTALL)
    assert recipe is not None
    (tmp_path / "mine.yaml").write_text("\n".join(line[4:] for line in recipe[1].splitlines()), "utf-8")
    (tmp_path / "books").mkdir()
    story = "It was a cold morning, and of all the people that had come to the square only a few were there to sell. "
    (tmp_path / "books" / "one.txt").write_text("".join(f"{story} So said number {i}. " for i in range(9)), "utf-8")
    # What `make run` does. It imports every module of Python's library, which is not for the process of the tests.
    demo = [sys.executable, "-c", PROGRAM, "demo", "--output", str(tmp_path / "demo")]
    subprocess.run(demo, cwd=tmp_path, capture_output=True, check=True)
    monkeypatch.chdir(tmp_path)
    said = {line.split()[1]: massivetext(line) for line in lines}

    assert {"inspect", "explain", "what-if", "report", "validate", "run", "verify"} == set(said)
    assert "rejected" in said["explain"]
    assert " x " in said["explain"]
    assert "pass the rules" in said["what-if"]
    assert (tmp_path / "demo" / "out" / "report" / "index.html").stat().st_size < 5_000_000
    # The pages that go on from there, on the same demo.
    found = json.loads(look('massivetext inspect demo/out --json --rows 1 --where "reason IS NULL" --columns id,url'))
    (tmp_path / "ids.txt").write_text(found["id"], "utf-8")
    shown = {line: look(line) for line in command_lines((PAGE.parent / "inspect.md").read_text("utf-8"))}
    assert len(shown) > 7
    assert all(shown.values())
    page = (PAGE.parent / "looking.md").read_text("utf-8")
    # Which of two equal pages goes hangs on their ids, and these on the corpus that this Python makes.
    copy = json.loads(
        look("massivetext inspect demo/out --json --rows 1 --where \"reason = 'duplicate.exact'\" --columns url")
    )
    page = page.replace("http://pydoc.example/topics/if.html", copy["url"])
    looked = {words_of(line)[0]: look(line) for line in command_lines(page)}
    assert {"explain", "what-if", "run", "diff", "plan"} == set(looked)
    for name, line in (
        ("explain", "x kept instead: "),
        ("what-if", "rejected quality.word_count -> passes the rules, later stages unknown"),
        ("what-if", "massivetext run demo/out/recipe.yaml --output demo/out --update --set quality.word_count.min=30"),
        ("diff", "quality.word_count.min: 50.0 -> 30.0"),
        ("diff", "massiveweb: rejected quality.word_count -> kept: "),
    ):
        assert line in page
        assert line in looked[name]
    assert "the most that can be kept" in looked["plan"]
    # On the output of the reader's own files.
    for program in programs((PAGE.parent / "formats.md").read_text("utf-8")):
        namespace: dict[str, Any] = {}
        exec(program, namespace)
        if "kept" in namespace:
            assert 1 == namespace["kept"].num_rows
    taken = look("massivetext remove demo/out --ids ids.txt")
    assert "Removed 1 document, before: 1 kept" in taken
    assert "" == look(f"massivetext inspect demo/out/mixture/demo --json --id {found['id']}")


def look(line: str) -> str:
    done = CliRunner().invoke(commands, words_of(line), catch_exceptions=False)
    assert 0 == done.exit_code, (line, done.stderr)
    return done.stdout
