"""The adapters and the shards in the frameworks themselves; `make test-loaders` installs these."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import massivetext
from massivetext.errors import OutputError
from massivetext.mixture import front_matter
from tests.loader.conftest import document

HOW = "is not installed here: `make test-loaders` runs this"


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason=f"torch {HOW}")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tokenizer of bytes and a few words."""
    trainer = pytest.importorskip("sentencepiece", reason=f"sentencepiece {HOW}").SentencePieceTrainer
    prefix = str(tmp_path_factory.mktemp("model") / "words")
    texts = [str(document("books", i, 20)["text"]) for i in range(200)]
    trainer.train(
        sentence_iterator=iter(texts),
        model_prefix=prefix,
        vocab_size=300,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return f"{prefix}.model"


def take(loader, n: int | None = None) -> list[str]:
    found = [item for _, item in zip(range(n or 1 << 60), loader)]
    return [name for item in found for name in ([item["id"]] if isinstance(item, dict) else item["id"].to_pylist())]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_torch_dataloader_gives_each_document_once(
    torch, out: str, ids: list[str], workers: int, batch_size: int | None
) -> None:
    from massivetext.loader.torch import TorchDataset

    dataset = TorchDataset(massivetext.load, out, batch_size=batch_size)
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers)

    assert ids == sorted(take(loader))


def test_ranks_and_workers_of_torch_share_the_documents(torch, out: str, ids: list[str]) -> None:
    from massivetext.loader.torch import TorchDataset, TorchLoader

    found = []
    for rank in range(2):
        dataset = TorchDataset(massivetext.load, out, rank=rank, world_size=2, subsets=["books", "c4", "wikipedia"])
        found += take(TorchLoader(dataset, num_workers=2))

    assert ids == sorted(found)


def test_a_torch_loader_goes_on_with_other_ranks_and_workers(torch, out: str, ids: list[str]) -> None:
    """What workers had read ahead when it stopped is not lost."""
    from massivetext.loader.torch import TorchDataset, TorchLoader

    chosen = random.Random(0)
    for _ in range(3):
        found: list[str] = []
        states: list[dict] = []
        for size, workers, n in ((1, 2, 30), (2, 2, 20), (3, 0, 20), (1, 2, None)):
            dealt = []
            for rank in range(size):
                loader = TorchLoader(
                    TorchDataset(massivetext.load, out, rank=rank, world_size=size, batch_size=4), num_workers=workers
                )
                if states:
                    loader.load_state_dict(states)
                found += take(loader, None if n is None else chosen.randint(0, n))
                dealt.append(json.loads(json.dumps(loader.state_dict())))
            states = dealt

        assert ids == sorted(found)


def test_a_torch_loader_gives_the_same_again(torch, out: str) -> None:
    from massivetext.loader.torch import TorchDataset, TorchLoader

    def loader() -> TorchLoader:
        return TorchLoader(TorchDataset(massivetext.load, out, epochs=None), num_workers=2)

    whole = take(loader(), 300)
    # Each worker gives an item in turn, and so it goes on after an even number.
    before = loader()
    first = take(before, 100)
    after = loader()
    after.load_state_dict(before.state_dict())

    assert whole == first + take(after, 200)
    with pytest.raises(OutputError, match="another seed"):
        TorchLoader(TorchDataset(massivetext.load, out, seed=1), num_workers=2).load_state_dict(before.state_dict())


def test_what_is_no_state_is_refused_by_a_torch_loader(torch, out: str) -> None:
    from massivetext.loader.torch import TorchDataset, TorchLoader

    loader = TorchLoader(TorchDataset(massivetext.load, out))

    for wrong in (None, "x", 5, {}, [None], {"readers": None}, {"readers": [5]}, {"readers": [{}]}):
        with pytest.raises(OutputError, match=r"^state.*; expected "):
            loader.load_state_dict(wrong)


