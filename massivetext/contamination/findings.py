"""The other direction: for each test item, whether it stands in the data, in how many documents, and where, say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.contamination.match import hits_of
from massivetext.contamination.testsets import TestSets
from massivetext.contamination.words import Words
from massivetext.contamination.words import words as words_of
from massivetext.text import Texts

__all__ = ["Findings", "Sample"]

SAMPLES = 5
SAMPLE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """One item in one document: its number within its set, the document, the containment, and the matched text."""

    item: int
    id: str
    containment: float
    text: str


class Findings:
    """What was found of each item, added up over documents; findings of parts merge.

    best: float64[items], the largest containment of the item in any document. documents: int64[items], documents whose
    containment of it reaches the threshold. n_documents: by set, documents that hold at least one item of it so far.
    """

    def __init__(self, testsets: TestSets, *, threshold: float = 0.8) -> None:
        self.testsets = testsets
        self.threshold = threshold
        self.best = np.zeros(testsets.n_items)
        self.documents = np.zeros(testsets.n_items, np.int64)
        self.n_documents = [0] * len(testsets.members)
        self.samples: list[list[Sample]] = [[] for _ in testsets.members]

    def add(self, ids: Sequence[str] | pa.Array, texts: Texts, *, words: Words | None = None) -> None:
        """Search some documents. words: their normalised words, if a pass has them already."""
        found = words_of(texts) if words is None else words
        rows, shingles = hits_of(found.hashes, found.bounds, self.testsets.arrays)
        row, item, share = self.testsets.shares_in(rows, shingles)
        np.maximum.at(self.best, item, share)
        reached = share >= self.threshold
        row, item, share = row[reached], item[reached], share[reached]
        np.add.at(self.documents, item, 1)
        for number, members in enumerate(self.testsets.members):
            mine = (item >= members.first) & (item < members.first + members.n_items)
            self.n_documents[number] += len(np.unique(row[mine]))
            kept = self.samples[number]
            seen = {sample.item for sample in kept}
            for i in np.flatnonzero(mine):
                if len(kept) == SAMPLES:
                    break
                of_set = int(item[i]) - members.first
                if of_set not in seen:
                    seen.add(of_set)
                    text = texts[int(row[i])].as_py()
                    start, end = self.testsets.matched(text, int(item[i])).split(",")[0].split(":")
                    quote = text[int(start) : int(end)][:SAMPLE_CHARACTERS]
                    document = ids[int(row[i])]
                    name = document.as_py() if isinstance(document, pa.Scalar) else document
                    kept.append(Sample(of_set, name, float(share[i]), quote))

    def merge(self, state: dict[str, Any]) -> None:
        """Add the state of findings over other documents. Samples are taken in the order of merging."""
        items = np.array(state["items"], np.int64)
        np.maximum.at(self.best, items, np.array(state["best"], np.float64))
        np.add.at(self.documents, items, np.array(state["documents"], np.int64))
        for number, n in enumerate(state["n_documents"]):
            self.n_documents[number] += n
            kept = self.samples[number]
            seen = {sample.item for sample in kept}
            more = [Sample(**sample) for sample in state["samples"][number] if sample["item"] not in seen]
            kept += more[: SAMPLES - len(kept)]

    def state(self) -> dict[str, Any]:
        """Plain data for JSON, of the size of what was found."""
        items = np.flatnonzero(self.best > 0)
        return {
            "items": items.tolist(),
            "best": self.best[items].tolist(),
            "documents": self.documents[items].tolist(),
            "n_documents": list(self.n_documents),
            "samples": [[asdict(sample) for sample in samples] for samples in self.samples],
        }

    @property
    def hit(self) -> np.ndarray:
        """bool[items]: True for an item that some document holds."""
        return self.documents > 0

    def report(self) -> list[dict[str, Any]]:
        """Per set: its items, those left out (too short, unknown words) and searched for, those found, their share of
        those searched for, documents that hold one or more, and samples of matched text."""
        found = []
        for number, members in enumerate(self.testsets.members):
            n_hit = int(self.hit[members.first : members.first + members.n_items].sum())
            found.append(
                {
                    "test_set": members.name,
                    "items": members.n_items,
                    "items_too_short": members.n_short,
                    "items_unknown": members.n_unknown,
                    "items_searched": members.n_searched,
                    "items_hit": n_hit,
                    "share": n_hit / members.n_searched if members.n_searched else 0.0,
                    "documents": self.n_documents[number],
                    "samples": [asdict(sample) for sample in self.samples[number]],
                }
            )
        return found
