"""The phases over files: the same answer as in memory, whatever the parts, memory, partitions, order and deaths."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext import storage
from massivetext.dedup import (
    Options,
    evidence,
    groups,
    make_scope,
    near_duplicates,
    packing,
    phases,
    plan,
    read_index,
    write_index,
)
from massivetext.dedup.evidence import canonical_url
from massivetext.dedup.packing import pack_large
from massivetext.dedup.phases import Step
from massivetext.dedup.runs import run_keys
from massivetext.dedup.scope import Part, Scope
from massivetext.errors import OutputError
from tests import oracle
from tests.dedup import brute_force
from tests.dedup.corpus import deduplicate, digest, ids_of, removed, scope_of, write_part, write_parts


def text(first: int, last: int, *, of: str = "w") -> str:
    return " ".join(f"{of}{i}" for i in range(first, last))


def in_memory(texts: list[str], ids: list[str], seed: int = 0) -> dict[str, tuple[str, float]]:
    rows = near_duplicates(pa.array(texts), ids, seed=seed).to_pylist()
    return {row["id"]: (row["partner_id"], row["jaccard"]) for row in rows if not row["kept"]}


@pytest.mark.parametrize(("n_parts", "memory"), [(1, 256 << 20), (7, 256 << 20), (5, 3 << 20), (3, 3 << 19)])
def test_as_in_memory(tmp_path: Path, texts: list[str], n_parts: int, memory: int) -> None:
    ids = ids_of(len(texts))
    options = Options(memory=memory)
    counts = deduplicate(tmp_path, write_parts(tmp_path, texts, ids, n_parts, options), options)
    got = removed(tmp_path)

    assert {name: row[1:] for name, row in got.items()} == in_memory(texts, ids)
    exact = {name for name, row in got.items() if row[0] == "duplicate.exact"}
    same = dict(zip(ids, (" ".join(one.split()) for one in texts)))
    assert exact == {name for name, row in got.items() if same[name] == same[row[1]]}
    assert counts["documents"] == len(texts)
    assert (counts["cut_components"] > 0) == (memory < 4 << 20)
    assert not (tmp_path / "work/dedup").exists() or not any((tmp_path / "work/dedup").iterdir())


def test_a_component_whose_members_do_not_fit(
    tmp_path: Path, licences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain of 500 in one component; 64 KiB hold 400 members while they are packed, and 12 while they are decided."""
    packed: list[dict[str, int]] = []

    def spy(scope: Scope, partition: int, runs: Sequence[str]) -> dict[str, int]:
        packed.append(pack_large(scope, partition, runs))
        return packed[-1]

    monkeypatch.setattr(packing, "pack_large", spy)
    some = [*(text(i, i + 30) for i in range(500)), *licences[:20]]
    ids = ids_of(len(some))
    for keep in ("random", "longest"):
        folder = tmp_path / keep
        options = Options(memory=1 << 16, keep=keep)
        counts = deduplicate(folder, write_parts(folder, some, ids, 3, options), options)
        roomy = Options(keep=keep)
        deduplicate(tmp_path / "roomy", write_parts(tmp_path / "roomy", some, ids, 3, roomy), roomy)

        assert removed(folder) == removed(tmp_path / "roomy")
        assert counts["max_largest_component"] == 500
        assert counts["cut_components"] > 0
    assert max(count["max_largest_component"] for count in packed) == 500


