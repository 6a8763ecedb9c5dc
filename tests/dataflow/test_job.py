"""The jobs that Dataflow would get, made by Beam's own client, and kept by a store on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("google.cloud.dataflow_v1beta3", reason="no client of Dataflow here: make test-dataflow has one")

from apache_beam.portability.api import beam_runner_api_pb2

from massivetext.dedup.phases import EXCHANGES
from tests.pipelines import gcs_server

BUCKET = "jobs"

# Credentials are the only thing that is not real here: there are none, and none are looked for.
PROGRAM = """
import google.auth
from google.auth.credentials import AnonymousCredentials
google.auth.default = lambda *_, **__: (AnonymousCredentials(), "some-project")

from massivetext.dedup.phases import Step
from pipelines import deduplicate, execution

options = (
    "--project=some-project", "--region=us-central1", "--temp_location=gs://jobs/tmp", "--no_auth",
    "--requirements_cache=skip", "--template_location=gs://jobs/{name}", "--staging_location=gs://jobs/{name}-staging",
)
where = execution.Execution("DataflowRunner", 4, options, 12 << 30)
"""

JOBS = {
    "tasks": "execution.engine_pipeline([f'gs://jobs/tasks-{n:05d}' for n in range(650)], where).run()",
    **{
        receiver: f"senders = [Step('gs://jobs/scope', {sender!r}, n) for n in range(4400)]\n"
        f"deduplicate.exchange_pipeline(senders, {receiver!r}, where).run()"
        for sender, receiver in EXCHANGES
    },
}
"""One job for each kind of pipeline: the tasks of a stage (here 166,000, as 10.5 TB have), and each exchange, with the
4,400 groups that they have."""


@pytest.fixture(scope="module")
def store():
    with gcs_server.running(BUCKET) as url:
        yield url


def staged(store: str, name: str) -> bytes:
    return gcs_server.ask(f"{store}/storage/v1/b/{BUCKET}/o/{name.replace('/', '%2F')}?alt=media")


@pytest.mark.parametrize("name", JOBS)
def test_a_pipeline_becomes_a_job_of_dataflow(store: str, tmp_path: Path, name: str) -> None:
    program = PROGRAM.replace("{name}", name) + JOBS[name]
    env = {**os.environ, "STORAGE_EMULATOR_HOST": store}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert 0 == done.returncode, done.stderr
    request = staged(store, name)
    job = json.loads(request)
    (pool,) = job["environment"]["workerPools"]
    packages = {package["name"]: package["location"] for package in pool["packages"]}
    folder = packages["requirements.txt"].partition(f"/{BUCKET}/")[2].rpartition("/")[0]
    pipeline = beam_runner_api_pb2.Pipeline()
    pipeline.ParseFromString(staged(store, f"{folder}/pipeline.pb"))
    urns = [transform.spec.urn for transform in pipeline.components.transforms.values()]
    (environment,) = pipeline.components.environments.values()

    assert "JOB_TYPE_BATCH" == job["type"]
    assert 1 == pool["numThreadsPerWorker"]
    (image,) = pool["sdkHarnessContainerImages"]
    assert f"beam_python{sys.version_info[0]}.{sys.version_info[1]}_sdk:2.77" in image["containerImage"]
    assert image["useSingleCorePerContainer"]
    assert str(12 << 30).encode() == environment.resource_hints["beam:resources:min_ram_bytes:v1"]
    assert {"requirements.txt", "extra_packages.txt"} <= packages.keys()
    assert 1 == sum(package.startswith("massivetext-") for package in packages)
    assert urns.count("beam:transform:group_by_key:v1") == (2 if name == "tasks" else 3)  # two spread the work
    assert len(request) + len(pipeline.SerializeToString()) < 1 << 20
