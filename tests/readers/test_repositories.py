from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import zstandard

from massivetext import readers
from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers import repositories
from tests.readers.reading import drained

MIT = (Path(__file__).parent / "mit.txt").read_text("utf-8")
FILES = {"src/a.py": "print()\n", "src/b.py": "x = 1\r\n", "LICENSE": MIT, "logo.png": "\x89PNG\0\0"}


def files(records: list[Record]) -> list[tuple[str | None, str | None, str | None, str | None]]:
    return [(r.metadata.get("repo_name"), r.metadata.get("path"), r.reason, r.metadata.get("license")) for r in records]


def part(path: Path, counts: Counter[str] | None = None) -> tuple[list[Record], str | None]:
    found, error = drained(readers.read_part(str(path), "repositories", start=0, stop=1, counts=counts))
    return found, error and str(error)


def tarred(content: dict[str, str], top: str = "repo/") -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name, text in content.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(text.encode("latin-1"))
            archive.addfile(info, io.BytesIO(text.encode("latin-1")))
    return sink.getvalue()


def zipped(content: dict[str, str], top: str = "repo/") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(top + name, text.encode("latin-1"))
    return sink.getvalue()


EXPECTED = [
    ("repo", "src/a.py", None, "MIT"),
    ("repo", "src/b.py", None, "MIT"),
    ("repo", "LICENSE", None, "MIT"),
    ("repo", "logo.png", "skipped.binary", "MIT"),
]


def folder(root: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode("latin-1"))
    return root


def test_a_folder(tmp_path: Path) -> None:
    repo = folder(tmp_path / "repo", FILES)
    found, error = part(repo)

    assert files(found) == sorted(EXPECTED, key=lambda row: row[1] or "")
    assert [r.offset for r in found] == [0, 1, 2, 3]
    assert [r.text for r in found if r.metadata["path"] == "src/b.py"] == ["x = 1\n"]
    assert error is None
    assert readers.size(str(repo), "repositories") == sum(len(text.encode("latin-1")) for text in FILES.values())


@pytest.mark.parametrize("encode", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_tar_files(tmp_path: Path, encode) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.tar"
    path.write_bytes(encode(tarred(FILES)))
    found, error = part(path)

    assert files(found) == EXPECTED
    assert error is None


def test_zip_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(FILES))

    assert files(part(path)[0]) == EXPECTED


