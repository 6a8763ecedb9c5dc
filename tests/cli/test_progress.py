"""What a run tells of its course: on a terminal, elsewhere, and as JSON."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from massivetext.cli import _progress
from massivetext.cli._progress import Meter, Progress, duration_in_words, logging_to


class File(NamedTuple):
    source: str


@dataclass
class Part:
    members: tuple[File, ...]


@dataclass
class Task:
    weight: int
    part: Part = field(default_factory=lambda: Part(()))
    marker: str = ""


def parts(*sources: str) -> list[Task]:
    """Tasks of a megabyte, each of some files."""
    return [Task(1_000_000, Part(tuple(File(name) for name in source.split()))) for source in sources]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (3599, "59:59"), (3723, "1:02:03")]
)
def test_durations(seconds: float, words: str) -> None:
    assert words == duration_in_words(seconds)


def test_a_file_is_done_with_its_last_part(tmp_path: Path) -> None:
    tasks = parts("a", "a", "b c", "d")
    tasks[0].marker = str(tmp_path / "marker")
    Path(tasks[0].marker).write_text(json.dumps({"counts": {"records": 30}}))
    meter = Meter("curate", tasks, 100.0)
    words = []
    for number, task in enumerate(tasks):
        meter.add(task)
        words.append(meter.in_words(102.0 + 2 * number))

    assert [
        "0 of 4 files, 0.5 MB/s, 15 documents/s, 0:02 elapsed, about 0:06 left",
        "1 of 4 files, 0.5 MB/s, 8 documents/s, 0:04 elapsed, about 0:04 left",
        "3 of 4 files, 0.5 MB/s, 5 documents/s, 0:06 elapsed, about 0:02 left",
        "4 of 4 files, 0.5 MB/s, 4 documents/s, 0:08 elapsed",
    ] == words
    assert "4/4 files, 0.5 MB/s, 4 documents/s, 0:08" == meter.in_words(108.0, is_short=True)


def test_other_stages_have_their_own_units() -> None:
    mix, dedup, one = Meter("mix", [Task(500), Task(500)], 0.0), Meter("deduplicate", [], 0.0), Meter("x", [Task(1)], 0)
    for meter in (mix, dedup, one):
        meter.add(Task(500, marker="/nowhere"))

    assert "1 of 2 shards, 50 rows/s, 0:10 elapsed, about 0:10 left" == mix.in_words(10.0)
    assert "1 step, 0:10 elapsed" == dedup.in_words(10.0)
    assert "1 of 1 task, 0:10 elapsed" == one.in_words(10.0)


def test_without_a_terminal_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_progress, "EVERY", 0.05)
    progress = Progress(quiet=False, as_json=False)
    on_done = progress.stage("curate", parts("a"))
    until = time.monotonic() + 20
    lines: list[str] = []
    while len(lines) < 2 and time.monotonic() < until:  # also while no task ends
        time.sleep(0.02)
        lines += capsys.readouterr().err.splitlines()
    on_done(parts("a")[0])
    progress.say("a detail", is_detail=True)
    progress.say("a line\x1b[31m")
    progress.close()
    after = capsys.readouterr().err.splitlines()

    assert "curate: 1 file" == lines[0]
    assert lines[1].startswith("curate: 0 of 1 file, 0.0 MB/s, 0:0")
    assert any(line.startswith("curate: 1 of 1 file, ") for line in after)
    assert "a line\\x1b[31m" == after[-1]
    assert not any("detail" in line for line in after)


def test_details_are_for_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(quiet=False, as_json=False, verbose=True).say("a detail", is_detail=True)
    Progress(quiet=True, as_json=False).say("a line")

    assert "a detail\n" == capsys.readouterr().err


def test_every_event_has_its_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(quiet=False, as_json=True)
    with logging_to(progress):
        progress.say("warning: careful")
        progress.say("a detail", is_detail=True)
        progress.stage("curate", parts("a"))(parts("a")[0])
        logging.getLogger("pipelines.engines").warning("attempt %d", 2)
    progress.event("end", "error", failures=["x"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [
        ("message", "warning"),
        ("message", "debug"),
        ("stage", "info"),
        ("done", "info"),
        ("log", "warning"),
        ("end", "error"),
    ] == [(event["event"], event["level"]) for event in events]
    assert all(datetime.fromisoformat(event["time"]).tzinfo is not None for event in events)
    assert ("pipelines.engines", "attempt 2") == (events[4]["logger"], events[4]["text"])
    assert not logging.getLogger("pipelines").handlers
