"""Ray: two nodes on this machine, a worker killed, a node taken away. `make test-engines` has Ray; else this skips."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from massivetext.dedup.phases import Step
from massivetext.errors import RecipeError
from pipelines.engines import Execution, check, open_engine
from pipelines.engines import ray as ray_engine
from pipelines.engines.engine import MOST_TASKS, shares
from pipelines.engines.ray import RayEngine
from pipelines.input_splits import find_parts
from pipelines.main import Outcome, run, run_stages
from pipelines.recipe import Recipe, read
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker, TaskError
from pipelines.transforms.run_steps import RunSteps
from tests.faults.test_isolation import HARM
from tests.pipelines.engines.conftest import NamedTask, attempts_of
from tests.pipelines.engines.test_graphs import digests
from tests.pipelines.reporter import Lines
from tests.pipelines.transforms.test_guard import write as harmful_corpus

# What Ray's own modules leave open when a cluster ends is not ours to mend.
pytestmark = pytest.mark.filterwarnings("default")

MISSING = "no Ray here: make test-engines has one"
SECONDS = 60.0


class Act(NamedTask):
    """A task that notes each attempt and the raylet above it, and does what its name says."""

    def __call__(self) -> None:
        worker, raylet = worker_and_raylet()
        self.note_attempt(str(raylet))
        attempt = len(attempts_of(Path(self.folder), self.name))
        if self.name.startswith("kills-always") or (self.name.startswith("kills-once") and attempt == 1):
            os.kill(worker, signal.SIGKILL)
            time.sleep(SECONDS)
        if self.name.startswith("raises"):
            raise ValueError("told to")
        if self.name.startswith("slow"):
            time.sleep(0.5)
        Marker("f").write(self.marker)


def worker_and_raylet() -> tuple[int, int]:
    """Return the Ray worker that this process descends from, and the raylet of its node, whose child the worker is."""
    child = os.getpid()
    while True:
        parent = int(Path(f"/proc/{child}/stat").read_text("ascii").rpartition(")")[2].split()[1])
        assert parent > 1, "no raylet above this process"
        if Path(f"/proc/{parent}/comm").read_text("ascii").strip() == "raylet":
            return child, parent
        child = parent


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two nodes with one processor each, which nobody else is connected to. Objects of over 100 bytes, as
    otherwise those of over 100 kB, lie in the object store of their node."""
    pytest.importorskip("ray", reason=MISSING)
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever else runs here stops them
    head: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    head["_system_config"] = {"max_direct_call_object_size": 100}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    try:
        add_node(nodes)
        yield nodes
    finally:
        nodes.shutdown()


def add_node(cluster: Any) -> None:
    cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    cluster.wait_for_nodes(timeout=SECONDS)


def engine_of(cluster: Any) -> RayEngine:
    execution = Execution("ray", beam_options=(f"--address={cluster.address}",))
    engine = open_engine(execution)
    assert isinstance(engine, RayEngine)
    return engine


