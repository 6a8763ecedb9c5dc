"""States of readers that share numbered blocks, of which each rank reads every world_size-th: whose they are, and how
what none has given is dealt to other ranks."""

from __future__ import annotations

import numbers
import operator
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from massivetext.errors import OutputError, RecipeError

__all__ = [
    "UNEVEN",
    "all_ended",
    "check_rank",
    "check_uneven",
    "checked_states",
    "deal",
    "listed_states",
    "own_state",
    "readers_of",
    "same_epoch",
    "whole_number",
]

State = Mapping[str, Any]


def whole_number(name: str, value: Any, least: int | None = None) -> int:
    """Return a number of Python's or NumPy's as int, which JSON and digests take. Raises RecipeError for one that is
    not whole or below `least`, and for anything else, such as the string that an environment variable has."""
    number: int | None = None
    try:
        number = None if isinstance(value, bool) else operator.index(value)
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


def listed_states(state: object) -> list[State]:
    """Return a state, or the states of several ranks, as a list, with what all readers' states have in the types that
    it must have. Raises OutputError for what is no state."""
    checked: list[State] = []
    for one in _listed(state, "state", "a state, or a list of the states of all ranks"):
        entries = _entries(one, "state")
        required = {key: _counted(entries, key, "state") for key in ("rank", "world_size")}
        optional = {key: _counted(entries, key, "state") for key in ("epoch", "before", "left") if _has(entries, key)}
        if not isinstance(entries.get("ended", False), bool):
            raise _no_state("state.ended", entries["ended"], "true or false")
        checked.append({**entries, "epoch": 0, "before": 0, **required, **optional})
    return checked


def readers_of(state: object) -> list[Any]:
    """Return the states of the readers of one or several DataLoaders' states. Raises OutputError for what is none."""
    expected = "a state, or a list of the states of all ranks"
    loaders = [_entries(one, "state") for one in _listed(state, "state", expected)]
    return [reader for one in loaders for reader in _listed(one.get("readers"), "state.readers", "a list of states")]


def checked_states(
    state: object,
    mark: Mapping[str, object],
    *,
    subsets: Iterable[str],
    of_rank: Sequence[str],
    of_place: Sequence[str],
) -> list[State]:
    """Return what `listed_states` does, for a reader of some subsets.

    Args:
        state: What `load_state_dict` was given.
        mark: What the states must be of, by key.
        subsets: Names of which each state has a place.
        of_rank: Further keys of a state with whole numbers of at least 0.
        of_place: The same of a place, beside `pending`, which has pairs of them.

    Raises:
        OutputError: For a state of something else than `mark` says, naming in what; and for what is no state: a value
            that is missing or of another type.
    """
    states = listed_states(state)
    for one in states:
        marked = _entries(one.get("of", {}), "state.of")
        for key, value in mark.items():
            if marked.get(key) != value:
                raise OutputError(f"state: is of another {key}: {marked.get(key)!r}, here it is {value!r}")
    names = list(subsets)
    checked: list[State] = []
    for one in states:
        places = _entries(one.get("subsets"), "state.subsets")
        checked.append(
            {
                **one,
                **{key: _counted(one, key, "state") for key in of_rank},
                "subsets": {name: _place(places.get(name), f"state.subsets.{name}", of_place) for name in names},
            }
        )
    return checked


def _place(value: object, where: str, keys: Sequence[str]) -> dict[str, Any]:
    place = _entries(value, where)
    pending = []
    for pair in _listed(place.get("pending"), f"{where}.pending", "a list of pairs"):
        block = _listed(pair, f"{where}.pending", "pairs of numbers")
        if len(block) != 2:
            raise _no_state(f"{where}.pending", block, "pairs of numbers")
        pending.append([_counted({"pending": number}, "pending", where) for number in block])
    return {"pending": pending, **{key: _counted(place, key, where) for key in keys}}


def _has(entries: State, key: str) -> bool:
    return entries.get(key) is not None


def _no_state(where: str, value: object, expected: str) -> OutputError:
    return OutputError(
        f"{where}: {reprlib.repr(value)}; expected {expected}. Take what state_dict returned, as it was saved"
    )


def _listed(value: object, where: str, expected: str) -> list[Any]:
    """Return a list of a state, of which one mapping is a list as well."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise _no_state(where, value, expected)
    return list(value)


def _entries(value: object, where: str) -> State:
    if not isinstance(value, Mapping):
        raise _no_state(where, value, "an object")
    return value


def _counted(entries: State, key: str, where: str) -> int:
    try:
        return whole_number(key, entries.get(key), 0)
    except RecipeError:
        raise _no_state(f"{where}.{key}", entries.get(key), "a whole number of at least 0") from None


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
