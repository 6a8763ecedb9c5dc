"""The package and its dependencies as an engine's workers install them: exactly what this process runs with.

Beam's own `--setup_file` builds an sdist, which needs the sources, and workers install it without extras: without numba
and readers. So a wheel is made of the code that is imported here, and a file of requirements that pins the extra
`pipeline` to the versions found here, which is also what makes workers write the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path

from massivetext.scratch import process_scratch

__all__ = ["requirements", "wheel"]

PACKAGES = ("massivetext", "filters", "pipelines")


def _folder() -> Path:
    return Path(process_scratch())


@lru_cache(maxsize=1)
def wheel() -> str:
    """Path of a wheel of this package. Equal code gives equal bytes."""
    distribution = metadata.distribution("massivetext")
    name = f"massivetext-{distribution.version}"
    path = _folder() / f"{name}-py3-none-any.whl"
    info = f"{name}.dist-info"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(member: str, data: bytes) -> None:
            entry = zipfile.ZipInfo(member)  # of a fixed date
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{member},sha256={digest},{len(data)}\n")

        for member, file in _files():
            add(member, file.read_bytes())
        for entry in ("METADATA", "PKG-INFO"):  # an editable checkout has the latter
            text = distribution.read_text(entry)
            if text:
                add(f"{info}/METADATA", text.encode())
                break
        add(f"{info}/entry_points.txt", (distribution.read_text("entry_points.txt") or "").encode())
        add(f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: massivetext\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        record.append(f"{info}/RECORD,,\n")
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join(record))
    return str(path)


def _files() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        folder = Path(import_module(package).__path__[0])
        for file in sorted(folder.rglob("*")):
            # What is compiled for this machine lies in `__pycache__`.
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"{package}/{file.relative_to(folder).as_posix()}", file


@lru_cache(maxsize=1)
def requirements() -> str:
    """Path of a requirements file: all that the extra `pipeline` names, in the versions found here. Beam is not among
    it, for a worker's image has the version that the job was made with."""
    lines = set()
    for requirement in metadata.requires("massivetext") or ():
        named, _, marker = requirement.partition(";")
        if marker and not re.search(r"""extra\s*==\s*["']pipeline["']""", marker):
            continue
        name = re.match(r"[A-Za-z0-9._-]+", named)
        assert name is not None
        if name.group().lower() != "apache-beam":
            lines.add(f"{name.group()}=={metadata.version(name.group())}\n")
    path = _folder() / "requirements.txt"
    path.write_text("".join(sorted(lines)), "utf-8")
    return str(path)
