"""A tokenizer trained on the spot, and small mixtures with a manifest, as `massivetext mix` leaves them."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.parquet import ParquetOutput

WORDS = tuple(f"{a}{b}" for a in ("the", "of", "said", "was", "her") for b in ("", "se", "m", "ing", "re"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SentencePiece model of 400 pieces with byte fallback."""
    return _train(tmp_path_factory.mktemp("model") / "words.model")


@pytest.fixture(scope="session")
def model_without_bos(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _train(tmp_path_factory.mktemp("model") / "bare.model", bos_id=-1)


def _train(path: Path, **options: object) -> str:
    from sentencepiece import SentencePieceTrainer

    chosen = random.Random(0)
    texts = [" ".join(chosen.choices(WORDS, k=20)) + f" {i}" for i in range(500)]
    written = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=written,
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    path.write_bytes(written.getvalue())
    return str(path)


def words(n: int, seed: int) -> str:
    """n words and a number by which the document is known again."""
    return " ".join(random.Random(seed).choices(WORDS, k=n)) + f" {seed}"


Write = Callable[..., str]


@pytest.fixture
def write_mixture(tmp_path: Path) -> Write:
    """write(texts of each subset, weights, shards, rows a row group) -> the folder."""

    def write(
        texts: Mapping[str, Sequence[str]], weights: Mapping[str, float], *, shards: int = 3, rows: int = 50
    ) -> str:
        folder = str(tmp_path / "out" / "mixture" / "main")
        everything = [(name, text) for name, found in texts.items() for text in found]
        random.Random(1).shuffle(everything)
        files, tokens = {}, dict.fromkeys(texts, 0)
        for number in range(shards):
            name = f"shard-{number:05d}-of-{shards:05d}.parquet"
            mine = everything[number::shards]
            with ParquetOutput(storage.join(folder, name), DOCUMENT_SCHEMA, row_group_rows=rows) as output:
                for at in range(0, len(mine), rows):
                    output.write(_table(mine[at : at + rows], at))
            files[name] = output.summary
            for subset, text in mine:
                tokens[subset] += -(-len(text.encode()) // 4)
        manifest = {
            "kind": "mixture",
            "weights": dict(weights),
            "counts": {"rows": len(everything), "tokens": tokens},
            "files": files,
        }
        storage.write_bytes(storage.join(folder, "manifest.json"), json.dumps(manifest).encode())
        return str(tmp_path / "out")

    return write


def _table(rows: Sequence[tuple[str, str]], first: int) -> pa.Table:
    data = {
        "id": [str(first + i) for i in range(len(rows))],
        "text": [text for _, text in rows],
        "subset": [subset for subset, _ in rows],
        "source": ["test"] * len(rows),
        "n_bytes": [len(text.encode()) for _, text in rows],
        "n_tokens": [-(-len(text.encode()) // 4) for _, text in rows],
    }
    columns = [data.get(field.name, [None] * len(rows)) for field in DOCUMENT_SCHEMA]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, DOCUMENT_SCHEMA)], DOCUMENT_SCHEMA)
