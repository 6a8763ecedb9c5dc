"""The card of a trained score: what it learned from, how well it does on what it has not seen, and what it weighs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from filters.score_training import Trained, calibration
from massivetext import storage

__all__ = ["card"]


def card(
    trained: Trained,
    name: str,
    files: Sequence[str],
    *,
    licence: str = "",
    folds: int = 5,
    seed: int = 0,
    note: str = "",
) -> str:
    """Return the card of a model as Markdown. Its bytes are a function of the training's input.

    Args:
        trained: the result of the training.
        name: the model's file, without folders.
        files: that were learned from; named without folders, and by digest.
        licence: of their documents, as the user states it.
        folds, seed: of the training.
        note: a further paragraph.
    """
    lines = [f"# {name}", "", _summary(trained), *(["", note] if note else []), "", "## Data", ""]
    lines += ["| file | BLAKE2b-128 |", "|---|---|"]
    lines += [f"| `{path.rpartition('/')[2]}` | `{_digest(path)}` |" for path in files]
    lines += ["", f"Licence: {licence or 'not stated'}.", ""]
    if trained.target == "label":
        lines += ["| label | documents |", "|---|---|"]
        lines += [f"| `{label}` | {n:,} |" for label, n in trained.counts.items()]
    else:
        lines += [f"{sum(trained.counts.values()):,} documents with a number each."]
    lines += [
        "",
        "## On documents that the model has not seen",
        "",
        f"{folds} folds, seed {seed}; documents of one of {trained.groups:,} groups (hosts, sources or texts) are in "
        "one fold. The figures are of folds; the model itself is fitted to all documents.",
        "",
        "| measure | value |",
        "|---|---|",
        *(f"| {measure.replace('_', ' ')} | {value:.3f} |" for measure, value in trained.measures().items()),
    ]
    if trained.target == "label":
        lines += ["", "| documents | mean score | share that is positive |", "|---|---|---|"]
        lines += [
            f"| {n:,} | {mean:.3f} | {share:.3f} |" for n, mean, share in calibration(trained.truth, trained.held_out)
        ]
    lines += ["", "## What it weighs", "", *_weights(trained)]
    return "\n".join(lines) + "\n"


def _summary(trained: Trained) -> str:
    if trained.target == "number":
        return "The score estimates the number that documents are labelled with, by a linear model over signals."
    kind = "a linear model over signals" if trained.kind == "linear" else "a fastText model of the text"
    return f"The score is the probability of the label `{trained.positive}`, by {kind}."


def _weights(trained: Trained) -> list[str]:
    if trained.model is None:
        settings = ", ".join(f"`{name}: {value}`" for name, value in sorted(trained.settings.items()))
        return [f"Words and their n-grams as they stand in a text. Settings of fastText: {settings}."]
    terms = sorted(trained.model.terms, key=lambda term: (-abs(term.weight), term.signal))
    link = "the logistic function of " if trained.model.link == "logistic" else ""
    return [
        f"The score is {link}{trained.model.intercept:+.4f} plus the sum of weight times (signal - mean) / scale, each "
        f"within {trained.model.clip:g} of 0.",
        "",
        "| signal | mean | scale | weight |",
        "|---|---|---|---|",
        *(
            f"| `{f'log(1 + {term.signal})' if term.is_log else term.signal}` | {term.mean:.4f} "
            f"| {term.scale:.4f} | {term.weight:+.4f} |"
            for term in terms
        ),
    ]


def _digest(path: str) -> str:
    return hashlib.blake2b(storage.read_bytes(path), digest_size=16).hexdigest()
