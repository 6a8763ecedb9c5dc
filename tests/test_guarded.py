"""A child process for what may take its process with it: values, errors, deaths, and what is left of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from massivetext import isolation
from massivetext.errors import RecordError
from massivetext.guarded import ChildDiedError, Guarded


def numbers(n: int) -> Iterator[tuple[int, int]]:
    for i in range(n):
        yield os.getpid(), i


def fails_after(n: int, error: Exception) -> Iterator[int]:
    yield from range(n)
    raise error


class OddError(Exception):
    """Cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")


def suffers(key: int, harm: str) -> Iterator[int]:
    with isolation.limited(0.5, 100 << 20, ()):
        isolation.begin("suffering", key)
        kept = []
        while harm == "loop":
            pass
        while harm == "allocate":
            kept.append(b"x" * (1 << 20))
        if harm == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        yield key


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    child = Guarded()
    yield child
    child.close()


def test_values_come_in_order_from_one_other_process(guarded: Guarded) -> None:
    first, second = list(guarded.call(numbers, 3)), list(guarded.call(numbers, 2))

    assert [0, 1, 2] == [i for _, i in first]
    assert [0, 1] == [i for _, i in second]
    processes = {process for process, _ in (*first, *second)}
    assert 1 == len(processes)
    assert os.getpid() not in processes


def test_errors_come_as_they_are_after_the_values_before_them(guarded: Guarded) -> None:
    values = guarded.call(fails_after, 2, RecordError("odd", "too odd"))

    assert [0, 1] == [next(values), next(values)]
    with pytest.raises(RecordError, match="too odd") as raised:
        next(values)
    assert "odd" == raised.value.reason
    assert 4 == len(list(guarded.call(numbers, 4)))


def fails_oddly() -> Iterator[int]:
    yield 0
    raise OddError(1, 2)


def test_an_error_that_cannot_be_unpickled_comes_by_name(guarded: Guarded) -> None:
    with pytest.raises(RuntimeError, match="OddError: 1 2"):
        list(guarded.call(fails_oddly))


@pytest.mark.parametrize(
    ("harm", "kind", "is_certain"), [("loop", "timeout", True), ("allocate", "memory", True), ("die", "died", False)]
)
def test_a_child_that_suffers_is_ended_and_says_where(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, harm: str, kind: str, is_certain: bool
) -> None:
    monkeypatch.setattr(isolation, "WAITING", 1e6)  # a busy machine that gives the child no time is no evidence
    with pytest.raises(ChildDiedError) as raised:
        list(guarded.call(suffers, 7, harm))

    assert isolation.Blame(isolation.DOCUMENT, 7, "suffering", kind) == raised.value.blame
    assert is_certain == raised.value.is_certain
    assert [8] == list(guarded.call(suffers, 8, "none"))


def test_a_child_that_was_killed_while_idle_is_replaced(guarded: Guarded) -> None:
    ((process, _),) = guarded.call(numbers, 1)
    os.kill(process, signal.SIGKILL)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)  # with all its threads

    ((other, _),) = guarded.call(numbers, 1)
    assert other != process


def test_a_call_that_is_given_up_ends_its_child(guarded: Guarded) -> None:
    values = guarded.call(numbers, 1_000_000)
    process, _ = next(values)
    values.close()

    assert not Path(f"/proc/{process}").exists()
    assert 2 == len(list(guarded.call(numbers, 2)))
