"""Scores of documents: fastText models, linear models over signals, and functions of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from filters import linear, scores
from filters.own import as_numbers
from massivetext import storage
from massivetext.batches import as_floats
from massivetext.errors import RecipeError
from massivetext.looking.data_card import inline_code
from pipelines.stages.families import C4, FineWeb, Quality, Repetition
from pipelines.stages.functions import function_fingerprint, importable, load_function
from pipelines.stages.rule_family import RuleFamily
from pipelines.stages.stage import (
    Block,
    Function,
    NamedSignals,
    Path,
    SignalName,
    canonical,
    columns_of,
    content_digest,
    possible_limit,
    range_in_words,
)

__all__ = ["SHARE_KEYS", "Score", "Scores", "bucket_column"]

FAMILIES: tuple[type[RuleFamily], ...] = (Quality, Repetition, C4, FineWeb)
"""What this stage measures itself for a linear model, where the subset does not go through the family's own stage."""
ALWAYS = ("n_bytes", "n_tokens")
"""Columns that every document has before it is scored."""
SHARE_KEYS = ("keep", "by", "buckets")
"""Keys of a score that are applied after the pass over the text, to all documents of a subset together."""
MOST = 5
"""Terms that `explain` shows."""


class Score(Block):
    """A score of documents: by a `model`, a `function`, or without both the packaged score of that name.

    A model that ends in .json is a linear one over signals; any other is fastText's, of which `label` or `values` say
    what the score is. `function` takes a batch, whose columns are those of the ledger so far and `text`, and `args`.

    `keep` is the share of a subset that stays: of those that rules and deduplication leave, the best by this score, in
    tokens or documents (`by`). `buckets` are the shares, from the worst, at which they are divided into buckets.
    """

    model: Path | None = None
    label: str | None = None
    values: dict[str, float] = {}
    function: Function | None = None
    args: dict[str, Any] = {}
    min: float | None = None
    max: float | None = None
    keep: Annotated[float, Field(gt=0, lt=1)] | None = None
    by: Literal["tokens", "documents"] = "tokens"
    buckets: list[Annotated[float, Field(gt=0, lt=1)]] = []

    _importable = field_validator("function")(importable)
    _possible = model_validator(mode="after")(possible_limit)

    @model_validator(mode="after")
    def _of_one_kind(self) -> Score:
        if self.model is not None and self.function is not None:
            raise ValueError("has a model and a function; expected one of them")
        if self.is_fasttext == (self.label is None and not self.values):
            raise ValueError(
                f"{self.model}: a fastText model needs `label`, or `values` of its labels"
                if self.is_fasttext
                else "`label` and `values` are for a fastText model (a `model` that does not end in .json)"
            )
        if self.label is not None and self.values:
            raise ValueError("has `label` and `values`; expected one of them")
        if self.args and self.function is None:
            raise ValueError("`args` are for a `function`")
        if any(first >= second for first, second in zip(self.buckets, self.buckets[1:])):
            raise ValueError(f"buckets {self.buckets} must rise: each is the share of all that lies below its end")
        if self.by == "documents" and self.keep is None and not self.buckets:
            raise ValueError("`by` says what `keep` or `buckets` are shares of, and neither is set")
        return self

    @property
    def is_fasttext(self) -> bool:
        return self.model is not None and not self.model.endswith(".json")

    def labels(self) -> dict[str, float]:
        """Return the value of each label of a fastText model, without `__label__`."""
        values = self.values if self.label is None else {self.label: 1.0}
        return {label.removeprefix("__label__"): value for label, value in values.items()}

    def linear_path(self, name: str) -> str | None:
        """Return the file of a linear model, the packaged one of the score's name by default; None for another kind."""
        if self.function is not None or self.is_fasttext:
            return None
        return self.model or str(resources.files("filters").joinpath(f"data/{name}.json"))