def passes(loader: object, n: int) -> list[list[str]]:
    return [take(loader) for _ in range(n)]


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("kind", ["one loader", "a loader an epoch", "workers that persist"])
def test_epochs_the_usual_way(torch, out: str, ids: list[str], workers: int, kind: str) -> None:
    """for epoch in range(3): for batch in DataLoader(...): all rows each time, in another order."""
    from massivetext.loader.torch import TorchDataset

    dataset = TorchDataset(massivetext.load, out, seed=1, batch_size=8)
    options = {
        "batch_size": None,
        "num_workers": workers,
        "persistent_workers": kind.endswith("persist") and workers > 0,
    }
    loader = torch.utils.data.DataLoader(dataset, **options)
    given = []
    for _ in range(3):
        if kind == "a loader an epoch":
            torch.manual_seed(0)  # what tells passes apart is not the seed alone
            loader = torch.utils.data.DataLoader(dataset, **options)
        given.append(take(loader))

    assert [ids] * 3 == [sorted(one) for one in given]
    assert 3 == len({*map(tuple, given)})
    # An epoch that is chosen is the same again.
    dataset.set_epoch(1)
    if workers == 0:
        assert given[1] == take(loader)
    else:
        assert sorted(given[1]) == sorted(take(loader))


@pytest.mark.parametrize("workers", [0, 2])
def test_epochs_of_a_torch_loader(torch, out: str, ids: list[str], workers: int) -> None:
    from massivetext.loader.torch import TorchDataset, TorchLoader

    def loader() -> TorchLoader:
        return TorchLoader(TorchDataset(massivetext.load, out, batch_size=16), num_workers=workers)

    whole = loader()
    given = passes(whole, 3)
    assert [ids] * 3 == [sorted(one) for one in given]
    assert 3 == len({*map(tuple, given)})
    # Resumed in the middle of the second, and at its end.
    before = loader()
    assert given[0] == take(before)
    first = take(before, 6)
    after = loader()
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    after.set_epoch(1)
    assert sorted(given[1]) == sorted(first + take(after))
    last = loader()
    last.load_state_dict(json.loads(json.dumps(after.state_dict())))
    assert given[2] == take(last)
    assert 2 == last.epoch


