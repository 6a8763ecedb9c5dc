"""An object store on this machine, and a proxy before it that misbehaves as stores under load do."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>"


class Faults:
    """What the proxy does: every `busy`-th request gets 503, every `lost`-th no answer at all, and from the
    `last_write`-th write on every write gets 503. Zero: never."""

    def __init__(self) -> None:
        self.busy = self.lost = self.last_write = 0
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next(self, method: str, n_bytes: int) -> str:
        with self._lock:
            self.counts["requests"] += 1
            self.counts["writes"] += method == "PUT" and n_bytes > 0
            n = self.counts["requests"]
            fault = "none"
            if self.last_write and method == "PUT" and self.counts["writes"] >= self.last_write:
                fault = "busy"
            elif self.lost and n % self.lost == 0:
                fault = "lost"
            elif self.busy and n % self.busy == 0:
                fault = "busy"
            self.counts[fault] += 1
            return fault


class Proxy:
    """A context manager: a server on a free port of this machine that passes requests on to `port`, with faults."""

    def __init__(self, port: int) -> None:
        self.faults = Faults()
        faults = self.faults

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def _pass_on(self) -> None:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while n := int(self.rfile.readline().split(b";")[0], 16):
                        body += self.rfile.read(n)
                        self.rfile.readline()
                    while self.rfile.readline() not in (b"\r\n", b""):
                        pass
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = faults.next(self.command, len(body))
                if fault == "lost":
                    time.sleep(0.2)
                    self.close_connection = True
                    return
                if fault == "busy":
                    self._answer(503, [], b"" if self.command == "HEAD" else SLOW_DOWN, len(SLOW_DOWN))
                    return
                connection = http.client.HTTPConnection("127.0.0.1", port)
                try:
                    skipped = ("transfer-encoding", "content-length")
                    headers = {k: v for k, v in self.headers.items() if k.lower() not in skipped}
                    connection.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
                    answer = connection.getresponse()
                    data = answer.read()
                    length = int(answer.headers.get("Content-Length") or len(data))
                    self._answer(answer.status, answer.getheaders(), data, length)
                finally:
                    connection.close()

            def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, length: int) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(data)

        for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
            setattr(Handler, f"do_{method}", Handler._pass_on)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None: ...  # a client that was killed hangs up on us

        self._server = Server(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
