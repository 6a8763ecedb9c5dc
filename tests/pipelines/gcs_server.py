"""fake-gcs-server, a server of Google Cloud Storage's interface, on a free port of this machine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def running(bucket: str) -> Iterator[str]:
    """The URL of an empty store with one bucket. Skips the test where there is no such server."""
    beside = Path(sys.executable).with_name("fake-gcs-server")
    server = str(beside) if beside.exists() else shutil.which("fake-gcs-server")
    if server is None:
        pytest.skip("no fake-gcs-server here: make test-dataflow installs it")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = ("-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-log-level", "error")
    address = f"127.0.0.1:{port}"
    process = subprocess.Popen([server, *options, "-port", str(port), "-public-host", address])
    try:
        for attempt in range(100):
            try:
                ask(f"http://{address}/storage/v1/b?project=any", json.dumps({"name": bucket}).encode())
                break
            except urllib.error.URLError:
                assert attempt < 99, "fake-gcs-server does not answer"
                time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()


def ask(url: str, data: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())
