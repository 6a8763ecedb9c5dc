"""Tasks on a Flink cluster: one batch job, engines/flink/Tasks.java, submitted through the cluster's REST interface.

The job knows numbers; what they stand for is in a *plan*, a file in DIR that the Python processes beside the operators
read (pipelines/harness.py). So DIR must be where client and task managers both see it: a shared folder or an object
store. This needs neither Beam's job server nor Java on the client.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from typing import Any

from massivetext import storage
from massivetext.errors import MassiveTextError, RecipeError

__all__ = ["RUNNER", "Cluster", "ClusterError", "read_plan"]

RUNNER = "flink"
"""Name of this runner; Beam's own, which needs its job server, is FlinkRunner."""

_ENDED = ("FINISHED", "FAILED", "CANCELED")
_ATTEMPTS = 3
_LOST = 60.0
"""Seconds for which a job manager may not answer before the job is taken for lost."""


class ClusterError(MassiveTextError):
    """A cluster that does not answer, or on which an exchange failed in every attempt."""


def read_plan(path: str) -> dict[str, Any]:
    """What the client wrote: `tasks`, and for an exchange the `phase` that receives."""
    return pickle.loads(storage.read_bytes(path))  # type: ignore[no-any-return]


class Cluster:
    """A session cluster, and the folder of DIR in which plans are left while their jobs run.

    options: --flink_master HOST:PORT of the REST interface; --flink_jar the job as engines/flink.sh builds it;
    --flink_python what starts Python on a task manager; --parallelism, by default all slots.
    """

    def __init__(self, options: Sequence[str], scratch: str) -> None:
        parser = argparse.ArgumentParser(exit_on_error=False, add_help=False, allow_abbrev=False)
        parser.add_argument("--flink_master", default="127.0.0.1:8081")
        parser.add_argument("--flink_jar")
        parser.add_argument("--flink_python", default=sys.executable)
        parser.add_argument("--parallelism", type=int)
        try:
            chosen, unknown = parser.parse_known_args(list(options))
        except argparse.ArgumentError as error:
            raise RecipeError(f"options after --: {error}") from error
        if unknown or not chosen.flink_jar:
            raise RecipeError(
                f"options after --: {' '.join(unknown) or 'no --flink_jar'}; the runner {RUNNER!r} takes "
                "--flink_jar, --flink_master, --flink_python and --parallelism"
            )
        if not os.path.exists(chosen.flink_jar):
            raise RecipeError(
                f"options after --: --flink_jar={chosen.flink_jar}: no such file; engines/flink.sh builds it"
            )
        self.url = f"http://{chosen.flink_master}"
        self.jar, self.python, self.parallelism = chosen.flink_jar, chosen.flink_python, chosen.parallelism
        self.scratch = scratch
        self._uploaded: str | None = None

    def run(self, tasks: Sequence[Any]) -> dict[int, str]:
        """Run tasks; returns what was said of those that were given up, by their number. Raises RuntimeError if the job
        fails as a whole."""
        return self._run("run", {"tasks": list(tasks)})

    def exchange(self, senders: Sequence[Any], phase: str) -> None:
        """Have steps send records, and the phase receive them by partition."""
        for attempt in range(_ATTEMPTS):
            try:
                self._run("exchange", {"tasks": list(senders), "phase": phase})
                return
            except RuntimeError as error:
                if attempt == _ATTEMPTS - 1:
                    raise ClusterError(f"the exchange {phase!r} failed {_ATTEMPTS} times: {error}") from error

    def _run(self, mode: str, plan: dict[str, Any]) -> dict[int, str]:
        path = storage.join(self.scratch, f"plan-{uuid.uuid4().hex}")
        try:
            self._clear()
            storage.write_bytes(path, pickle.dumps(plan))
            job = self._submit(path, mode, len(plan["tasks"]))
        except ConnectionError as error:
            raise ClusterError(f"{error}; start one (make flink-up), or name another in --flink_master") from error
        try:
            self._wait(job)
        except BaseException:
            self._uploaded = None  # a job manager that was started anew has no jars
            with contextlib.suppress(RuntimeError, ConnectionError):
                self._cancel(job)
            raise
        failures = {
            int(name.rpartition(".")[2]): storage.read_bytes(name).decode()
            for name in storage.list_files(self.scratch)
            if name.startswith(f"{path}.")
        }
        self._clear()
        return failures

    @property
    def _name(self) -> str:
        return f"massivetext {self.scratch}"

    def _clear(self) -> None:
        """End jobs on the same DIR that a client which was killed has left, and remove their plans."""
        for job in self.ask("/jobs/overview")["jobs"]:
            if job["name"] == self._name and job["state"] not in _ENDED:
                self._cancel(job["jid"])
        for path in storage.list_files(self.scratch):
            storage.remove(path)

    def _cancel(self, job: str) -> None:
        self.ask(f"/jobs/{job}?mode=cancel", method="PATCH")
        while self.ask(f"/jobs/{job}")["state"] not in _ENDED:
            time.sleep(0.2)

    def _submit(self, plan: str, mode: str, n: int) -> str:
        if self._uploaded is None:
            self._uploaded = self._upload()
        slots = self.ask("/overview")["slots-total"]
        arguments = [self._name, self.python, plan, mode, str(n)]
        body = {
            "entryClass": "Tasks",
            "programArgsList": arguments,
            "parallelism": self.parallelism or max(1, slots),
        }
        answer = self.ask(f"/jars/{self._uploaded}/run", json.dumps(body).encode(), method="POST")
        return str(answer["jobid"])

    def _upload(self) -> str:
        with open(self.jar, "rb") as stream:
            jar = stream.read()
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="jarfile"; filename="massivetext.jar"\r\n'
        body = (
            f"{head}Content-Type: application/java-archive\r\n\r\n".encode() + jar + f"\r\n--{boundary}--\r\n".encode()
        )
        answer = self.ask("/jars/upload", body, method="POST", kind=f"multipart/form-data; boundary={boundary}")
        return os.path.basename(answer["filename"])

    def _wait(self, job: str) -> None:
        answered = time.monotonic()
        while True:
            time.sleep(0.2)
            try:
                state = self.ask(f"/jobs/{job}")["state"]
            except ConnectionError as error:
                if time.monotonic() - answered > _LOST:
                    raise RuntimeError(str(error)) from error
                continue
            answered = time.monotonic()
            if state == "FINISHED":
                return
            if state in _ENDED:
                said = self.ask(f"/jobs/{job}/exceptions").get("root-exception") or state
                causes = [line for line in said.splitlines() if line.startswith("Caused by")]
                raise RuntimeError(f"Flink job {job}: {(causes or said.splitlines())[-1]}")

    def ask(self, path: str, body: bytes | None = None, *, method: str = "GET", kind: str = "application/json") -> Any:
        """The answer of the job manager. Raises ConnectionError if there is none, RuntimeError if it refuses."""
        request = urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace").replace("\\n", "\n").splitlines()
            raise RuntimeError(f"{self.url}{path}: {error.code}: {said[0][:500] if said else error.reason}") from error
        except (urllib.error.URLError, OSError) as error:
            raise ConnectionError(f"{self.url}: no Flink job manager answers there: {error}") from error
