"""Two models asked together answer as each does alone, to the last bit."""

import gzip
import itertools
import json
from pathlib import Path

import fasttext as library
import numpy as np
import pyarrow as pa
import pytest

from filters import classifier
from massivetext import fasttext
from tests.fasttext.test_predict import HOSTILE, noise, train, training_file

__all__ = ["training_file"]

OTHERS = ["alpha beta only other words", "q zq été", "only", "only </s> alpha", "__label__b only", "字字 eta12"]


def answers(texts, first, second, k):
    """The answers of both models, in one pass and each by itself."""
    together = fasttext.predict_both(texts, fasttext.pair_of(first, second), k)
    alone = [fasttext.predict(texts, model, k) for model in (first, second)]
    return together, [np.stack(arrays) for arrays in zip(*alone)]


def other_file(tmp_path):
    """Training text of which half of the words are in the first file too."""
    path = tmp_path / "other.txt"
    lines = [f"__label__{'abcd'[i % 4]} alpha only{i % 70} gamma other{i % 9} only q{i % 5}\n" for i in range(900)]
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("runs", [(1, 1), (1, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize("dims", [(16, 16), (10, 7)])
@pytest.mark.parametrize("loss", ["softmax", "hs", "ova"])
def test_a_pair_answers_as_its_models(runs, dims, loss, training_file, tmp_path):
    models = []
    for number, path in enumerate((training_file, other_file(tmp_path))):
        name = tmp_path / f"{number}.bin"
        train(path, loss=loss, dim=dims[number], wordNgrams=runs[number]).save_model(str(name))
        models.append(fasttext.read(name))
    texts = pa.array([*HOSTILE, *OTHERS, *noise(3), None], pa.string())

    for pair in (models, models[::-1]):
        for k in (1, 4):
            together, alone = answers(texts, *pair, k)
            assert together[0].tolist() == alone[0].tolist()
            assert together[1].tobytes() == alone[1].tobytes()


def test_the_dictionary_of_a_pair_has_the_words_of_both_first(training_file, tmp_path):
    names = [tmp_path / "0.bin", tmp_path / "1.bin"]
    for path, name in zip((training_file, other_file(tmp_path)), names):
        train(path, loss="softmax").save_model(str(name))
    one, two = (set(library.load_model(str(name)).words) for name in names)
    pair = fasttext.load_pair(*names)
    network = pair.network
    bounds = network.vocabulary_offsets.tolist()
    words = [network.vocabulary[a:b].tobytes().decode() for a, b in itertools.pairwise(bounds)]

    assert one & two == set(words[: pair.halves.n_both])
    assert one - two == set(words[pair.halves.n_both : pair.halves.n_first])
    assert two - one == set(words[pair.halves.n_first :])
    assert len(words) == network.n_words == len(one | two)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"maxn": 5}, "maxn = 4 and 5"),
        ({"bucket": 3000}, "bucket = 2000 and 3000"),
        ({"minn": 3}, "minn = 2 and 3"),
        ({"wordNgrams": 2}, "runs of 2 and of 3 words"),
    ],
)
def test_models_that_take_texts_apart_otherwise_are_refused(options, told, training_file, tmp_path):
    names = [tmp_path / "0.bin", tmp_path / "1.bin"]
    train(training_file, loss="softmax", wordNgrams=3).save_model(str(names[0]))
    train(training_file, loss="softmax", **{"wordNgrams": 3, **options}).save_model(str(names[1]))

    with pytest.raises(ValueError, match=told):
        fasttext.load_pair(*names)


def test_a_pruned_model_is_refused(training_file, tmp_path):
    names = [tmp_path / "0.bin", tmp_path / "1.ftz"]
    model = train(training_file, loss="softmax")
    model.save_model(str(names[0]))
    model.quantize(str(training_file), retrain=False, thread=1, cutoff=300)
    model.save_model(str(names[1]))

    with pytest.raises(ValueError, match="pruned"):
        fasttext.load_pair(*names)


def test_the_packaged_classifiers_answer_together_as_each_alone(shared_data):
    with gzip.open(Path(shared_data, "lang", "udhr2.jsonl.gz"), "rt", encoding="utf-8") as stream:
        texts = [json.loads(line)["text"][:2000] for line in stream][::4]
    texts += [
        page.read_text("utf-8") for page in sorted(Path(shared_data, "wcxb", "ground-truth").glob("*.json"))[:100]
    ]
    seen = classifier.see(pa.array([*texts, *HOSTILE, ""], pa.large_string()))
    alone = [classifier.measure(seen, model=model) for model in (classifier.MODEL, classifier.EVERYDAY)]

    assert repr(alone) == repr(list(classifier.measure_both(seen)))
