"""Going on at any point, on any number of ranks: no document lost or given twice; also after kill -9."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import massivetext
from massivetext.dealing import readers_of
from massivetext.errors import OutputError, SourceError
from massivetext.loader import Loader

WEIGHTS = {"books": 0.5, "c4": 0.3, "wikipedia": 0.2}
CHAIN = (1, 4, 3, 2)
SOURCES: dict[str, dict] = {
    "mixture": {},
    "mixture in order": {"shuffle": 0, "batch_size": 7},
    "curated": {"subsets": ["books", "c4", "wikipedia"], "shuffle": 3},
    "curated in batches": {"subsets": ["books", "c4", "wikipedia"], "batch_size": 11, "read_ahead": 0},
}


def take(loader: Loader, n: int) -> list[str]:
    """Ids of the next n items."""
    found = [item for _, item in zip(range(n), loader)]
    if loader.batch_size is None:
        return [row["id"] for row in found]
    return [name for batch in found for name in batch.column("id").to_pylist()]


def state(loader: Loader) -> dict:
    return json.loads(json.dumps(loader.state_dict()))


def through(open_: Callable[..., Loader], steps: list[int], sizes: tuple[int, ...], chosen: random.Random) -> list[str]:
    """What is given by a run whose ranks are stopped after so many items of each, and go on as others, to the end."""
    found: list[str] = []
    states: list[dict] = []
    for size, n in zip(sizes, [*steps, None]):
        ranks = [open_(rank=rank, world_size=size) for rank in range(size)]
        for rank in ranks:
            if states:
                rank.load_state_dict(chosen.sample(states, len(states)))
            # The ranks of a run are not equally far.
            found += take(rank, 1 << 60 if n is None else chosen.randint(0, 2 * n))
        states = [state(rank) for rank in ranks]
        for rank in ranks:
            rank.close()
        if all(one["ended"] for one in states):
            break  # what comes next is another pass
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_killed_at_50_points_over_world_sizes_an_epoch_is_exact(out: str, ids: list[str], source: str) -> None:
    options = SOURCES[source]
    chosen = random.Random(source)
    per = options.get("batch_size", 1)
    for _ in range(5):  # times 3 stops of up to 4 ranks, times 4 sources: 60 points, each stop at another of each rank
        steps = [chosen.randint(0, len(ids) // (3 * size * per)) for size in CHAIN[:-1]]
        found = through(lambda **ranks: massivetext.load(out, **options, **ranks), steps, CHAIN, chosen)

        assert ids == sorted(found)


@settings(max_examples=10)
@given(st.data())
def test_any_chain_of_world_sizes_is_exact(kept: tuple[str, list], data: st.DataObject) -> None:
    out, rows = kept
    sizes = tuple(data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=5)))
    steps = [data.draw(st.integers(0, 100)) for _ in sizes[1:]]
    epochs = data.draw(st.integers(1, 2))
    options = {"epochs": epochs, "shuffle": data.draw(st.integers(0, 3)), "read_ahead": data.draw(st.integers(0, 2))}
    found = through(
        lambda **ranks: massivetext.load(out, **options, **ranks), steps, sizes, random.Random(data.draw(st.integers()))
    )

    assert Counter({str(row["id"]): epochs for row in rows}) == Counter(found)


@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 9}, {"weights": WEIGHTS}, {"weights": WEIGHTS, "batch_size": 9}]
)
def test_one_rank_goes_on_with_the_same_documents(out: str, options: dict) -> None:
    per = options.get("batch_size", 1)
    whole = take(massivetext.load(out, epochs=None, **options), 700 // per)
    chosen = random.Random(1)
    for _ in range(13):  # times 4 makes 52 points
        at = chosen.randrange(600 // per)
        before = massivetext.load(out, epochs=None, **options)
        first = take(before, at)
        after = massivetext.load(out, epochs=None, **options)
        after.load_state_dict(state(before))
        before.close()

        assert whole[: (at + 99 // per) * per] == first + take(after, 99 // per)
        after.close()


def test_weighed_documents_on_other_ranks_are_given_once_in_an_epoch(out: str, ids: list[str]) -> None:
    chosen = random.Random(3)
    for _ in range(3):
        steps = [chosen.randint(0, 40) for _ in CHAIN[:-1]]
        found = through(lambda **ranks: massivetext.load(out, weights=WEIGHTS, **ranks), steps, CHAIN, chosen)

        assert 1 == max(Counter(found).values())


PROGRAM = """
import json, os, sys, massivetext
out, place, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
saved = json.load(open(place)) if os.path.exists(place) else {"ids": [], "states": []}
subsets = ["books", "c4", "wikipedia"]
ranks = [massivetext.load(out, rank=rank, world_size=size, subsets=subsets) for rank in range(size)]
for rank in ranks:
    if saved["states"]:
        rank.load_state_dict(saved["states"])
