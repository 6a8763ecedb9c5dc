"""Files on this machine and on object stores, behind one set of names; output appears whole or not at all.

A path is a local path or a URL (`file://`, `s3://`, `gs://`, or another scheme of `object_stores.scheme_of`). On a
local disk output is written under a temporary name that nobody can know before, synced and renamed. Object stores have
no rename: there a file is written locally and sent in one piece.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar, cast
from urllib.parse import unquote

from massivetext import globs
from massivetext.errors import OutputError, SourceError
from massivetext.object_stores import ObjectStream, filesystem_of, list_objects, scheme_of, send
from massivetext.scratch import process_scratch

__all__ = [
    "below_prefix",
    "cannot_write",
    "check_scheme",
    "each",
    "exists",
    "find",
    "fixed_prefix",
    "is_remote",
    "is_temporary",
    "join",
    "list_files",
    "list_names",
    "list_sizes",
    "local_path",
    "make_folder",
    "modified",
    "move",
    "open_input",
    "open_lock",
    "open_output",
    "read_bytes",
    "refuse_unreadable",
    "remove",
    "remove_all",
    "remove_empty_folders",
    "remove_tree",
    "size",
    "source_prefix",
    "stamp",
    "total_size",
    "without_folder",
    "write_bytes",
]

T = TypeVar("T")
R = TypeVar("R")

TEMPORARY = ".tmp"
_OWN_TEMPORARY = re.compile(r"\.massivetext-[0-9a-f]{32}\.tmp")
_NO_ROOM = frozenset(
    (
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
    )
)
"""What the system says where nothing can be written; none of it comes of reading a file that is open."""
_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG))
"""What the system says where there is no file or folder of a name, or can be none."""
THREADS = 32
"""Requests under way at once where many small ones are made; an object store takes 10 to 50 ms for each."""


def is_remote(path: str) -> bool:
    """Whether the path is a URL of an object store."""
    return "://" in path and path[:7].lower() != "file://"


def check_scheme(path: str) -> None:
    """Raise RecipeError for a URL of a scheme that is not supported, SourceError for a `file://` URL with a host."""
    if is_remote(local_path(path)):
        scheme_of(path)


def local_path(path: str) -> str:
    """Return the path that a `file://` URL names, percent-decoded; every other path is returned unchanged."""
    if path[:6].lower() != "file:/":
        return path
    if path[6:7] != "/":
        return unquote(path[len("file:") :], errors="surrogateescape")
    host, slash, rest = path[len("file://") :].partition("/")
    if host not in ("", "localhost"):
        raise SourceError(f"{path}: names the machine {host!r}; a file:// URL has three slashes: file:///{host}/{rest}")
    return unquote(slash + rest, errors="surrogateescape")


def join(*parts: str) -> str:
    """Parts joined by `/`, for local paths and URLs alike."""
    return "/".join([*(part.rstrip("/") for part in parts[:-1]), parts[-1]])


def open_input(path: str) -> IO[bytes]:
    """A seekable binary stream over the file as stored. Raises SourceError if it cannot be opened."""
    path = local_path(path)
    try:
        if is_remote(path):
            return cast("IO[bytes]", io.BufferedReader(ObjectStream(path), 1 << 20))
        # A pipe or a device may block for ever, or have no end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise SourceError(f"{path}: cannot be opened: is not a file but a folder, pipe, socket or device")
        return open(path, "rb")
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror or error}") from error


def read_bytes(path: str) -> bytes:
    with open_input(path) as stream:
        return stream.read()


@contextlib.contextmanager
def open_output(path: str) -> Iterator[IO[bytes]]:
    """A binary stream whose content appears under `path` when the block ends well, and not at all when it does not.

    Raises OutputError where nothing can be written: a full disk, a folder that is read-only or no folder.
    """
    path = local_path(path)
    remote = is_remote(path)
    if remote:
        handle, temporary = tempfile.mkstemp(dir=process_scratch())
    else:
        folder = os.path.dirname(path) or "."
        make_folder(folder)
        # Two attempts at one part, on whatever machines, have a file each; whichever ends last wins with equal bytes.
        temporary = os.path.join(folder, f".massivetext-{secrets.token_hex(16)}{TEMPORARY}")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise cannot_write(path, error) from error
    try:
        with open(handle, "wb") as stream:
            yield stream
            if not remote:
                _sync(stream)
        if remote:
            send(temporary, path)
            os.remove(temporary)
        else:
            os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise cannot_write(path, error) from error
        raise


def _sync(stream: IO[bytes]) -> None:
    """Have the disk hold what was written: a rename that outlives a power cut must not outlive the bytes."""
    stream.flush()
    try:
        os.fsync(stream.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that knows no syncing
            raise


def is_temporary(name: str) -> bool:
    """Whether a file's name, without folders, is one that `open_output` gives while it writes."""
    return _OWN_TEMPORARY.fullmatch(name) is not None


