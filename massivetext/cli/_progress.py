"""How far a run is: one live line a stage on a terminal, a line every ten seconds elsewhere, or JSON events."""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from massivetext.cli._output import echo_json
from massivetext.terminal_text import counted, visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["EVERY", "Meter", "Progress", "duration_in_words", "logging_to"]

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""

_ITEMS = {
    "lines": "file",
    "curate": "file",
    "decontaminate": "part",
    "ledger": "part",
    "mix": "shard",
    "deduplicate": "step",
}
"""What a stage's tasks are to people."""

_UNITS = {"decontaminate": "records", "ledger": "records", "mix": "rows"}
"""What a stage's weight counts. That of `lines` and `curate` is bytes of input; others have none."""


def duration_in_words(seconds: float) -> str:
    """Return a duration as `0:07`, `12:34` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass
class Meter:
    """What one stage has done so far.

    Attributes:
        name: The stage.
        tasks: What it consists of; empty where that is not known before.
        started: When, by `time.monotonic`.
        n_done: Tasks that are done.
        weight_done: Their weight.
        documents: Records of those whose number is known.
        items_done: Files of which every part is done; tasks, where tasks are not parts of files.
    """

    name: str
    tasks: Sequence[Any]
    started: float
    n_done: int = 0
    weight_done: int = 0
    documents: int = 0
    items_done: int = 0
    _open: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.weight = sum(task.weight for task in self.tasks)
        self._open = Counter(source for task in self.tasks for source in _sources(task))
        self.n_items = len(self._open) or len(self.tasks)

    def add(self, task: Any) -> None:
        """Count a task that is done, and the records that its marker tells of, where that is a local file."""
        self.n_done += 1
        self.weight_done += task.weight
        sources = _sources(task)
        for source in sources:
            self._open[source] -= 1
            self.items_done += self._open[source] == 0
        self.items_done += not sources
        self.documents += _records(task) if self.name == "curate" else 0

    def in_words(self, now: float, *, is_short: bool = False) -> str:
        """Return `3 of 12 files, 12.3 MB/s, 340 documents/s, 0:42 elapsed, about 2:10 left`; in short, at most 60
        characters, `3/12 files, 12.3 MB/s, 340 documents/s, 0:42, 2:10 left`."""
        noun = _ITEMS.get(self.name, "task")
        elapsed = max(now - self.started, 1e-6)
        if not self.tasks:
            return f"{counted(self.n_done, noun)}, {duration_in_words(elapsed)} elapsed"
        words = [f"{self.items_done:,}{'/' if is_short else ' of '}{counted(self.n_items, noun)}"]
        if self.name in ("lines", "curate"):
            words.append(f"{self.weight_done / elapsed / 1e6:.1f} MB/s")
        elif self.name in _UNITS:
            words.append(f"{self.weight_done / elapsed:,.0f} {_UNITS[self.name]}/s")
        if self.documents:
            words.append(f"{self.documents / elapsed:,.0f} documents/s")
        words.append(duration_in_words(elapsed) + ("" if is_short else " elapsed"))
        if self.weight_done and self.n_done < len(self.tasks):
            remaining = (self.weight - self.weight_done) * elapsed / self.weight_done
            words.append(f"{'' if is_short else 'about '}{duration_in_words(remaining)} left")
        return ", ".join(words)


def _sources(task: Any) -> list[str]:
    """Return the files that a task reads; none for tasks of other stages."""
    members = getattr(getattr(task, "part", None), "members", ())
    return [member.source for member in members]


def _records(task: Any) -> int:
    """Return the records that a task's marker counts; 0 where it cannot be read at once."""
    from massivetext import storage

    path = getattr(task, "marker", "")
    if not path or storage.is_remote(path):
        return 0
    try:
        with open(path, "rb") as stream:
            counts = json.load(stream).get("counts", {})
        return int(counts.get("records", 0))
    except (OSError, ValueError, AttributeError, TypeError):
        return 0


