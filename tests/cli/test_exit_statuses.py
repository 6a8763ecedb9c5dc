"""Exit statuses, as interfaces have them, through main() and its own way of ending."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = "from massivetext.cli import main; main()"
BROKEN = f"import pipelines.recipe as recipes; recipes.read = lambda *_: 1 / 0; {PROGRAM}"
# A shell that starts the tests in the background hands down that Ctrl-C is ignored.
ENDLESS = (
    "import signal, time, pipelines.recipe as recipes; signal.signal(signal.SIGINT, signal.default_int_handler); "
    f"recipes.read = lambda *_: (print('begun', flush=True), [time.sleep(0.05) for _ in range(1200)]); {PROGRAM}"
)


@pytest.mark.parametrize(
    ("status", "arguments", "said"),
    [
        (0, ["validate", "gopher", "--quiet"], "warning: subsets: none has sources"),
        (0, ["--version"], ""),
        (1, ["explain", "/nope", "3f"], "error: /nope: holds no ledger"),
        (1, ["inspect", "/nope"], "error: /nope: no such file or folder"),
        (2, ["validate", "/nope.yaml"], "error: /nope.yaml: no such recipe file"),
        (2, ["run", "gopher"], "Missing option '-o' / '--output'"),
        (2, ["run", "http://h/r.yaml", "-o", "out"], "Invalid value for 'RECIPE': http://h/r.yaml: no files can be"),
        (
            2,
            ["run", "gopher", "-o", "https://h/out"],
            "Invalid value for '-o' / '--output': https://h/out: no files can",
        ),
        (
            2,
            ["inspect", "foo://h/out"],
            "Invalid value for 'PATH': foo://h/out: no files can be read or written at foo://",
        ),
        (2, ["verify", "ftp://h/out"], "expected a local path, or a URL that begins with file://, s3://, gs://"),
        (2, ["report", "file://h/out"], "Invalid value for 'DIR': file://h/out: names the machine 'h'"),
        (
            2,
            ["inspect", "abfs://container/out"],
            "error: abfs://container/out: abfs:// URLs cannot be used here: Azure",
        ),
        (2, ["rum"], "no command 'rum'; did you mean 'run'"),
        (2, ["inspect", "out", "--rows", "-1"], "Invalid value for '--rows'"),
    ],
)
def test_done_at_fault_and_wrong(status: int, arguments: list[str], said: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)

    assert (status, True) == (done.returncode, said in done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_of_ours_is_3_and_says_where() -> None:
    command = [sys.executable, "-c", BROKEN, "validate", "gopher"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 3 == done.returncode
    assert "ZeroDivisionError" in done.stderr
    assert "please report it" in done.stderr


def test_interrupted_is_130() -> None:
    command = [sys.executable, "-c", ENDLESS, "validate", "gopher"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "begun\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert "interrupted; run the same command again to resume" in said
    assert "Traceback" not in said
