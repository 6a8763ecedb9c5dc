"""More documents than 32 bits can number: the same answer with numbers of 64 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from massivetext.dedup import Options, candidates, make_scope
from massivetext.dedup import scope as scope_module
from massivetext.dedup.grouping import alone, connect, find_roots, star_edges
from massivetext.dedup.scope import Part
from tests.dedup.corpus import deduplicate, digest, ids_of, write_parts


@pytest.mark.parametrize("memory", [256 << 20, 3 << 19])
def test_numbers_of_64_bits_give_the_same(
    tmp_path: Path, texts: list[str], memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole job, in memory and with components cut into rounds on disk, as if 100 documents were too many."""
    options = Options(memory=memory, newest_capture=True)
    ids = ids_of(len(texts))
    results = []
    for name, wide in (("narrow", scope_module.WIDE), ("wide", 100)):
        monkeypatch.setattr(scope_module, "WIDE", wide)
        folder = tmp_path / name
        deduplicate(folder, write_parts(folder, texts, ids, 5, options), options)
        results.append(digest(folder))

    assert results[0] == results[1]
    assert results[0]


def test_numbers_are_as_wide_as_they_have_to_be(tmp_path: Path) -> None:
    """One document below, at and above the limit of 32 bits, by what the parts say of their rows."""
    for rows, width in ((scope_module.WIDE - 1, 4), (scope_module.WIDE, 8), (scope_module.WIDE + 1, 8)):
        parts = [Part("c4", name, "", "", rows=n, footer="x") for name, n in (("a", rows - 9), ("b", 9))]
        scope = make_scope(str(tmp_path), str(tmp_path), parts, Options())

        assert (rows, width) == (scope.n_documents, scope.number.itemsize)
        last = np.array([rows - 1]).astype(scope.number)
        assert rows - 1 == int(last[0])
        assert len(scope.groups) - 1 == scope.group_of(last)[0]
        member = scope.records(candidates.MEMBER)
        assert [width] * 2 == [member[name].itemsize for name in ("document", "root")]
        assert candidates.MEMBER.names == member.names
        assert (2 * width, (2,)) == (scope.records(candidates.EDGE).itemsize, scope.records(candidates.EDGE).shape)


@pytest.mark.parametrize("first", [5, 0xFFFFFFFF, 1 << 32, 1 << 40])
def test_stars_of_documents_beyond_32_bits(first: int) -> None:
    documents = np.array([first, first + 1, first + 2, first + 1], np.uint64)

    edges = star_edges(np.array([7, 7, 8, 7], np.uint64), documents)

    assert [[first, first + 1]] * 2 == edges.tolist()


@pytest.mark.parametrize("number", [np.uint32, np.uint64])
def test_roots_are_the_least_of_their_components(number: type) -> None:
    nobody = alone(np.dtype(number))
    parent = np.full(8, nobody, number)
    connect(parent, np.array([[6, 4], [4, 1], [2, 3]], number))
    find_roots(parent)

    assert [nobody, 1, 2, 2, 1, nobody, 1, nobody] == parent.tolist()
