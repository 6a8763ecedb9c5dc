"""Licences of code (paper, appendix A, "GitHub")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters import licence
from massivetext.batches import metadata_values
from pipelines.stages.stage import Stage

__all__ = ["Licence"]


class Licence(Stage):
    """Keep code whose licence is in the list; no licence is none that is allowed."""

    name = "licence"
    judges = True
    block, default = list[str], []

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        names = pa.array(metadata_values(batch, "license"), pa.string())
        return {"licence": licence.measure(names).column("licence")}

    def judged_columns(self) -> list[str]:
        return ["licence"]

    def verdict(self, columns: pa.RecordBatch) -> dict[str, np.ndarray]:
        return {"licence": licence.broken(columns.column("licence"), self.settings)}

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field("licence", pa.string())]

    def limit_in_words(self, signal: str) -> str:
        return ", ".join(self.settings) or "none"

    def settings_in_words(self) -> list[tuple[str, str]]:
        return [("licence.licence", ", ".join(self.settings))]

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        return True