def test_a_member_of_a_zip_without_a_name_has_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({**FILES, "qqqq": "text"}, top="").replace(b"qqqq", b"\0qqq"))
    records, error = part(path)

    assert "failed.unsafe_path" in [record.reason for record in records]
    assert len(records) == len(FILES) + 1
    assert error is None


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_an_archive_with_its_licence_at_the_top_is_one_repository(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "repo.archive"
    path.write_bytes(pack(FILES, top=""))
    found, _ = part(path)

    assert {name for name, *_ in files(found)} == {"repo.archive"}
    assert {licence for *_, licence in files(found)} == {"MIT"}


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_repositories_of_an_archive_have_licences_of_their_own(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "many.archive"
    names = {"one/LICENSE": MIT, "one/a.py": "1", "two/b.py": "2", "three/c.py": "3", "three/COPYING": "Mine alone."}
    path.write_bytes(pack(names, top=""))
    found = {(repo, name): licence for repo, name, _, licence in files(part(path)[0])}

    assert found[("one", "a.py")] == "MIT"
    assert found[("two", "b.py")] is None
    assert found[("three", "c.py")] == "NOASSERTION"


def test_the_licence_files_nearest_the_top_decide_all_of_them(tmp_path: Path) -> None:
    nested = folder(tmp_path / "nested", {"a.py": "1", "x.dist-info/licenses/LICENSE": MIT})
    vendored = folder(tmp_path / "vendored", {"a.py": "1", "LICENSE": MIT, "vendor/x/LICENSE": "Mine alone."})
    two = folder(tmp_path / "two", {"a.py": "1", "LICENSE": MIT, "LICENSE.other": "Mine alone."})

    assert [{licence for *_, licence in files(part(repo)[0])} for repo in (nested, vendored, two)] == [
        {"MIT"},
        {"MIT"},
        {"MIT AND NOASSERTION"},
    ]


def test_sources(tmp_path: Path) -> None:
    folder(tmp_path / "repos" / "one", FILES)
    folder(tmp_path / "repos" / "two", FILES)
    (tmp_path / "repos" / "three.tar").write_bytes(tarred(FILES))
    base = str(tmp_path / "repos")

    assert readers.find(base, "repositories") == [f"{base}/one", f"{base}/three.tar", f"{base}/two"]
    assert readers.find(base + "/", "repositories") == readers.find(base, "repositories")
    assert readers.find(f"{base}/t*", "repositories") == [f"{base}/three.tar", f"{base}/two"]
    assert readers.find(f"{base}/three.tar", "repositories") == [f"{base}/three.tar"]
    assert readers.find(f"{base}/nothing", "repositories") == []


def test_a_folder_of_a_repository_that_cannot_be_read_is_named(folder_of_a_user: Path) -> None:
    for name in ("one", "two", ".three"):
        folder(folder_of_a_user / name, {"deep/a.py": "1"})
        (folder_of_a_user / name / "deep").chmod(0 if name != "one" else 0o700)
    base = str(folder_of_a_user)

    for pattern in (base, f"{base}/t*", f"{base}/two"):
        with pytest.raises(SourceError, match=r"/two/deep: cannot be read: Permission denied"):
            readers.find(pattern, "repositories")
    assert [f"{base}/one"] == readers.find(f"{base}/o*", "repositories")


def hostile_tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("repo/../../etc/passwd", "/etc/passwd", "repo\\..\\x"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        for name, kind in (
            ("repo/link", tarfile.SYMTYPE),
            ("repo/hard", tarfile.LNKTYPE),
            ("repo/device", tarfile.CHRTYPE),
            ("repo/pipe", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("repo/good.py")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"good"))
    return sink.getvalue()


def hostile_zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, mode in (
            ("repo/../../etc/passwd", 0o100644),
            ("/etc/passwd", 0o100644),
            ("repo\\..\\x", 0o100644),
            ("repo/link", 0o120777),
            ("repo/device", 0o020644),
            ("repo/good.py", 0o100644),
        ):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "good")
    return sink.getvalue()


def test_members_that_lead_out_and_members_that_are_no_files(tmp_path: Path) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(hostile_tar())
    found, error = part(path)

    assert [r.reason for r in found] == ["failed.unsafe_path"] * 3 + ["skipped.link"] * 2 + ["skipped.device"] * 2 + [
        None
    ]
    assert found[-1].text == "good"
    assert error is None

    path.write_bytes(hostile_zip())
    found, error = part(path)

    assert [r.reason for r in found] == ["failed.unsafe_path"] * 3 + ["skipped.link", "skipped.device", None]
    assert error is None


def test_links_and_pipes_in_a_folder_are_never_opened(tmp_path: Path) -> None:
    repo = folder(tmp_path / "repo", {"a.py": "1", ".git/config": "secret", "sub/.gitignore": "x"})
    (repo / "link.py").symlink_to("/etc/passwd")
    os.mkfifo(repo / "pipe")
    counts: Counter[str] = Counter()
    found, _ = part(repo, counts)

    assert {r.metadata["path"]: r.reason for r in found} == {
        "a.py": None,
        "link.py": "skipped.link",
        "pipe": "skipped.device",
        "sub/.gitignore": None,
    }
    assert counts == {"history": 1}


def test_names_of_members_are_clean_text(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a\r\nb.py": "1"}))

    assert [r.metadata["path"] for r in part(path)[0]] == ["a\nb.py"]


def test_archives_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    many = {f"{i}.py": "".join(chr(97 + (i * j) % 26) for j in range(3000)) for i in range(100)}
    whole = tarred(many)
    for data, reason in ((whole[: len(whole) // 2], "truncated"), (gzip.compress(whole)[:-2000], "truncated")):
        path.write_bytes(data)
        found, error = part(path)

        assert len(found) > 20
        assert [r.reason for r in found[:-1]] == [None] * (len(found) - 1)
        assert [r.text for r in found[:-1]] == list(many.values())[: len(found) - 1]
        assert found[-1].reason == f"failed.{reason}"
        assert error is not None
    path.write_bytes(zipped(many)[:-100])

    assert [r.reason for r in part(path)[0]] == ["failed.truncated"]


def test_a_damaged_header_of_a_tar_file_is_not_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    data = tarred({"a.py": "a", "b.py": "b", "c.py": "c"})
    at = data.index(b"repo/b.py")
    for changed, reason in ((data[: at + 100], "truncated"), (data[:at] + b"x" + data[at + 1 :], "corrupt")):
        path.write_bytes(changed)
        records, error = part(path)

        assert [r.reason for r in records] == [None, f"failed.{reason}"]
        assert error is not None


def test_a_corrupt_member_of_a_zip_costs_itself(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.py": "a" * 50, "b.py": "b" * 50}))
    at = data.index(b"repo/a.py") + len(b"repo/a.py")
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path = tmp_path / "a.zip"
    path.write_bytes(bytes(data))

    assert [r.reason for r in part(path)[0]] == ["failed.corrupt", None]


def test_files_and_archives_beyond_their_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "MAX_FILE", 1000)
    for pack in (tarred, zipped):
        path = tmp_path / "a"
        path.write_bytes(pack({"big.py": "x" * 1001, "a.py": "x" * 1000}))

        assert [r.reason for r in part(path)[0]] == ["failed.too_large", None]
    monkeypatch.setattr(repositories, "MAX_FILE", 1 << 20)
    monkeypatch.setattr(repositories, "BOMB_BYTES", 1 << 20)
    path.write_bytes(zipped({f"{i}.py": "x" * (1 << 20) for i in range(5)}))
    found, error = part(path)

    assert found[-1].reason == "failed.bomb"
    assert error is not None
    assert "decompression bomb" in error
