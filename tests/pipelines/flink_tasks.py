"""Tasks for processes that import them by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Writes:
    """Leaves its marker."""

    marker: str
    weight: int

    def __call__(self) -> None:
        Path(self.marker).write_text("done")


class Fails(Writes):
    """Raises whenever it is run."""

    def __call__(self) -> None:
        raise ValueError("not this one")
