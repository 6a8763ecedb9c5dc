"""Engine `trafilatura`: the library, in a helper process that can be ended.

A library in C cannot be stopped from inside its process, and one hostile page must not take the others with it. So
pages go to a helper over a pipe, one at a time. Limits that depend on the page alone come first, then a limit of
memory, then of CPU time, which the system keeps. The helper ends when its parent does: its input closes.

Reference: A. Barbaresi, "Trafilatura: A Web Scraping Library and Command-Line Tool for Text Discovery and Extraction",
ACL 2021, system demonstrations.
"""

from __future__ import annotations

import atexit
import math
import os
import re
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from typing import IO

from massivetext.errors import LimitError, RecordError, TimeLimitError
from massivetext.extraction.content import without_format_characters
from massivetext.extraction.encoding import decode_page
from massivetext.extraction.options import DEFAULT, Options

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_MEMORY", "MAX_SECONDS", "MAX_TAGS", "extract"]

MAX_BYTES = 20_000_000
MAX_TAGS = 300_000
MAX_DEPTH = 2_000
MAX_MEMORY = 2 << 30
"""Bytes of address space of the helper."""
MAX_SECONDS = 30
"""CPU time for one page, of which the system counts whole seconds."""
_WAITING = 10
"""Times MAX_SECONDS that a page may take by the clock: a helper that the machine gives no time is not to blame."""

_START_SECONDS = 120.0
_HEADER = struct.Struct("<BQ")
_FAST, _COMMENTS, _NO_TABLES, _MARKDOWN = 1, 2, 4, 8
_TEXT, _MEMORY, _FAILED = 0, 1, 2
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
# Elements that are never closed, or may be left open: their depth cannot be told from tags alone.
_OPEN = frozenset(
    (
        *(
            "area",
            "base",
            "br",
            "col",
            "embed",
            "hr",
            "img",
            "input",
            "link",
            "meta",
            "param",
            "source",
            "track",
            "wbr",
        ),
        *("p", "li", "dt", "dd", "tr", "td", "th", "option", "thead", "tbody"),
    )
)


def extract(
    page: bytes,
    *,
    fast: bool = False,
    url: str | None = None,
    content_type: str | None = None,
    options: Options = DEFAULT,
) -> str:
    """Return the main text of a page, "" if the library finds none.

    Args:
        page: the bytes as they came.
        fast: leave out the library's second opinions.
        url: names the page in errors.
        content_type: the Content-Type header.
        options: comments (kept by `keep` alone), tables and the format; the library has no option for headings and
            captions.

    Raises:
        LimitError: beyond MAX_BYTES, MAX_TAGS, MAX_DEPTH or MAX_MEMORY.
        TimeLimitError: beyond MAX_SECONDS.
        RecordError: `trafilatura`, if the library fails or dies.
    """
    if len(page) > MAX_BYTES:
        raise LimitError(f"{_name(url)} has {len(page):,} bytes, more than {MAX_BYTES:,}")
    text = _REFERENCE.sub(_if_possible, decode_page(page, content_type))
    _check_tree(text, url)
    kind, answer = _helper().ask(_flags(fast, options), text.encode("utf-8", "replace"), url)
    if kind == _MEMORY:
        raise LimitError(f"{_name(url)} took trafilatura more than {MAX_MEMORY >> 20} MiB")
    if kind == _FAILED:
        raise RecordError("trafilatura", f"{_name(url)}: trafilatura failed: {answer.decode()}")
    return without_format_characters(answer.decode())


def _if_possible(reference: re.Match[str]) -> str:
    """The reference, or nothing for a character that XML cannot have: the library finds no text in a page with one."""
    digits, base = (reference[1], 16) if reference[1] else (reference[2], 10)
    point = int("0" + digits.lstrip("0")[:8], base)
    is_text = 0x20 <= point < 0xD800 or 0xE000 <= point < 0xFFFE or 0x10000 <= point < 0x110000
    return reference[0] if is_text or point in (0x9, 0xA, 0xD) else ""


def _flags(fast: bool, options: Options) -> int:
    return (
        (_FAST if fast else 0)
        | (_COMMENTS if options.comments == "keep" else 0)
        | (_NO_TABLES if options.tables == "drop" else 0)
        | (_MARKDOWN if options.format == "markdown" else 0)
    )


def _name(url: str | None) -> str:
    return f"page {url}" if url else "page"


def _check_tree(text: str, url: str | None) -> None:
    if text.count("<") > MAX_TAGS:
        raise LimitError(f"{_name(url)} has {text.count('<'):,} tags, more than {MAX_TAGS:,}")
    depth = 0
    for tag in _TAG.finditer(text):
        if tag[2].lower() in _OPEN or tag[3].endswith("/"):
            continue
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > MAX_DEPTH:
            raise LimitError(f"{_name(url)} nests more than {MAX_DEPTH:,} elements")


