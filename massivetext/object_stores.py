"""Object stores behind `massivetext.storage`: their file systems, reading with patience, sending and listing."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any, TypeVar

from massivetext.errors import RecipeError

__all__ = ["ATTEMPTS", "ObjectStream", "filesystem_of", "list_objects", "scheme_of", "send"]

T = TypeVar("T")

ATTEMPTS = 10
"""Requests to an object store that answers 503 or not at all, with a growing pause between them: 3, the library's own
default, is less than a store asks for that is about to split a busy prefix."""


_PIECE = 1 << 26
"""Bytes of one request where a whole object is read."""

_SCHEMES = ("file", "s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss")
"""Schemes of URLs that can be read and written: those tested here, then those that pyarrow alone answers for."""


def scheme_of(path: str) -> str:
    """Return the scheme of a URL, in lower case.

    Raises:
        RecipeError: nothing can be read from or written to URLs of this scheme.
    """
    scheme = path.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        raise RecipeError(
            f"{path}: no files can be read or written at {scheme}:// URLs; expected a local path, or a URL that begins "
            f"with {', '.join(f'{known}://' for known in _SCHEMES)}; copy the files to such a place first"
        )
    return scheme


def filesystem_of(path: str):  # -> tuple[pyarrow.fs.FileSystem, str]
    """Return the file system of a URL, and the URL's name in it.

    Raises:
        RecipeError: the scheme is none that is supported, or pyarrow cannot use such a store on this machine.
    """
    scheme = scheme_of(path)
    name = path.partition("://")[2]
    if scheme == "s3":
        return _s3(), name
    if scheme in ("gs", "gcs"):
        return _gcs(), name
    from pyarrow import fs

    try:
        return fs.FileSystem.from_uri(f"{scheme}://{name}")
    except (OSError, ValueError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise RecipeError(f"{path}: {scheme}:// URLs cannot be used here: {reason}") from error


def _attempts() -> int:
    """How often an object store is asked: AWS_MAX_ATTEMPTS, or ATTEMPTS."""
    return max(1, int(os.environ.get("AWS_MAX_ATTEMPTS", ATTEMPTS)))


@lru_cache(maxsize=1)
def _s3():  # -> pyarrow.fs.S3FileSystem
    """S3, set up by the environment as the AWS tools are: AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL,
    AWS_MAX_ATTEMPTS.

    A URL is no place for settings: a `?` in it is a wildcard here.
    """
    from pyarrow import fs

    return fs.S3FileSystem(
        endpoint_override=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        allow_delayed_open=True,  # a small file is then one request, not three
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_attempts()),
    )


@lru_cache(maxsize=1)
def _gcs():  # -> pyarrow.fs.GcsFileSystem
    """Google Cloud Storage with the application's default credentials, or the server that STORAGE_EMULATOR_HOST names.

    What fails is asked for again for a while that grows with AWS_MAX_ATTEMPTS, as for S3.
    """
    from pyarrow import fs

    patience = timedelta(seconds=6 * _attempts())
    server = os.environ.get("STORAGE_EMULATOR_HOST")
    if server is None:
        return fs.GcsFileSystem(retry_time_limit=patience)
    scheme, _, host = server.rpartition("://")
    return fs.GcsFileSystem(
        anonymous=True, endpoint_override=host.rstrip("/"), scheme=scheme or "http", retry_time_limit=patience
    )


class ObjectStream(io.RawIOBase):
    """An object of a store, read by ranges; a range that does not come is asked for again.

    The AWS client within pyarrow repeats most requests by itself, but not a GetObject that is refused: it writes the
    answer's explanation into the place that was meant for the range, finds it too long for it, and gives up.
    """

    def __init__(self, path: str) -> None:
        self._path, self._at = path, 0
        self._file = self._patiently(self._open)
        self._size = self._patiently(lambda: self._file.size())

    def _open(self) -> Any:
        filesystem, name = filesystem_of(self._path)
        return filesystem.open_input_file(name)

    def _patiently(self, ask: Callable[[], T]) -> T:
        for attempt in range(_attempts() - 1):
            try:
                return ask()
            except (FileNotFoundError, PermissionError, IsADirectoryError):
                raise
            except OSError:
                time.sleep(min(5.0, 0.05 * 2**attempt))
        return ask()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        n = max(0, min(len(buffer), self._size - self._at))
        if n:
            data = self._patiently(lambda: self._file.read_at(n, self._at))
            n = len(data)
            buffer[:n] = data
            self._at += n
        return n

    def readall(self) -> bytes:
        """Read what is left in pieces of 64 MiB; `io.RawIOBase` would ask for 8 KiB at a time."""
        pieces = []
        while n := max(0, min(_PIECE, self._size - self._at)):
            data = self._patiently(partial(self._file.read_at, n, self._at))
            if not data:
                break
            self._at += len(data)
            pieces.append(data)
        return b"".join(pieces)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def send(temporary: str, path: str) -> None:
    """Store a local file as an object, in one piece."""
    import pyarrow as pa

    filesystem, name = filesystem_of(path)
    with pa.OSFile(temporary) as source:
        empty = source.size() == 0
    with pa.OSFile(temporary) if empty else pa.memory_map(temporary) as source:
        whole = source.read_buffer()
        # The stream completes the object when it is closed, also by an exception. One call hands it all there is, so
        # that no interruption can come between two pieces and leave an object that ends after the first.
        with filesystem.open_output_stream(name, compression=None) as target:
            target.write(whole)


def list_objects(folder: str) -> list[tuple[str, Any]]:
    """Return (URL, pyarrow.fs.FileInfo) of every object below a folder."""
    from pyarrow import fs

    filesystem, name = filesystem_of(folder)
    scheme = folder.split("://", 1)[0]
    entries = filesystem.get_file_info(fs.FileSelector(name.rstrip("/"), recursive=True, allow_not_found=True))
    return [(f"{scheme}://{info.path}", info) for info in entries if info.is_file]
