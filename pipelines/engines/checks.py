"""What is asked of a runner of Beam's before anything is written: its options, its package, and whether it answers.

Each question has an end after seconds, so that a run that cannot begin is refused within ten of them.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import json
import os
import re
import shutil
import socket
import threading
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners import create_runner
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
from apache_beam.runners.portability.prism_runner import PrismJobServer
from apache_beam.runners.portability.spark_runner import SparkJarJobServer
from apache_beam.utils.subprocess_server import JavaJarServer
from apache_beam.version import __version__ as version

from massivetext.errors import RecipeError

__all__ = ["check_beam_runner", "check_grpc_server", "parse_options", "within"]

SECONDS = 3.0
"""Seconds that a server has to answer."""

_MISSPELLED = 0.85
"""Likeness to an option of Beam's from which on an unknown one is taken for a misspelling. A runner may have options
of its own."""

_NO_ADDRESS = re.compile(r"\[\w+\]|local(\[.*\])?|(yarn|k8s|mesos)\b.*")
"""Masters of Flink and Spark that Beam's job server starts or finds itself."""


def parse_options(runner: str, given: Sequence[str]) -> dict[str, Any]:
    """Return all options of Beam's by name, as Beam reads them.

    Raises:
        RecipeError: one that Beam cannot read, or that is misspelled.
    """
    words = io.StringIO()
    known: set[str] = set()

    def note(parser: Any) -> None:
        known.update(option for action in parser._actions for option in action.option_strings)

    try:
        with contextlib.redirect_stderr(words):
            options: dict[str, Any] = PipelineOptions(list(given)).get_all_options(add_extra_args_fn=note)
    except SystemExit as exit_of_parser:
        last = words.getvalue().strip().rpartition("error: ")[2] or "cannot be read"
        raise RecipeError(f"--runner {runner}: options after --: {last}") from exit_of_parser
    for word in given:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            close = difflib.get_close_matches(name, sorted(known), 1, _MISSPELLED)
            if close:
                raise RecipeError(f"--runner {runner}: {word}: Beam has no such option; did you mean {close[0]}?")
    return options


def check_beam_runner(runner: str, given: Sequence[str]) -> None:
    """Refuse what a runner of Beam's cannot run: options that are missing or wrong, and a server that does not answer.

    Args:
        runner: Beam's name of it.
        given: the options after `--`.

    Raises:
        RecipeError: with what is missing, and what to do.
    """
    options = parse_options(runner, given)
    _check_environment(runner, given, options)
    endpoint = options["job_endpoint"]
    if endpoint == "embed":
        return
    if endpoint:
        check_grpc_server(runner, "job_endpoint", endpoint)
    elif runner == "PortableRunner":
        raise RecipeError(
            f"--runner {runner}: --job_endpoint=HOST:PORT is missing, where a job server listens; give it after --"
        )
    elif runner == "PrismRunner":
        _check_prism(runner, options)
    elif runner in ("FlinkRunner", "SparkRunner"):
        _check_cluster(runner, given, options)


def _check_environment(runner: str, given: Sequence[str], options: dict[str, Any]) -> None:
    """Where the code of transforms runs: the options that Beam wants for it, and a pool of workers that answers."""
    faults = PipelineOptionsValidator(PipelineOptions([f"--runner={runner}", *given]), create_runner(runner)).validate()
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise RecipeError(f"--runner {runner}: options after -- are missing or wrong\n{lines}")
    if (options["environment_type"] or "").upper() != "EXTERNAL":
        return
    address = options["environment_config"] or next(
        value.partition("=")[2]
        for value in options["environment_options"]
        if value.startswith("external_service_address=")
    )
    if address.lstrip().startswith("{"):
        try:
            address = json.loads(address)["url"]
        except (ValueError, KeyError, TypeError) as error:
            expected = 'expected HOST:PORT of a pool of workers, or {"url": "HOST:PORT"}'
            raise RecipeError(f"--runner {runner}: --environment_config={address}: {expected}") from error
    check_grpc_server(runner, "environment_config", address)


def _check_endpoint(runner: str, option: str, address: str) -> None:
    """Raises RecipeError unless a server accepts connections at `HOST:PORT`, `http://HOST:PORT` or `spark://HOST:PORT`."""
    host, port = _split(runner, option, address)
    error = within(lambda: socket.create_connection((host, port), SECONDS).close())
    if error is not None:
        raise _nobody(runner, option, address, error)


