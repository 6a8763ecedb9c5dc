"""Ranges of a file that can be read apart. They depend on the file's bytes and the target size only."""

from __future__ import annotations

from massivetext import storage

__all__ = ["by_bytes", "by_lines"]


def by_bytes(size: int, target_bytes: int) -> list[tuple[int, int]]:
    """Equal ranges of bytes, none larger than the target."""
    pieces = -(-size // target_bytes)
    return [(size * i // pieces, size * (i + 1) // pieces) for i in range(pieces)]


def by_lines(path: str, size: int, target_bytes: int) -> list[tuple[int, int]]:
    """Ranges of a file of lines: equal ranges of bytes, or one if its lines cannot be found from its middle."""
    from massivetext.readers.lines import is_divisible

    if size <= target_bytes:
        return [(0, size)]
    with storage.open_input(path) as stream:
        return by_bytes(size, target_bytes) if is_divisible(stream) else [(0, size)]