def test_two_nodes_give_the_bytes_of_the_local_engine(
    tmp_path: Path, recipe: Recipe, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run(recipe, str(tmp_path / "local"), Execution(), Lines())
    folder = Folder(str(tmp_path / "ray"))
    folder.adopt(recipe, update=False)
    again = Outcome()
    exchange = ray_engine.exchange
    exchanges: list[str] = []
    files: list[Path] = []

    def watched(senders: Any, *others: Any) -> None:
        exchange(senders, *others)
        exchanges.append(senders[0].phase)
        files.extend(Path(senders[0].folder, senders[0].phase).glob("*"))

    monkeypatch.setattr(ray_engine, "exchange", watched)
    with engine_of(cluster) as engine:
        run_stages(recipe, folder, find_parts(recipe), engine, Lines(), again, "mix")

    assert outcome.counts == again.counts
    assert {"duplicate", "contaminated", "kept"} <= {name.split(" ")[0] for name in outcome.counts["c4"]}
    assert digests(tmp_path / "local") == digests(tmp_path / "ray")
    assert 2 == len(engine.tasks_by_node)
    assert engine.spent.processes > engine.spent.tasks > 0
    assert {"digests", "bands", "components"} == set(exchanges)
    assert [] == files


def test_documents_that_harm_their_process_cost_themselves_alone(tmp_path: Path, cluster: Any) -> None:
    harmful_corpus(tmp_path, "rules", HARM)
    recipe = read(str(tmp_path / "recipe.yaml"))
    local = run(recipe, str(tmp_path / "local"), Execution(), Lines())
    options = (f"--address={cluster.address}",)
    outcome = run(recipe, str(tmp_path / "ray"), Execution("ray", beam_options=options), Lines())

    assert local.counts == outcome.counts
    assert 3 == sum(sums[0] for name, sums in outcome.counts["massiveweb"].items() if name.startswith("failed"))
    assert digests(tmp_path / "local") == digests(tmp_path / "ray")


def test_both_nodes_are_busy_and_every_task_is_done_once(tmp_path: Path, cluster: Any) -> None:
    tasks = [Act(str(tmp_path), f"slow-{n}", n + 1) for n in range(16)]
    done: list[str] = []
    with engine_of(cluster) as engine:
        engine.run(RunSteps(), tasks, on_done=lambda task: done.append(task.marker))
    raylets = [attempts_of(tmp_path, task.name) for task in tasks]

    assert sorted(task.marker for task in tasks) == sorted(done)
    assert all(len(tried) == 1 for tried in raylets)
    assert 2 == len({tried[0] for tried in raylets})
    assert 16 == sum(engine.tasks_by_node.values())
    assert min(engine.tasks_by_node.values()) >= 4


def test_a_worker_that_is_killed_is_replaced_and_what_it_has_done_is_not_done_again(
    tmp_path: Path, cluster: Any
) -> None:
    names = ["a", "kills-once", *(f"t{n}" for n in range(20))]
    with engine_of(cluster) as engine:
        engine.run(RunSteps(), [Act(str(tmp_path), name) for name in names])
    tried = {name: len(attempts_of(tmp_path, name)) for name in names}

    assert all((tmp_path / f"{name}.json").exists() for name in names)
    assert 2 == tried.pop("kills-once")
    assert {1} == set(tried.values())


def test_a_task_that_ends_every_worker_ends_the_run_and_no_other_task(tmp_path: Path, cluster: Any) -> None:
    names = ["kills-always", "raises", *(f"t{n}" for n in range(20))]
    with pytest.raises(TaskError) as raised, engine_of(cluster) as engine:
        engine.run(RunSteps(), [Act(str(tmp_path), name) for name in names])
    text = str(raised.value)

    assert "what is done stays done" in text
    assert "ValueError: told to" in text
    assert "kills-always.json" in text
    assert 3 == len(attempts_of(tmp_path, "kills-always")) == len(attempts_of(tmp_path, "raises"))
    assert not (tmp_path / "kills-always.json").exists()


def test_a_node_that_is_taken_away_loses_no_task(tmp_path: Path, cluster: Any) -> None:
    (node,) = cluster.worker_nodes
    raylet = str(node.all_processes["raylet"][0].process.pid)
    tasks = [Act(str(tmp_path), f"slow-{n}") for n in range(12)]

    def take_away() -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if any(raylet in attempts_of(tmp_path, task.name) for task in tasks):
                cluster.remove_node(node, allow_graceful=False)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=take_away)
    with engine_of(cluster) as engine:
        thread.start()
        engine.run(RunSteps(), tasks)
        thread.join()

    assert [] == list(cluster.worker_nodes)
    add_node(cluster)  # for the tests that come after this one
    assert all((tmp_path / f"{task.name}.json").exists() for task in tasks)
    assert any(raylet in attempts_of(tmp_path, task.name) for task in tasks)


