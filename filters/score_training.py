"""Training of document scores: linear models over signals, and fastText models, judged in folds that share no host.

Equal input gives equal bytes: numbers of a linear model are rounded, fastText learns with one thread and a fixed seed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from filters import linear, quality, repetition, rules, scores
from filters.examples import Example, fold_of
from filters.limits import limits_of
from filters.linear import LinearModel, Term
from massivetext import fasttext
from massivetext.batches import as_floats
from massivetext.errors import RecipeError
from massivetext.scratch import scratch_folder
from massivetext.suggestions import did_you_mean

__all__ = [
    "FASTTEXT",
    "SIGNALS",
    "Trained",
    "area_under_curve",
    "calibration",
    "fit_fasttext",
    "fit_linear",
    "signals_of",
    "train",
]

FASTTEXT: dict[str, Any] = {"dim": 32, "epoch": 10, "lr": 0.3, "minn": 0, "maxn": 0, "bucket": 200_000}
FASTTEXT |= {"minCount": 2, "wordNgrams": 2, "loss": "softmax"}
"""Settings of fastText for a document score."""
SIGNALS = tuple(name for family in (quality, repetition) for name, _ in limits_of(family.Limits()))
"""What a linear model is fitted to: the signals of quality and repetition, which most subsets measure anyway."""
L2 = 10.0
"""Weight of the penalty on squared weights, against the sum of the documents' losses."""
STEPS = 50
_NAMED = 10
"""Labels that a message names."""
_SPACE = re.compile(r"[ \n\t\v\f\r\0]+")
"""What fastText takes for white space."""


@dataclass
class Trained:
    """The result of a training.

    Attributes:
        kind: `linear` or `fasttext`.
        target: `label` or `number`.
        positive: the label whose probability is the score; empty for numbers.
        counts: documents by label.
        groups: hosts, sources or texts that folds keep apart.
        held_out: for each document the score by a model that saw nothing of its group, float64[n].
        truth: 1 for a positive document, 0 for another one, or the number; float64[n].
        fold: of each document, int64[n].
        model: the linear model fitted to all documents; None for fastText.
        settings: of fastText; empty for a linear model.
    """

    kind: str
    target: str
    positive: str
    counts: dict[str, int]
    groups: int
    held_out: np.ndarray
    truth: np.ndarray
    fold: np.ndarray
    model: LinearModel | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def measures(self) -> dict[str, float]:
        """Return the held-out measures: `auc` (and of each fold) for labels, `correlation` for numbers."""
        known = np.isfinite(self.held_out)
        if self.target == "number":
            return {"correlation": float(np.corrcoef(self.held_out[known], self.truth[known])[0, 1])}
        by_fold = [
            area_under_curve(self.truth[rows], self.held_out[rows])
            for k in range(int(self.fold.max()) + 1)
            if len(set(self.truth[rows := np.flatnonzero((self.fold == k) & known)])) == 2
        ]
        whole = area_under_curve(self.truth[known], self.held_out[known])
        return {
            "auc": whole,
            "auc_lowest_fold": min(by_fold, default=np.nan),
            "auc_highest_fold": max(by_fold, default=np.nan),
        }


