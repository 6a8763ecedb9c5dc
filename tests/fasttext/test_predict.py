"""Inference against the library: labels equal, scores within 1e-5, for packaged models and one of every kind."""

import contextlib
import gzip
import json
import os
import random
from pathlib import Path

import fasttext as library
import numpy as np
import pyarrow as pa
import pytest

from filters import classifier, language
from massivetext import fasttext
from massivetext.fasttext import kernels, rows
from massivetext.fasttext.model import CACHE_LINE

KINDS = {
    "softmax": {"loss": "softmax"},
    "negative sampling": {"loss": "ns"},
    "one versus all": {"loss": "ova"},
    "hierarchical": {"loss": "hs"},
    "no n-grams": {"loss": "softmax", "maxn": 0, "minn": 0},
    "words only, runs of words": {"loss": "softmax", "maxn": 0, "minn": 0, "wordNgrams": 3},
    "runs of words": {"loss": "ova", "wordNgrams": 2},
    "one character": {"loss": "hs", "minn": 1, "maxn": 3},
    "two characters": {"loss": "softmax", "minn": 2, "maxn": 2},
    "long n-grams": {"loss": "softmax", "minn": 5, "maxn": 9},
    "odd buckets": {"loss": "softmax", "bucket": 9973},
}
QUANTISED = {
    "pruned": {"cutoff": 300},
    "all rows": {"cutoff": 0},
    "norms": {"cutoff": 300, "qnorm": True},
    "narrow last part": {"cutoff": 300, "dsub": 4},
}
HOSTILE = [
    "",
    " ",
    "a </s> b",
    "</s>",
    "</sx>",
    "__label__b alpha",
    "__label__unknown alpha",
    "__labe",
    "alpha\0beta",
    "alpha\x0bbeta\x0cgamma\rdelta\teta",
    "<alpha>",
    "<",
    ">",
    "x" * 5000,
    "y" * (kernels.SLICE - 2) + " " + "z" * (kernels.SLICE - 1),
    "qé eq éq q e qzqzqzé",
    "é" * 5000 + " alpha",
    "字" * 1023 + " " + "字" * 1025,
    "\U0001f600" * 300,
    "e" + "\u0301" * 700,
    "\u200f\u202e alpha",
    *("alpha qé " * (kernels.WORDS // 2) + rest for rest in ("", "beta", "unknown", " </s> eta", "__label__b alpha")),
    "alpha " * (kernels.WORDS - 1) + "unknown beta",
    "unknown " * (2 * kernels.WORDS) + " \t",
]


def agree(path, model, texts, k):
    """Compare with the library; a label may differ only where its score is that of the one the library names."""
    ids, scores = fasttext.predict(pa.array(texts, pa.string()), model, k)
    labels, values = library.load_model(str(path)).predict([text.replace("\n", " ") for text in texts], k=k)
    for i, text in enumerate(texts):
        count = len(labels[i])
        assert count == (ids[i] >= 0).sum(), text
        assert [name.removeprefix("__label__") for name in labels[i]] == [model.labels[j] for j in ids[i, :count]], text
        np.testing.assert_allclose(np.asarray(values[i]), scores[i, :count], rtol=0, atol=1e-5)


def noise(seed, count=60):
    chance = random.Random(seed)
    alphabet = [
        "alpha",
        "beta",
        "gamma",
        "eta",
        "é",
        "字",
        "\U0001f600",
        " ",
        "  ",
        "\t",
        "q",
        "zq",
        "\u0301",
        "<",
        "'",
    ]
    return ["".join(chance.choice(alphabet) for _ in range(chance.randrange(200))) for _ in range(count)]


@pytest.fixture(scope="module")
def training_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("training") / "lines.txt"
    chance = random.Random(0)
    words = {
        "a": ["alpha", "beta", "été", "字字"],
        "b": ["gamma", "delta", "zq"],
        "c": ["eta", "theta", "iota", "kappa"],
        "d": ["q"],
    }
    lines = []
    for i in range(1500):
        label = "abcd"[min(3, i % 7)]
        names = [chance.choice(words[label] if chance.random() < 0.8 else words["a"]) for _ in range(6)]
        names = [name + str(chance.randrange(60)) if chance.random() < 0.3 else name for name in names]
        lines.append(f"__label__{label} {' '.join(names)}\n")
    path.write_text("".join(lines))
    return path


def train(path, **options):
    settings = {"dim": 10, "bucket": 2000, "minn": 2, "maxn": 4, "epoch": 3, "thread": 1, "verbose": 0, **options}
    return library.train_supervised(str(path), **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_plain_model(kind, training_file, tmp_path):
    path = tmp_path / "model.bin"
    train(training_file, **KINDS[kind]).save_model(str(path))

    for k in (1, 3, 4):
        agree(path, fasttext.read(path), HOSTILE + noise(k), k)


@pytest.mark.parametrize("kind", QUANTISED)
@pytest.mark.parametrize("loss", ["softmax", "hs"])
def test_every_kind_of_quantised_model(kind, loss, training_file, tmp_path):
    path = tmp_path / "model.ftz"
    model = train(training_file, loss=loss)
    model.quantize(str(training_file), retrain=False, thread=1, **QUANTISED[kind])
    model.save_model(str(path))

    for expanded in (1 << 28, 0):
        agree(path, fasttext.read(path, expanded=expanded), HOSTILE + noise(1), 4)


@pytest.mark.parametrize("loss", ["softmax", "hs"])
def test_a_quantised_output(loss, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"__label__l{i % 300} word{i % 300} word{i % 7} word{i % 11}\n" for i in range(3000)))
    path = tmp_path / "model.ftz"
    model = train(lines, loss=loss)
    model.quantize(str(lines), retrain=False, thread=1, cutoff=300, qnorm=True, qout=True)
    model.save_model(str(path))
    texts = [f"word{i} word{i % 7}" for i in range(100)]
    _, scores = fasttext.predict(pa.array(texts), fasttext.read(path), 1)
    _, values = library.load_model(str(path)).predict(texts)

    # Quantised rows repeat, so that labels tie: scores are compared alone.
    np.testing.assert_allclose(np.asarray(values)[:, 0], scores[:, 0], rtol=0, atol=1e-5)


def test_ties_come_in_the_order_of_the_library(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"__label__l{i % 40} word\n" for i in range(400)))
    path = tmp_path / "model.bin"
    # At a rate of 0 nothing is learned: every label has the same score.
    library.train_supervised(str(lines), dim=4, lr=0.0, epoch=1, loss="ova", thread=1, verbose=0).save_model(str(path))

    for k in (1, 2, 3, 7, 39, 40):
        agree(path, fasttext.read(path), ["word", "", "other word"], k)


@pytest.mark.parametrize("path", [language.MODEL, classifier.MODEL])
def test_packaged_models_on_real_text(path, shared_data):
    with gzip.open(Path(shared_data, "lang", "udhr2.jsonl.gz"), "rt", encoding="utf-8") as stream:
        texts = [" ".join(json.loads(line)["text"].split())[:2000] for line in stream]
    texts += [
        pages.read_text("utf-8")[:4000].replace("\n", " ")
        for pages in sorted(Path(shared_data, "wcxb", "ground-truth").glob("*.json"))[:200]
    ]
    model = fasttext.load(path)

    for k in (1, 3, len(model.labels)):
        agree(path, model, texts + HOSTILE, k)


def test_scores_of_the_packaged_language_model_are_equal_to_the_last_bit(shared_data):
    with gzip.open(Path(shared_data, "lang", "udhr2.jsonl.gz"), "rt", encoding="utf-8") as stream:
        texts = [" ".join(json.loads(line)["text"].split()) for line in stream][::4]
    _, scores = fasttext.predict(pa.array(texts), fasttext.load(language.MODEL), 3)
    _, values = library.load_model(str(language.MODEL)).predict(texts, k=3)

    assert [list(map(float, row)) for row in values] == [row[: len(v)].tolist() for row, v in zip(scores, values)]


def test_columns_of_every_form(training_file, tmp_path):
    path = tmp_path / "model.bin"
    train(training_file, loss="softmax").save_model(str(path))
    model = fasttext.read(path)
    texts = ["alpha beta", None, "gamma\ndelta zq", "eta"]
    expected = fasttext.predict(pa.array(["alpha beta", "", "gamma delta zq", "eta"]), model, 2)

    for column in (
        pa.array(texts),
        pa.array(["x", *texts], pa.large_string())[1:],
        pa.chunked_array([pa.array(texts[:1]), pa.array(texts[1:])]),
    ):
        ids, scores = fasttext.predict(column, model, 2)
        assert expected[0].tolist() == ids.tolist()
        assert expected[1].tolist() == scores.tolist()
    assert (0, 4) == fasttext.predict(pa.array([], pa.string()), model, 9)[0].shape


def test_damaged_files_are_refused(training_file, tmp_path):
    path, damaged = tmp_path / "model.ftz", tmp_path / "damaged.ftz"
    model = train(training_file, loss="softmax")
    model.quantize(str(training_file), cutoff=300, retrain=False, thread=1)
    model.save_model(str(path))
    data = path.read_bytes()
    for size in range(0, len(data), 397):
        damaged.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"ends early|does not begin"):
            fasttext.read(damaged)
    chance = random.Random(0)
    for _ in range(300):
        spoiled = bytearray(data)
        for _ in range(3):
            spoiled[chance.randrange(min(len(data), 9000))] = chance.randrange(256)
        damaged.write_bytes(bytes(spoiled))
        with contextlib.suppress(ValueError):
            fasttext.predict(pa.array(["alpha gamma", "eta"]), fasttext.read(damaged), 3)


