"""The transforms of the pass over the text: batches of documents in, the same documents with more columns out.

Each is a pure function of a batch and a PTransform of the same name. All need `text`, and let a row without text pass
with nulls. A document that one of them fails on is `failed`, and takes no other with it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from filters import rules
from massivetext import tokenizers
from massivetext.batches import with_measures
from pipelines.stages import STAGES, Context, Stage
from pipelines.stages.contamination import Contamination, ContaminationBlock
from pipelines.stages.extraction import Extraction, ExtractionBlock
from pipelines.stages.families import Quality, Repetition
from pipelines.stages.language import Language, LanguageBlock
from pipelines.stages.safe_search import SafeSearch, SafeSearchBlock
from pipelines.stages.stage import columns_of
from pipelines.transforms.base import StageTransform
from pipelines.transforms.gather_batches import GatherBatches
from pipelines.transforms.guard import limits_of

__all__ = [
    "CountTokens",
    "Extract",
    "FindTestItems",
    "IdentifyLanguage",
    "MeasureQuality",
    "MeasureRepetition",
    "MeasureText",
    "RewriteText",
    "ScoreDocuments",
    "ScoreSafety",
    "count_tokens",
    "extract",
    "find_test_items",
    "identify_language",
    "measure_quality",
    "measure_repetition",
    "measure_text",
    "score_safety",
]


def extract(batch: pa.RecordBatch, **settings: Any) -> pa.RecordBatch:
    """Return the batch with the text of each page in place of the page. Settings: as `Extract` has them."""
    return Extraction(ExtractionBlock(**settings)).apply(batch)


class Extract(StageTransform):
    """Turn web pages into text (paper, appendix A.1.1, "Text Extraction").

    Needs `page`, `text`, `outcome`, `reason`, `offset`, `url` and `content_type`; fills `text` where there is a page
    and no outcome, and drops `page`. A page without text that can be had gets outcome `failed` and a reason. As text is
    a small part of a page, consecutive batches of a part are joined (`GatherBatches`).
    """

    stage_names, step = ("extraction",), "extraction"

    def __init__(self, *, engine: str = "salient", **settings: Any) -> None:
        """engine: `salient`, `trafilatura` or a function of one's own; settings: other keys of `extraction`."""
        super().__init__({"": [Extraction(ExtractionBlock(engine=engine, **settings))]})

    @classmethod
    def of(cls, recipe: Any, folder: str = "", subsets: Sequence[str] | None = None) -> Extract:
        # Pages can come to a subset that does not name the stage: a source of its own format has them.
        transform = cls()
        transform.limits = limits_of(recipe)
        names = recipe.filled if subsets is None else subsets
        transform.stages = {name: [recipe.stage(name, "extraction", folder)] for name in names}
        return transform

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[pa.RecordBatch]:
        return super().expand(batches) | "Gather" >> GatherBatches()


class RewriteText(StageTransform):
    """Change the text before it is measured, by the stages that do so: addresses are replaced, lines left out."""

    stage_names, step = tuple(name for name, stage in STAGES.items() if stage.rewrites_text), "rewriting"


def count_tokens(batch: pa.RecordBatch, *, tokenizer: str | None = None) -> pa.RecordBatch:
    """Return the batch with `n_bytes` and `n_tokens` of each text (int64; tokens are bytes / 4 without a tokenizer)."""
    return _CountTokens(tokenizer).apply(batch)


class _CountTokens(Stage):
    name = "tokens"

    def load(self) -> None:
        _counter(self.settings)

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        texts = batch.column("text")
        return {
            "n_bytes": pc.binary_length(texts).cast(pa.int64()),
            "n_tokens": pa.array(_counter(self.settings)(texts), pa.int64()),
        }

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return with_measures(batch, self.measure, skip_empty=True)


@functools.lru_cache(maxsize=4)
def _counter(tokenizer: str | None) -> Any:
    """Loaded once a process."""
    return tokenizers.counter(tokenizer)


class CountTokens(StageTransform):
    """Add `n_bytes` and `n_tokens` of each text, by the recipe's tokenizer."""

    step = "tokens"

    def __init__(self, *, tokenizer: str | None = None) -> None:
        super().__init__({"": [_CountTokens(tokenizer)]})

    @classmethod
    def of(cls, recipe: Any, folder: str = "", subsets: Sequence[str] | None = None) -> CountTokens:
        return cls(tokenizer=recipe.tokenizer)


def identify_language(batch: pa.RecordBatch, *, model: str | None = None) -> pa.RecordBatch:
    """Return the batch with `language`, `language_score` and `languages` of each text."""
    return Language(LanguageBlock(keep={}, model=model)).apply(batch)


class IdentifyLanguage(StageTransform):
    """Add `language` (a code, `und` for an empty text), `language_score` (0 to 1) and `languages` (the best three), by
    fastText lid.176 on a sample of the text."""

    stage_names, step = ("language",), "language"

    def __init__(self, *, model: str | None = None) -> None:
        """model: a fastText file; the packaged lid.176 if None."""
        super().__init__({"": [Language(LanguageBlock(keep={}, model=model))]})


def score_safety(batch: pa.RecordBatch, **settings: Any) -> pa.RecordBatch:
    """Return the batch with `safe_search_score` and its evidence. Settings: as `ScoreSafety` has them."""
    return SafeSearch(SafeSearchBlock(**settings)).apply(batch)


