"""Training a tokenizer: the sample's weights, a model that loses nothing, and what cannot be learnt."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from sentencepiece import SentencePieceProcessor

from massivetext.cli.tokenizer import tokenizer
from massivetext.errors import LimitError, RecipeError
from massivetext.packing import sequences
from massivetext.packing.documents import open_mixture
from massivetext.packing.training import _sentences, sample, train_tokenizer
from massivetext.tokenizers import read_tokenizer
from tests.packing.conftest import Write, words

HOSTILE = ' a  b\n\n\tdef f(x):\n\t\treturn "é漢😀"\r\n \0 x\u00a0y \u200b'


@pytest.fixture
def folder(write_mixture: Write) -> str:
    texts = {
        "books": [words(100, i) for i in range(200)],
        "code": [f"def f{i}(x):\n    return x + {i}\n" for i in range(500)],
    }
    return write_mixture(texts, {"books": 0.25, "code": 0.75})


def test_a_model_loses_nothing_and_has_bos_and_eos(folder: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.model")
    found = train_tokenizer(folder, output=path, vocabulary=500)

    pieces = SentencePieceProcessor(model_file=path)
    assert (500, 1, 2) == (pieces.get_piece_size(), pieces.bos_id(), pieces.eos_id())
    assert pieces.decode(pieces.encode(HOSTILE)) == HOSTILE
    assert pieces.is_byte(pieces.encode("漢")[-1])
    assert found["bytes_a_token"]["books"] > 2
    assert len(list(sequences(folder, tokenizer=path, length=16))) > 100


def test_the_same_seed_gives_the_same_model(folder: str, tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train_tokenizer(folder, output=str(tmp_path / name), vocabulary=400, sample_bytes=20_000, seed=seed)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())

    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_the_sample_has_the_bytes_asked_for(folder: str) -> None:
    mixture = open_mixture(folder)

    texts = list(sample(mixture, "books", 50_000, seed=0))

    assert 50_000 <= sum(map(len, texts)) < 50_000 + len(texts[-1])
    assert len({*texts}) == len(texts)
    # More than there is: all again, none left out.
    everything = sum(len(words(100, i)) for i in range(200))
    again = list(sample(mixture, "books", everything + 1000, seed=0))
    assert len({*again}) == 200
    assert len(again) > 200


def test_sentences_are_short_and_hold_all() -> None:
    texts = [b"x" * 10_000, "é漢😀\n".encode() * 2000, b"", b"a\nb\n", b"a\0b"]

    found = list(_sentences(iter(texts)))

    assert "".join(found).encode() == b"".join(texts).replace(b"\0", b" ")
    assert max(len(sentence.encode()) for sentence in found) <= 4096


def test_what_cannot_be_learnt_is_said(folder: str, tmp_path: Path) -> None:
    with pytest.raises(LimitError, match="32000 pieces cannot be learnt from"):
        train_tokenizer(folder, output=str(tmp_path / "a"))
    with pytest.raises(RecipeError, match="of which 256 are bytes"):
        train_tokenizer(folder, output=str(tmp_path / "a"), vocabulary=100)
    assert not (tmp_path / "a").exists()


def test_the_command(folder: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.model")

    result = CliRunner().invoke(
        tokenizer, ["train", folder, "--output", path, "--vocabulary", "450"], catch_exceptions=False
    )

    assert result.exit_code == 0
    assert f"450 pieces in {path}" in result.output
    assert read_tokenizer(path).vocabulary == 450
