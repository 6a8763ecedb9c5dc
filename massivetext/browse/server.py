"""Serve the pages on this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from massivetext.errors import OutputError

__all__ = ["ADDRESS", "make_server", "serve"]

ADDRESS = "127.0.0.1"
"""The only address that is listened at: no other machine can connect."""


def serve(app: Starlette, port: int, on_ready: Callable[[int], None]) -> None:
    """Serve an application until it is interrupted.

    Args:
        app: What `make_app` returns.
        port: Where to listen; 0 for any free port.
        on_ready: Called with the port once connections are accepted.

    Raises:
        OutputError: If the port is in use.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError as error:
            raise OutputError(f"port {port}: {error.strerror}; give another --port, or 0 for any free one") from error
        listener.listen(128)
        on_ready(listener.getsockname()[1])
        make_server(app).run(sockets=[listener])


def make_server(app: Starlette) -> uvicorn.Server:
    """Return a server of an application; its `run` takes the sockets to listen at. Addresses hold the token, so none is
    logged."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", http="h11", ws="none")
    return uvicorn.Server(config)