class ScoreSafety(StageTransform):
    """Add `safe_search_score` (0 to 1, 1 is unsafe) and `safe_search_evidence` (JSON), by block lists, a classifier and
    the density of terms (paper, appendix A.1, "content filtering"). Reads `url` where there is one."""

    stage_names, step = ("safe_search",), "safe_search"

    def __init__(self, **settings: Any) -> None:
        """settings: keys of the block `safe_search`: block_lists, terms, model."""
        super().__init__({"": [SafeSearch(SafeSearchBlock(**settings))]})


Mode = Literal["all", "repeats"]


def measure_quality(batch: pa.RecordBatch, **settings: Any) -> pa.RecordBatch:
    """Return the batch with the eight quality signals of each text."""
    return Quality(Quality.block(**settings)).apply(batch)


class MeasureQuality(StageTransform):
    """Add the quality signals, `word_count` to `stop_word_count` (paper, appendix A.1.1, "Quality Filtering")."""

    stage_names = ("quality",)

    def __init__(self, **settings: Any) -> None:
        super().__init__({"": [Quality(Quality.block(**settings))]})


def measure_repetition(batch: pa.RecordBatch, *, count_duplicates: Mode = "all", **settings: Any) -> pa.RecordBatch:
    """Return the batch with the thirteen repetition signals of each text."""
    return _repetition(count_duplicates, settings).apply(batch)


def _repetition(count_duplicates: Mode, settings: Mapping[str, Any]) -> Repetition:
    return Repetition(Repetition.block(**settings), Context(options=(("count_duplicates", count_duplicates),)))


class MeasureRepetition(StageTransform):
    """Add the repetition signals, each in [0, 1] (paper, table A1)."""

    stage_names = ("repetition",)

    def __init__(self, *, count_duplicates: Mode = "all", **settings: Any) -> None:
        """count_duplicates: whether the first of several equal pieces counts (`all`) or not (`repeats`)."""
        super().__init__({"": [_repetition(count_duplicates, settings)]})


def measure_text(batch: pa.RecordBatch, stages: Sequence[Stage] | None = None) -> pa.RecordBatch:
    """Return the batch with quality and repetition signals, from one pass over the text.

    stages: the bound stages `quality` and `repetition`, or one of them; both as the paper has them, if None.
    """
    chosen = [Quality(Quality.block()), Repetition(Repetition.block())] if stages is None else list(stages)
    by_name = {stage.name: stage for stage in chosen}
    if len(by_name) < 2 or not _can_share(by_name):
        for stage in chosen:
            batch = stage.apply(batch)
        return batch
    quality: Any = by_name["quality"]
    repetition: Any = by_name["repetition"]

    def measure(rows: pa.RecordBatch) -> Mapping[str, pa.Array]:
        options = repetition.measure_options()
        both = rules.measure(rows.column("text"), num_hashes=1, **options)
        own = quality.with_stop_words(rows, columns_of(both.quality))
        return {**own, **columns_of(both.repetition)}

    return with_measures(batch, measure)


def _can_share(stages: Mapping[str, Any]) -> bool:
    """Whether both families cut the text into the same words, so that it is cut once."""
    return bool(stages["quality"].words == stages["repetition"].words)


class MeasureText(StageTransform):
    """Add what `MeasureQuality` and `MeasureRepetition` add, from one pass over the text."""

    stage_names = ("quality", "repetition")
    function = staticmethod(measure_text)

    def __init__(self, *, count_duplicates: Mode = "all") -> None:
        super().__init__({"": [Quality(Quality.block()), _repetition(count_duplicates, {})]})


class ScoreDocuments(StageTransform):
    """Add the columns of every other stage that judges a document by itself: licences, rule families, rules and scores
    of the user's own."""

    stage_names = tuple(
        name
        for name, stage in STAGES.items()
        if not stage.is_later
        and not stage.rewrites_text
        and name not in ("extraction", "language", "safe_search", "quality", "repetition")
    )
    step = "rules"

    def __init__(self, *stages: Stage) -> None:
        """stages: bound stages, applied to every batch in this order."""
        super().__init__({"": list(stages)})


def find_test_items(batch: pa.RecordBatch, testsets: Sequence[Any], **settings: Any) -> pa.RecordBatch:
    """Return the batch with what of some test sets stands in each text. Arguments: as `FindTestItems` has them."""
    return _contamination(testsets, settings).apply(batch)


def _contamination(testsets: Sequence[Any], settings: Mapping[str, Any]) -> Contamination:
    from pipelines.recipe.blocks import TestSet

    given = [TestSet(**one) if isinstance(one, Mapping) else one for one in testsets]
    return Contamination(ContaminationBlock(**settings), Context(options=(("testsets", tuple(given)),)))


class FindTestItems(StageTransform):
    """Add what each text has of the test sets: `contamination_jaccard`, `contamination_containment`, the item, and the
    further signals of docs/test-sets.md (paper, appendix A.1.3)."""

    stage_names, step = ("contamination",), "contamination"

    def __init__(self, testsets: Sequence[Any], **settings: Any) -> None:
        """testsets: mappings with the keys of `testsets` in a recipe (name, path, text, unit, preset)."""
        super().__init__({"": [_contamination(testsets, settings)]})

    @classmethod
    def of(cls, recipe: Any, folder: str = "", subsets: Sequence[str] | None = None) -> FindTestItems:
        transform = cls(())
        names = recipe.filled if subsets is None else subsets
        transform.stages = {
            name: [recipe.stage(name, "contamination", folder)] for name in names if recipe.is_tested(name)
        }
        return transform
