"""The four jobs that Dataflow would get, made by Beam's own client without network, and read back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.cloud.dataflow_v1beta3", reason="no client of Dataflow here: make test-dataflow has one")

from apache_beam.portability.api import beam_runner_api_pb2

MEMORY = 12 << 30
FILES = 650
"""Files of tasks of a stage with 166,000 parts, which 10.5 TB have."""

# What needs the network is replaced: credentials, of which there are none, and the store, which is a folder.
PROGRAM = """
import pathlib, sys

import google.auth
from apache_beam.io.gcp.gcsio import GcsIO
from apache_beam.runners.dataflow.internal import apiclient
from google.auth.credentials import AnonymousCredentials

from massivetext import storage
from pipelines.curate import Curate
from pipelines.decontaminate import Decontaminate
from pipelines.engines.beam_runner import deduplication_graph, graph_of, options_of
from pipelines.mix import WriteShards
from pipelines.recipe import read
from pipelines.run_folder.folder import Folder

here = pathlib.Path(sys.argv[1])

def stage_file(self, to_folder, name, stream, *_, **__):
    path = here / to_folder.removeprefix("gs://") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.read())

google.auth.default = lambda *_, **__: (AnonymousCredentials(), "some-project")
apiclient.DataflowApplicationClient.stage_file = stage_file
GcsIO.is_soft_delete_enabled = lambda *_: False

recipe, folder = read(str(here / "recipe.yaml")), Folder("gs://jobs/out")
storage.exists = lambda path: False
files = [folder.path(f"work/tasks-{n:05d}") for n in range(int(sys.argv[2]))]

def options(name):
    arguments = ("--project=some-project", "--region=us-central1", "--temp_location=gs://jobs/tmp", "--no_auth",
                 "--requirements_cache=skip", f"--template_location=gs://jobs/{name}", f"--staging_location=gs://jobs/{name}-files")
    return options_of("DataflowRunner", arguments, int(sys.argv[3]))

graph_of(Curate(folder, recipe), files, options("curate")).run()
deduplication_graph([folder.path(f"work/scopes/{n}") for n in range(9)], options("deduplicate")).run()
graph_of(Decontaminate(folder, recipe), files, options("decontaminate")).run()
graph_of(WriteShards(), files, options("mix")).run()
"""

RECIPE = """\
extends: gopher
subsets:
  massiveweb: {sources: [{format: warc, path: 'gs://jobs/in/*.warc.gz'}]}
  c4: {sources: [{format: jsonl, path: 'gs://jobs/in/*.jsonl'}]}
mixture: {weights: {massiveweb: 0.5, c4: 0.5}}
"""

STEPS = {
    "curate": [
        *("ReadDocuments", "Extract", "RewriteText", "CountTokens", "IdentifyLanguage", "ScoreSafety", "MeasureText"),
        *("ScoreDocuments", "FindTestItems", "Judge", "WriteParts"),
    ],
    "deduplicate": ["Newest", "Collapse", "Edges", "Roots", "Pack", "Sets", "Decide", "Resolve", "Write"],
    "decontaminate": ["Decontaminate"],
    "mix": ["WriteShards"],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the client has staged of all four jobs."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "recipe.yaml").write_text(RECIPE, "utf-8")
    command = [sys.executable, "-c", PROGRAM, str(folder), str(FILES), str(MEMORY)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    assert 0 == done.returncode, done.stderr
    return folder / "jobs"


def request(store: Path, name: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((store / name).read_text("utf-8"))
    return job


def graph(store: Path, name: str) -> Any:
    (path,) = (store / f"{name}-files").rglob("pipeline.pb")
    pipeline = beam_runner_api_pb2.Pipeline()
    pipeline.ParseFromString(path.read_bytes())
    return pipeline


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_named_after_the_transforms(store: Path, name: str) -> None:
    names = {part for one in graph(store, name).components.transforms.values() for part in one.unique_name.split("/")}

    assert [step for step in STEPS[name] if step not in names] == []


@pytest.mark.parametrize("name", STEPS)
def test_every_step_has_the_hint_of_memory(store: Path, name: str) -> None:
    pipeline = graph(store, name)
    hints = {
        key: environment.resource_hints["beam:resources:min_ram_bytes:v1"]
        for key, environment in pipeline.components.environments.items()
    }
    used = {
        one.environment_id
        for one in pipeline.components.transforms.values()
        if one.spec.urn == "beam:transform:pardo:v1"
    }

    assert used
    assert {str(MEMORY).encode()} == {hints[key] for key in used}


@pytest.mark.parametrize("name", STEPS)
def test_no_element_and_no_request_is_over_a_megabyte(store: Path, name: str) -> None:
    pipeline = graph(store, name)
    payloads = [len(one.spec.payload) for one in pipeline.components.transforms.values()]

    assert 0 < max(payloads) < 1_000_000
    assert len((store / name).read_bytes()) + pipeline.ByteSize() < 10_000_000


@pytest.mark.parametrize("name", STEPS)
def test_workers_get_the_package_and_one_task_a_process(store: Path, name: str) -> None:
    job = request(store, name)
    (pool,) = job["environment"]["workerPools"]
    packages = {package["name"] for package in pool["packages"]}
    (image,) = pool["sdkHarnessContainerImages"]

    assert "JOB_TYPE_BATCH" == job["type"]
    assert 1 == pool["numThreadsPerWorker"]
    assert f"beam_python{sys.version_info[0]}.{sys.version_info[1]}_sdk:2.77" in image["containerImage"]
    assert image["useSingleCorePerContainer"]
    assert {"requirements.txt", "extra_packages.txt"} <= packages
    assert 1 == sum(package.startswith("massivetext-") for package in packages)
