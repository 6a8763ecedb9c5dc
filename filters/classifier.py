"""A fastText classifier of unsafe text: what it sees of a document, what it answers, and how one is trained.

It sees lower-case words. Words for people and for what they are (data/identities.txt) are taken out before training and
before every answer, so they cannot carry weight. Terms of data/marks.tsv add the mark of their group, so that what the
model learns is what the density of such terms means among other words. Of a long text it sees PIECES pieces at equal
distances, and answers the mean over them: no single hit decides.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from filters import classifier_words
from filters.classifier_words import Seen, Terms, make_terms
from massivetext import fasttext
from massivetext.errors import RecipeError
from massivetext.text import Texts

__all__ = ["EVERYDAY", "MODEL", "PIECE", "PIECES", "SAFE", "Seen", "load", "measure", "measure_both", "see", "words"]

MODEL = Path(__file__).parent / "data" / "safe_search.ftz"
EVERYDAY = MODEL.with_name("safe_search_everyday.ftz")
"""The packaged second opinion: a classifier that was also trained on harmless texts dense in words that have another
sense, about birds, recipes, medicine, art, law, ... (data/harmless.jsonl)."""
SAFE = "ok"
"""The label of ordinary text; every other label is a category."""
PIECE = 512
"""Code points of a piece."""
PIECES = 8
REPEATED = 3
"""How often a term's mark is added: a term weighs as much as three words."""

_NOISE = re.compile(r"https?://\S+|www\.\S+|@\w+|&\w+;|\brt\b")
_WORD = re.compile(r"[^\W_]+(?:['*@$][^\W_]+)*")
_LONGEST = 40
"""Characters of a word; what is longer is none."""
SHORT = 4
"""Words at which a text counts as half the evidence of a long one."""


def _lines(name: str) -> list[str]:
    text = resources.files("filters").joinpath(f"data/{name}").read_text("utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


@functools.cache
def _identities() -> frozenset[str]:
    return frozenset(word for line in _lines("identities.txt") for word in line.split())


@functools.cache
def _marks() -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The mark of each single word; by first word, the mark of each term of several."""
    single: dict[str, str] = {}
    longer: dict[str, dict[str, str]] = {}
    for line in _lines("marks.tsv"):
        group, _, terms = line.partition("\t")
        for term in terms.split("|"):
            first, _, rest = term.partition(" ")
            if rest:
                longer.setdefault(first, {})[rest] = f"zz{group}"
            else:
                single[first] = f"zz{group}"
    return single, longer


def words(text: str) -> str:
    """What the model sees of a piece of text: its words, without those for people, then the marks of listed terms."""
    single, longer = _marks()
    identities = _identities()
    plain = _NOISE.sub(" ", text.lower().replace("\u2019", "'"))
    seen = [word for word in _WORD.findall(plain) if word not in identities and len(word) <= _LONGEST]
    marks = []
    for i in [i for i, word in enumerate(seen) if word in single or word in longer]:
        word = seen[i]
        mark = single.get(word)
        if word in longer:
            for n in (2, 1):
                mark = longer[word].get(" ".join(seen[i + 1 : i + 1 + n]), mark)
        if mark is not None:
            marks += [mark] * REPEATED
    return " ".join(seen + marks)


def load(path: str) -> fasttext.Model:
    """Return the model of a file. Raises RecipeError, with the recipe's key, for one that cannot be used."""
    try:
        model = fasttext.load(path)
    except FileNotFoundError:
        raise RecipeError(
            f"safe_search.model: no file at {path!r}; expected a model of `massivetext safesearch train`, "
            "true for the packaged one, false for none"
        ) from None
    except (ValueError, OSError) as error:
        raise RecipeError(f"safe_search.model: {path}: not a fastText model ({error})") from error
    if SAFE not in model.labels:
        raise RecipeError(
            f"safe_search.model: {path}: has no label {SAFE!r} for ordinary text, only {list(model.labels)}"
        )
    return model


@functools.cache
def _terms() -> Terms:
    return make_terms(_identities(), *_marks())


def see(texts: Texts) -> Seen:
    """Return what a classifier sees of each text of a column: the words of its pieces, for `measure`."""
    return classifier_words.see(texts, _terms(), words, piece=PIECE, pieces=PIECES, longest=_LONGEST, repeated=REPEATED)


def measure(texts: Texts | Seen, *, model: str | Path | None = None) -> list[dict[str, float]]:
    """For each text its probability (0-1) under each label, the mean over its pieces; empty for one without words.

    A text of few words is little evidence: the probabilities of categories are multiplied by n / (n + SHORT) for n
    words, and that of `ok` moves as far towards 1.

    Args:
        texts: A column of text; or what `see` gives of them, for more than one model.
        model: A model's path; the packaged one for None.

    Raises:
        RecipeError: A model that is missing, or has no label `ok`.
    """
    loaded = load(str(model or MODEL))
    seen = texts if isinstance(texts, Seen) else see(texts)
    return _mean_answers(seen, loaded.labels, *fasttext.predict(seen.texts, loaded, len(loaded.labels)))


def measure_both(seen: Seen) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Return what `measure` gives for the packaged model and for EVERYDAY, which read the text together."""
    pair = fasttext.load_pair(MODEL, EVERYDAY)
    first, second = pair.labels
    ids, scores = fasttext.predict_both(seen.texts, pair, len(first))
    return _mean_answers(seen, first, ids[0], scores[0]), _mean_answers(seen, second, ids[1], scores[1])


def _mean_answers(seen: Seen, labels: Sequence[str], ids: np.ndarray, scores: np.ndarray) -> list[dict[str, float]]:
    """Return the answers of `measure` from a model's labels and scores for each piece."""
    n_labels = len(labels)
    # A label that fastText leaves out has a probability of about 0.
    probabilities = np.zeros((len(seen.texts), n_labels))
    rows, places = np.nonzero(ids >= 0)
    probabilities[rows, ids[rows, places]] = np.minimum(scores[rows, places], 1.0)
    sums, counts, sizes = np.zeros((seen.rows, n_labels)), np.zeros(seen.rows), np.zeros(seen.rows)
    np.add.at(sums, seen.owners, probabilities)
    np.add.at(counts, seen.owners, 1)
    np.add.at(sizes, seen.owners, seen.sizes)
    result: list[dict[str, float]] = []
    for total, count, size in zip(sums.tolist(), counts.tolist(), sizes.tolist()):
        weight = size / (size + SHORT)
        result.append(
            {
                name: 1 - weight * (1 - value / count) if name == SAFE else weight * value / count
                for name, value in zip(labels, total)
            }
            if count
            else {}
        )
    return result