def test_word_vectors_are_refused_and_a_changed_file_is_read_again(training_file, tmp_path):
    path = tmp_path / "model.bin"
    library.train_unsupervised(str(training_file), dim=4, epoch=1, bucket=100, thread=1, verbose=0).save_model(
        str(path)
    )
    with pytest.raises(ValueError, match="holds word vectors"):
        fasttext.load(path)
    with pytest.raises(FileNotFoundError):
        fasttext.load(tmp_path / "absent.bin")
    train(training_file).save_model(str(path))
    os.utime(path, ns=(1, 1))
    assert {"a", "b", "c", "d"} == set(fasttext.load(path).labels)
    assert fasttext.load(path) is fasttext.load(path)


@pytest.mark.parametrize("dim", [1, *(k * rows.LANES + more for k in (1, 2) for more in (-1, 0, 1))])
@pytest.mark.parametrize("shift", [0, 4])
def test_rows_are_added_in_their_order_to_the_last_bit(dim, shift):
    random_numbers = np.random.default_rng(dim)
    memory = np.zeros(50 * dim * 4 + 2 * CACHE_LINE, np.uint8)
    matrix = memory[shift : shift + 50 * dim * 4].view(np.float32).reshape(50, dim)
    matrix[:] = random_numbers.standard_normal((50, dim)) * 10.0 ** random_numbers.integers(-6, 6, (50, dim))
    gathered = random_numbers.integers(0, 50, 200).astype(np.int32)
    for count in (0, 1, 2, 5, 200):
        total = random_numbers.standard_normal(dim).astype(np.float32)
        expected = total.copy()
        for row in gathered[:count]:
            expected += matrix[row]

        rows._add_plain(matrix, gathered, count, total)

        np.testing.assert_array_equal(expected, total)


@pytest.mark.parametrize("path", [classifier.MODEL, language.MODEL])
def test_no_row_of_a_packaged_model_lies_in_two_cache_lines(path):
    matrix = fasttext.load(path).network.matrix

    assert matrix.shape[1] * matrix.itemsize == CACHE_LINE
    assert matrix.ctypes.data % CACHE_LINE == 0
