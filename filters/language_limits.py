"""Limits of rules for other languages, from how a signal is distributed in reference texts of each and of English.

The frame is FineWeb-2's (arXiv 2506.20920): a limit chosen for English says how far from ordinary text a value may be,
and ordinary text of another language has other values. Here an English limit becomes, in another language,

- the same quantile of its reference texts, where both languages have at least QUANTILE_TEXTS of them and the English
  limit lies inside the English ones (between the shares INSIDE and 1 - INSIDE);
- else the limit times the ratio of the two medians, which is exact where the reference is one text in many languages.

A signal has no entry, so that the English limit stays, where its English median is 0 or its limits come out as the
English ones. It has an empty entry, which is no limit, where a language has no values of it (no list of stop words).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from filters.limits import Limit

__all__ = ["INSIDE", "QUANTILE_TEXTS", "SIGNALS", "language_limits", "transferred"]

QUANTILE_TEXTS = 200
INSIDE = 0.005
SIGNALS = ("word_count", "mean_word_length", "alphabetic_word_fraction", "stop_word_count")
"""Signals that depend on how a language is written; the others count repetition and symbols alike everywhere."""
_FRACTIONS = ("_fraction", "_ratio")


def transferred(limit: float, english: np.ndarray, other: np.ndarray) -> float | None:
    """Return the limit for another language of a limit for English; None where the reference texts do not tell.

    Args:
        limit: of the signal's values in English.
        english, other: float64[texts]: the signal in reference texts.
    """
    share = float((english <= limit).mean())
    if min(len(english), len(other)) >= QUANTILE_TEXTS and INSIDE <= share <= 1 - INSIDE:
        return float(np.quantile(other, share))
    middle = float(np.median(english))
    return None if middle <= 0 else limit * float(np.median(other)) / middle


def language_limits(
    limits: Mapping[str, Limit], english: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Return the limits of a language by signal, `min` and `max`, rounded to three digits.

    Args:
        limits: for English, by signal.
        english, other: by signal float64[texts]: values in reference texts; NaN where there is none.
    """
    own: dict[str, dict[str, float]] = {}
    for signal in SIGNALS:
        limit = limits.get(signal)
        if limit is None:
            continue
        columns = [column[np.isfinite(column)] for column in (english[signal], other[signal])]
        if not all(len(column) for column in columns):
            own[signal] = {}
            continue
        ends = {}
        for end in ("min", "max"):
            value = getattr(limit, end)
            moved = None if value is None else transferred(value, *columns)
            if moved is not None:
                ends[end] = _rounded(moved, signal, end)
        if ends and ends != {end: value for end in ("min", "max") if (value := getattr(limit, end)) is not None}:
            own[signal] = ends
    return own


def _rounded(value: float, signal: str, end: str) -> float:
    """Three digits; counts are whole, away from the side that is kept; a share is at most 1."""
    if signal.endswith("_count"):
        # Three digits of a large count; the least one is 1, since 0 would be no limit.
        step = 10.0 ** max(0, int(np.floor(np.log10(max(value, 1)))) - 2)
        whole = np.floor(value / step) if end == "min" else np.ceil(value / step)
        return int(max(1.0, whole * step))
    rounded = float(f"{value:.3g}")
    return min(rounded, 1.0) if signal.endswith(_FRACTIONS) else rounded