ids, running = saved["ids"], list(ranks)
while running:
    for rank in list(running):
        document = next(rank, None)
        if document is None:
            running.remove(rank)
        else:
            ids.append(document["id"])
        with open(place + ".tmp", "w") as file:
            json.dump({"ids": ids, "states": [one.state_dict() for one in ranks]}, file)
        os.replace(place + ".tmp", place)
        print(len(ids), flush=True)
"""


def test_a_process_that_is_killed_goes_on_from_its_file(out: str, ids: list[str], tmp_path: Path) -> None:
    place = str(tmp_path / "state.json")
    chosen = random.Random(4)
    kills = 0
    for size in (1, 4, 3, 2, 1):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, out, place, str(size)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(chosen.randint(10, 80)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
    subprocess.run([sys.executable, "-c", PROGRAM, out, place, "2"], check=True, stdout=subprocess.DEVNULL)

    assert 5 == kills
    assert ids == sorted(json.loads(Path(place).read_text())["ids"])


def test_states_of_something_else_are_refused(out: str, own: str) -> None:
    loader = massivetext.load(out)
    given_ = state(loader)

    for other, message in [
        (massivetext.load(out, seed=1), "another seed: 0, here it is 1"),
        (massivetext.load(out, shuffle=0), "another shuffle: 2, here it is 0"),
        (massivetext.load(out, subsets=["books"]), "another subsets: None"),
        (massivetext.load(out, weights=WEIGHTS), "another subsets: None"),
        (massivetext.load(f"{out}/mixture/main/shard-00000-of-00004.parquet"), "another mixture: "),
    ]:
        with pytest.raises(OutputError, match=message):
            other.load_state_dict(given_)
    weighed = state(massivetext.load(out, weights=WEIGHTS))
    with pytest.raises(OutputError, match="another weights"):
        massivetext.load(out, weights={**WEIGHTS, "c4": 0.1, "wikipedia": 0.4}).load_state_dict(weighed)
    two = [state(massivetext.load(out, rank=rank, world_size=2)) for rank in range(2)]
    for wrong in ([], two[:1], [two[0], two[0]], [*two, given_]):
        with pytest.raises(OutputError, match="takes the states of all ranks of one run"):
            massivetext.load(out, rank=2, world_size=3).load_state_dict(wrong)
    # The same documents elsewhere are the same.
    massivetext.load(own).load_state_dict(given_)


NO_STATES = [
    (None, "state: None; expected a state, or a list"),
    ("x", "state: 'x'; expected a state, or a list"),
    (5, "state: 5; expected a state, or a list"),
    ([None], "state: None; expected an object"),
    (["x", 5], "state: 'x'; expected an object"),
    ({}, "state.rank: None; expected a whole number"),
]


@pytest.mark.parametrize(("wrong", "message"), NO_STATES)
def test_what_is_no_state_is_refused(out: str, wrong: object, message: str) -> None:
    with pytest.raises(OutputError, match=re.escape(message)):
        massivetext.load(out).load_state_dict(wrong)


@pytest.mark.parametrize("wrong", [None, "x", 5, {}, [None], {"readers": None}, {"readers": 5}])
def test_what_is_no_state_of_a_dataloader_is_refused(wrong: object) -> None:
    with pytest.raises(OutputError, match=r"^state.*; expected "):
        readers_of(wrong)


@pytest.mark.parametrize("key", ["of", "rank", "world_size", "epoch", "ended", "before", "left", "subsets"])
@pytest.mark.parametrize("value", ["x", [1], -1, 0.5])
def test_a_state_with_a_value_of_another_type_is_refused(out: str, key: str, value: object) -> None:
    loader = massivetext.load(out)
    before = state(loader)

    for wrong in ({**before, key: value}, [{**before, key: value}]):
        with pytest.raises(OutputError, match=rf"^state\.{key}: .*; expected .*\. Take what state_dict returned"):
            loader.load_state_dict(wrong)
    assert before == state(loader)


@pytest.mark.parametrize(
    "place",
    [
        None,
        {},
        {"pending": None, "next": 0, "tokens": 0},
        {"pending": [5], "next": 0, "tokens": 0},
        {"pending": [[1]], "next": 0, "tokens": 0},
        {"pending": [[1, "x"]], "next": 0, "tokens": 0},
        {"pending": [], "next": None, "tokens": 0},
        {"pending": [], "next": True, "tokens": 0},
        {"pending": [], "next": 0, "tokens": "x"},
        {"pending": [], "next": 0},
    ],
)
def test_a_state_with_a_place_that_is_none_is_refused(out: str, place: object) -> None:
    loader = massivetext.load(out)
    before = state(loader)

    with pytest.raises(OutputError, match=r"^state\.subsets\.all.*; expected "):
        loader.load_state_dict({**before, "subsets": {"all": place}})
    with pytest.raises(OutputError, match=r"^state\.subsets\.all: None; expected "):
        loader.load_state_dict({**before, "subsets": {"other": before["subsets"]["all"]}})


def test_a_shard_that_breaks_while_reading_is_named_and_nothing_is_lost(own: str, ids: list[str]) -> None:
    shard = f"{own}/mixture/main/shard-00002-of-00004.parquet"
    whole = Path(shard).read_bytes()
    loader = massivetext.load(own, batch_size=50, seed=2)
    # In the first row group's text, behind the file's magic number; the footer is as it was.
    Path(shard).write_bytes(whole[:4] + b"\0" * (len(whole) // 2) + whole[4 + len(whole) // 2 :])
    found: list[str] = []
    with pytest.raises(SourceError, match=r"shard-00002-of-00004\.parquet: row group \d+ cannot be read"):
        found.extend(name for batch in loader for name in batch.column("id").to_pylist())
    given_ = state(loader)
    with pytest.raises(SourceError, match="cannot be read"):
        next(loader)
    Path(shard).write_bytes(whole)
    after = massivetext.load(own, seed=2)
    after.load_state_dict(given_)

    assert ids == sorted(found + take(after, 1 << 60))
    assert ids == sorted(found + take(loader, 1 << 60))


def test_the_thread_ends_with_the_loader(out: str) -> None:
    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("massivetext-load")]

    with massivetext.load(out) as loader:
        first = take(loader, 10)
        assert threads()
    assert threads() == []
    assert take(loader, 1 << 60)
    assert threads() == []  # the end of the stream ends it as well
    dropped = massivetext.load(out)
    assert first == take(dropped, 10)
    del dropped
    for _ in range(100):
        if not threads():
            break
        time.sleep(0.05)
    assert threads() == []


def test_a_loader_that_is_pickled_or_forked_goes_on(out: str) -> None:
    loader = massivetext.load(out)
    whole = take(massivetext.load(out), 200)
    first = take(loader, 90)
    copy = pickle.loads(pickle.dumps(loader))
    assert whole[90:200] == take(copy, 110)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, json.dumps(take(loader, 50)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert whole[: 90 + 50] == first + json.loads(stream.read())


def test_reading_ahead_changes_nothing(out: str) -> None:
    expected = take(massivetext.load(out, weights=WEIGHTS, read_ahead=0), 1 << 60)

    assert expected == take(massivetext.load(out, weights=WEIGHTS, read_ahead=4), 1 << 60)
