"""What the fuzzers share: targets, mutation, the clock, and findings that can be repeated.

Input number n of a target is a function of (seed, target, n), so a finding is repeated with
`--target NAME --first N --count 1`.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import random
import resource
import signal
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

__all__ = ["DATA", "REPOSITORY", "Target", "main", "mutated"]

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
HANG = 10
"""CPU seconds after which an input has hung."""
SHOWN = 5
"""Findings of a target that are printed."""
WARMING = 10
"""Inputs of a target before the clock starts."""


class Target(NamedTuple):
    """What is fuzzed. make: an input out of chance alone; check: raises what should not be. grows: megabytes by which
    the process may grow with all inputs of the target."""

    make: Callable[[random.Random], Any]
    check: Callable[[Any], None]
    grows: int = 1024


def mutated(data: bytes, chance: random.Random, tokens: Sequence[bytes], limit: int = 4 << 20) -> bytes:
    """A few random changes: bytes, runs, tokens, cuts, repetitions; sometimes inside the compression."""
    if data[:2] == b"\x1f\x8b" and chance.random() < 0.5:
        try:
            return gzip.compress(mutated(gzip.decompress(data), chance, tokens, limit), 1, mtime=0)
        except (OSError, EOFError, zlib.error):
            pass
    piece = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(piece) + 1)
        to = min(len(piece), at + chance.choice((1, 2, 8, 64, 1024)))
        kind = chance.randrange(7)
        if kind == 0 and at < len(piece):
            piece[at] = chance.randrange(256)
        elif kind == 1 and at < len(piece):
            piece[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del piece[at:to]
        elif kind == 3:
            piece[at:at] = chance.choice(tokens)
        elif kind == 4:
            piece[at:at] = piece[at:to] * chance.choice((1, 2, 100))
        elif kind == 5:
            del piece[at:]
        else:
            piece[at:to] = chance.randbytes(to - at)
    return bytes(piece[:limit])


def _hang(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {HANG} s of CPU time")


def fuzz(name: str, target: Target, *, seconds: float, seed: int, first: int, count: int | None) -> tuple[int, str]:
    """(findings, a line that says what was done)."""
    signal.signal(signal.SIGPROF, _hang)
    for number in range(WARMING):
        # Kernels are compiled and models loaded here, for that is no input's time.
        with contextlib.suppress(Exception):
            target.check(target.make(random.Random(f"warm/{name}/{number}")))
    begun = time.process_time()
    findings, number, longest = 0, first, (0.0, first)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while time.process_time() - begun <= seconds and (count is None or number < first + count):
        value = target.make(random.Random(f"{seed}/{name}/{number}"))
        at = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, HANG)
        try:
            target.check(value)
        except Exception as error:
            findings += 1
            place = f"--target {name} --seed {seed} --first {number} --count 1"
            if findings <= SHOWN:
                print(f"FINDING {place}: {type(error).__name__}: {str(error)[:2000]}", flush=True)
            if count == 1:
                raise
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        longest = max(longest, (time.process_time() - at, number))
        number += 1
    spent = time.process_time() - begun
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    if grown > target.grows:
        findings += 1
        print(f"FINDING --target {name}: the process grew by {grown} MB", flush=True)
    return findings, (
        f"{name:16}{number - first:9} executions, {spent / 60:5.1f} min CPU, longest {longest[0]:6.3f} s "
        f"(input {longest[1]}), grew by {grown:4} MB, {findings} findings"
    )


def main(targets: Mapping[str, Target], about: str | None, arguments: list[str] | None = None) -> int:
    """The command line of a fuzzer: each target for some seconds. Returns 1 if there were findings."""
    parser = argparse.ArgumentParser(description=about)
    seconds = float(os.environ.get("FUZZ_SECONDS", 10))
    parser.add_argument("--seconds", type=float, default=seconds, help="of CPU time a target")
    parser.add_argument("--target", action="append", choices=sorted(targets))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int)
    options = parser.parse_args(arguments)
    total = 0
    for name in options.target or sorted(targets):
        how = {"seconds": options.seconds, "seed": options.seed, "first": options.first, "count": options.count}
        findings, line = fuzz(name, targets[name], **how)
        print(line, flush=True)
        total += findings
    sys.stdout.flush()
    return 1 if total else 0
