"""Personal data in the text that is kept."""

from __future__ import annotations

import pyarrow as pa

from filters import pii
from massivetext.batches import with_columns
from pipelines.stages.stage import Block, Stage

__all__ = ["Pii"]


class PiiBlock(Block):
    """What is replaced in the text that is kept; nothing is removed for it."""

    emails: bool = True
    ip_addresses: bool = True


class Pii(Stage):
    """Replace e-mail addresses and public IP addresses, before anything is measured."""

    name = "pii"
    rewrites_text = True
    version = getattr(pii, "VERSION", 1)
    block, default = PiiBlock, PiiBlock()
    needs_texts = "the texts would be other ones"

    def settings_in_words(self) -> list[tuple[str, str]]:
        kinds = (("e-mail addresses", self.settings.emails), ("IP addresses", self.settings.ip_addresses))
        return [("pii", f"replaced: {', '.join(kind for kind, is_on in kinds if is_on) or 'nothing'}")]

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        settings = self.settings
        texts = pii.replace(batch.column("text"), emails=settings.emails, ip_addresses=settings.ip_addresses)
        return with_columns(batch, {"text": texts})
