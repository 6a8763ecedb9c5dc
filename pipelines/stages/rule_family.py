"""Families of rules: a stage with a limit for each of its signals, for all documents and for single languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import create_model

from filters.limits import Limit, violations
from pipelines.stages.stage import Block, LimitBlock, OptionalLimit, Stage, limit_in_words, range_in_words

__all__ = ["RuleFamily", "family_block"]


def family_block(name: str, module: str, limits: Any, **options: Any) -> type[Block]:
    """Return the type of a rule family's block: `signal: {min, max}` for each of its limits, and its options.

    name, module: the name that the type is given to in that module, by which it is pickled.
    """
    names = tuple(limits.__dataclass_fields__)
    signals: dict[str, Any] = dict.fromkeys(names, (OptionalLimit, None))
    by_language: Any = (dict[str, dict[Literal[names], OptionalLimit]], {})  # type: ignore[valid-type]
    return create_model(name, __base__=Block, __module__=module, **options, by_language=by_language, **signals)


class RuleFamily(Stage):
    """A stage whose block is `signal: {min, max}`, and which removes a document for a signal outside its limits.

    Class attributes:
        limits: dataclass of `filters.limits.Limit`, whose fields name the signals in the order of verdicts.
        always_in_ledger: whether the ledger has the signals as columns where no subset goes through the stage too.
    """

    judges = True
    limits: ClassVar[Any]
    always_in_ledger: ClassVar[bool] = False

    @classmethod
    def signals(cls) -> list[str]:
        return list(cls.limits.__dataclass_fields__)

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field(name, pa.int64() if name.endswith("_count") else pa.float64()) for name in cls.signals()]

    @property
    def by_language(self) -> Mapping[str, Mapping[str, LimitBlock]]:
        """The limits of single languages. Each takes the place of the common limit of the same rule."""
        return getattr(self.settings, "by_language", {})

    def for_language(self, language: str | None) -> RuleFamily:
        own = self.by_language.get(language or "")
        if own is None:
            return self
        return type(self)(self.settings.model_copy(update={**own, "by_language": {}}), self.context)

    def keys_for_language(self) -> list[str]:
        """Return the keys of the block that need the language of a document."""
        return ["by_language"] if self.by_language else []

    def faults(self) -> list[str]:
        if "language" in self.context.option("columns", ()):
            return []
        return [
            f"{self.name}.{key}: subset {self.context.subset} needs the stage language for it"
            for key in self.keys_for_language()
        ]

    def own_limits(self) -> dict[str, Limit]:
        """Return the limits of the block, in the family's order; a rule without ends has none."""
        blocks = {name: getattr(self.settings, name, None) for name in self.signals()}
        return {
            name: block.limit()
            for name, block in blocks.items()
            if block is not None and (block.min is not None or block.max is not None)
        }

    def judged_columns(self) -> list[str]:
        limited = {*self.own_limits(), *(name for own in self.by_language.values() for name in own)}
        return [name for name in self.signals() if name in limited] + (["language"] if self.by_language else [])

    def verdict(self, columns: pa.RecordBatch) -> dict[str, np.ndarray]:
        broken = violations(columns, self.own_limits())
        if not self.by_language:
            return broken
        codes = columns.column("language").to_numpy(zero_copy_only=False)
        for language in self.by_language:
            rows = codes == language
            if not rows.any():
                continue
            own = violations(columns, self.for_language(language).own_limits())
            for name in {**broken, **own}:
                mask = broken.setdefault(name, np.zeros(len(codes), bool))
                mask[rows] = own[name][rows] if name in own else False
        return {name: broken[name] for name in self.signals() if name in broken}

    def limit_in_words(self, signal: str) -> str:
        return limit_in_words(self.own_limits().get(signal))

    def limited_signals(self) -> dict[str, Limit]:
        limits, own = self.own_limits(), self.limits_by_language()
        is_shown = {name: getattr(self.settings, name, None) or name in own for name in self.signals()}
        return {name: limits.get(name, Limit()) for name in self.signals() if is_shown[name]}

    def limits_by_language(self) -> dict[str, dict[str, Limit]]:
        limits: dict[str, dict[str, Limit]] = {}
        for language, own in self.by_language.items():
            for name, block in own.items():
                limits.setdefault(name, {})[language] = Limit() if block is None else block.limit()
        return limits

    def settings_in_words(self) -> list[tuple[str, str]]:
        lines = [(f"{self.name}.{signal}", range_in_words(limit)) for signal, limit in self.own_limits().items()]
        for language, own in sorted(self.by_language.items()):
            ends = ", ".join(f"{signal} {range_in_words(limit)}" for signal, limit in own.items())
            lines.append((f"{self.name}.by_language.{language}", ends))
        return lines

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        if names[0] == "by_language" and len(names) > 2:
            names = names[2:]
        return names[0] in cls.limits.__dataclass_fields__
