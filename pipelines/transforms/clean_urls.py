"""Addresses without passwords, tokens and signatures, before anything is written of them."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa

from massivetext.batches import with_columns
from massivetext.url_credentials import without_credentials_column
from pipelines.transforms.base import Counters, PlainDoFn

__all__ = ["CleanUrls", "clean_urls"]


def clean_urls(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with `url`, and metadata that are an address, as `massivetext.url_credentials` cleans them."""
    if batch.num_rows == 0:
        return batch
    columns: dict[str, pa.Array] = {}
    if "url" in batch.schema.names:
        columns["url"] = without_credentials_column(batch.column("url"))
    if "metadata" in batch.schema.names:
        pairs = batch.column("metadata")
        keys, values = pairs.flatten().flatten()
        cleaned = without_credentials_column(values, all_urls=False)
        if cleaned is not values:
            lists = pa.ListArray.from_arrays(
                pairs.offsets, pa.StructArray.from_arrays([keys, cleaned], ["key", "value"]), mask=pairs.is_null()
            )
            columns["metadata"] = lists.cast(pairs.type)
    return with_columns(batch, columns)


class CleanUrls(beam.PTransform):  # type: ignore[misc]
    """Take user names, passwords, tokens and signatures out of documents' addresses."""

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[pa.RecordBatch]:
        return batches | "Clean" >> beam.ParDo(_Clean()).with_output_types(pa.RecordBatch)


class _Clean(PlainDoFn):
    def setup(self) -> None:
        self.counters = Counters("CleanUrls")

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        self.counters.add(documents_in=batch.num_rows)
        yield clean_urls(batch)
