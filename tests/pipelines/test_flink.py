"""What the runner `flink` does beside the cluster: its options, and the Python processes that operators talk to."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from massivetext.dedup.phases import Step
from massivetext.errors import RecipeError
from pipelines.deduplicate import run_scope
from pipelines.execution import Execution, Workers
from pipelines.flink import Cluster, ClusterError
from tests.dedup.corpus import ids_of, removed, scope_of, write_part
from tests.pipelines.flink_tasks import Fails, Writes


def harness(plan: Path, mode: str, said: bytes) -> bytes:
    command = [sys.executable, "-m", "pipelines.harness", str(plan), mode]
    return subprocess.run(command, input=said, capture_output=True, check=True).stdout


def test_options_that_are_wrong_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no --flink_jar"):
        Cluster((), "")
    with pytest.raises(RecipeError, match=r"absent\.jar: no such file"):
        Cluster((f"--flink_jar={tmp_path / 'absent.jar'}",), "")
    with pytest.raises(RecipeError, match="--jobs=3"):
        Cluster(("--flink_jar=a.jar", "--jobs=3"), "")
    with pytest.raises(RecipeError, match="--parallelism: invalid int value: 'many'"):
        Cluster(("--flink_jar=a.jar", "--parallelism=many"), "")


def test_a_cluster_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.jar").touch()
    options = (f"--flink_jar={tmp_path / 'a.jar'}", "--flink_master=127.0.0.1:1")
    with (
        Workers(Execution("flink", beam_options=options), str(tmp_path / "scratch")) as workers,
        pytest.raises(ClusterError, match=r"http://127\.0\.0\.1:1: no Flink job manager answers there"),
    ):
        workers.run([Writes(str(tmp_path / "a"), 1)])


def test_tasks_are_settled_one_after_the_other(tmp_path: Path) -> None:
    tasks = [Writes(str(tmp_path / "a"), 1), Fails(str(tmp_path / "b"), 1), Writes(str(tmp_path / "c"), 1)]
    (tmp_path / "c").write_text("of an earlier attempt")
    plan = tmp_path / "plan"
    plan.write_bytes(pickle.dumps({"tasks": tasks}))

    assert struct.pack(">3i", 0, 0, 0) == harness(plan, "run", struct.pack(">3q", 2, 1, 0))
    assert "done" == (tmp_path / "a").read_text()
    assert "of an earlier attempt" == (tmp_path / "c").read_text()
    assert (tmp_path / "plan.1").read_text().startswith("ValueError: not this one (flink_tasks.py:")
    assert not (tmp_path / "plan.0").exists()


class Carrier:
    """In the place of a cluster: carries between harness processes what Flink would, largest partition first."""

    def __init__(self, folder: Path) -> None:
        self.plan = folder / "plan"
        self.n_carried = 0

    def exchange(self, senders: list[Step], phase: str) -> None:
        self.plan.write_bytes(pickle.dumps({"tasks": senders, "phase": phase}))
        sent: dict[int, bytes] = {}
        stream = io.BytesIO(harness(self.plan, "send", struct.pack(f">{len(senders)}q", *range(len(senders)))))
        while head := stream.read(4):
            (partition,) = struct.unpack(">i", head)
            if partition >= 0:
                length = stream.read(4)
                sent[partition] = length + stream.read(*struct.unpack(">i", length)) + sent.get(partition, b"")
        said = [struct.pack(">i", key) + sent[key] + struct.pack(">i", -1) for key in sorted(sent, reverse=True)]

        assert bytes(4 * len(sent)) == harness(self.plan, "receive", b"".join(said))
        self.n_carried += len(sent)


def test_what_processes_send_others_receive(tmp_path: Path) -> None:
    texts = [" ".join(f"w{(i * 7 + k * k) % 900}" for k in range(60)) for i in range(90)]
    texts += [f"{text} more" for text in texts[:40]] + texts[:20]
    found = {}
    for name in ("here", "carried"):
        folder = tmp_path / name
        parts = [write_part(folder, f"part-{n}", texts[n::3], ids_of(150)[n::3]) for n in range(3)]
        scope = scope_of(folder, parts)
        with Workers(Execution()) as workers:
            if name == "carried":
                workers.cluster = carrier = Carrier(folder)  # type: ignore[assignment]
            run_scope(scope, workers, through_engine=name == "carried")
        found[name] = removed(folder)

    assert found["here"] == found["carried"]
    assert 60 == len(found["here"])
    assert carrier.n_carried >= 3
