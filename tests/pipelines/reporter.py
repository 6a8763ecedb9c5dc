"""A reporter for runs in the process of the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Lines"]


class Lines:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str, *, is_detail: bool = False) -> None:
        self.lines.append(line)

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        return lambda task: None