def test_sequences_go_into_an_embedding(torch, model: str, out: str) -> None:
    from massivetext.loader.torch import TorchDataset

    dataset = TorchDataset(massivetext.sequences, out, tokenizer=model, length=32, batch_size=4)
    loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=1)
    first, second = (list(loader) for _ in range(2))

    assert torch.int32 == first[0].dtype
    assert (4, 32, 8) == tuple(torch.nn.Embedding(70_000, 8)(first[0]).shape)
    assert len(first) == len(second)
    assert not torch.equal(first[0], second[0])


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torchdata 0.11 with torch 2.15
@pytest.mark.parametrize("workers", [0, 2])
def test_torchdata_keeps_the_state_of_a_dataset(torch, out: str, workers: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader", reason=f"torchdata {HOW}")
    from massivetext.loader.torch import TorchDataset

    def loader():
        dataset = TorchDataset(massivetext.load, out)
        return stateful.StatefulDataLoader(dataset, batch_size=None, num_workers=workers)

    whole = take(loader())
    before = loader()
    first = take(before, 101)
    state = before.state_dict()
    after = loader()
    after.load_state_dict(state)

    assert whole == first + take(after)


def test_sequences_are_tensors_in_torch(torch, model: str, out: str) -> None:
    from massivetext.loader.torch import TorchDataset, TorchLoader

    options = {"tokenizer": model, "length": 32, "weights": {"c4": 1.0}, "epochs": 1}
    batches = list(TorchLoader(TorchDataset(massivetext.sequences, out, batch_size=4, **options), num_workers=2))

    assert {torch.Tensor} == set(map(type, batches))
    assert (4, 32) == tuple(batches[0].shape)
    given = sorted(row for batch in batches for row in batch.tolist())
    assert sorted(row.tolist() for row in massivetext.sequences(out, **options)) == given


def test_hugging_face_loads_the_shards_as_they_are(out: str, ids: list[str], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason=f"datasets {HOW}")

    (tmp_path / "main").mkdir()
    for path in Path(f"{out}/mixture/main").iterdir():
        (tmp_path / "main" / path.name).write_bytes(path.read_bytes())
    counts = json.loads((tmp_path / "main" / "manifest.json").read_text())
    (tmp_path / "main" / "README.md").write_text(front_matter("main", counts) + "# Card\n")
    as_it_is = datasets.load_dataset(str(tmp_path / "main"), split="train", cache_dir=str(tmp_path / "cache"))
    assert ids == sorted(as_it_is["id"])
    files = f"{out}/mixture/main/*.parquet"
    found = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    expected = next(massivetext.load(out, shuffle=0))

    assert ids == sorted(found["id"])
    pairs = [{"key": key, "value": value} for key, value in expected["metadata"].items()]
    assert {**expected, "metadata": pairs} == found[0]
    streamed = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    assert take(massivetext.load(out, shuffle=0)) == [row["id"] for row in streamed]
    assert found[0] == next(iter(streamed))


def test_grain_gives_each_document_once_and_goes_on(out: str, ids: list[str]) -> None:
    pytest.importorskip("grain", reason=f"grain {HOW}")
    from massivetext.loader.grain import GrainDataset

    dataset = GrainDataset(massivetext.load, out).map(lambda row: row["id"])
    whole = list(dataset)
    assert ids == sorted(whole)
    iterator = iter(dataset)
    first = [next(iterator) for _ in range(77)]
    after = iter(dataset)
    after.set_state(json.loads(json.dumps(iterator.get_state())))

    assert whole == first + list(after)


def test_grain_batches_and_shares_sequences(model: str, out: str) -> None:
    pytest.importorskip("grain", reason=f"grain {HOW}")
    from massivetext.loader.grain import GrainDataset

    options = {"tokenizer": model, "length": 32}
    batches = list(GrainDataset(massivetext.sequences, out, **options).batch(4, drop_remainder=True))

    expected = list(massivetext.sequences(out, **options, batch_size=4))
    assert (4, 32) == batches[0].shape
    assert all(np.array_equal(a, b) for a, b in zip(batches, expected))


def test_workers_of_grain_share_the_documents(out: str, ids: list[str]) -> None:
    pytest.importorskip("grain", reason=f"grain {HOW}")
    from massivetext.loader.grain import GrainDataset

    found = []
    for worker in range(3):
        dataset = GrainDataset(massivetext.load, out, rank=0, world_size=1)
        dataset.set_slice(slice(worker, None, 3))  # what mp_prefetch does in each of its processes
        found += [row["id"] for row in dataset]

    assert ids == sorted(found)


PROGRAM = """
import json, sys, grain, massivetext
from massivetext.loader.grain import GrainDataset

def main():
    dataset = GrainDataset(massivetext.load, sys.argv[1]).map(lambda row: row["id"])
    dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=2))
    iterator = iter(dataset)
    first = [next(iterator) for _ in range(33)]
    after = iter(dataset)
    after.set_state(iterator.get_state())
    iterator.close()
    print(json.dumps(first + list(after)))

if __name__ == "__main__":
    main()
"""


def test_processes_of_grain_go_on(out: str, ids: list[str], tmp_path: Path) -> None:
    pytest.importorskip("grain", reason=f"grain {HOW}")
    # A file, since the processes are spawned and import it.
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), out], capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr
    assert ids == sorted(json.loads(done.stdout))


def test_parquet_of_the_shards_is_read_by_row_groups(out: str) -> None:
    """What the frameworks rely on: several row groups a file, each with statistics of its rows."""
    file = pq.ParquetFile(f"{out}/mixture/main/shard-00000-of-00004.parquet")

    assert file.metadata.num_row_groups > 1