class _Helper:
    """One helper process of this process, started when first asked and again after it was ended."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, flags: int, page: bytes, url: str | None) -> tuple[int, bytes]:
        with self.lock:
            process = self._started()
            message = _HEADER.pack(flags, len(page)) + page
            try:
                kind, answer = _exchange(process, message, time.monotonic() + _WAITING * MAX_SECONDS)
            except TimeoutError as error:
                self.end()
                raise TimeLimitError(
                    f"{_name(url)} took trafilatura more than {_WAITING * MAX_SECONDS} s by the clock"
                ) from error
            except (EOFError, BrokenPipeError) as error:
                self.end()
                if process.returncode == -signal.SIGXCPU:
                    raise TimeLimitError(f"{_name(url)} took trafilatura more than {MAX_SECONDS} s") from error
                raise RecordError("trafilatura", f"{_name(url)}: the helper for trafilatura died of it") from error
            if kind != _TEXT:
                self.end()  # its memory may be in any state
            return kind, answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self.end()
            command = [sys.executable, "-m", "massivetext.extraction.trafilatura", str(MAX_MEMORY), str(MAX_SECONDS)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            os.set_blocking(_fileno(self.process.stdin), False)
            # It answers once before the first page: importing the library is not the page's time.
            _exchange(self.process, b"", time.monotonic() + _START_SECONDS)
        return self.process

    def end(self) -> None:
        if self.process is not None and self.pid == os.getpid():
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                if stream is not None:
                    stream.close()
        self.process = None


def _exchange(process: subprocess.Popen[bytes], message: bytes, deadline: float) -> tuple[int, bytes]:
    sink = _fileno(process.stdin)
    unsent = memoryview(message)
    while unsent:
        _wait(sink, select.POLLOUT, deadline)
        unsent = unsent[os.write(sink, unsent[: 1 << 16]) :]
    kind, size = _HEADER.unpack(_read(process, _HEADER.size, deadline))
    return kind, _read(process, size, deadline)


def _read(process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
    source = _fileno(process.stdout)
    data = bytearray()
    while len(data) < size:
        _wait(source, select.POLLIN, deadline)
        piece = os.read(source, min(1 << 16, size - len(data)))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def _wait(stream: int, event: int, deadline: float) -> None:
    left = deadline - time.monotonic()
    poll = select.poll()
    poll.register(stream, event)
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError


def _fileno(stream: IO[bytes] | None) -> int:
    if stream is None:
        raise RuntimeError("the helper has no pipe")
    return stream.fileno()


_current: _Helper | None = None
_current_lock = threading.Lock()


def _helper() -> _Helper:
    global _current
    with _current_lock:
        if _current is None or _current.pid != os.getpid():  # a fork must not talk over its parent's pipe
            _current = _Helper()
            atexit.register(_current.end)
        return _current


def _serve() -> None:
    """The helper: a page in, its text out, until the input ends."""
    import logging
    import resource

    import trafilatura
    from trafilatura.settings import use_config

    logging.disable(logging.CRITICAL)
    memory, most = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    config = use_config()
    config.set("DEFAULT", "MAX_FILE_SIZE", str(4 * MAX_BYTES))  # the limit is on bytes as they came
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    sink.write(_HEADER.pack(_TEXT, 0))
    sink.flush()
    while header := source.read(_HEADER.size):
        flags, size = _HEADER.unpack(header)
        page = source.read(size).decode()
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = math.ceil(used.ru_utime + used.ru_stime) + most
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(
            resource.RLIMIT_CPU, (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard), hard)
        )
        try:
            text = trafilatura.extract(
                page,
                fast=bool(flags & _FAST),
                include_comments=bool(flags & _COMMENTS),
                include_tables=not flags & _NO_TABLES,
                output_format="markdown" if flags & _MARKDOWN else "txt",
                config=config,
            )
            kind, answer = _TEXT, (text or "").encode("utf-8", "replace")
        except Exception as error:
            # Out of memory, libxml2 reports an error of any kind.
            kind = _MEMORY if isinstance(error, MemoryError) or _peak() > 0.9 * memory else _FAILED
            answer = f"{type(error).__name__}: {error}"[:500].encode("utf-8", "replace")
        sink.write(_HEADER.pack(kind, len(answer)) + answer)
        sink.flush()


def _peak() -> int:
    """The most bytes of address space that this process had."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmPeak"))
    except (OSError, StopIteration):
        return 0


if __name__ == "__main__":
    _serve()
