from __future__ import annotations

from pathlib import Path

import pytest

from massivetext import globs, storage
from massivetext.errors import RecipeError

NAMES = [
    "plain.jsonl",
    "UPPER.JSONL",
    ".dot.jsonl",
    "_temporary.jsonl",
    "_SUCCESS",
    ".part-0.jsonl.crc",
    "colon:x.jsonl",
    "#h/x#1.jsonl",
    "[x]/v[1].jsonl",
    "data[1].jsonl",
    "what?.jsonl",
    "back\\slash.jsonl",
    "brace{a,b}.jsonl",
    "star*.jsonl",
    "_year=2020/_month=01/a.jsonl",
    "_delta_log/0.jsonl",
    ".ipynb_checkpoints/plain.jsonl",
    "deep/er/_x/y.jsonl",
    "deep/er/y.jsonl",
    "a/b.jsonl",
    "ab.jsonl",
]
VISIBLE = sorted(
    name
    for name in NAMES
    if name not in ("deep/er/_x/y.jsonl", "_delta_log/0.jsonl", "_SUCCESS", "_temporary.jsonl")
    and not name.startswith(".")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("globs")
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def top(*excluded: str) -> list[str]:
    return [name for name in VISIBLE if "/" not in name and name.endswith(".jsonl") and name not in excluded]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", VISIBLE),
        ("*.jsonl", top()),
        ("**/*.jsonl", [name for name in VISIBLE if name.endswith(".jsonl")]),
        ("**", VISIBLE),
        ("deep/**", ["deep/er/y.jsonl"]),
        ("deep/**/*.jsonl", ["deep/er/y.jsonl"]),
        ("deep/er/_x/*.jsonl", ["deep/er/_x/y.jsonl"]),
        ("deep/er/_*/*.jsonl", ["deep/er/_x/y.jsonl"]),
        ("_*", ["_SUCCESS", "_temporary.jsonl"]),
        (".*", [".dot.jsonl", ".part-0.jsonl.crc"]),
        ("_temporary.jsonl", ["_temporary.jsonl"]),
        ("*/*/a.jsonl", ["_year=2020/_month=01/a.jsonl"]),
        ("_year=*/*/*", ["_year=2020/_month=01/a.jsonl"]),
        ("{plain,colon:x}.jsonl", ["colon:x.jsonl", "plain.jsonl"]),
        ("{plain.jsonl,a/{b,c}.jsonl}", ["a/b.jsonl", "plain.jsonl"]),
        ("{pl*,_temp*}.jsonl", ["_temporary.jsonl", "plain.jsonl"]),
        ("a?b.jsonl", []),
        ("a[!x]b.jsonl", []),
        ("a[^x]b.jsonl", []),
        ("a[+-0]b.jsonl", []),
        ("a[b].jsonl", ["ab.jsonl"]),
        ("[a-p]*.jsonl", [name for name in top() if "a" <= name[0] <= "p"]),
        ("[!a-p]*.jsonl", ["star*.jsonl", "what?.jsonl"]),
        ("data[1].jsonl", ["data[1].jsonl"]),
        ("data\\[1\\].jsonl", ["data[1].jsonl"]),
        ("data[[]1].jsonl", ["data[1].jsonl"]),
        ("data\\[?\\].jsonl", ["data[1].jsonl"]),
        ("what?.jsonl", ["what?.jsonl"]),
        ("what\\?.jsonl", ["what?.jsonl"]),
        ("star[*].jsonl", ["star*.jsonl"]),
        ("star\\*.jsonl", ["star*.jsonl"]),
        ("brace{a,b}.jsonl", ["brace{a,b}.jsonl"]),
        ("brace\\{a,b\\}.jsonl", ["brace{a,b}.jsonl"]),
        ("back\\slash.jsonl", ["back\\slash.jsonl"]),
        ("back\\\\s*.jsonl", ["back\\slash.jsonl"]),
        ("[x]", ["[x]/v[1].jsonl"]),
        ("[x]/v[1].jsonl", ["[x]/v[1].jsonl"]),
        ("\\[x\\]/*", ["[x]/v[1].jsonl"]),
        ("#h/*", ["#h/x#1.jsonl"]),
        ("x[z-a]*", []),
        ("*.none", []),
    ],
)
def test_patterns(folder: Path, pattern: str, expected: list[str]) -> None:
    base = str(folder) + "/"

    assert sorted(expected) == [path[len(base) :] for path in storage.find(base + pattern)]


def test_file_urls(folder: Path) -> None:
    base = "file://" + str(folder)

    assert [f"{folder}/plain.jsonl"] == storage.find(f"{base}/plain.jsonl")
    assert [f"{folder}/plain.jsonl"] == storage.find(f"file://localhost{folder}/pl*.jsonl")
    assert [f"{folder}/#h/x#1.jsonl"] == storage.find(f"{base}/%23h/x%231.jsonl")
    assert storage.find(str(folder)) == storage.find(base)
    assert f"{folder}/" == storage.fixed_prefix(f"{base}/*.jsonl") == storage.source_prefix(base)
    assert b"" == storage.read_bytes(f"{base}/plain.jsonl")
    assert 0 == storage.size(f"{base}/plain.jsonl")
    assert not storage.exists(f"{base}/none")


@pytest.mark.parametrize(
    ("pattern", "prefix", "rest"),
    [
        ("a/b*/c", "a/", "b*/c"),
        ("a/b/{c,d}", "a/b/", "{c,d}"),
        ("a\\[1\\]/*", "a[1]/", "*"),
        ("a[1/b/*", "a[1/b/", "*"),
        ("*", "", "*"),
        ("a{b/c*", "a{b/", "c*"),
        ("s3://bucket/x?/y", "s3://bucket/", "x?/y"),
    ],
)
def test_the_part_before_the_first_wildcard(pattern: str, prefix: str, rest: str) -> None:
    assert (prefix, rest) == globs.split(pattern)


def test_a_name_for_every_way_to_be_hidden() -> None:
    assert [name for name in NAMES if not globs.is_hidden(name)] == sorted(VISIBLE, key=NAMES.index)


def test_too_many_alternatives() -> None:
    with pytest.raises(RecipeError, match="more than 1000 alternatives"):
        globs.matcher("{a,b}" * 10)
    assert globs.matcher("{a,b}" * 9)("ababababa")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.x", []),
        ("*/*.x", ["a", "c", "_y=1"]),
        ("*/b/*.x", ["a", "c", "_y=1", "a/b", "c/b"]),
        ("{a,c/b}/*.x", ["a", "c", "c/b"]),
        ("**/*.x", ["a", "c", "_y=1", "a/b", "c/b"]),
        ("**", ["a", "c", "_y=1", "a/b", "c/b"]),
        ("c/**", ["c", "c/b"]),
        ("c/**/b.x", ["c", "c/b"]),
        ("c**.x", ["c", "c/b"]),
        (".h/*", [".h"]),
        ("a/.h/*", ["a", "a/.h"]),
    ],
)
def test_folders_that_may_have_what_a_pattern_matches(pattern: str, expected: list[str]) -> None:
    folders = ["a", "c", ".h", "_y=1", "_z", "a/b", "a/.h", "c/b", "_z/b", ".h/b"]
    leads = globs.folder_matcher(pattern)

    assert expected == [folder for folder in folders if leads(folder)]