def train(
    examples: Sequence[Example],
    output: str,
    *,
    kind: str = "linear",
    positive: str | None = None,
    folds: int = 5,
    seed: int = 0,
    l2: float = L2,
    settings: Mapping[str, Any] | None = None,
    without: Sequence[str] = (),
) -> Trained:
    """Train a score, judge it in folds, and write the model that is fitted to all documents.

    Args:
        examples: labelled documents. Labels that are more than two different numbers are fitted as numbers.
        output: the model's file: .json of a linear model; .bin or .ftz (quantised) of a fastText model.
        kind: `linear` or `fasttext`.
        positive: the label whose probability is the score; of two labels the later one by alphabet if None.
        folds: parts that are held out in turn; documents of one group are in one of them.
        seed: of folds and of fastText.
        l2: the penalty of a linear model.
        settings: of fastText, over FASTTEXT.
        without: signals that a linear model leaves out.

    Raises:
        RecipeError: labels or groups are too few, or the file's ending does not fit the kind.
    """
    counts = Counter(example.label for example in examples)
    unknown = [name for name in without if name not in SIGNALS]
    if unknown:
        hint = did_you_mean(unknown[0], SIGNALS)
        raise RecipeError(f"--without {unknown[0]}: no such signal; expected some of {', '.join(SIGNALS)}{hint}")
    target = "number" if len(counts) > 2 and all(_is_number(label) for label in counts) else "label"
    _check(counts, target, kind, positive, output)
    chosen = "" if target == "number" else positive or max(counts)
    truth = np.array([float(one.label) if target == "number" else float(one.label == chosen) for one in examples])
    fold = np.array([fold_of(one, folds, seed) for one in examples])
    held_out = np.full(len(examples), np.nan)
    own = {**FASTTEXT, **(settings or {})}
    signals = signals_of([one.text for one in examples]) if kind == "linear" else {}
    signals = {name: column for name, column in signals.items() if name not in without}
    for k in sorted(set(fold.tolist())):
        seen, unseen = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if len({examples[i].label for i in seen.tolist()}) < 2:
            raise RecipeError(f"fold {k} leaves one label alone to learn from; give fewer folds, or more hosts")
        if kind == "linear":
            model = fit_linear(_rows(signals, seen), truth[seen], target, l2)
            held_out[unseen] = model.measure(_rows(signals, unseen))
        else:
            held_out[unseen] = _fasttext_fold(
                [examples[i] for i in seen.tolist()], [examples[i] for i in unseen.tolist()], chosen, own, seed
            )
    result = Trained(
        kind, target, chosen, dict(sorted(counts.items())), len({one.group for one in examples}), held_out, truth, fold
    )
    if kind == "linear":
        result.model = fit_linear(signals, truth, target, l2)
        Path(output).write_text(result.model.as_json(), "utf-8")
    else:
        result.settings = own
        fit_fasttext(_lines(examples), output, own, seed=seed)
    return result


def _check(counts: Mapping[str, int], target: str, kind: str, positive: str | None, output: str) -> None:
    endings = (".json",) if kind == "linear" else (".bin", ".ftz")
    if not output.endswith(endings):
        raise RecipeError(f"--output {output}: a {kind} model ends in {' or '.join(endings)}")
    if len(counts) < 2:
        only = ", ".join(f"all {n:,} have {name!r}" for name, n in counts.items()) or "there are no documents"
        raise RecipeError(f"training needs documents of at least two labels; {only}")
    if target == "number" and kind == "fasttext":
        raise RecipeError("fastText learns labels, and these are numbers; train a linear model, or give words")
    if target == "label" and positive is None and len(counts) > 2:
        raise RecipeError(f"give --positive, the label whose probability is the score, one of {_listed(counts)}")
    if positive is not None and positive not in counts:
        raise RecipeError(f"--positive {positive}: no document has this label; labels are {_listed(counts)}")
    words = Counter(_SPACE.sub("_", name) for name in counts)
    if kind == "fasttext" and len(words) < len(counts):
        same = ", ".join(repr(name) for name in sorted(counts) if words[_SPACE.sub("_", name)] > 1)
        raise RecipeError(f"fastText cannot tell these labels apart, for which a space is `_`: {same}; rename one")


def _listed(counts: Mapping[str, int]) -> str:
    """Return the first labels by alphabet, and how many more there are."""
    names = sorted(counts)
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def _is_number(label: str) -> bool:
    try:
        return bool(np.isfinite(float(label)))
    except ValueError:
        return False