def open_lock(path: str) -> IO[str]:
    """Open a local file to be locked, making it if it is not there, for reading and writing.

    Raises OSError also for what is a symbolic link or no file: whoever can write to the folder could otherwise have
    another file of the user's be written to.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.ELOOP, "is no file")
    return open(handle, "r+", encoding="utf-8", errors="replace")


def make_folder(path: str) -> None:
    """Make a local folder and those above it. Raises OutputError if that cannot be."""
    path = local_path(path)
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: str, error: OSError) -> OutputError:
    """The error for output that a disk does not take."""
    reason = error.strerror or str(error)
    remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "give another --output"
    return OutputError(f"{path}: cannot be written: {reason}; {remedy} and run the same command again to go on")


def write_bytes(path: str, data: bytes) -> None:
    with open_output(path) as stream:
        stream.write(data)


def exists(path: str) -> bool:
    path = local_path(path)
    if not is_remote(path):
        return os.path.exists(path)
    from pyarrow import fs

    filesystem, name = filesystem_of(path)
    return filesystem.get_file_info(name).type != fs.FileType.NotFound


def size(path: str) -> int:
    """Bytes of the file as stored. Raises SourceError if there is none."""
    path = local_path(path)
    try:
        if not is_remote(path):
            return os.path.getsize(path)
        filesystem, name = filesystem_of(path)
        n_bytes = filesystem.get_file_info(name).size
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from error
    if n_bytes is None:
        raise SourceError(f"{path}: no such file")
    return n_bytes


def modified(path: str) -> int:
    """Time of the last change, ns since 1970, as the store has it; 0 where there is no such file or no such time."""
    path = local_path(path)
    if not is_remote(path):
        try:
            return os.stat(path).st_mtime_ns
        except OSError:
            return 0
    filesystem, name = filesystem_of(path)
    return filesystem.get_file_info(name).mtime_ns or 0


def stamp(path: str) -> int:
    """A number that changes when a file is written anew: of a local file from the times of its last change and of its
    status's, of which nobody can set back the second; of an object the time at which its store took it. 0 where there
    is no such file."""
    path = local_path(path)
    if is_remote(path):
        return modified(path)
    try:
        status = os.stat(path)
    except OSError:
        return 0
    times = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return int.from_bytes(hashlib.blake2b(times.encode(), digest_size=8).digest(), "big")


def move(source: str, target: str) -> None:
    """Give a file another name in the same store."""
    if is_remote(source):
        filesystem, name = filesystem_of(source)
        filesystem.move(name, filesystem_of(target)[1])
    else:
        make_folder(os.path.dirname(target))
        os.replace(source, target)


def remove(path: str) -> None:
    """Remove a file; one that is not there is no error."""
    path = local_path(path)
    if is_remote(path):
        filesystem, name = filesystem_of(path)
        with contextlib.suppress(FileNotFoundError):
            filesystem.delete_file(name)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def remove_all(paths: Iterable[str]) -> None:
    """Remove files, many at once on an object store; one that is not there is no error."""
    paths = list(paths)
    each(remove, paths, remote=bool(paths) and is_remote(paths[0]))


def total_size(paths: Sequence[str]) -> int:
    """Bytes of files as stored, together. Raises SourceError if one is not there."""
    return sum(each(size, paths, remote=bool(paths) and is_remote(paths[0])))


def remove_tree(path: str) -> None:
    """Remove a folder and all below it; one that is not there is no error."""
    path = local_path(path)
    if is_remote(path):
        if exists(path):  # for one that is not there, each store has an error of its own
            filesystem, name = filesystem_of(path)
            with contextlib.suppress(FileNotFoundError):
                filesystem.delete_dir(name)
    else:
        shutil.rmtree(path, ignore_errors=True)


def remove_empty_folders(path: str) -> None:
    """Remove a local folder and those below it as far as no file is in them; a store has no empty folders."""
    path = local_path(path)
    if not is_remote(path):
        for base, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(base)


def list_files(folder: str, *, is_needed: Callable[[str], object] = lambda path: True) -> list[str]:
    """Paths of all files below a folder, sorted; none if there is no such folder. Temporary files are left out.

    Args:
        folder: The folder.
        is_needed: Whether a local folder below it, or it itself, is to be refused where it cannot be read.

    Raises:
        SourceError: A folder that is needed cannot be read.
    """
    if is_remote(folder):
        names = [path for path, _ in list_objects(folder)]
    else:
        folder = local_path(folder)

        def refuse(error: OSError) -> None:
            if is_needed(error.filename or folder):
                refuse_unreadable(error)

        names = [os.path.join(base, name) for base, _, files in os.walk(folder, onerror=refuse) for name in files]
    return sorted(name for name in names if not name.endswith(TEMPORARY))


def refuse_unreadable(error: OSError) -> None:
    """Raise SourceError for a file or folder that the system does not let this user look at; not for what is not there,
    nor for the folder in which a disk keeps what its repair finds, which is never the user's to read."""
    if error.errno not in _ABSENT and os.path.basename(error.filename or "") != "lost+found":
        raise SourceError(
            f"{error.filename}: cannot be read: {error.strerror or error}; make it readable for this user, or leave "
            "it out"
        ) from error


