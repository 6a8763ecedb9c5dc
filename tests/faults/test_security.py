"""Hostile input as docs/threat-model.md lists it: nothing is executed, read or written elsewhere, or without end."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from massivetext import readers
from massivetext.contamination import TestSets
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