class Scores(NamedSignals):
    """Add scores of documents as columns, in the order of the recipe, and judge by those that have limits."""

    name = "scores"
    version = 1
    block, default = dict[SignalName, Score], {}
    needs_texts = "the score would have to be measured again"

    def faults(self) -> list[str]:
        known = {*self.context.option("columns", ()), *ALWAYS}
        known |= {signal for family in FAMILIES for signal in family.signals()}
        faults = []
        for name, score in self.settings.items():
            try:
                model = self._model(name, score)
            except RecipeError as error:
                faults.append(f"scores.{name}.model: {error}")
                continue
            if isinstance(model, linear.LinearModel):
                missing = [signal for signal in model.signals if signal not in known]
                if missing:
                    faults.append(
                        f"scores.{name}: its model needs the column {missing[0]}, which no stage of the subset "
                        f"{self.context.subset} measures before"
                    )
            known.add(name)
        return faults

    @property
    def runs_user_code(self) -> bool:
        return any(score.function is not None for score in self.settings.values())

    def load(self) -> None:
        for name, score in self.settings.items():
            self._model(name, score)
        self._measure_missing(pa.RecordBatch.from_pydict({"text": pa.array(["text"], pa.large_string())}))

    def _model(self, name: str, score: Score) -> Any:
        """Return a score's model or function. Raises RecipeError for one that cannot be had."""
        if score.function is not None:
            return load_function(score.function)
        if score.is_fasttext:
            return scores.load_fasttext(str(score.model), score.labels())
        if score.model is None and name not in scores.PACKAGED:
            raise RecipeError(
                f"is missing, and no packaged score has this name; those are {', '.join(scores.PACKAGED)}"
            )
        return linear.load(str(score.linear_path(name)))

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        columns = columns_of(batch) | self._measure_missing(batch)
        measured: dict[str, pa.Array] = {}
        for name, score in self.settings.items():
            columns[name] = measured[name] = self._score(name, score, columns)
        return measured

    def _score(self, name: str, score: Score, columns: Mapping[str, pa.Array]) -> pa.Array:
        model = self._model(name, score)
        if score.function is not None:
            rows = pa.RecordBatch.from_pydict(dict(columns))
            return as_numbers(model(rows, **score.args), rows.num_rows, f"scores.{name}")
        if score.is_fasttext:
            values = scores.measure(columns["text"], model, score.labels())
        else:
            values = model.measure({signal: as_floats(columns[signal]) for signal in model.signals})
        return pa.array(values, pa.float64(), from_pandas=True)

    def _measure_missing(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        """The signals of linear models that no stage has measured."""
        wanted: set[str] = set()
        for name, score in self.settings.items():
            if score.linear_path(name) is not None:
                wanted |= set(self._model(name, score).signals)
        wanted -= set(batch.schema.names)
        measured: dict[str, pa.Array] = {}
        for family in FAMILIES:
            if wanted & set(family.signals()):
                stage = family(family.block(), self.context)
                measured |= {key: column for key, column in stage.measure(batch).items() if key in wanted}
        return measured

    def evidence_in_words(self, row: Mapping[str, Any], signal: str, text: Callable[[], str | None]) -> list[str]:
        score = self.settings[signal]
        if row.get(signal) is None or score.function is not None:
            return []
        model = self._model(signal, score)
        if score.is_fasttext:
            return _weightiest(model, score, text())
        values = {name: row.get(name) for name in model.signals}
        if any(value is None for value in values.values()):
            content = text()
            if content is None:
                return ["its signals are not in the ledger, and the text was not kept"]
            measured = self._measure_missing(
                pa.RecordBatch.from_pydict({"text": pa.array([content], pa.large_string())})
            )
            values |= {name: column[0].as_py() for name, column in measured.items() if values.get(name) is None}
        shown = model.contributions({name: np.nan if value is None else float(value) for name, value in values.items()})
        return [f"{name} {value:.6g}: {added:+.3f}" for name, value, added in shown[:MOST]]

    def limit_in_words(self, signal: str) -> str:
        score = self.settings.get(signal)
        if score is None or score.keep is None:
            return super().limit_in_words(signal)
        best = f"the best {_percent(score.keep)} of {score.by}"
        return best if score.min is None and score.max is None else f"{super().limit_in_words(signal)}, of these {best}"

    def settings_in_words(self) -> list[tuple[str, str]]:
        return [(f"scores.{name}", f"{_kept_in_words(score)}{_origin(score)}") for name, score in self.settings.items()]

    def shares(self) -> dict[str, Score]:
        """Return the scores by which the documents of a subset are compared with each other: those with `keep` or
        `buckets`."""
        return {name: score for name, score in self.settings.items() if score.keep is not None or score.buckets}

    @classmethod
    def later_columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        scores_of = options.get(cls.name, {})
        return [pa.field(bucket_column(name), pa.int64()) for name, score in scores_of.items() if score.buckets]

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        return super().is_limit(names) or names[1:] in ([key] for key in SHARE_KEYS)

    def fingerprint(self) -> Any:
        linear_paths = [score.linear_path(name) for name, score in self.settings.items()]
        return [
            self.version,
            canonical({name: _measured(score) for name, score in self.settings.items()}),
            [content_digest(path) if path and storage.exists(path) else None for path in linear_paths],
            [score.function and function_fingerprint(score.function) for score in self.settings.values()],
            [family(family.block(), self.context).fingerprint() for family in FAMILIES] if any(linear_paths) else None,
        ]


def _weightiest(model: Any, score: Score, content: str | None) -> list[str]:
    """Return the weightiest words of a text as lines; None is a text that the run did not keep."""
    if content is None:
        return ["the text was not kept, so its words are not known"]
    labels = score.labels()
    changes = scores.weightiest_words(content, lambda texts: scores.measure(texts, model, labels), most=MOST)
    return [f"{word}: {change:+.4f}" for word, change in changes]


def bucket_column(name: str) -> str:
    """Return the ledger's column of a score's buckets, from 0 for the worst."""
    return f"{name}_bucket"


def _measured(score: Score) -> Score:
    """Return what shapes the pass over the text: a score without what is decided after it."""
    return score.model_copy(update={name: Score.model_fields[name].default for name in SHARE_KEYS})


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"


def _kept_in_words(score: Score) -> str:
    """What stays by a score, and how it is divided."""
    words = [] if score.keep is not None and score.min is None and score.max is None else [range_in_words(score)]
    if score.keep is not None:
        words.append(f"the best {_percent(score.keep)} of {score.by}")
    if score.buckets:
        words.append(f"in buckets of {score.by} that end at {', '.join(map(_percent, score.buckets))} from the worst")
    return ", ".join(words)


def _origin(score: Score) -> str:
    if score.function is not None:
        return f" by {inline_code(score.function)}"
    if score.model is None:
        return " by the packaged model"
    return f" by {inline_code(score.model.rpartition('/')[2])}"