def list_names(folder: str) -> list[str]:
    """Names of what lies directly in a folder, files and folders, sorted; none if there is no such folder."""
    folder = local_path(folder)
    if not is_remote(folder):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    from pyarrow import fs

    filesystem, name = filesystem_of(folder)
    entries = filesystem.get_file_info(fs.FileSelector(name.rstrip("/"), allow_not_found=True))
    return sorted(info.base_name for info in entries)


def list_sizes(folder: str) -> dict[str, tuple[int, int]]:
    """Bytes and time of the last change (ns; 0 if the store has none) of all files below a folder, as `list_files` has
    them. On an object store this takes one request for 1,000 files."""
    if not is_remote(folder):
        return {path: (size(path), modified(path)) for path in list_files(folder)}
    return {path: (info.size or 0, info.mtime_ns or 0) for path, info in list_objects(folder)}


def each(function: Callable[[T], R], items: Sequence[T], *, remote: bool) -> list[R]:
    """`function` of each item, in order; many at once if what they wait for is an object store."""
    if not remote or len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))


def fixed_prefix(pattern: str) -> str:
    """The folder part of a pattern before its first wildcard: what a document's `source` never includes."""
    return globs.split(local_path(pattern))[0]


def below_prefix(pattern: str) -> str:
    """Return the part of a pattern that follows its fixed prefix: the same on another disk, store or mount point."""
    return globs.split(local_path(pattern))[1]


def source_prefix(pattern: str) -> str:
    """Return what is cut off a file's path to make its `source`: the whole name of a folder, else the fixed prefix."""
    pattern = local_path(pattern)
    if not is_remote(pattern) and os.path.isdir(pattern):
        return pattern.rstrip("/") + "/"
    return fixed_prefix(pattern)


def find(pattern: str) -> list[str]:
    r"""Files of a source, sorted: the one file, or all files below the folder of that name, or those that a pattern
    matches.

    Patterns have `*`, `?`, `[abc]`, `[!abc]` (within a name), `**` (across folders) and `{a,b}`; a backslash takes the
    meaning of the next character away. A file or folder whose name is the pattern itself, such as `data[1].jsonl`, is
    found as it is. Names that begin with `.`, or with `_` and have no `=` in them, are left out unless the pattern
    spells their first character: Spark's `_SUCCESS`, `.crc` files, `.ipynb_checkpoints` are no data.

    Raises:
        SourceError: A folder in which there may be files of the source cannot be read.
    """
    pattern = local_path(pattern)
    if not globs.is_pattern(pattern) or is_named(pattern):
        return _named(pattern)
    prefix, rest = globs.split(pattern)
    matches, leads = globs.matcher(rest), globs.folder_matcher(rest)

    def is_needed(folder: str) -> bool:
        below = _below(folder, prefix)
        return below in ("", ".") or leads(below) is not None

    return [path for path in list_files(prefix or ".", is_needed=is_needed) if matches(_below(path, prefix))]


def without_folder(paths: Sequence[str], prefix: str, folder: str) -> list[str]:
    """Return the paths of a source that are not a folder and do not lie below it.

    Args:
        paths: What a pattern matches.
        prefix: The pattern's `source_prefix`. Links in it are followed; below it there are no linked folders.
        folder: A folder, there or not. Links in its name are followed.
    """
    base, own = ((name if is_remote(name) else os.path.realpath(name)).rstrip("/") + "/" for name in (prefix, folder))
    if not base.startswith(own) and not own.startswith(base):
        return list(paths)
    return [path for path in paths if not f"{base}{path[len(prefix) :].strip('/')}/".startswith(own)]


def is_named(path: str) -> bool:
    """Whether there is a file or folder of exactly this name, wildcards and all. No object store is asked for a `*`."""
    if not is_remote(path):
        return os.path.lexists(path)
    return "*" not in path and exists(path)


def _named(path: str) -> list[str]:
    if not is_remote(path):
        try:
            mode = os.stat(path).st_mode
        except ValueError:  # no name of a file
            return []
        except OSError as error:
            refuse_unreadable(error)
            return []
        if not stat.S_ISDIR(mode):
            return [path] * stat.S_ISREG(mode)
    else:
        from pyarrow import fs

        filesystem, name = filesystem_of(path)
        if filesystem.get_file_info(name).type == fs.FileType.File:
            return [path]
    base = path.rstrip("/") + "/"

    def is_visible(name: str) -> bool:
        return not globs.is_hidden(name[len(base) :])

    return [name for name in list_files(path, is_needed=is_visible) if is_visible(name)]


def _below(path: str, prefix: str) -> str:
    return path[len(prefix) :] if prefix else path.removeprefix("./")