def signals_of(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns of SIGNALS of some texts, float64[n] each, as the pass over a text measures them."""
    measured = rules.measure(pa.array(list(texts), pa.large_string()), num_hashes=1)
    columns = dict(zip(measured.quality.schema.names, measured.quality.columns))
    columns |= zip(measured.repetition.schema.names, measured.repetition.columns)
    return {name: as_floats(columns[name]) for name in SIGNALS}


def _rows(signals: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[rows] for name, column in signals.items()}


def fit_linear(
    signals: Mapping[str, np.ndarray], truth: np.ndarray, target: str = "label", l2: float = L2
) -> LinearModel:
    """Fit a logistic regression (labels) or a ridge regression (numbers) over signals, by Newton's method.

    Args:
        signals: by name float64[n]. One that has the same value everywhere is left out.
        truth: float64[n]: 0 or 1, or numbers.
        target: `label` or `number`.
        l2: penalty on the squares of weights over standardised signals; the intercept has none.
    """
    columns, terms = [], []
    for name, column in signals.items():
        is_log = name.endswith("_count")
        x = np.log1p(column) if is_log else column
        scale = float(np.round(x.std(), linear.DECIMALS))
        if scale > 0:
            term = Term(name, is_log, float(np.round(x.mean(), linear.DECIMALS)), scale, 0.0)
            terms.append(term)
            columns.append(term.values(column, LinearModel.clip))
    if not terms:
        raise RecipeError("every document has the same signals, so there is nothing to learn; are the texts empty?")
    design = np.column_stack([np.ones(len(truth)), *columns])
    penalty = np.diag([0.0] + [l2] * len(columns))
    weights = np.zeros(design.shape[1])
    link = "identity" if target == "number" else "logistic"
    for _ in range(STEPS):
        fitted = linear.linked(design @ weights, link)
        curvature = np.ones(len(truth)) if link == "identity" else fitted * (1 - fitted)
        gradient = design.T @ (fitted - truth) + penalty @ weights
        hessian = design.T @ (design * curvature[:, None]) + penalty + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    intercept, *fitted_weights = np.round(weights, linear.DECIMALS).tolist()
    return LinearModel(
        tuple(Term(t.signal, t.is_log, t.mean, t.scale, weight) for t, weight in zip(terms, fitted_weights)),
        intercept,
        link,
    )


def fit_fasttext(
    lines: Sequence[str], output: str, settings: Mapping[str, Any], *, seed: int, is_quantised: bool | None = None
) -> None:
    """Train a fastText classifier and write it.

    Args:
        lines: `__label__x words`, one a document.
        output: the model's file, on this machine.
        settings: of fastText's `train_supervised`.
        seed: of its random numbers; it learns with one thread.
        is_quantised: whether the model is made small; None: if the file ends in .ftz.
    """
    import fasttext as library

    with scratch_folder("training") as folder:
        path = str(Path(folder) / "train.txt")
        Path(path).write_text("\n".join(lines) + "\n", "utf-8")
        model = library.train_supervised(path, thread=1, seed=seed, verbose=0, **settings)
        if output.endswith(".ftz") if is_quantised is None else is_quantised:
            model.quantize(qnorm=True, dsub=2)
        model.save_model(output)


def _lines(examples: Sequence[Example]) -> list[str]:
    """One line a document: its label, and its words as inference sees them; a word that looks like a label is cut."""
    return [
        f"__label__{_SPACE.sub('_', one.label)} {_SPACE.sub(' ', one.text).replace('__label__', '')}"
        for one in examples
    ]


def _fasttext_fold(
    seen: Sequence[Example], unseen: Sequence[Example], positive: str, settings: Mapping[str, Any], seed: int
) -> np.ndarray:
    with scratch_folder("training") as folder:
        path = str(Path(folder) / "fold.bin")
        fit_fasttext(_lines(seen), path, settings, seed=seed)
        model = fasttext.read(path)
        values = {_SPACE.sub("_", positive): 1.0}
        return scores.measure(pa.array([one.text for one in unseen], pa.large_string()), model, values)


def area_under_curve(truth: np.ndarray, values: np.ndarray) -> float:
    """Return the chance that a positive document has a higher score than another one; equal scores count half."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered, side="left")
    last = np.searchsorted(ordered, ordered, side="right")
    ranks = np.empty(len(values))
    ranks[order] = (first + last + 1) / 2
    n_positive = float(truth.sum())
    n_other = len(truth) - n_positive
    return float((ranks[truth == 1].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_other))


def calibration(truth: np.ndarray, values: np.ndarray, bins: int = 5) -> list[tuple[int, float, float]]:
    """Return for bins of as many documents each: documents, their mean score, the share of positive ones."""
    order = np.argsort(values, kind="stable")
    return [
        (len(rows), float(values[rows].mean()), float(truth[rows].mean()))
        for rows in np.array_split(order, bins)
        if len(rows)
    ]