def check_grpc_server(runner: str, option: str, address: str) -> None:
    """Raises RecipeError unless a gRPC server answers: a connection alone may be to another kind of server."""
    _check_endpoint(runner, option, address)
    host, port = _split(runner, option, address)
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with grpc.insecure_channel(name) as channel:
        try:
            grpc.channel_ready_future(channel).result(SECONDS)
        except grpc.FutureTimeoutError as error:
            raise RecipeError(
                f"--runner {runner}: --{option}={address}: what listens there does not answer as a gRPC server within "
                f"{SECONDS:.0f} s; give the address of the service itself"
            ) from error


def _check_prism(runner: str, options: dict[str, Any]) -> None:
    """Raises RecipeError where Prism is neither on this machine nor to be fetched by Beam."""
    how = (
        f"; build it with `go install github.com/apache/beam/sdks/v2/go/cmd/prism@v{version}`, "
        "and give --prism_location=PATH"
    )
    location = options["prism_location"]
    if location and os.path.exists(location):
        if os.path.isdir(location):
            raise RecipeError(f"--runner {runner}: --prism_location={location}: is a folder{how}")
        return
    if location and not urlsplit(location).scheme:
        raise RecipeError(f"--runner {runner}: --prism_location={location}: no such file{how}")
    try:
        url = PrismJobServer(PipelineOptions([f"--prism_location={location}"] if location else [])).path_to_binary()
    except Exception as error:
        raise RecipeError(f"--runner {runner}: --prism_location={location}: {error}{how}") from error
    _check_fetched(runner, url, PrismJobServer.BIN_CACHE, how)


def _check_cluster(runner: str, given: Sequence[str], options: dict[str, Any]) -> None:
    """Raises RecipeError where Flink or Spark does not answer, or Beam's job server for it cannot be started here."""
    is_flink = runner == "FlinkRunner"
    name = "flink" if is_flink else "spark"
    master = "flink_master" if is_flink else "spark_master_url"
    address, is_uber_jar = options[master], options[f"{name}_submit_uber_jar"]
    if not is_flink and is_uber_jar:
        master, address = "spark_rest_url", options["spark_rest_url"]
        if not address:
            raise RecipeError(f"--runner {runner}: --spark_rest_url=http://HOST:PORT is missing, for an uber jar")
    if not _NO_ADDRESS.fullmatch(address):
        _check_endpoint(runner, master, address)
    java = options["job_server_java_launcher"]
    if not is_uber_jar and shutil.which(java) is None:
        raise RecipeError(
            f"--runner {runner}: Beam's job server needs {java!r}, which is not here; install Java 11 or later"
        )
    how = f"; give --job_endpoint=HOST:PORT of a job server, or --{name}_job_server_jar=PATH"
    server = (FlinkJarJobServer if is_flink else SparkJarJobServer)(PipelineOptions(list(given)))
    try:
        url = server.path_to_jar()
    except Exception as error:
        raise RecipeError(f"--runner {runner}: {error}{how}") from error
    _check_fetched(runner, url, options["jar_cache_dir"] or JavaJarServer.JAR_CACHE, how)


def _check_fetched(runner: str, url: str, cache: str, how: str) -> None:
    """Raises RecipeError for a file that Beam would fetch, and that is not there to fetch."""
    if os.path.exists(url) or os.path.exists(os.path.join(cache, os.path.basename(url))):
        return
    if not url.startswith(("http://", "https://")):
        return
    request = urllib.request.Request(url, method="HEAD")
    error = within(lambda: urllib.request.urlopen(request, timeout=SECONDS).close())
    if error is not None:
        raise RecipeError(f"--runner {runner}: Beam would fetch {url}, which is not to be had ({error}){how}")


def _split(runner: str, option: str, address: str) -> tuple[str, int]:
    parts = urlsplit(address if "://" in address else f"//{address}")
    with contextlib.suppress(ValueError):
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        if parts.hostname and port:
            return parts.hostname, port
    raise RecipeError(f"--runner {runner}: --{option}={address}: expected HOST:PORT")


def _nobody(runner: str, option: str, address: str, error: Exception) -> RecipeError:
    return RecipeError(
        f"--runner {runner}: --{option}={address}: nobody answers there ({error}); start the server, "
        "or give the address that it listens at"
    )


def within(ask: Callable[[], object], seconds: float | None = None) -> Exception | None:
    """Return the error of a question, or one for a question without an answer in time (SECONDS by default): looking up
    a name has no limit of its own."""
    seconds = SECONDS if seconds is None else seconds
    errors: list[Exception] = [TimeoutError(f"no answer within {seconds:.0f} s")]

    def run() -> None:
        try:
            ask()
            errors.clear()
        except Exception as error:
            errors[:] = [error]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return errors[0] if errors else None
