"""The recipe as an object: subsets with their sources and stages, the blocks of the stages, test sets and the mixture.

The keys of stages come from the registry: a new stage is a new key, and nothing here changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import numpy as np
import pyarrow as pa
from pydantic import Field, create_model, field_validator, model_validator

from filters.limits import Limit
from massivetext import readers, storage
from massivetext.errors import RecipeError
from massivetext.suggestions import did_you_mean
from massivetext.tokenizers import tokens_mark
from pipelines.recipe.blocks import Isolation, Mixture, Source, TestSet
from pipelines.recipe.ledger import taken_names
from pipelines.recipe.teams import block_of, indexed_parts, teams
from pipelines.stages import STAGES, Context, RuleFamily, Stage, kernel_jobs, named_signals, rule_families
from pipelines.stages.functions import is_function
from pipelines.stages.language import unknown_languages
from pipelines.stages.stage import Block, Path, Share, canonical, content_digest, missing_files

__all__ = ["Recipe", "Subset"]


class SubsetBase(Block):
    """One subset: where it comes from and which stages it goes through. A block here overrides the recipe's."""

    sources: list[Source] = []
    stages: list[str] = []

    @field_validator("stages")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for stage in value:
            if stage not in STAGES:
                hint = did_you_mean(stage, STAGES)
                raise ValueError(f"unknown stage {stage!r}; expected some of {', '.join(STAGES)}{hint}")
        if len(set(value)) != len(value):
            raise ValueError("a stage is listed twice")
        return value


