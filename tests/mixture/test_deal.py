"""Shards from row groups: the documents that a list of all documents gives, read where they are needed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from massivetext.errors import LimitError, OutputError
from massivetext.mixture import Documents, Plan, allot, deal, read_deal, read_units, units_in_memory, write_deal
from massivetext.mixture.units import write_units
from tests.mixture.test_allotment import SIZES, documents, planned


def check_equal(made: Plan, held: dict[str, Documents], seed: int, n_shards: int) -> None:
    """The rows and tokens of every shard are those of `allot`."""
    allotment = allot(made, held, seed=seed, n_shards=n_shards)
    units = {name: units_in_memory(own) for name, own in held.items()}
    dealt = deal(made, units, seed=seed, n_shards=n_shards)

    assert sum(allotment.n_rows(shard) for shard in range(n_shards)) == sum(
        dealt.n_rows(shard) for shard in range(n_shards)
    )
    for shard in range(n_shards):
        expected, (rows, tokens) = allotment.rows(shard), dealt.rows(shard)
        assert expected.paths == rows.paths
        assert expected.epoch is not None
        assert rows.epoch is not None
        for name in ("path", "row_group", "row", "epoch"):
            assert getattr(expected, name).tolist() == getattr(rows, name).tolist()
        assert {name: int(n) for name, n in zip(allotment.order, allotment.tokens[:, shard])} == tokens


def refusal(function: Callable[[], object]) -> str | None:
    """The message of a LimitError that a function raises."""
    try:
        function()
    except LimitError as error:
        return str(error)
    return None


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, st.floats(0.05, 3.9), st.integers(1, 40), st.integers(1, 20), st.integers(0, 3))
def test_every_shard_is_that_of_a_list_of_all_documents(
    tokens: list[int], others: list[int], epochs: float, n_shards: int, a_group: int, seed: int
) -> None:
    by_subset = {"a": documents(tokens, a_group=a_group), "b": documents(others, a_group=a_group, name="b")}
    share = sum(tokens) / (sum(tokens) + sum(others))
    plan_ = planned(by_subset, {"a": share, "b": 1 - share}, tokens=max(1, int(epochs * (sum(tokens) + sum(others)))))
    units = {name: units_in_memory(own) for name, own in by_subset.items()}
    if (message := refusal(lambda: allot(plan_, by_subset, seed=seed, n_shards=n_shards))) is not None:
        assert message == refusal(lambda: deal(plan_, units, seed=seed, n_shards=n_shards))
    else:
        check_equal(plan_, by_subset, seed, n_shards)


@pytest.mark.parametrize("seed", range(4))
def test_a_document_without_tokens_does_not_stand_for_its_subset(seed: int) -> None:
    by_subset = {"a": documents([0, 1000]), "b": documents([1] * 8000, name="b")}
    plan = planned(by_subset, {"a": 0.1, "b": 0.9}, tokens=4000)

    with pytest.raises(LimitError, match="its nearest document has 1,000"):
        deal(plan, {name: units_in_memory(own) for name, own in by_subset.items()}, seed=seed, n_shards=1)


def test_real_sizes_in_many_row_groups() -> None:
    random = np.random.default_rng(1)
    by_subset = {
        "books": documents(random.lognormal(11.6, 0.6, 300).clip(20_000, 500_000), a_group=30),
        "massiveweb": documents(random.lognormal(6.5, 1, 20_000).clip(30, 100_000), a_group=2000, name="m"),
        "wikipedia": documents(random.lognormal(6, 1, 400).clip(10, 50_000), a_group=2000, name="w"),
    }
    check_equal(
        planned(by_subset, {"books": 0.27, "massiveweb": 0.71, "wikipedia": 0.02}, max_epochs=3.5),
        by_subset,
        0,
        16,
    )


@pytest.mark.parametrize(
    ("sizes", "tokens", "n_shards"),
    [([14, 6, 2], 55, 2), ([7, 22, 9], 95, 4)],
    ids=["an edge between two epochs", "an edge behind an epoch's first document"],
)
def test_no_document_is_moved_from_one_epoch_into_another(sizes: list[int], tokens: int, n_shards: int) -> None:
    """Two and a half epochs of three documents, in shards so small that edges are far from where they should be."""
    by_subset = {"a": documents(sizes)}
    plan = planned(by_subset, {"a": 1.0}, tokens=tokens)
    dealt = deal(plan, {"a": units_in_memory(by_subset["a"])}, seed=0, n_shards=n_shards)
    shards = [dealt.rows(shard)[0] for shard in range(n_shards)]
    rows_of_all = [pair for rows in shards for pair in zip(rows.epoch, rows.row)]  # type: ignore[arg-type]

    for epoch in (0, 1):
        assert [0, 1, 2] == sorted(row for number, row in rows_of_all if number == epoch)
    check_equal(plan, by_subset, 0, n_shards)


def test_one_shard_reads_its_own_row_groups_alone() -> None:
    own = documents([5] * 10_000, a_group=100)
    by_subset = {"a": own}
    units = units_in_memory(own)
    read: list[int] = []

    def noted(unit: int) -> tuple[np.ndarray, np.ndarray]:
        read.append(unit)
        return units.read(unit)

    dealt = deal(planned(by_subset, {"a": 1.0}, tokens=50_000), {"a": replace(units, read=noted)}, seed=0, n_shards=50)
    assert len(set(read)) <= 2
    read.clear()
    rows, tokens = dealt.rows(20)

    assert (200, {"a": 1000}) == (len(rows), tokens)
    assert len(set(read)) <= 5


def test_a_deal_is_read_back_from_files(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    pieces = [documents(random.integers(0, 900, 130), a_group=10, name=name) for name in ("x", "y")]
    pieces = [replace(one, paths=tuple(f"{tmp_path}/{path}" for path in one.paths)) for one in pieces]
    tasks = []
    for number, one in enumerate(pieces):
        summaries = write_units(str(tmp_path / "kept" / f"{number}"), [one, documents([], name="z")])
        assert {"npz", "rows"} == set(summaries)
        assert summaries["rows"]["bytes"] == 8 * 130
        tasks.append((str(tmp_path / "kept" / f"{number}"), one.paths))
    units, empty = read_units(tasks, 2)
    both = Documents(
        tuple(path for one in pieces for path in one.paths),
        np.concatenate([pieces[0].part, pieces[1].part + len(pieces[0].paths)]),
        *(np.concatenate([getattr(one, name) for one in pieces]) for name in ("row_group",)),
        np.concatenate([pieces[0].unit, pieces[1].unit + len(pieces[0].part)]),
        *(np.concatenate([getattr(one, name) for one in pieces]) for name in ("row", "tokens")),
        sum(one.n_bytes for one in pieces),
    )

    assert (0, 0, 0) == (len(empty), empty.n_tokens, empty.least)
    assert (len(both), both.n_tokens, both.n_bytes) == (len(units), units.n_tokens, units.n_bytes)
    assert int(both.tokens[both.tokens > 0].min()) == units.least
    plan_ = planned({"a": both}, {"a": 1.0}, tokens=int(1.3 * both.n_tokens))
    write_deal(str(tmp_path / "deal.npz"), deal(plan_, {"a": units}, seed=2, n_shards=7), str(tmp_path))
    dealt, allotment = (
        read_deal(str(tmp_path / "deal.npz"), str(tmp_path)),
        allot(plan_, {"a": both}, seed=2, n_shards=7),
    )
    for shard in range(7):
        rows, expected = dealt.rows(shard)[0], allotment.rows(shard)
        assert (expected.paths, expected.row.tolist()) == (rows.paths, rows.row.tolist())


def test_a_damaged_file_of_sums_is_named(tmp_path: Path) -> None:
    path = tmp_path / "0"
    write_units(str(path), [documents([3, 4, 5])])
    content = (tmp_path / "0.npz").read_bytes()
    (tmp_path / "0.npz").write_bytes(content[: len(content) // 2])

    with pytest.raises(OutputError, match=r"0\.npz: is damaged: .*; remove it and run again"):
        read_units([(str(path), ("a-0",))], 1)

    write_units(str(path), [documents([3, 4, 5])])
    (tmp_path / "0.rows").write_bytes(b"\0" * 20)
    with pytest.raises(OutputError, match=r"0\.rows: is shorter than it was"):
        read_units([(str(path), ("a-0",))], 1)[0].read(0)
