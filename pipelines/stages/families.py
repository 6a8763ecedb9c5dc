"""The rule families: stages whose block in a recipe is `signal: {min, max}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from filters import c4, fineweb, quality, repetition
from pipelines.stages.stage import RuleFamily, columns_of, family_block

__all__ = ["C4", "FineWeb", "Quality", "Repetition"]


QualityBlock = family_block("QualityBlock", __name__, quality.Limits)
RepetitionBlock = family_block("RepetitionBlock", __name__, repetition.Limits)
C4Block = family_block("C4Block", __name__, c4.Limits)
FineWebBlock = family_block("FineWebBlock", __name__, fineweb.Limits)


class Quality(RuleFamily):
    """Gopher's quality rules (paper, appendix A.1.1)."""

    name, limits, always_in_ledger, is_required = "quality", quality.Limits, True, True
    block = QualityBlock
    words = "spaces"

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(quality.measure(batch.column("text")))


class Repetition(RuleFamily):
    """Gopher's repetition rules (paper, table A1)."""

    name, limits, always_in_ledger, is_required = "repetition", repetition.Limits, True, True
    block = RepetitionBlock

    words = "spaces"

    def measure_options(self) -> dict[str, Any]:
        """Return the options of `filters.repetition.measure`."""
        return {"count_duplicates": self.context.option("count_duplicates", "all")}

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(repetition.measure(batch.column("text"), **self.measure_options()))

    def fingerprint(self) -> Any:
        return [super().fingerprint(), self.measure_options()]


class C4(RuleFamily):
    """What C4 removes a page for."""

    name, limits = "c4", c4.Limits
    block = C4Block

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(c4.measure(batch.column("text")))


class FineWeb(RuleFamily):
    """FineWeb's own rules (arXiv 2406.17557)."""

    name, limits = "fineweb", fineweb.Limits
    block = FineWebBlock

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        return columns_of(fineweb.measure(batch.column("text")))
