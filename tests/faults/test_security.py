"""Hostile input as docs/threat-model.md lists it: nothing is executed, read or written elsewhere, or without end."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from massivetext import readers
from massivetext.contamination import TestSet, TestSets
from massivetext.errors import MassiveTextError, OutputError, RecipeError, SourceError
from pipelines import recipe


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return open, (self.path, "w")


def _rows(path: Path, format: str) -> list[tuple[str | None, str | None]]:
    """(reason, text) of every record; the error of a file that is refused ends them."""
    rows = []
    try:
        for record in readers.read_part(str(path), format, start=0, stop=path.stat().st_size):
            rows.append((record.reason, record.text))
    except SourceError:
        pass
    return rows


@pytest.mark.parametrize(
    "text",
    [
        "subsets: !!python/object/apply:os.system ['touch {trap}']",
        "seed: !!python/object/new:os.system ['touch {trap}']",
        "rules: !!python/name:os.system",
        "subsets: &a [*a, *a]",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi")),
    ],
)
def test_a_recipe_builds_no_objects(tmp_path: Path, text: str) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "recipe.yaml").write_text(text.format(trap=trap))

    with pytest.raises(RecipeError):
        recipe.read(str(tmp_path / "recipe.yaml"))
    assert not trap.exists()


@pytest.mark.parametrize(
    "setting",
    [
        "seed=2001-99-99",
        "seed=" + "9" * 5000,
        "seed=!!pairs [a]",
        "seed=!!omap {a: b}",
        "seed={[a]: b}",
        "seed=&a [*a]",
        "seed=" + "[" * 5000,
        "seed=\0",
        *(f"mixture.name={name}" for name in ("..", ".", ".hidden", "../../x", "/x", "a/b", "x" * 300)),
        "testsets=[{name: a, path: b, text: '{a:>9999999999}'}]",
    ],
)
def test_a_setting_is_refused_and_nothing_else(setting: str) -> None:
    """The first of them found by fuzzing: YAML's own constructors raised what no one caught."""
    with pytest.raises(RecipeError):
        [TestSet.of(entry) for entry in recipe.read("gopher", [setting]).testsets]


def test_members_that_overlap_are_a_bomb(tmp_path: Path) -> None:
    """A zip file of 400 kB whose 8,000 members are all the same 4 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(bytes(4 << 20)) + packer.flush()
    sizes = (zlib.crc32(bytes(4 << 20)), len(body), 4 << 20, 4)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, *sizes, 0) + b"a.py" + body
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes, 0, 0, 0, 0, 0, 0) + b"a.py"
    n = 8000
    tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, n, n, n * len(entry), len(local), 0)
    path = tmp_path / "overlap.zip"
    path.write_bytes(local + entry * n + tail)
    reasons = [reason for reason, _ in _rows(path, "repositories")]

    assert {"skipped.binary", "failed.bomb"} == set(reasons)
    assert len(reasons) < 300


def test_an_archive_reaches_nothing_outside_it(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("secret = 1\n")
    path = tmp_path / "in" / "repository.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        for name in ("../escape.py", "/tmp/absolute.py", "a/../../b.py", "good.py"):
            info = tarfile.TarInfo(name)
            info.size = 6
            archive.addfile(info, io.BytesIO(b"x = 1\n"))
        for name, kind in (("link.py", tarfile.SYMTYPE), ("hard.py", tarfile.LNKTYPE), ("device.py", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(tmp_path / "secret.py")
            archive.addfile(info)
    before = sorted(tmp_path.rglob("*"))
    rows = _rows(path, "repositories")

    assert [
        *["failed.unsafe_path"] * 3,
        None,
        *["skipped.link"] * 2,
        "skipped.device",
    ] == [reason for reason, _ in rows]
    assert not any("secret" in (text or "") for _, text in rows)
    assert before == sorted(tmp_path.rglob("*"))


def test_a_link_in_a_folder_of_repositories_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("secret = 1\n")
    (tmp_path / "in" / "one").mkdir(parents=True)
    (tmp_path / "in" / "one" / "good.py").write_text("x = 1\n")
    (tmp_path / "in" / "one" / "link.py").symlink_to(tmp_path / "secret.py")
    rows = list(readers.read_part(str(tmp_path / "in" / "one"), "repositories", start=0, stop=1))

    assert [None, "skipped.link"] == [record.reason for record in rows]


@pytest.mark.parametrize("declared", ['<!ENTITY x SYSTEM "file://{secret}">', '<!ENTITY x "{billion}">'])
def test_entities_of_a_book_are_refused(tmp_path: Path, declared: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    declared = declared.format(secret=secret, billion="ha" * 100)
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            f'<!DOCTYPE c [{declared}]><container><rootfile full-path="&x;"/></container>',
        )
    rows = _rows(path, "text")

    assert [("failed.corrupt", None)] == rows


@pytest.mark.heavy
def test_a_decompression_bomb_is_cut_short(tmp_path: Path) -> None:
    """2 GiB of one byte in 2 MB."""
    path = tmp_path / "bomb.txt.gz"
    with gzip.open(path, "wb", compresslevel=9) as stream:
        for _ in range(2048):
            stream.write(b"a" * (1 << 20))

    assert "failed.too_large" in {reason for reason, _ in _rows(path, "text")}
    assert "failed.bomb" in {reason for reason, _ in _rows(path, "wet")} | {
        reason for reason, _ in _rows(path, "mediawiki")
    }


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    harmful = pickle.dumps(_Trap(trap))
    path = tmp_path / "index"
    path.write_bytes(harmful)
    with pytest.raises(OutputError):
        TestSets.open(str(path))
    for format in ("warc", "jsonl", "parquet", "text", "lines", "mediawiki", "code"):
        _rows(path, format)
    np.save(tmp_path / "array.npy", np.array([_Trap(trap)], object), allow_pickle=True)
    with pytest.raises(MassiveTextError):
        TestSets.open(str(tmp_path / "array.npy"))

    assert not trap.exists()
    pickle.loads(harmful).close()
    assert trap.exists()  # the trap works
