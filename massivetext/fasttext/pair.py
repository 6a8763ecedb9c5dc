"""Two models that take a text apart alike, asked in one pass: what both do is done once.

Models trained with the same lengths of n-grams and the same number of buckets have the same rows for a text, but for
words that only one of them knows. Their matrices lie side by side, so that a row of the pair is a row of the one and
then of the other; a word of one model alone has zeros in the other's half, and does not count there.
"""

from __future__ import annotations

import functools
import itertools
import os
from typing import NamedTuple

from massivetext.fasttext.model import LastLayer, Model, Network, aligned, dictionary_fields, read, with_tables

__all__ = ["Halves", "Pair", "load_pair", "pair_of"]

_SAME = ("bucket", "has_buckets", "minn", "maxn")
"""Fields of Network that both models must have alike."""


class Halves(NamedTuple):
    """What is whose in the network of two models.

    n_both, n_first: the first n_both words of the dictionary are words of both, those up to n_first of the first model
    alone, the others of the second. width: columns of the first. first_has_runs, second_has_runs: 1 if the model has
    rows for runs of words.
    """

    n_both: int
    n_first: int
    width: int
    first_has_runs: int
    second_has_runs: int


class Pair(NamedTuple):
    """Two models: what they share, and what each has for itself.

    network: of both, with the columns of the first model and then those of the second, and the last layer of the first.
    second: the last layer of the second. halves: where the words and the columns of each are. labels: of both.
    """

    network: Network
    second: LastLayer
    halves: Halves
    labels: tuple[tuple[str, ...], tuple[str, ...]]


def pair_of(first: Model, second: Model) -> Pair:
    """Put two models together. Raises ValueError if they do not take texts apart alike, or one was pruned or is used by
    its codes."""
    one, two = first.network, second.network
    for name in _SAME:
        if getattr(one, name) != getattr(two, name):
            raise ValueError(
                f"two models have {name} = {getattr(one, name)} and {getattr(two, name)}; expected the same"
            )
    for network in (one, two):
        if len(network.buckets) or len(network.codes) or network.end_word < 0:
            raise ValueError("one of two models is pruned, used by its codes, or has no row for the end of a text")
    runs = {network.word_ngrams for network in (one, two) if network.word_ngrams > 1}
    if len(runs) > 1:
        raise ValueError(
            f"two models have runs of {min(runs)} and of {max(runs)} words; expected the same, or none in one of them"
        )
    known_one, known_two = _words(one), _words(two)
    both = [word for word in known_one if word in known_two]
    words = [*both, *(word for word in known_one if word not in known_two)]
    n_both, n_first = len(both), len(words)
    words += [word for word in known_two if word not in known_one]
    width, n_words = one.matrix.shape[1], len(words)
    matrix = aligned(n_words + len(one.matrix) - one.n_words, width + two.matrix.shape[1])
    matrix[:n_words] = 0
    matrix[:n_first, :width] = one.matrix[[known_one[word] for word in words[:n_first]]]
    matrix[:n_both, width:] = two.matrix[[known_two[word] for word in both]]
    matrix[n_first:n_words, width:] = two.matrix[[known_two[word] for word in words[n_first:]]]
    matrix[n_words:, :width] = one.matrix[one.n_words :]
    matrix[n_words:, width:] = two.matrix[two.n_words :]
    network = one._replace(
        **dictionary_fields(words, n_words),
        matrix=matrix,
        word_ngrams=max(one.word_ngrams, two.word_ngrams),
        end_word=both.index(b"</s>"),
    )
    halves = Halves(n_both, n_first, width, int(one.word_ngrams > 1), int(two.word_ngrams > 1))
    return Pair(with_tables(network), two.last, halves, (first.labels, second.labels))


def _words(network: Network) -> dict[bytes, int]:
    """The row of each word of a dictionary."""
    vocabulary, bounds = network.vocabulary.tobytes(), network.vocabulary_offsets[: network.n_words + 1].tolist()
    return {vocabulary[start:end]: row for row, (start, end) in enumerate(itertools.pairwise(bounds))}


@functools.lru_cache(maxsize=2)
def load_pair(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> Pair:
    """Return the pair of two model files, read once in this process. Raises what `read` and `pair_of` raise."""
    return pair_of(read(first), read(second))
