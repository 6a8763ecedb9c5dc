"""Rules of a user's own: functions of an Arrow text column that return a column, each with a limit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pyarrow as pa
from pydantic import field_validator, model_validator

from filters import own
from massivetext.looking.data_card import inline_code
from pipelines.stages.functions import function_fingerprint, importable, load_function
from pipelines.stages.stage import (
    Block,
    Function,
    NamedSignals,
    SignalName,
    canonical,
    columns_of,
    possible_limit,
    range_in_words,
)

__all__ = ["Rule", "UserRules"]


class Rule(Block):
    """`function`: `package.module:function` or `./mine.py:function`, called with the texts and `args`."""

    function: Function
    args: dict[str, Any] = {}
    min: float | None = None
    max: float | None = None

    _importable = field_validator("function")(importable)
    _possible = model_validator(mode="after")(possible_limit)


class UserRules(NamedSignals):
    """Measure and judge documents by functions of the user's."""

    name = "rules"
    block, default = dict[SignalName, Rule], {}
    needs_texts = "no ledger holds what this function would measure"

    @property
    def runs_user_code(self) -> bool:
        return bool(self.settings)

    def load(self) -> None:
        for rule in self.settings.values():
            load_function(rule.function)

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        functions = {
            name: partial(load_function(rule.function), **rule.args) if rule.args else load_function(rule.function)
            for name, rule in self.settings.items()
        }
        return columns_of(own.measure(batch.column("text"), functions))

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
