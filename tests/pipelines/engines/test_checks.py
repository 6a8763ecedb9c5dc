"""What a run refuses before anything is written: runners, options, packages and servers, each within seconds."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from massivetext import warm_up
from massivetext.cli import commands
from massivetext.errors import RecipeError
from pipelines.engines import Execution, check, checks
from pipelines.recipe import Recipe

JAVA = "--job_server_java_launcher=true"
DEAD = "127.0.0.1:9"
EXTERNAL = ("--job_endpoint=embed", "--environment_type=EXTERNAL")


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The most seconds that each question to a server may take, noted when it is asked; none may be without an end."""
    seconds_of_questions: list[float] = []
    within, ready = checks.within, checks.grpc.channel_ready_future

    def note(ask: Callable[[], object], seconds: float | None = None) -> Exception | None:
        seconds_of_questions.append(checks.SECONDS if seconds is None else seconds)
        return within(ask, seconds)

    class Ready:
        def __init__(self, channel: Any) -> None:
            self.future = ready(channel)

        def result(self, seconds: float) -> None:
            seconds_of_questions.append(seconds)
            self.future.result(seconds)

        def cancel(self) -> None:
            self.future.cancel()

    monkeypatch.setattr(checks, "within", note)
    monkeypatch.setattr(checks.grpc, "channel_ready_future", Ready)
    return seconds_of_questions


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        ("FlinkRuner", (), "no such engine; did you mean 'FlinkRunner'?"),
        ("nowhere", (), "no such engine; expected one of FnApiRunner"),
        ("DaskRunner", (), "no such engine"),
        ("PortableRunner", (), "--job_endpoint=HOST:PORT is missing"),
        ("PortableRunner", ("--job_endpont=localhost:8099",), "Beam has no such option; did you mean --job_endpoint?"),
        ("PortableRunner", (f"--job_endpoint={DEAD}",), f"--job_endpoint={DEAD}: nobody answers there"),
        ("PortableRunner", ("--job_endpoint", DEAD), f"--job_endpoint={DEAD}: nobody answers there"),
        ("PortableRunner", ("--job_endpoint=localhost",), "--job_endpoint=localhost: expected HOST:PORT"),
        ("PortableRunner", ("--job_endpoint=localhost:99999",), "expected HOST:PORT"),
        ("PortableRunner", EXTERNAL, "external_service_address"),
        (
            "PortableRunner",
            (*EXTERNAL, f"--environment_config={DEAD}"),
            f"--environment_config={DEAD}: nobody answers there",
        ),
        (
            "PortableRunner",
            (*EXTERNAL, f"--environment_option=external_service_address={DEAD}"),
            "nobody answers there",
        ),
        (
            "PortableRunner",
            (*EXTERNAL, '--environment_config={"uri": "x:1"}'),
            'expected HOST:PORT of a pool of workers, or {"url": "HOST:PORT"}',
        ),
        ("PrismRunner", ("--prism_location=/none/prism",), "--prism_location=/none/prism: no such file; build it"),
        ("PrismRunner", ("--prism_location=/",), "is a folder"),
        ("PrismRunner", ("--prism_location=https://example.org/prism",), "not an Apache Beam Github Release"),
        ("PrismRunner", (f"--job_endpoint={DEAD}",), "nobody answers there"),
        ("FlinkRunner", (f"--flink_master={DEAD}",), f"--flink_master={DEAD}: nobody answers there"),
        ("FlinkRunner", (f"--flink_master=http://{DEAD}",), "nobody answers there"),
        ("FlinkRunner", ("--flink_master=localhost:9",), "--flink_master=localhost:9: nobody answers there"),
        ("FlinkRunner", ("--flink_version=1.2",), "options after --: argument --flink_version: invalid choice"),
        ("FlinkRunner", ("--job_server_java_launcher=no-java",), "needs 'no-java', which is not here"),
        ("FlinkRunner", (JAVA, "--flink_job_server_jar=none.jar"), "Unable to parse jar URL"),
        ("SparkRunner", (f"--spark_master_url=spark://{DEAD}",), "nobody answers there"),
        ("SparkRunner", ("--spark_submit_uber_jar",), "--spark_rest_url=http://HOST:PORT is missing"),
        ("DataflowRunner", ("--projct=p",), "did you mean --project?"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_begin_is_refused_before_anything_is_written_or_compiled(
    tmp_path: Path,
    recipe: Recipe,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    runner: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    output = tmp_path / "out"
    compiled: list[object] = []
    monkeypatch.setattr(warm_up, "run_jobs", lambda *jobs, **options: compiled.append(jobs))
    arguments = ["run", str(tmp_path / "recipe.yaml"), "--output", str(output), "--runner", runner, "--", *options]
    result = CliRunner().invoke(commands, arguments)

    assert sum(waits) < 10
    assert isinstance(result.exception, RecipeError)
    assert 2 == result.exception.exit_status
    assert message in str(result.exception)
    assert not output.exists()
    assert [] == compiled


@pytest.mark.parametrize("option", ["--job_endpoint={}", "--environment_type=EXTERNAL --environment_config={}"])
def test_a_server_that_is_not_beams_is_refused_in_time(
    recipe: Recipe, silent: str, waits: list[float], option: str
) -> None:
    options = ("--job_endpoint=embed", *option.format(silent).split())
    with pytest.raises(RecipeError, match="does not answer as a gRPC server"):
        check(recipe, "out", Execution("PortableRunner", beam_options=options))

    assert 0 < sum(waits) < 10


@pytest.mark.parametrize(
    ("runner", "options", "remedy"),
    [
        ("PrismRunner", (), "go install github.com/apache/beam"),
        ("FlinkRunner", (JAVA,), "--flink_job_server_jar=PATH"),
        ("SparkRunner", (JAVA,), "--spark_job_server_jar=PATH"),
    ],
)
def test_what_beam_would_fetch_in_vain_is_named_with_the_remedy(
    tmp_path: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    runner: str,
    options: tuple[str, ...],
    remedy: str,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", fails)
    monkeypatch.setattr(checks.PrismJobServer, "BIN_CACHE", str(tmp_path))
    monkeypatch.setattr(checks.JavaJarServer, "JAR_CACHE", str(tmp_path))
    with pytest.raises(RecipeError, match=r"Beam would fetch https://.*no route") as raised:
        check(recipe, "out", Execution(runner, beam_options=options))

    assert remedy in str(raised.value)


def test_options_that_are_right_pass(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "prism").touch()
    for runner, options in (
        ("PrismRunner", (f"--prism_location={tmp_path}/prism",)),
        # The name of an image with a tag is no address.
        ("PortableRunner", ("--job_endpoint=embed", "--environment_type=DOCKER", "--environment_config=image:2")),
        ("PortableRunner", ("--job_endpoint=embed", "--an_option_of_the_runner=2")),
    ):
        check(recipe, "out", Execution(runner, beam_options=options))


def test_a_question_without_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SECONDS", 0.05)

    assert isinstance(checks.within(lambda: time.sleep(60)), TimeoutError)
    assert checks.within(lambda: None) is None
