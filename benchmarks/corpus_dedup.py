"""A corpus of any size with known duplicates, made from real text by seeded edits.

Of every 1,000 documents: 425 chunks, windows of real text with a quarter of the words replaced, unlike any other; 300
in clusters of 2 to 10, a chunk and copies of it with 0 to 6 words in 400 replaced (J from 1 to about .6, by brute force
within the cluster); 200 copies of one short text; 50 chunks that share a boilerplate of a third to two thirds of the
text; 25 of one template, 300 words in common and 38 of their own, J = .791 in every pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

KINDS = ("chunk", "cluster", "copy", "boilerplate", "template")
CHUNK, CLUSTER, COPY, BOILERPLATE, TEMPLATE = range(5)
SHARES = (0.425, 0.3, 0.2, 0.05, 0.025)
BLOCK = 20_000
SHORT = "We use cookies to improve your visit. By going on you accept them. Read more about cookies here. Accept"


class Corpus:
    """Blocks of (texts, kinds, clusters): large_string[n], uint8[n], int64[n], -1 where a text is in no cluster."""

    def __init__(self, books: Path, seed: int = 0) -> None:
        words: list[str] = []
        for path in sorted(books.glob("*.md")):
            words += path.read_text("utf-8").split()
        encoded = pa.array(words).dictionary_encode()
        self.stream = encoded.indices.to_numpy()
        self.vocabulary = encoded.dictionary
        self.seed = seed
        generator = np.random.default_rng([seed, 1 << 40])
        self.template = self._any(generator, 300)
        self.boilerplate = self._any(generator, 250)

    def _any(self, generator: np.random.Generator, n: int) -> np.ndarray:
        return generator.integers(0, len(self.vocabulary), n, dtype=np.int32)

    def _chunk(self, generator: np.random.Generator) -> np.ndarray:
        n = int(np.clip(generator.lognormal(5.9, 0.5), 60, 4000))
        start = int(generator.integers(0, len(self.stream) - n))
        words = self.stream[start : start + n].copy()
        replaced = np.flatnonzero(generator.random(n) < 0.25)
        words[replaced] = self._any(generator, len(replaced))
        return words

    def block(self, number: int, n: int = BLOCK) -> tuple[pa.Array, np.ndarray, np.ndarray]:
        generator = np.random.default_rng([self.seed, number])
        documents: list[np.ndarray] = []
        kinds: list[int] = []
        clusters: list[int] = []

        def add(kind: int, words: np.ndarray, cluster: int = -1) -> None:
            documents.append(words)
            kinds.append(kind)
            clusters.append(cluster)

        short = pa.array(SHORT.split()).dictionary_encode()
        offset = len(self.vocabulary)
        for kind, share in enumerate(SHARES):
            left = round(share * n)
            while left > 0:
                left -= 1
                if kind == CHUNK:
                    add(kind, self._chunk(generator))
                elif kind == COPY:
                    add(kind, short.indices.to_numpy() + np.int32(offset))
                elif kind == TEMPLATE:
                    add(kind, np.concatenate([self.template, self._any(generator, 38)]))
                elif kind == BOILERPLATE:
                    own = self._chunk(generator)[: int(generator.integers(125, 500))]
                    add(kind, np.concatenate([self.boilerplate, own]))
                else:
                    base = self._chunk(generator)
                    cluster = number * BLOCK + left
                    add(kind, base, cluster)
                    for _ in range(min(left, int(generator.integers(1, 10)))):
                        left -= 1
                        edited = base.copy()
                        at = generator.integers(0, len(base), int(generator.integers(0, 7)) * len(base) // 400)
                        edited[at] = self._any(generator, len(at))
                        add(kind, edited, cluster)
        order = generator.permutation(len(documents))
        documents = [documents[i] for i in order]
        words = pa.concat_arrays([self.vocabulary, short.dictionary]).take(pa.array(np.concatenate(documents)))
        bounds = np.r_[0, np.cumsum([len(document) for document in documents])]
        lists = pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), words)
        texts = pc.binary_join(lists, " ").cast(pa.large_string())
        return texts, np.array(kinds, np.uint8)[order], np.array(clusters, np.int64)[order]

    def blocks(self, n_documents: int) -> Iterator[tuple[pa.Array, np.ndarray, np.ndarray]]:
        for number in range(-(-n_documents // BLOCK)):
            yield self.block(number, min(BLOCK, n_documents - number * BLOCK))
