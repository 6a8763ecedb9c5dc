"""Linear models over columns of the ledger: a file of terms, the score of a row, and what each term adds to it.

score = link(intercept + the sum over terms of weight * clip((x - mean) / scale)), where x is the signal, or log(1 + x)
for a count, and `clip` keeps a term's value in [-clip, clip], so that no single signal decides. The link is the
logistic function or none. Scores are rounded to 6 decimals: two processors differ in the last bits of exp and log.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from massivetext import storage
from massivetext.errors import RecipeError

__all__ = ["DECIMALS", "FORMAT", "LinearModel", "Term", "load"]

FORMAT = "massivetext-linear-1"
DECIMALS = 6
"""Of scores, and of what a model's file holds."""
LINKS = ("logistic", "identity")


@dataclass(frozen=True)
class Term:
    """A signal of a model.

    Attributes:
        signal: a column of the ledger.
        is_log: whether log(1 + x) stands for x.
        mean, scale: of the values that the model was fitted to, after the logarithm.
        weight: what the score rises by, before the link, for one scale more.
    """

    signal: str
    is_log: bool
    mean: float
    scale: float
    weight: float

    def values(self, column: np.ndarray, clip: float) -> np.ndarray:
        """Return the standardised values of a column, float64[n], within [-clip, clip]; NaN where there is none."""
        x = np.log1p(np.maximum(column, 0.0)) if self.is_log else column
        return np.clip((x - self.mean) / self.scale, -clip, clip)


@dataclass(frozen=True)
class LinearModel:
    """A model as its file has it. clip: the greatest distance from the mean that counts, in scales."""

    terms: tuple[Term, ...]
    intercept: float
    link: str = "logistic"
    clip: float = 3.0

    @property
    def signals(self) -> list[str]:
        return [term.signal for term in self.terms]

    def measure(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the score of each row, float64[n]; NaN where a signal has no value.

        columns: by signal float64[n], NaN for a null.
        """
        total = np.full(len(columns[self.terms[0].signal]), self.intercept)
        for term in self.terms:
            total += term.weight * term.values(columns[term.signal], self.clip)
        return np.round(linked(total, self.link), DECIMALS)

    def contributions(self, row: Mapping[str, float]) -> list[tuple[str, float, float]]:
        """Return (signal, its value, what it adds to the score before the link), the weightiest first."""
        parts = [
            (
                term.signal,
                row[term.signal],
                term.weight * float(term.values(np.array([row[term.signal]]), self.clip)[0]),
            )
            for term in self.terms
        ]
        return sorted(parts, key=lambda part: (-abs(part[2]), part[0]))

    def as_json(self) -> str:
        """Return the text of the model's file: keys in a fixed order, numbers rounded to DECIMALS."""
        data = {
            "format": FORMAT,
            "link": self.link,
            "clip": self.clip,
            "intercept": round(self.intercept, DECIMALS),
            "terms": [{name: _rounded(value) for name, value in asdict(term).items()} for term in self.terms],
        }
        return json.dumps(data, indent=1) + "\n"


def linked(total: np.ndarray, link: str) -> np.ndarray:
    """Return the scores of sums of terms."""
    return total if link == "identity" else 1.0 / (1.0 + np.exp(-np.clip(total, -700.0, 700.0)))


def _rounded(value: Any) -> Any:
    return round(value, DECIMALS) if isinstance(value, float) else value


def load(path: str) -> LinearModel:
    """Return the model of a file, read once in this process until the file changes.

    Raises:
        RecipeError: there is no such file, or it is not a model of this kind.
    """
    if not storage.exists(path):
        raise RecipeError(f"{path}: no such file; expected a model of `massivetext classifier train`")
    return _load(path, storage.modified(path), storage.size(path))


@functools.lru_cache(maxsize=32)
def _load(path: str, modified: int, size: int) -> LinearModel:
    try:
        data = json.loads(storage.read_bytes(path))
        if data["format"] != FORMAT or data["link"] not in LINKS:
            raise ValueError(f"format {data['format']!r}, link {data['link']!r}")
        model = LinearModel(
            tuple(
                Term(one["signal"], bool(one["is_log"]), *_numbers(one, ("mean", "scale", "weight")))
                for one in data["terms"]
            ),
            _numbers(data, ("intercept",))[0],
            data["link"],
            _numbers(data, ("clip",))[0],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{path}: not a linear model of `massivetext classifier train` ({error!r})") from error
    if not model.terms or any(term.scale <= 0 for term in model.terms):
        raise RecipeError(f"{path}: a model needs at least one term, and each a scale above 0")
    return model


def _numbers(data: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    values = [float(data[name]) for name in names]
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{', '.join(names)} must be finite, found {values}")
    return values