class Progress:
    """Tells a person how far a run is. Details, such as the recall of deduplication, are said with `verbose` alone.

    Args:
        quiet: Say nothing.
        as_json: Print one JSON object a line to standard output, each with its time and level, details too.
        verbose: Say details.
    """

    def __init__(self, *, quiet: bool, as_json: bool, verbose: bool = False) -> None:
        self.quiet, self.as_json, self.verbose = quiet, as_json, verbose
        self._bar: Any = None
        self._meter: Meter | None = None
        self._lock = threading.Lock()
        self._ended: threading.Event | None = None

    @functools.cached_property
    def console(self) -> Console:
        """Where lines and the bar are shown; imported on use, which takes 40 ms."""
        from rich.console import Console

        return Console(stderr=True)

    def close(self) -> None:
        """End the stage that is shown."""
        if self._ended is not None:
            self._ended.set()
            self._ended = None
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._meter = None

    def say(self, line: str, *, is_detail: bool = False) -> None:
        """Say a line of its own."""
        if self.as_json:
            level = "warning" if line.startswith("warning: ") else "debug" if is_detail else "info"
            self.event("message", level, text=line)
        elif not self.quiet and (self.verbose or not is_detail):
            self.console.print(visible(line), markup=False, emoji=False, highlight=False, soft_wrap=True)

    def event(self, name: str, level: str = "info", **values: Any) -> None:
        """Print an event as a JSON object of one line, with its time and level."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        echo_json({"time": now, "level": level, "event": name, **values})

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        """Begin a stage; call what this returns with each task that is done."""
        self.close()
        meter = self._meter = Meter(name, tasks, time.monotonic())
        if self.as_json:
            self.event("stage", stage=name, tasks=len(tasks), weight=meter.weight)
        elif not self.quiet and self.console.is_terminal:
            self._start_bar(meter)
        elif not self.quiet:
            noun = _ITEMS.get(name, "task")
            self.say(f"{name}: {counted(meter.n_items, noun)}" if tasks else name)
            self._start_lines(meter)

        def on_done(task: Any) -> None:
            with self._lock:
                meter.add(task)
            if self.as_json:
                elapsed = round(time.monotonic() - meter.started, 3)
                self.event("done", stage=name, tasks=meter.n_done, weight=meter.weight_done, seconds=elapsed)
            elif self._bar is not None:
                self._show(meter)
            elif not self.quiet and tasks and meter.n_done == len(tasks):
                self.say(f"{name}: {meter.in_words(time.monotonic())}")

        return on_done

    def _start_bar(self, meter: Meter) -> None:
        """Show a bar, and beside it what the meter says, anew every second."""
        from rich.progress import BarColumn, ProgressColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.text import Text

        is_short = self.console.width < 120

        class Words(ProgressColumn):
            max_refresh = 1.0

            def render(self, task: Any) -> Text:
                return Text(meter.in_words(time.monotonic(), is_short=is_short), no_wrap=True)

        width = max(5, min(24, self.console.width - (76 if is_short else 90)))
        self._bar = Bar(TextColumn(f"{meter.name:<13}"), BarColumn(bar_width=width), Words(), console=self.console)
        self._bar.add_task(meter.name, total=meter.weight or None)
        self._bar.start()

    def _show(self, meter: Meter) -> None:
        if self._bar is not None and meter.weight:
            self._bar.update(self._bar.task_ids[0], completed=meter.weight_done)

    def _start_lines(self, meter: Meter) -> None:
        """Print a line every ten seconds for as long as the stage lasts, also while no task ends."""
        ended = self._ended = threading.Event()

        def report() -> None:
            while not ended.wait(EVERY):
                with self._lock:
                    line = f"{meter.name}: {meter.in_words(time.monotonic())}"
                self.say(line)

        threading.Thread(target=report, daemon=True).start()


class _Events(logging.Handler):
    """Prints what is logged as events."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.event("log", record.levelname.lower(), logger=record.name, text=record.getMessage())


@contextmanager
def logging_to(progress: Progress) -> Iterator[None]:
    """Show what our modules log for as long as the context lasts: as events, or on standard error; what is not a
    warning only with `verbose`."""
    handler: logging.Handler = _Events(progress) if progress.as_json else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level = logging.ERROR if progress.quiet else logging.INFO if progress.verbose else logging.WARNING
    loggers = [logging.getLogger(name) for name in ("massivetext", "filters", "pipelines")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (old_level, propagate) in zip(loggers, before):
            logger.removeHandler(handler)
            logger.setLevel(old_level)
            logger.propagate = propagate
