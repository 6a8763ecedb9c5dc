"""A Python process beside an operator of a Flink job (engines/flink/Tasks.java), which it serves through its standard
input and output until the operator closes them.

    python -m pipelines.harness PLAN run        in: int64 number               out: int32 0, once it is settled
    python -m pipelines.harness PLAN send       in: int64 number               out: (int32 partition, block)*, -1
    python -m pipelines.harness PLAN receive    in: int32 partition, block*, -1    out: int32 0

A block is its length, int32, and its bytes; integers are big-endian. What goes to standard output otherwise goes to
standard error. Tasks that read documents run under the same supervision as on one machine: in a process of their own,
which is replaced if it dies, without the document that it died of, and they are given up after three attempts.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from massivetext import storage
from massivetext.errors import OutputError
from pipelines import flink
from pipelines.deduplicate import receive, send
from pipelines.execution import ATTEMPTS, NO_OUTPUT, Execution, Isolating, Task, Workers, die_with, run_task

__all__ = ["main"]


def main(plan_path: str, mode: str) -> None:
    threading.Thread(target=die_with, args=(os.getppid(),), daemon=True).start()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    plan = flink.read_plan(plan_path)
    if mode == "run":
        with Workers(Execution()) as workers:
            for number in _numbers(sys.stdin.buffer):
                message = _settle(plan["tasks"][number], workers)
                if message is not None:
                    storage.write_bytes(f"{plan_path}.{number}", message.encode())
                _write(out, 0)
    elif mode == "send":
        for number in _numbers(sys.stdin.buffer):
            for partition, block in send(plan["tasks"][number]):
                _write(out, partition, len(block))
                out.write(block)
            _write(out, -1)
    else:
        while head := sys.stdin.buffer.read(4):
            blocks = _blocks(sys.stdin.buffer)
            receive(plan["phase"], int.from_bytes(head, "big"), blocks)
            deque(blocks, maxlen=0)
            _write(out, 0)


def _settle(task: Task, workers: Workers) -> str | None:
    """Run a task, unless an earlier attempt of the engine has done it. Returns what was said if it is given up."""
    if storage.exists(task.marker):
        return None
    if not isinstance(task, Isolating):
        # Nothing of a user's own is read here but hashes and rows: it needs no process to itself.
        for _ in range(ATTEMPTS):
            message = run_task(task)
            if message is None or message.startswith(NO_OUTPUT):
                break
        return message
    said: list[str] = []
    try:
        workers.run([task], give_up=lambda _, message: said.append(message))
    except OutputError as error:
        return f"{NO_OUTPUT}{error}"
    return said[0] if said else None


def _numbers(stream: BinaryIO) -> Iterator[int]:
    while data := stream.read(8):
        yield int.from_bytes(data, "big")


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while (n := int.from_bytes(stream.read(4), "big", signed=True)) >= 0:
        yield stream.read(n)


def _write(out: BinaryIO, *numbers: int) -> None:
    out.write(struct.pack(f">{len(numbers)}i", *numbers))
    if numbers[-1] <= 0:
        out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
