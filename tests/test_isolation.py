"""The parent's side of the limits, on a clock and a process made by hand; tests/faults/ has real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from massivetext import isolation
from massivetext.isolation import Blame, Note, Watch


class Machine:
    """A process as the system shows it, looked at once a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.cpu = 0.0
        self.held = 100
        monkeypatch.setattr(isolation.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(isolation, "_taken", lambda pid: (self.cpu, self.held))
        monkeypatch.setattr(isolation, "_note", None)
        self.note = Note()
        isolation.attach(self.note)
        self.watch = Watch(1, self.note)

    def looks(self, n: int, *, cpu: float = 0.0, held: int = 0) -> int | None:
        """How many looks it takes until it is over a limit, of at most n; what the process takes between two."""
        for look in range(n):
            self.now, self.cpu, self.held = self.now + 1, self.cpu + cpu, self.held + held
            if self.watch.is_over():
                return look
        return None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    found = Machine(monkeypatch)
    with isolation.limited(10, 1000, ()):
        yield found
    found.note.close()


def test_cpu_time_is_counted_from_when_the_step_was_seen(machine: Machine) -> None:
    machine.cpu = 500
    isolation.begin("measuring", 7)

    # The first look sees the step, and eleven seconds are more than ten.
    assert 11 == machine.looks(100, cpu=1.0)
    assert (Blame(isolation.DOCUMENT, 7, "measuring", "timeout"), True) == machine.watch.blame()


def test_a_machine_that_gives_little_time_costs_nothing(machine: Machine) -> None:
    isolation.begin("measuring", 7)

    assert machine.looks(1000, cpu=0.01) is None


def test_a_step_that_stands_still_ends_without_certainty(machine: Machine) -> None:
    isolation.begin("measuring", 7)

    assert 51 == machine.looks(100)
    assert (Blame(isolation.DOCUMENT, 7, "measuring", "timeout"), False) == machine.watch.blame()


def test_each_step_has_its_own_time_and_between_steps_there_is_no_limit(machine: Machine) -> None:
    for key in range(20):
        isolation.begin("measuring", key)
        assert machine.looks(9, cpu=1.0) is None
    isolation.end()

    assert machine.looks(100, cpu=1.0, held=1000) is None


def test_memory_counts_from_the_look_before_the_step(machine: Machine) -> None:
    isolation.begin("reading", 0, scope=isolation.READING)
    assert machine.looks(1) is None
    isolation.begin("extraction", 1)

    assert 2 == machine.looks(10, held=400)
    assert (Blame(isolation.DOCUMENT, 1, "extraction", "memory"), True) == machine.watch.blame()


def test_a_longer_document_may_take_more(machine: Machine) -> None:
    isolation.begin("measuring", 7, n_bytes=5_000_000)

    assert 16 == machine.looks(100, cpu=1.0)
