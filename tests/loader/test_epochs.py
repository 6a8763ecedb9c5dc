"""Epochs by `for`, ranks that share unevenly, shards that are damaged, and going on after `remove`."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import massivetext
from massivetext import storage
from massivetext.errors import LimitError, OutputError, RecipeError, SourceError
from massivetext.loader import Loader
from massivetext.loader.schedule import Schedule
from massivetext.mixture.allotment import generator
from massivetext.removed import Removed, rewrite
from tests.loader.conftest import document, write_mixture

WEIGHTS = {"books": 0.5, "c4": 0.3, "wikipedia": 0.2}
KINDS: dict[str, dict] = {
    "mixture": {},
    "batches": {"batch_size": 17, "read_ahead": 2},
    "two epochs a pass": {"epochs": 2},
    "curated": {"subsets": ["books", "c4", "wikipedia"]},
    "weights": {"weights": WEIGHTS},
}


def test_before_its_first_pass_a_schedule_has_given_nothing() -> None:
    schedule = Schedule([], rank=0, world_size=1, uneven="keep")

    assert (0.0, None) == (schedule.before, schedule.left)


def ids_of(loader: Loader, n: int | None = None) -> list[str]:
    items = [item for _, item in zip(range(n or 1 << 60), loader)]
    return [name for item in items for name in ([item["id"]] if isinstance(item, dict) else item["id"].to_pylist())]


def state(loader: Loader) -> dict:
    return json.loads(json.dumps(loader.state_dict()))


@pytest.mark.parametrize("kind", KINDS)
def test_each_for_gives_all_in_another_order(out: str, ids: list[str], kind: str) -> None:
    loader = massivetext.load(Path(out), **KINDS[kind])

    passes = [ids_of(loader) for _ in range(3)]

    for given in passes:
        if kind == "weights":
            # The scarcest subset whole, of the others as many tokens as that allows.
            assert 0.9 * len(passes[0]) < len(given) < 1.1 * len(passes[0])
        else:
            assert Counter({name: KINDS[kind].get("epochs", 1) for name in ids}) == Counter(given)
    assert len({tuple(given) for given in passes}) == 3
    assert loader.ended is not None
    assert list(zip(range(1), [next(loader, None)])) == [(0, None)]  # until iterated over anew


def test_passes_are_the_epochs_of_one_stream(out: str) -> None:
    loader = massivetext.load(out, seed=3)

    assert ids_of(massivetext.load(out, seed=3, epochs=3)) == [name for _ in range(3) for name in ids_of(loader)]


@pytest.mark.parametrize("kind", KINDS)
def test_set_epoch_goes_where_passes_would(out: str, kind: str) -> None:
    loader = massivetext.load(out, **KINDS[kind])
    passes = [ids_of(loader) for _ in range(3)]
    other = massivetext.load(out, **KINDS[kind])
    for number in (2, 0, 1):
        other.set_epoch(number)
        assert passes[number] == ids_of(other)
    # In the middle of a pass its own number changes nothing, so that a loop over epochs resumes.
    other.set_epoch(2)
    first = ids_of(other, 2)
    after = massivetext.load(out, **KINDS[kind])
    after.load_state_dict(state(other))
    after.set_epoch(2)
    assert passes[2] == first + ids_of(after)
    assert loader.epoch == after.epoch == 2
    # At its end its own number is the pass again.
    after.set_epoch(2)
    assert passes[2] == ids_of(after)


def test_a_state_of_the_end_begins_the_next_pass(out: str, ids: list[str]) -> None:
    loader = massivetext.load(out)
    first, after = ids_of(loader), massivetext.load(out)
    after.load_state_dict(state(loader))
    second = ids_of(after)

    assert ids == sorted(first) == sorted(second)
    assert second == ids_of(loader)
    # Dealt to other ranks too.
    ranks = [massivetext.load(out, rank=rank, world_size=2) for rank in range(2)]
    given = [ids_of(rank) for rank in ranks]
    three = [massivetext.load(out, rank=rank, world_size=3) for rank in range(3)]
    for one in three:
        one.load_state_dict([state(rank) for rank in ranks])
    assert ids == sorted(given[0] + given[1]) == sorted(name for one in three for name in ids_of(one))
    assert {1} == {one.epoch for one in three}


def test_ranks_of_different_passes(out: str, ids: list[str]) -> None:
    """One rank has ended a pass, the other is in the next: the first is at its beginning. In the middle is refused."""
    ranks = [massivetext.load(out, rank=rank, world_size=2) for rank in range(2)]
    first = [name for rank in ranks for name in ids_of(rank)]
    second = ids_of(ranks[1], 40)
    last = massivetext.load(out)
    last.load_state_dict([state(rank) for rank in ranks])
    assert ids == sorted(first)
    assert ids == sorted(second + ids_of(last))

    middle = massivetext.load(out, rank=0, world_size=2)
    ids_of(middle, 3)
    with pytest.raises(OutputError, match=r"in the middle of different epochs \(0, 1\)"):
        last.load_state_dict([state(middle), state(ranks[1])])


@pytest.mark.parametrize("batch_size", [None, 9])
@pytest.mark.parametrize("kind", [{}, {"subsets": ["books", "c4"]}])
def test_ranks_give_equally_many_where_asked(out: str, batch_size: int | None, kind: dict) -> None:
    def ranks(uneven: str, size: int = 3) -> list[Loader]:
        options = {**kind, "batch_size": batch_size, "uneven": uneven}
        return [massivetext.load(out, rank=rank, world_size=size, **options) for rank in range(size)]

    kept, dropped, padded = ([ids_of(rank) for rank in ranks(uneven)] for uneven in ("keep", "drop", "pad"))
    sizes = [len(given) for given in kept]

    assert min(sizes) < max(sizes)
    assert {min(sizes)} == {len(given) for given in dropped}
    assert {max(sizes)} == {len(given) for given in padded}
    assert dropped == [given[: min(sizes)] for given in kept]
    assert kept == [given[:n] for given, n in zip(padded, sizes)]
    with pytest.raises(LimitError, match=f"ranks get {min(sizes)} to {max(sizes)} documents"):
        next(ranks("error")[0])
    # The next pass begins as it would have.
    three = ranks("pad")
    for rank in three:
        ids_of(rank)
    assert len({len(ids_of(rank)) for rank in three}) == 1


def test_equal_ranks_stay_equal_after_resuming(out: str) -> None:
    options = {"uneven": "drop", "batch_size": 5}
    before = [massivetext.load(out, rank=rank, world_size=3, **options) for rank in range(3)]
    given = [name for rank in before for name in ids_of(rank, 11)]
    states = [state(rank) for rank in before]
    same = [massivetext.load(out, rank=rank, world_size=3, **options) for rank in range(3)]
    for rank, own in zip(same, states):
        rank.load_state_dict(own)
    assert 1 == len({len(ids_of(rank)) for rank in same})
    others = [massivetext.load(out, rank=rank, world_size=5, **options) for rank in range(5)]
    for rank in others:
        rank.load_state_dict(states)
    rest = [ids_of(rank) for rank in others]

    assert 1 == len({len(one) for one in rest})
    assert 1 == max(Counter(given + [name for one in rest for name in one]).values())


def test_few_books_on_many_ranks_lose_nothing(out: str, ids: list[str]) -> None:
    """27 books on 40 ranks: each comes once, and of the others as many as on one rank."""
    with pytest.warns(UserWarning, match=r"gets no document of books"):
        ranks = [massivetext.load(out, weights=WEIGHTS, rank=rank, world_size=40) for rank in range(40)]
    given = Counter(name for rank in ranks for name in ids_of(rank))
    alone = Counter(ids_of(massivetext.load(out, weights=WEIGHTS)))

    assert 1 == max(given.values())
    assert [name for name in ids if name.startswith("books")] == sorted(name for name in given if "books" in name)
    assert len(given) > 0.9 * len(alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"uneven": "some"}, "uneven: 'some'; expected one of keep, drop, pad, error"),
        ({"uneven": "drop", "epochs": None}, "there is no end"),
        ({"uneven": "pad", "weights": WEIGHTS}, "with weights a rank ends by its tokens"),
        ({"on_damage": "ignore"}, "on_damage: 'ignore'; expected 'stop' or 'skip'"),
    ],
)
def test_options_that_do_not_go_together(out: str, options: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        massivetext.load(out, **options)


def test_a_flipped_bit_is_never_given_in_silence(own: str, ids: list[str]) -> None:
    """Wherever in a shard it is: an error that names the file, or the very same rows."""
    shard = Path(f"{own}/mixture/main/shard-00001-of-00004.parquet")
    whole, chosen = shard.read_bytes(), random.Random(0)
    expected = {row["id"]: row for row in massivetext.load(own, shuffle=0)}
    outcomes: Counter[str] = Counter()
    for _ in range(50):
        damaged = bytearray(whole)
        damaged[chosen.randrange(len(whole))] ^= 1 << chosen.randrange(8)
        shard.write_bytes(damaged)
        try:
            given = {row["id"]: row for row in massivetext.load(own, shuffle=0, read_ahead=0)}
        except (SourceError, OutputError) as error:
            outcomes["error" if "shard-00001-of-00004.parquet" in str(error) else str(error)] += 1
        else:
            assert expected == given
            outcomes["same"] += 1
    shard.write_bytes(whole)

    assert {"error", "same"} >= {*outcomes}
    assert outcomes["error"] >= 30


@pytest.mark.parametrize("shuffle", [0, 2])
def test_a_damaged_row_group_is_skipped_on_request(own: str, ids: list[str], shuffle: int) -> None:
    shard = Path(f"{own}/mixture/main/shard-00001-of-00004.parquet")
    order = ids_of(massivetext.load(own, shuffle=shuffle))
    data = bytearray(shard.read_bytes())
    data[100:140] = bytes(40)
    shard.write_bytes(data)
    loader = massivetext.load(own, shuffle=shuffle, on_damage="skip", read_ahead=0)

    with pytest.warns(
        UserWarning, match=r"skipped, with its 25 rows: .*shard-00001-of-00004.parquet: row group 0"
    ) as w:
        given = ids_of(loader)

    assert 1 == len(w)
    assert len(ids) - 25 == len(given)
    assert given == [name for name in order if name in set(given)]
    assert 1 == loader.counts()["all"]["damaged"] == len(loader.damage())
    with pytest.raises(SourceError, match=r"row group 0 cannot be read.*on_damage"):
        ids_of(massivetext.load(own, shuffle=shuffle))


def remove(folder: str, names: list[str]) -> None:
    """What `massivetext remove` does to a mixture: its shards without the rows, the manifest with their digests."""
    place = storage.join(folder, "manifest.json")
    data = json.loads(storage.read_bytes(place))
    for file in data["files"]:
        summary = rewrite(storage.join(folder, file), Removed(ids=tuple(names)))
        data["files"][file] = {key: summary[key] for key in ("rows", "bytes", "blake2b")}
    storage.write_bytes(place, json.dumps(data).encode())


@pytest.mark.parametrize("size", [1, 3])
def test_a_training_goes_on_after_a_removal(own: str, ids: list[str], size: int) -> None:
    """Row 7 of some shards, a whole row group, and what was given already; in one step or in two."""
    folder = f"{own}/mixture/main"
    order = ids_of(massivetext.load(own))
    group = ids_of(massivetext.load(own, shuffle=0))[25:50]
    before = massivetext.load(own)
    given = ids_of(before, 150)
    gone = [*order[160:170], *given[:5], *group]
    remove(folder, gone[:12])
    remove(folder, gone)
    after = [massivetext.load(own, rank=rank, world_size=size) for rank in range(size)]
    for rank in after:
        rank.load_state_dict(state(before))
    rest = [ids_of(rank) for rank in after]

    if size == 1:
        assert [name for name in order[150:] if name not in gone] == rest[0]
    assert sorted({*ids} - {*gone} - {*given}) == sorted(name for one in rest for name in one)
    # A pass has the order that it had, without them.
    assert [name for name in order if name not in gone] == ids_of(massivetext.load(own))


def test_removed_rows_leave_the_order_of_an_oracle(tmp_path: Path) -> None:
    """One shard of 40 documents, one row group: its permutation by hand, before and after."""
    rows = [document("c4", i, 5) for i in range(40)]
    write_mixture(f"{tmp_path}/mixture/main", rows, shards=1, group=40)
    stored = ids_of(massivetext.load(tmp_path, shuffle=0))
    expected = [stored[i] for i in generator("load rows", 0, "all", 0, 0).permutation(40)]
    assert expected == ids_of(massivetext.load(tmp_path))

    remove(f"{tmp_path}/mixture/main", [expected[3], expected[30]])

    assert [*expected[:3], *expected[4:30], *expected[31:]] == ids_of(massivetext.load(tmp_path))
    assert np.array_equal(
        ids_of(massivetext.load(tmp_path, shuffle=0)),
        [n for n in stored if n in {*expected} - {expected[3], expected[30]}],
    )


def test_a_rank_that_ended_waits_for_the_others(out: str, ids: list[str]) -> None:
    """Resumed with the states of all ranks of the same world size: what is left of the pass, then the next one."""
    ranks = [massivetext.load(out, rank=rank, world_size=2) for rank in range(2)]
    before = ids_of(ranks[0]) + ids_of(ranks[1], 50)
    states = [state(rank) for rank in ranks]
    after = [massivetext.load(out, rank=rank, world_size=2) for rank in range(2)]
    for rank in after:
        rank.load_state_dict(states)

    assert [] == ids_of(after[0])
    assert ids == sorted(before + ids_of(after[1]))
    assert ids == sorted(name for rank in after for name in ids_of(rank))
    assert [1, 1] == [rank.epoch for rank in after]


def test_numbers_of_numpy_are_numbers(out: str) -> None:
    """As a framework gives them; in a state, which JSON holds, and for the order, they are as Python's."""
    loader = massivetext.load(
        out, rank=np.int64(1), world_size=np.int32(2), seed=np.uint8(3), batch_size=np.int64(10), epochs=np.int64(1)
    )
    loader.set_epoch(np.int64(2))
    other = massivetext.load(out, rank=1, world_size=2, seed=3, batch_size=10)
    other.set_epoch(2)

    assert ids_of(loader, 2) == ids_of(other, 2)
    assert state(loader) == state(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": "0", "world_size": "1"}, "world_size: '1'; expected a whole number of at least 1"),
        ({"rank": -1}, "rank: -1; expected 0 to 0"),
        ({"seed": None}, "seed: None; expected a whole number"),
        ({"batch_size": 2.5}, r"batch_size: 2\.5; expected a whole number of at least 1"),
        ({"columns": "text"}, "columns: 'text'; expected a list of names"),
    ],
)
def test_what_is_no_number_is_named(out: str, options: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        massivetext.load(out, **options)
    with pytest.raises(RecipeError, match="epoch: None; expected a whole number of at least 0"):
        massivetext.load(out).set_epoch(None)  # type: ignore[arg-type]
