"""Rules of a user's own: functions of an Arrow text column that return a column, each with a limit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field, field_validator

from filters import own
from massivetext.batches import with_measures
from massivetext.looking.data_card import inline_code
from pipelines.stages.functions import function_fingerprint, load_function
from pipelines.stages.stage import Block, Function, NamedSignals, canonical, columns_of, range_in_words

__all__ = ["Rule", "UserRules"]


class Rule(Block):
    """`function`: `package.module:function` or `./mine.py:function`, called with the texts and `args`."""

    function: Function
    args: dict[str, Any] = {}
    min: float | None = None
    max: float | None = None

    @field_validator("function")
    @classmethod
    def _importable(cls, value: str) -> str:
        load_function(value)
        return value


class UserRules(NamedSignals):
    """Measure and judge documents by functions of the user's."""

    name = "rules"
    block, default = dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Rule], {}
    needs_texts = "no ledger holds what this function would measure"

    def load(self) -> None:
        for rule in self.settings.values():
            load_function(rule.function)

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        functions = {
            name: partial(load_function(rule.function), **rule.args) if rule.args else load_function(rule.function)
            for name, rule in self.settings.items()
        }
        return columns_of(own.measure(batch.column("text"), functions))

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return with_measures(batch, self.measure, skip_empty=True)

    def settings_in_words(self) -> list[tuple[str, str]]:
        return [
            (f"rules.{name}", f"{range_in_words(rule)} by {inline_code(rule.function)}")
            for name, rule in self.settings.items()
        ]

    def fingerprint(self) -> Any:
        return [
            self.version,
            {
                name: [
                    function_fingerprint(rule.function),
                    rule.function.rpartition(":")[2],
                    canonical(rule.args),
                    rule.min,
                    rule.max,
                ]
                for name, rule in self.settings.items()
            },
        ]