def test_a_process_lists_each_folder_once(tmp_path: Path, licences: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many steps read what a phase has left: names listed grow with the runs, not with their square."""
    listed: Counter[str] = Counter()
    list_files = storage.list_files

    def counted(folder: str) -> list[str]:
        listed[folder.rpartition("/")[2]] += 1
        return list_files(folder)

    options = Options(memory=1 << 16)
    scope = scope_of(tmp_path, write_parts(tmp_path, licences, ids_of(len(licences)), 5, options), options)
    monkeypatch.setattr(storage, "list_files", counted)
    phases.run_here(scope)

    assert len(scope.groups) > 4
    assert {"digests", "bands", "copies", "bests", "edges", "candidates", "sets", "decided", "resolved"} <= set(listed)
    # Of `pack`, also the rounds are listed.
    assert {1, 2} >= {n for name, n in listed.items() if name != "duplicates"}


def test_steps_that_are_done_are_known_by_one_listing(tmp_path: Path) -> None:
    steps = [Step(str(tmp_path), "digests", number) for number in range(4)]
    assert steps == phases.open_steps(steps)
    for number in (0, 2):
        steps[number].write_marker({})

    assert [steps[1], steps[3]] == phases.open_steps(steps)
    assert [] == phases.open_steps([])


def test_a_hot_text_is_one_record_a_group(tmp_path: Path) -> None:
    """Copies of one text are set aside by the groups that hold them; what becomes of them does not change."""
    short = "we use cookies"
    texts = [
        short,
        short + "!",
        short,
        "W" + short[1:],
        *[short] * 40,
        short + "!",
        *["!!"] * 20,
        "!! ",
    ] * 2
    ids = ids_of(len(texts))
    options = Options(memory=1 << 16)
    scope = scope_of(tmp_path, write_parts(tmp_path, texts, ids, 4, options), options)
    assert len(scope.groups) > 1
    for phase, steps in phases.phases(scope):
        for step in steps:
            step()
        if phase == "digests":
            sent = sum(run_keys(path)[1].sum() for path in scope.runs("digests"))
    phases.finish(scope)

    # Three exact texts of one set of shingles, and one without any.
    assert sent <= 4 * len(scope.groups)
    assert {name: row[1:] for name, row in removed(tmp_path).items()} == in_memory(texts, ids)
    same = dict(zip(ids, (" ".join(one.split()) for one in texts)))
    assert {name for name, row in removed(tmp_path).items() if row[0] == "duplicate.exact"} == {
        name for name, row in removed(tmp_path).items() if same[name] == same[row[1]]
    }


def test_order_of_rows_changes_nothing(tmp_path: Path, licences: list[str]) -> None:
    ids = ids_of(len(licences))
    options = Options(seed=3)
    deduplicate(tmp_path / "a", write_parts(tmp_path / "a", licences, ids, 3, options), options)
    deduplicate(tmp_path / "b", write_parts(tmp_path / "b", licences[::-1], ids[::-1], 4, options), options)

    assert removed(tmp_path / "a") == removed(tmp_path / "b")
    assert {name: row[1:] for name, row in removed(tmp_path / "a").items()} == in_memory(licences, ids, seed=3)


KILLED = """
import os, signal, sys
from massivetext.dedup import phases
from massivetext.dedup.scope import read_scope
from massivetext.dedup import runs
from massivetext import storage
phase, scope = sys.argv[1], read_scope(sys.argv[2])
for name, steps in phases.phases(scope):
    if name == phase:
        # In the middle of the phase's first file: half written under its temporary name.
        whole = storage.open_output
        import contextlib
        @contextlib.contextmanager
        def dies(path):
            with whole(path) as stream:
                stream.write(b"half")
                stream.flush()
                os.kill(os.getpid(), signal.SIGKILL)
                yield stream
        storage.open_output = dies
    for step in steps:
        step()
"""


@pytest.mark.parametrize(
    "phase",
    [
        "captures",
        "newest",
        "digests",
        "collapse",
        "bands",
        "edges",
        "roots",
        "components",
        "pack",
        "sets",
        "decide-00001",
        "resolve",
        "write",
    ],
)
def test_killed_in_any_phase_then_run_again(tmp_path: Path, phase: str, undisturbed: tuple[Path, Options]) -> None:
    origin, options = undisturbed
    parts = [
        dataclasses.replace(part, rows=0, start=0, source="", footer="")
        for part in scope_of(origin, find(origin), options).parts
    ]
    scope = make_scope(str(tmp_path / "work/dedup"), str(tmp_path / "work/duplicates"), parts, options)
    scope.write()
    done = subprocess.run([sys.executable, "-c", KILLED, phase, scope.folder], env={**os.environ, "PYTHONPATH": "."})

    assert done.returncode == -signal.SIGKILL
    phases.run_here(scope)
    assert digest(tmp_path) == digest(origin)
    assert len(digest(tmp_path)) == 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, licences: list[str]) -> tuple[Path, Options]:
    folder = tmp_path_factory.mktemp("undisturbed")
    options = Options(memory=3 << 20, newest_capture=True)
    few = [one for one in licences if len(one) < 5000][:300] * 2
    few += [text(3 * i, 3 * i + 60) for i in range(1500)]
    deduplicate(folder, write_parts(folder, few, ids_of(len(few)), 3, options), options)
    return folder, options


def find(folder: Path) -> list[Part]:
    return [
        Part("news", path.stem, str(path), str(folder / "curated/news" / path.name))
        for path in sorted((folder / "work/evidence/news").glob("*.parquet"))
    ]


def test_a_finished_task_is_not_done_again(tmp_path: Path, licences: list[str]) -> None:
    options = Options()
    scope = scope_of(tmp_path, write_parts(tmp_path, licences[:50], ids_of(50), 2, options), options)
    for _, steps in phases.phases(scope):
        for step in steps:
            step()
            before = os.stat(step.marker).st_mtime_ns
            step()

            assert os.stat(step.marker).st_mtime_ns == before
    phases.finish(scope)
    assert phases.is_finished(scope) is not None
    other = scope_of(tmp_path, find(tmp_path), dataclasses.replace(options, seed=1))
    assert phases.is_finished(other) is None


def test_keep_policies(tmp_path: Path) -> None:
    """Four near-copies; which one stays is up to the policy."""
    texts = [text(0, 200), text(0, 201), text(0, 202), text(0, 199)]
    stamps = ["2020-01-01T00:00:00Z", "20240101000000", None, "2023-06-01T00:00:00+02:00"]
    ids = ids_of(4)
    kept = {}
    for keep in ("random", "longest", "newest", "first"):
        options = Options(keep=keep)
        folder = tmp_path / keep
        # The part that is named last comes first by source.
        parts = [
            write_part(folder, "part-a", texts[2:], ids[2:], source="z", options=options, timestamps=stamps[2:]),
            write_part(folder, "part-b", texts[:2], ids[:2], source="a", options=options, timestamps=stamps[:2]),
        ]
        deduplicate(folder, parts, options)
        (kept[keep],) = set(ids) - set(removed(folder))

    by_rank = min(ids, key=lambda name: brute_force.rank(name, 0))
    assert kept == {"random": by_rank, "longest": ids[2], "newest": ids[1], "first": ids[0]}


def test_ties_of_a_policy_go_by_the_random_rank(tmp_path: Path) -> None:
    ids = ids_of(9)
    options = Options(keep="longest", seed=7)
    deduplicate(tmp_path, [write_part(tmp_path, "part", [text(0, 50)] * 9, ids, options=options)], options)

    assert set(ids) - set(removed(tmp_path)) == {min(ids, key=lambda name: brute_force.rank(name, 7))}


def test_preference_across_subsets(tmp_path: Path) -> None:
    """Whatever the ranks, the preferred subset's document stays."""
    names = ("wiki", "news")
    ids = {name: ids_of(20, name) for name in names}
    parts = [
        write_part(tmp_path, f"{name}-part", [text(40 * i, 40 * i + 100 + extra) for i in range(20)], ids[name],
                   subset=name, level=extra)
        for extra, name in enumerate(names)
    ]  # fmt: skip
    deduplicate(tmp_path, parts)
    got = removed(tmp_path)

    assert set(got) == set(ids["news"])
    assert {row[1] for row in got.values()} == set(ids["wiki"])


def test_one_capture_of_a_page(tmp_path: Path) -> None:
    """The newest capture stays, whatever it says; the others are removed before duplicates are looked for."""
    options = Options(newest_capture=True)
    ids = ids_of(5)
    texts = [text(0, 90), text(500, 600), text(0, 90), text(900, 990), text(0, 90)]
    urls = [
        "http://example.org/",
        "https://EXAMPLE.org:443/#top",
        "https://example.org/?utm_source=x",
        "http://b/",
        None,
    ]
    stamps = ["20200101000000", "20220101000000", "20210101000000", None, None]
    deduplicate(
        tmp_path, [write_part(tmp_path, "part", texts, ids, options=options, urls=urls, timestamps=stamps)], options
    )
    got = removed(tmp_path)

    assert got == {ids[0]: ("duplicate.capture", ids[1], None), ids[2]: ("duplicate.capture", ids[1], None)}


def test_canonical_urls() -> None:
    assert canonical_url("https://Example.ORG:443/a?b=1&utm_medium=x#c") == "example.org/a?b=1"
    assert canonical_url("http://example.org:8080") == "example.org:8080/"
    assert canonical_url("http://user@[::1]/") == "[::1]/"
    assert canonical_url("urn:x") == "urn:x"


def test_timestamps() -> None:
    stamps = [
        "1970-01-02",
        "1970-01-01T01:00:00.25+01:00",
        "19700101000001",
        "1970-01-01 00:00:60Z",
        "yesterday",
        "",
        None,
    ]
    rows = evidence(pa.array([""] * 7), ids_of(7), source="s", banding=plan(), timestamps=stamps)

    assert rows.column("timestamp").to_pylist() == [86_400_000_000, 250_000, 1_000_000, 59_000_000, None, None, None]


def test_nothing_at_all(tmp_path: Path) -> None:
    assert deduplicate(tmp_path / "a", []) == {}
    deduplicate(tmp_path / "b", [write_part(tmp_path / "b", "part", [], [])])

    assert removed(tmp_path / "b") == {}
    assert len(digest(tmp_path / "b")) == 1


def test_evidence_of_other_bands_is_refused(tmp_path: Path) -> None:
    part = write_part(tmp_path, "part", ["a b"], ids_of(1), options=Options(recall=0.9))

    with pytest.raises(OutputError, match="has bands b'16x7"):
        deduplicate(tmp_path, [part])


def test_groups_by_size(tmp_path: Path) -> None:
    ids = ids_of(6)
    texts = [text(0, 50)] * 3 + [text(100, 200), text(100, 201), text(300, 400)]
    deduplicate(tmp_path, [write_part(tmp_path, "part", texts, ids)])
    (path,) = (tmp_path / "work/duplicates").rglob("*.parquet")
    found = groups(pq.read_table(path)).to_pylist()

    assert [(row["size"], row["exact"], row["near"]) for row in found] == [(3, 2, 0), (2, 0, 1)]
    assert {*found[0]["ids"], found[0]["partner_id"]} == set(ids[:3])
    assert found[1]["jaccard_min"] == pytest.approx(88 / 89)


def test_steps_say_where_they_are_done(tmp_path: Path) -> None:
    step = Step(str(tmp_path), "edges", 3)

    assert step.marker == storage.join(str(tmp_path), "done", "edges", "000000000003.json")


def test_captures_across_an_index(tmp_path: Path) -> None:
    """An index also holds the captures that its run removed: they have precedence over later captures of their URL."""
    options = Options(newest_capture=True)
    ids = ids_of(5)
    texts = [text(0, 60), text(0, 60), text(100, 160), text(200, 260), text(0, 60)]
    urls = ["http://x/", "http://y/", "http://x", "http://y/", "http://z/"]
    first, second, both = tmp_path / "first", tmp_path / "second", tmp_path / "both"
    old = write_part(first, "part", texts[:2], ids[:2], options=options, urls=urls[:2])
    deduplicate(first, [old], options)
    write_index(str(first), [old])
    indexed = read_index(str(first), ["news"], captures=True)
    deduplicate(
        second, [*indexed, write_part(second, "part", texts[2:], ids[2:], options=options, urls=urls[2:])], options
    )
    parts = [
        write_part(both, "old", texts[:2], ids[:2], options=options, urls=urls[:2]),
        write_part(both, "new", texts[2:], ids[2:], options=options, urls=urls[2:], level=1),
    ]
    deduplicate(both, parts, options)

    assert removed(both) == {**removed(first), **removed(second)}
    assert sorted(row[0] for row in removed(second).values()) == ["duplicate.capture"] * 2 + ["duplicate.exact"]


def test_texts_of_an_index_that_have_changed_are_noticed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    ids = ids_of(3)
    old = write_part(first, "part", [text(0, 100), text(500, 600)], ids[:2])
    deduplicate(first, [old])
    write_index(str(first), [old])
    write_part(first, "part", [text(500, 600), text(0, 100)], ids[1::-1])
    parts = [*read_index(str(first), ["news"]), write_part(second, "part", [text(0, 101)], ids[2:])]

    with pytest.raises(OutputError, match="make the index again"):
        deduplicate(second, parts)


def test_only_against(tmp_path: Path, licences: list[str]) -> None:
    """Documents go for an index's sake only, by all pairs; the ways of large and cut components say the same."""
    texts = [*licences[:400], *[text(3 * i, 3 * i + 60) for i in range(300)]]
    texts += texts[300:420]
    ids = ids_of(len(texts))
    old = list(range(0, len(texts), 3))
    new = [i for i in range(len(texts)) if i % 3]
    first = tmp_path / "first"
    part = write_part(first, "part", [texts[i] for i in old], [ids[i] for i in old])
    deduplicate(first, [part])
    write_index(str(first), [part])
    kept = [i for i in old if ids[i] not in removed(first)]
    sets = [set(oracle.shingles(one)) for one in texts]
    common = brute_force.overlaps(sets)
    want = {ids[i] for i in new if any(9 * common[i][k] > 4 * (len(sets[i]) + len(sets[k])) for k in kept)}
    for memory in (256 << 20, 3 << 19):
        options = Options(only_against=True, memory=memory)
        folder = tmp_path / str(memory)
        parts = [
            *read_index(str(first), ["news"]),
            write_part(folder, "p", [texts[i] for i in new], [ids[i] for i in new]),
        ]
        deduplicate(folder, parts, options)
        got = removed(folder)

        assert set(got) == want
        assert {row[1] for row in got.values()} <= {ids[k] for k in kept}


def test_results_of_other_options_are_not_taken_for_done(tmp_path: Path, licences: list[str]) -> None:
    parts = [write_part(tmp_path, "part", licences[:60], ids_of(60))]
    first = deduplicate(tmp_path, parts)
    held = digest(tmp_path)
    deduplicate(tmp_path, parts, Options(keep="longest"))
    assert digest(tmp_path) != held

    assert deduplicate(tmp_path, parts) == first
    assert digest(tmp_path) == held
