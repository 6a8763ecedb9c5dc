"""Which files make a part: small ones are packed, by their names and bytes alone."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from massivetext.errors import RecipeError
from pipelines import input_splits
from pipelines.input_splits import FILE_BYTES, File, Part, find_parts, split_files
from pipelines.recipe import read

PACK = 64 << 10


@pytest.fixture(autouse=True)
def _small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_splits, "PACK_BYTES", PACK)
    monkeypatch.setattr(input_splits, "SMALL_BYTES", PACK // 4)
    monkeypatch.setattr(input_splits, "FILE_BYTES", 16)


def packs(sizes: dict[str, int], kind: str = "text") -> list[list[str]]:
    files = [(File(f"/{name}", name, n), input_splits._Kind(kind, {})) for name, n in sizes.items()]
    return [[file.source for file in part.members] for part in input_splits._parts("books", files)]


def sizes_of(n: int, seed: int = 0) -> dict[str, int]:
    chance = random.Random(seed)
    return {f"{number:05d}.txt": chance.randrange(0, 4000) for number in range(n)}


def test_every_file_is_in_one_part_in_the_order_of_sources() -> None:
    sizes = sizes_of(2000)
    packed = packs(sizes)
    totals = [sum(sizes[name] + 16 for name in pack) for pack in packed]

    assert sorted(sizes) == [name for pack in packed for name in pack]
    assert all(PACK // 2 <= total <= 2 * PACK for total in totals[:-1])
    assert 0.7 * PACK < sum(totals) / len(totals) < 1.3 * PACK


def test_the_order_in_which_files_are_listed_does_not_matter() -> None:
    sizes = sizes_of(500)
    shuffled = list(sizes.items())
    random.Random(1).shuffle(shuffled)

    assert packs(sizes) == packs(dict(shuffled))


def test_a_new_file_changes_the_packs_beside_it_only() -> None:
    sizes = sizes_of(2000)
    before = {tuple(pack) for pack in packs(sizes)}
    for name in ("00500a.txt", "01000a.txt", "99999.txt"):
        after = {tuple(pack) for pack in packs({**sizes, name: 2000})}
        assert 1 <= len(after - before) <= 8
        assert len(after & before) > len(before) - 8


def test_just_under_at_and_over_the_limit_of_a_small_file() -> None:
    small = PACK // 4

    assert [["a", "b", "c"]] == packs({"a": 1, "b": small, "c": 1})
    assert [["a", "b", "c"]] == packs({"a": 1, "b": small - 1, "c": 1})
    assert [["a"], ["b"], ["c"]] == packs({"a": 1, "b": small + 1, "c": 1})


def test_a_pack_ends_before_twice_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Never:
        def digest(self) -> bytes:
            return b"\xff" * 8

    monkeypatch.setattr(input_splits.hashlib, "blake2b", lambda *_, **__: Never())
    small = PACK // 4 - 16

    assert [8, 1] == [len(pack) for pack in packs({f"{n}": small for n in range(9)})]


def test_empty_files_fill_a_pack_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_splits, "FILE_BYTES", FILE_BYTES)
    packed = packs({f"{n:04d}": 0 for n in range(1000)})

    assert all(len(pack) <= 2 * PACK // FILE_BYTES for pack in packed)
    assert len(packed) > 1000 * FILE_BYTES // (2 * PACK)


def test_files_of_other_formats_fields_or_subsets_share_no_part(tmp_path: Path) -> None:
    for name in ("a.txt", "b.jsonl", "c.txt", "d.txt", "e.jsonl", "f.jsonl"):
        (tmp_path / name).write_text('{"text": "a", "body": "b"}\n', "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "subsets:\n"
        "  c4:\n"
        "    sources:\n"
        "      - {format: text, path: '*.txt'}\n"
        "      - {format: jsonl, path: '[be].jsonl'}\n"
        "      - {format: jsonl, path: 'f.jsonl', fields: {text: body}}\n"
        "    stages: [quality]\n"
        "  news: {sources: [{format: text, path: '*.txt', pack: false}], stages: [quality]}\n",
        "utf-8",
    )
    files_of_parts = [
        (part.subset, part.format, [file.source for file in part.members])
        for part in find_parts(read(str(tmp_path / "recipe.yaml")))
    ]

    assert [
        ("c4", "text", ["a.txt"]),
        ("c4", "jsonl", ["b.jsonl"]),
        ("c4", "text", ["c.txt", "d.txt"]),
        ("c4", "jsonl", ["e.jsonl"]),
        ("c4", "jsonl", ["f.jsonl"]),
        *(("news", "text", [f"{name}.txt"]) for name in "acd"),
    ] == files_of_parts


def test_sources_that_name_files_of_one_kind_share_parts_however_they_are_written(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text(name, "utf-8")
    plans = []
    for sources in ("{format: text, path: '*.txt'}", ", ".join(f"{{format: text, path: {n}.txt}}" for n in "cab")):
        path = tmp_path / "recipe.yaml"
        path.write_text(f"subsets: {{c4: {{sources: [{sources}], stages: [quality]}}}}\n", "utf-8")
        plans.append(find_parts(read(str(path))))

    assert plans[0] == plans[1]
    assert [3] == [len(part.files) for part in plans[0]]


def test_a_part_is_named_by_its_first_source_and_a_file_alone_as_ever(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"text": "a"}\n', "utf-8")
    both = split_files(str(tmp_path / "*.jsonl"), "jsonl", "c4", {})
    alone = split_files(str(tmp_path / "a.jsonl"), "jsonl", "c4", {})
    name = f"part-{hashlib.blake2b(b'a.jsonl', digest_size=8).hexdigest()}-00000"

    assert [name] == [part.name for part in both] == [part.name for part in alone]
    assert [28] == [part.n_bytes for part in both]
    assert 2 == len(both[0].files)
    stamp = (tmp_path / "a.jsonl").stat().st_mtime_ns
    assert [Part("c4", "jsonl", str(tmp_path / "a.jsonl"), "a.jsonl", 0, 0, 14, 14, {}, stamp)] == alone


def test_a_file_that_cannot_be_looked_at_is_packed_like_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a", "utf-8")
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c.txt").write_text("c", "utf-8")
    parts = split_files(str(tmp_path), "text", "c4", {})

    assert [["a.txt", "b.txt", "c.txt"]] == [[file.source for file in part.members] for part in parts]
    assert [1, 0, 1] == [file.n_bytes for file in parts[0].files]


def sources_of(folder: Path, source: str, output: str) -> list[str]:
    (folder / "recipe.yaml").write_text(f"subsets: {{c4: {{sources: [{source}], stages: [quality]}}}}\n", "utf-8")
    parts = find_parts(read(str(folder / "recipe.yaml")), output)
    return [file.source for part in parts for file in part.members]


def test_what_lies_in_the_output_folder_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("in/a.txt", "in/out.txt", "in/out/curated/c4/b.txt", "in/out2/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a", "utf-8")
    (tmp_path / "linked").symlink_to(tmp_path / "in")
    monkeypatch.chdir(tmp_path)

    outputs = ("in/out", "in/out/", "./in/../in/out", str(tmp_path / "linked" / "out"))
    for output in outputs:
        for path in ("in", "in/", "linked", "linked/**/*.txt", "**/*.txt", "in/{*,*/*,out/*/*/*}.txt"):
            names = sources_of(tmp_path, f"{{format: text, path: '{path}'}}", output)
            assert ["a.txt", "out.txt", "out2/c.txt"] == [name.removeprefix("in/") for name in names], (path, output)
    assert ["b.txt"] == sources_of(tmp_path, "{format: text, path: in/out/curated/c4}", "in/out2")
    assert ["a.txt"] == sources_of(tmp_path, "{format: text, path: in/a.txt}", "in/out")


@pytest.mark.parametrize("path", ["in/out/curated", "in/out", "in/out/**/*.txt", "in/out/curated/b.txt", "in/o*/c*/*"])
def test_a_source_in_the_output_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "in" / "out" / "curated").mkdir(parents=True)
    (tmp_path / "in" / "out" / "curated" / "b.txt").write_text("b", "utf-8")

    with pytest.raises(RecipeError, match=r"subsets\.c4\.sources\.0\.path: .*in/out.* give another --output"):
        sources_of(tmp_path, f"{{format: text, path: '{path}'}}", str(tmp_path / "in" / "out"))


def test_an_output_folder_in_a_repository_is_refused(tmp_path: Path) -> None:
    for name in ("code/one/a.py", "code/two/b.py", "code/one/out/curated/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("pass", "utf-8")
    source = "{format: repositories, path: code}"

    with pytest.raises(RecipeError, match=r"one/out lies in .*code/one, .* give another --output"):
        sources_of(tmp_path, source, str(tmp_path / "code" / "one" / "out"))
    assert ["one"] == sources_of(tmp_path, source, str(tmp_path / "code" / "two"))
    assert ["one", "two"] == sources_of(tmp_path, source, str(tmp_path / "out"))
