"""Numbers of passes over processes: those of torch's DataLoader without torch."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from pathlib import Path

import pytest

from massivetext.loader.passes import Passes


def _worker(passes: Passes, worker: int, keys: list[str], out: multiprocessing.Queue) -> None:
    out.put((worker, [passes.begin(worker, key) for key in keys]))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_pass_have_one_number(method: str) -> None:
    passes, context = Passes(), multiprocessing.get_context(method)
    numbers = []
    # Workers that are made anew for each pass, then some that persist over two, then another number of them.
    for keys, n in ((["a"], 3), (["b"], 3), (["c:0", "c:1"], 2), (["d"], 4)):
        out = context.Queue()
        workers = [context.Process(target=_worker, args=(passes, i, keys, out)) for i in range(n)]
        for worker in workers:
            worker.start()
        numbers.append(sorted(out.get(timeout=600) for _ in range(n)))
        for worker in workers:
            worker.join()

    assert [[(i, [0]) for i in range(3)], [(i, [1]) for i in range(3)]] == numbers[:2]
    assert [[(i, [2, 3]) for i in range(2)], [(i, [4]) for i in range(4)]] == numbers[2:]
    assert 5 == passes.count()


def test_a_seed_that_comes_again_is_another_pass() -> None:
    passes = Passes()

    assert [0, 1, 0, 1] == [passes.begin(worker, "same") for worker in (0, 0, 1, 1)]
    assert [2, 3] == [passes.begin(0) for _ in range(2)]


def test_epochs_count_on_from_the_one_set() -> None:
    passes = Passes()
    assert [0, 1, 7] == [passes.epoch(n) for n in (0, 1, 7)]
    passes.begin(0)
    passes.begin(0)
    passes.set_epoch(9)

    assert [9, 10] == [passes.epoch(n) for n in (2, 3)]
    assert 10 == pickle.loads(pickle.dumps(passes)).epoch(3)


def test_an_epoch_set_before_the_first_pass_is_that_of_the_first() -> None:
    passes = Passes()
    assert 0 == passes.count()
    passes.set_epoch(5)

    assert [5, 6] == [passes.epoch(passes.begin(0)) for _ in range(2)]


def test_the_folder_goes_with_its_owner() -> None:
    passes = Passes()
    folder = Path(passes._folder)
    copy = pickle.loads(pickle.dumps(passes))
    child = os.fork()
    if not child:
        del passes
        os._exit(0)
    os.waitpid(child, 0)
    assert folder.is_dir()
    del copy
    assert folder.is_dir()
    del passes

    assert not folder.exists()