class RecipeBase(Block):
    """A whole recipe, resolved. See docs/recipe.md; `gopher` is the paper."""

    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    subsets: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Any]
    count_duplicates: Literal["all", "repeats"] = "all"
    testsets: list[TestSet] = []
    tokenizer: Path | None = None
    rejected: Literal["all", "none"] | Share = "all"
    max_failed: Share = 0.001
    url_credentials: Literal["remove", "keep"] = "remove"
    isolation: Isolation | None = None
    mixture: Mixture

    @model_validator(mode="after")
    def _consistent(self) -> RecipeBase:
        for name, subset in self.subsets.items():
            if subset.sources and not subset.stages:
                raise ValueError(f"subsets.{name}.stages: has sources but no stages; list at least one")
            for stage in subset.stages:
                if STAGES[stage].block is not None and self.block(name, stage) is None:
                    raise ValueError(f"{stage}: subsets.{name} goes through this stage, which has no settings here")
        self._check_names()
        for name in self.mixture.weights:
            if name not in self.subsets:
                hint = did_you_mean(name, self.subsets)
                raise ValueError(
                    f"mixture.weights.{name}: no such subset; the recipe has {', '.join(sorted(self.subsets))}{hint}"
                )
        names = [testset.name for testset in self.testsets]
        if len(set(names)) != len(names):
            raise ValueError(f"testsets: names must differ, these do not: {names}")
        self._check_titles()
        self._check_buckets()
        return self

    def _check_buckets(self) -> None:
        """Raise ValueError where the mixture names buckets that documents of a subset are not divided into."""
        for name, block in self.mixture.buckets.items():
            key = f"mixture.buckets.{name}"
            if name not in self.subsets:
                raise ValueError(f"{key}: no such subset; the recipe has {sorted(self.subsets)}")
            if not self.subsets[name].sources:
                continue
            divided = {signal: one for signal, one in self.shares(name).items() if one.buckets}
            if block.score not in divided:
                raise ValueError(
                    f"{key}.score: {block.score!r} has no buckets in {name}; "
                    + (f"those that have are {', '.join(divided)}" if divided else "set scores.<name>.buckets")
                )
            n = len(divided[block.score].buckets) + 1
            if len(block.epochs) != n:
                raise ValueError(f"{key}.epochs: has {len(block.epochs)} numbers, and {block.score} has {n} buckets")

    def _check_titles(self) -> None:
        """Raise ValueError where titles are to be removed from a subset that is not there or is not tested."""
        for testset in self.testsets:
            where = f"testsets.{testset.name}.titles_in"
            if testset.titles_in and not testset.titles:
                raise ValueError(f"{where}: the test set has no `titles` to remove; set titles to true or to a list")
            for subset in testset.titles_in:
                if subset not in self.subsets:
                    raise ValueError(f"{where}: no subset {subset!r}; the recipe has {sorted(self.subsets)}")
                if "contamination" not in self.subsets[subset].stages:
                    raise ValueError(f"{where}: {subset!r} has no stage `contamination`; add it to its stages")

    def _check_names(self) -> None:
        """Raise ValueError for a name of the user's that another column has."""
        taken = dict.fromkeys(taken_names(), "a column of ledgers or documents")
        for stage in named_signals():
            for name in self.common(stage):
                if name in taken:
                    raise ValueError(f"{stage}.{name}: {taken[name]} has this name; give this one another")
            taken |= dict.fromkeys(self.common(stage), f"one of the block {stage}")
            for column in STAGES[stage].later_columns({stage: self.common(stage)}):
                if column.name in taken:
                    raise ValueError(f"{stage}: {taken[column.name]} is called {column.name}, as its buckets would be")

    # What a subset goes through.

    @property
    def filled(self) -> dict[str, Any]:
        """The subsets that have sources, in the order of their names."""
        return {name: subset for name, subset in sorted(self.subsets.items()) if subset.sources}

    def common(self, stage: str) -> Any:
        """Return the recipe's block of a stage."""
        return getattr(self, stage)

    def block(self, subset: str, stage: str) -> Any:
        """Return the block of a stage as it holds for a subset: the subset's own over the recipe's, key by key."""
        own, common = getattr(self.subsets[subset], stage, None), getattr(self, stage, None)
        if own is None or not isinstance(own, Block) or common is None:
            return common if own is None else own
        return common.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})

    def goes_through(self, subset: str, stage: str) -> bool:
        return stage in self.subsets[subset].stages

    def is_tested(self, subset: str) -> bool:
        """Return whether documents of a subset are measured against test sets."""
        return bool(self.testsets) and self.goes_through(subset, "contamination")

    def stage(self, subset: str, name: str, folder: str = "") -> Stage:
        """Return a stage bound to its block for a subset. folder: of the run, for what it prepares there."""
        return STAGES[name](self.block(subset, name), self.context(subset, folder))

    def context(self, subset: str, folder: str = "") -> Context:
        """Return what a stage may know beside its block."""
        titles = {name for name in self.subsets if name == "wikipedia" or self._takes_titles(name)}
        options = {
            "count_duplicates": self.count_duplicates,
            "testsets": self.testsets,
            "titles": dict.fromkeys(titles, True),
            "columns": self._columns(subset),
        }
        return Context(subset, tuple(options.items()), folder)

    def _columns(self, subset: str) -> tuple[str, ...]:
        """The ledger's columns that the stages of a subset fill."""
        options = {name: self.common(name) for name in named_signals()}
        stages = [stage for name, stage in STAGES.items() if self.goes_through(subset, name)]
        return tuple(field.name for stage in stages for field in stage.columns(options))

    def check(self) -> None:
        """Raise RecipeError for models and files of stages that cannot be used."""
        faults = [
            fault
            for subset in self.filled
            for name in STAGES
            if self.goes_through(subset, name)
            for fault in self.stage(subset, name).faults()
        ]
        faults += [fault for subset in self.filled for fault in self._unknown_languages(subset)]
        faults += self._impossible_comparisons()
        reported = {fault.partition(": ")[0] for fault in faults}
        faults += [f"{key}: {fault}" for key, fault in self._missing_files() if key not in reported]
        if faults:
            raise RecipeError("\n".join(dict.fromkeys(faults)))

    def _missing_files(self) -> list[tuple[str, str]]:
        """Key and fault of each path of a stage's block at which there is nothing; also where no subset declares the
        stage, for the contents of files are part of the recipe's digest."""
        common = self.model_copy(update={"subsets": {}, "testsets": [], "tokenizer": None})
        own = ((name, subset.model_copy(update={"sources": []})) for name, subset in self.filled.items())
        return [
            *missing_files(common),
            *(one for name, subset in own for one in missing_files(subset, f"subsets.{name}")),
        ]

    def _impossible_comparisons(self) -> list[str]:
        """Return a fault where subsets cannot be deduplicated together, or an index of another run cannot be used."""
        if not any(self.goes_through(subset, "deduplication") for subset in self.filled):
            return []
        try:
            for team in teams(self):
                indexed_parts(block_of(self, team), team)
        except RecipeError as error:
            return [str(error)]
        return []

    def _unknown_languages(self, subset: str) -> list[str]:
        """Return a fault for each language with limits of its own that no document of a subset can have."""
        if not self.goes_through(subset, "language") or self.block(subset, "language").model:
            return []
        own = [
            (name, getattr(self.block(subset, name), "by_language", {}))
            for name in rule_families()
            if self.goes_through(subset, name)
        ]
        return [fault for name, codes in own for fault in unknown_languages(f"{name}.by_language", codes)]

    def _takes_titles(self, subset: str) -> bool:
        return any(source.format == "mediawiki" for source in self.subsets[subset].sources)

    def stages_of(self, name: str, folder: str = "") -> dict[str, Stage]:
        """Return a stage bound for each subset with sources that goes through it."""
        return {subset: self.stage(subset, name, folder) for subset in self.filled if self.goes_through(subset, name)}

    def kernels(self) -> dict[tuple[str, ...], list[type[Stage]]]:
        """Return what compiles the kernels of a run (`pipelines.stages.kernel_jobs`)."""
        subsets = {name: self.stages_of(name) for name in STAGES}
        return kernel_jobs(
            {
                name: [source.format for subset in own for source in self.subsets[subset].sources]
                for name, own in subsets.items()
                if own
            }
        )

    # Verdicts, and how they are told.

    def limits(self, subset: str, stage: str) -> dict[str, Limit]:
        """Return the limits of a rule family for a subset, in the family's order; a rule set to null has none."""
        family: Any = self.stage(subset, stage)
        limits: dict[str, Limit] = family.own_limits()
        return limits

    def _judging(self, subset: str) -> list[Stage]:
        return [
            self.stage(subset, name)
            for name, stage in STAGES.items()
            if self.goes_through(subset, name) and not stage.is_later
        ]

    def judged_columns(self, subset: str) -> list[str]:
        """Return the columns that the verdict on a document of the subset is made from."""
        return [name for stage in self._judging(subset) for name in stage.judged_columns()]

    def _comparing(self, subset: str) -> list[Stage]:
        """The stages of a subset that measure after deduplication, by what its other documents are."""
        return [
            self.stage(subset, name)
            for name, stage in STAGES.items()
            if self.goes_through(subset, name) and stage.is_later and not stage.in_pass
        ]

    def compared_limits(self, subset: str) -> list[tuple[str, str, Limit]]:
        """Return stage, signal and limit of what is measured after deduplication, as far as it has a limit."""
        limited = (
            (one.name, name, own) for one in self._comparing(subset) for name, own in one.limited_signals().items()
        )
        return [(stage, name, own) for stage, name, own in limited if own != Limit()]

    def compared_columns(self, subset: str) -> list[str]:
        """Return the columns of the final ledger that depend on the other documents of a subset, and have a limit."""
        return [name for _, name, _ in self.compared_limits(subset)]

    def broken_by_comparison(self, columns: pa.RecordBatch, subset: str) -> dict[str, np.ndarray]:
        """Return reason (`spans.duplicate_span_fraction`) -> bool[n], as `broken_rules` does, of what is measured after
        deduplication. columns: at least `compared_columns`."""
        return broken_rules(columns, self._comparing(subset))

    def shares(self, subset: str) -> dict[str, Any]:
        """Return by signal what depends on the values of all documents of a subset (`Stage.shares`)."""
        return {
            signal: share
            for name in STAGES
            if self.goes_through(subset, name)
            for signal, share in self.stage(subset, name).shares().items()
        }

    def share_reason(self, subset: str, signal: str) -> str:
        """Return the reason of documents of a subset that lie below the best share of a signal: `scores.education`."""
        names = (name for name in STAGES if self.goes_through(subset, name))
        return next(f"{name}.{signal}" for name in names if signal in self.stage(subset, name).shares())

    def broken_rules(self, columns: pa.RecordBatch, subset: str) -> dict[str, np.ndarray]:
        """Return reason (`quality.word_count`) -> bool[n], in the order of verdicts: True where a rule is broken.

        columns: one row a document with text, at least `judged_columns`. A null breaks no limit; no licence is none
        that is allowed. The first reason that is True is what decides.
        """
        return broken_rules(columns, self._judging(subset))

    def limit_in_words(self, subset: str, reason: str, language: str | None = None) -> str:
        """Return the limit that a reason is judged by in a subset, for documents of a language: `50 to 100,000`, or
        `no limit`."""
        name, _, signal = reason.partition(".")
        name = "deduplication" if name == "duplicate" else name
        if name not in STAGES or (reason.startswith("duplicate") is False and not self.goes_through(subset, name)):
            return "no limit"
        return self.stage(subset, name).for_language(language).limit_in_words(signal)

    def value_of(self, row: Mapping[str, Any], reason: str) -> Any:
        """Return what a row of the ledger has of a reason's signal; None where nothing was measured."""
        name, _, signal = reason.partition(".")
        stage = STAGES.get("deduplication" if name == "duplicate" else name)
        return row.get(signal) if stage is None else stage.value_in_words(row, signal)

    @property
    def stage_names(self) -> list[str]:
        """Every stage that there is, in the order of verdicts."""
        return list(STAGES)

    @property
    def rule_families(self) -> list[str]:
        """The stages whose block is `signal: {min, max}`."""
        return list(rule_families())

    @property
    def named_signals(self) -> list[str]:
        """The stages whose block maps names of the user's to settings with `min` and `max`."""
        return list(named_signals())

    @property
    def judging_stages(self) -> list[str]:
        """The stages that judge a document by itself, from columns of the ledger, in the order of verdicts."""
        return [name for name, stage in STAGES.items() if stage.judges]

    @property
    def later_stages(self) -> list[str]:
        """The stages that judge a document after all of those; one that the pass does nothing for only measures."""
        return [name for name, stage in STAGES.items() if stage.is_later and stage.in_pass]

    def signals(self, stage: str) -> list[str]:
        """Return the columns that a stage limits by `min` and `max`, in its order."""
        return list(self.common(stage)) if stage in named_signals() else STAGES[stage].signals()

    def limited_signals(self, subset: str) -> dict[str, dict[str, Limit]]:
        """Return by stage, in the order of verdicts, the numeric columns that a report shows, with their limits."""
        stages = [name for name in STAGES if self.goes_through(subset, name)]
        return {name: signals for name in stages if (signals := self.stage(subset, name).limited_signals())}

    def limits_by_language(self, subset: str) -> dict[str, dict[str, dict[str, Limit]]]:
        """Return by stage and signal the languages whose documents have a limit of their own, each with its limit."""
        stages = [name for name in STAGES if self.goes_through(subset, name)]
        return {name: signals for name in stages if (signals := self.stage(subset, name).limits_by_language())}

    def evidence_in_words(self, row: Mapping[str, Any], reason: str, text: Callable[[], str | None]) -> list[str]:
        """Return what weighs most in a row's value of a reason's signal, as lines; text: returns the document's."""
        name, _, signal = reason.partition(".")
        return self.stage(row["subset"], name).evidence_in_words(row, signal, text)

    def settings_in_words(self, subset: str, stage: str) -> list[tuple[str, str]]:
        """Return what a stage keeps in a subset, for the data card: (rule or key, its limit or setting in words)."""
        return self.stage(subset, stage).settings_in_words()

    def deciding_reasons(self, columns: pa.RecordBatch, subset: str) -> pa.DictionaryArray:
        """Return the first reason of `broken_rules` that is True for each document, null where none is."""
        broken = self.broken_rules(columns, subset)
        first = np.full(columns.num_rows, -1, np.int32)
        for code, mask in reversed(list(enumerate(broken.values()))):
            first[mask] = code
        return pa.DictionaryArray.from_arrays(pa.array(first, mask=first < 0), pa.array(list(broken), pa.string()))

    def answerable_changes(self, other: Any) -> list[str]:
        """Return the changes to another recipe that a ledger of this one can answer; raises RecipeError for others."""
        from pipelines.recipe.changes import answerable

        return answerable(cast("Recipe", self), other)

    # Identity.

    def resolved(self) -> dict[str, Any]:
        """Return the recipe as plain data, as it is written to DIR. Read again it is the same recipe: a subset's own
        blocks have only the keys that are set, because the others are the recipe's."""
        data: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        for name, subset in self.subsets.items():
            for stage in STAGES:
                own = getattr(subset, stage, None)
                if isinstance(own, Block):
                    data["subsets"][name][stage] = own.model_dump(mode="json", exclude_unset=True)
        return data

    def canonical(self) -> dict[str, Any]:
        """Return what shapes the output: sources sorted and without mount point or bucket, files by content, and no
        key that has its default value."""
        data: dict[str, Any] = canonical(self.model_copy(update={"subsets": {}}))
        data["subsets"] = {name: canonical_subset(subset) for name, subset in self.filled.items()}
        return data

    def digest(self) -> str:
        """Return BLAKE2b-128 (hex) of the canonical form as JSON with sorted keys."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def tokens_by(self) -> str:
        """Return what counts tokens, in words."""
        return "estimate: bytes / 4" if self.tokenizer is None else f"tokenizer {tokens_mark(self.tokenizer)}"


def broken_rules(columns: pa.RecordBatch, stages: list[Stage]) -> dict[str, np.ndarray]:
    """Return the reasons of some bound stages, `<stage>.<rule>` -> bool[n], in the order of the stages."""
    return {f"{stage.name}.{rule}": mask for stage in stages for rule, mask in stage.verdict(columns).items()}


def canonical_subset(subset: Any) -> dict[str, Any]:
    """Return a subset by content: stages in the order of verdicts, sources relative, sorted, with their functions."""
    data: dict[str, Any] = canonical(subset.model_copy(update={"sources": []}), is_override=True)
    data["stages"] = [stage for stage in STAGES if stage in subset.stages]
    sources = []
    for source in subset.sources:
        one = {"format": source.format, "path": storage.below_prefix(source.path)}
        if is_function(source.format):
            file = readers.source_file(source.format)
            one["format"] = f"{source.format.rpartition(':')[2]} {content_digest(file) if file else None}"
        one |= {key: value for key in ("name", "fields") if (value := getattr(source, key))}
        sources.append(one if source.pack else {**one, "pack": False})
    data["sources"] = sorted(sources, key=lambda source: json.dumps(source, sort_keys=True))
    return data


def _stage_fields(*, of_subset: bool) -> dict[str, Any]:
    """The keys that the stages have in a recipe, or in a subset of one."""
    fields: dict[str, Any] = {}
    for name, stage in STAGES.items():
        if stage.block is None or (of_subset and not stage.is_subset_block):
            continue
        default = None if of_subset else _default(stage)
        fields[name] = (stage.block if default is not None else stage.block | None, default)
    return fields


def _default(stage: type[Stage]) -> Any:
    if stage.is_required:
        return ...
    return stage.block() if issubclass(stage, RuleFamily) else stage.default


if TYPE_CHECKING:

    class Subset(SubsetBase):
        def __getattr__(self, name: str) -> Any: ...

    class Recipe(RecipeBase):
        def __getattr__(self, name: str) -> Any: ...

else:
    Subset = create_model("Subset", __base__=SubsetBase, __module__=__name__, **_stage_fields(of_subset=True))
    Recipe = create_model(
        "Recipe",
        __base__=RecipeBase,
        __module__=__name__,
        subsets=(dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Subset], ...),
        **_stage_fields(of_subset=False),
    )
