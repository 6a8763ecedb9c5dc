"""States of readers that share numbered blocks, of which each rank reads every world_size-th: whose they are, and how
what none has given is dealt to other ranks."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from massivetext.errors import OutputError, RecipeError

__all__ = [
    "UNEVEN",
    "all_ended",
    "check_rank",
    "check_uneven",
    "compare_states",
    "deal",
    "own_state",
    "same_epoch",
    "whole_number",
]

State = Mapping[str, Any]


def whole_number(name: str, value: Any, least: int | None = None) -> int:
    """Return a number of Python's or NumPy's as int, which JSON and digests take. Raises RecipeError for one that is
    not whole or below `least`, and for anything else, such as the string that an environment variable has."""
    number: int | None = None
    try:
        number = operator.index(value)
    except TypeError:
        if isinstance(value, numbers.Real) and float(value).is_integer():
            number = int(float(value))
    if number is None or (least is not None and number < least):
        shown = value if isinstance(value, numbers.Number) else repr(value)
        at_least = "" if least is None else f" of at least {least}"
        raise RecipeError(f"{name}: {shown}; expected a whole number{at_least}")
    return number


def check_rank(rank: int, world_size: int) -> tuple[int, int]:
    """Return both as int. Raises RecipeError for a rank outside 0 to world_size - 1."""
    size = whole_number("world_size", world_size, 1)
    number = whole_number("rank", rank)
    if not 0 <= number < size:
        raise RecipeError(f"rank: {rank}; expected 0 to {size - 1}, world_size being {size}")
    return number, size


UNEVEN = ("keep", "drop", "pad", "error")
"""What to do where ranks are dealt different numbers of rows: leave it so; end all with the poorest; let the poorer
take rows of their next epoch; refuse."""


def check_uneven(uneven: str) -> None:
    """Raises RecipeError for a value that is none of UNEVEN."""
    if uneven not in UNEVEN:
        raise RecipeError(f"uneven: {uneven!r}; expected one of {', '.join(UNEVEN)}")


def all_ended(states: Sequence[State]) -> bool:
    """Whether all ranks have ended their epoch: one that has waits for the others, for they begin anew together."""
    return all(one.get("ended", False) for one in states)


def same_epoch(states: Sequence[State]) -> tuple[int, list[State], bool]:
    """The epoch in which the ranks stand, those of them that have begun it, and whether all have ended it.

    A rank that ended the epoch before, while others are in the next, is at the next one's beginning.

    Raises OutputError for ranks that are in the middle of different epochs.
    """
    epoch = max(int(one.get("epoch", 0)) for one in states)
    begun = [one for one in states if int(one.get("epoch", 0)) == epoch]
    behind = [one for one in states if one not in begun]
    if any(int(one.get("epoch", 0)) < epoch - 1 or not one.get("ended", False) for one in behind):
        epochs = sorted({int(one.get("epoch", 0)) for one in states})
        raise OutputError(
            f"state: the ranks are in the middle of different epochs ({', '.join(map(str, epochs))}); resuming with "
            "another world size takes states that were saved after the same step"
        )
    return epoch, begun, not behind and all_ended(states)


def compare_states(states: Sequence[State], mark: Mapping[str, object]) -> None:
    """Raises OutputError for a state of something else than `mark` says, naming in what."""
    for state in states:
        for key, value in mark.items():
            found = state.get("of", {}).get(key)
            if found != value:
                raise OutputError(f"state: is of another {key}: {found!r}, here it is {value!r}")


def own_state(states: Sequence[State], *, rank: int, world_size: int) -> State | None:
    """This rank's own state, alone or among all of a run of the same world size; None where they are to be dealt.

    Raises OutputError for states that are not those of all ranks of one run.
    """
    same = [one for one in states if one["rank"] == rank and one["world_size"] == world_size]
    if len(same) == 1 and len(states) in (1, world_size):
        return same[0]
    sizes = {int(one["world_size"]) for one in states}
    ranks = sorted(int(one["rank"]) for one in states)
    if len(sizes) != 1 or ranks != list(range(min(sizes))):
        raise OutputError(
            f"state: states of the ranks {ranks} of world sizes {sorted(sizes)}; going on with world size "
            f"{world_size} takes the states of all ranks of one run"
        )
    return None


def deal(held: Sequence[State], *, rank: int, world_size: int) -> tuple[list[list[int]], int]:
    """held: of each rank of a run `pending`, blocks with how much of each is given, and `next`, the first block that it
    has not begun. Returns the same two for a rank of another run."""
    pending = [list(pair) for place in held for pair in place["pending"]]
    edge = max(int(place["next"]) for place in held)
    # Blocks below the edge that their rank has not begun.
    pending += [[number, 0] for place in held for number in range(int(place["next"]), edge, len(held))]
    pending.sort()
    return pending[rank::world_size], edge + rank