def test_arrays_that_are_lost_with_their_node_are_sent_again(
    tmp_path: Path, recipe: Recipe, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason=MISSING)
    from pipelines.engines import ray_exchange

    attempt, finish = ray_exchange._exchange, ray_exchange._finish
    attempts_made: list[str] = []
    lost: list[Any] = []

    def noted(senders: Any, *others: Any) -> None:
        attempts_made.append(senders[0].phase)
        attempt(senders, *others)

    def lose_the_node(*others: Any) -> None:
        finish(*others)
        if not lost:  # all is sent and nothing received
            lost.extend(cluster.worker_nodes)
            cluster.remove_node(lost[0], allow_graceful=False)
            add_node(cluster)

    run(recipe, str(tmp_path / "local"), Execution(), Lines())
    monkeypatch.setattr(ray_exchange, "_exchange", noted)
    monkeypatch.setattr(ray_exchange, "_finish", lose_the_node)
    ray.init(cluster.address)
    try:
        # The head's only processor is taken, so that all is done and lies on the other node.
        head = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(cluster.head_node.node_id, soft=False)
        holder = ray.remote(num_cpus=1, scheduling_strategy=head)(Holder).remote()
        ray.get(holder.is_there.remote(), timeout=SECONDS)
        options = (f"--address={cluster.address}",)
        run(recipe, str(tmp_path / "ray"), Execution("ray", beam_options=options), Lines())
    finally:
        ray.shutdown()

    assert 1 == len(lost)
    assert attempts_made[0] == attempts_made[1] != attempts_made[2]
    assert digests(tmp_path / "local") == digests(tmp_path / "ray")


class Holder:
    """Takes a processor, and does nothing."""

    def is_there(self) -> bool:
        return True


def test_a_step_that_fails_each_time_ends_the_exchange_with_its_words(tmp_path: Path, cluster: Any) -> None:
    steps = [Step(str(tmp_path / "nowhere"), phase, 0) for phase in ("digests", "collapse")]
    with pytest.raises(TaskError, match=r"on ray, 3 times: .*nowhere"), engine_of(cluster) as engine:
        engine.exchange(steps[:1], steps[1:], on_done=lambda step: None)


def test_a_cluster_of_its_own_is_started_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason=MISSING)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with open_engine(Execution("ray", workers=1)) as engine:
        assert 1 == ray.cluster_resources()["CPU"]
        engine.run(RunSteps(), [Act(str(tmp_path), "t")])

    assert (tmp_path / "t.json").exists()
    assert not ray.is_initialized()


def test_a_server_that_is_no_cluster_is_refused_in_time(tmp_path: Path, recipe: Recipe) -> None:
    pytest.importorskip("ray", reason=MISSING)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(RecipeError, match=rf"{address}: what listens there does not answer as .* within 3 s"):
            check(recipe, str(tmp_path / "out"), Execution("ray", beam_options=(f"--address={address}",)))

    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_refused_with_the_remedy(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.engines.ray.ray", None)
    with pytest.raises(RecipeError, match=r"needs Ray; pip install 'massivetext\[ray\]'") as raised:
        run(recipe, str(tmp_path / "out"), Execution("ray"), Lines())

    assert 2 == raised.value.exit_status
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--adress=127.0.0.1:6379", "expected --address=HOST:PORT"),
        ("--address", "expected --address=HOST:PORT"),
        ("--address=ray://127.0.0.1:10001", "on a machine of the cluster"),
        ("--address=127.0.0.1:9", "nobody answers there"),
    ],
)
def test_options_that_the_engine_does_not_have_are_refused(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, option: str, message: str
) -> None:
    monkeypatch.setattr("pipelines.engines.ray.ray", object())
    with pytest.raises(RecipeError, match=message):
        check(recipe, str(tmp_path / "out"), Execution("ray", beam_options=(option,)))


@pytest.mark.parametrize(
    ("n", "width", "sizes"),
    [
        (0, 2, []),
        (1, 2, [1]),
        (16, 2, [2, *[1] * 14]),
        (17, 1, [4, 3, 2, 2, *[1] * 6]),
        (4 * MOST_TASKS * 1 + 3, 1, None),
    ],
)
def test_shares_are_large_first_and_never_over_the_limit(n: int, width: int, sizes: list[int] | None) -> None:
    tasks = [Act("f", f"t{i:04d}", i) for i in range(n)]
    divided = list(shares(tasks, width))

    assert sorted(tasks, key=lambda task: -task.weight) == [task for share in divided for task in share]
    assert all(0 < len(share) <= MOST_TASKS for share in divided)
    assert [len(share) for share in divided] == sorted((len(share) for share in divided), reverse=True)
    if sizes is not None:
        assert sizes == [len(share) for share in divided]
    elif n:
        assert MOST_TASKS == len(divided[0])
