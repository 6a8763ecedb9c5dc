"""The columns of a mixture's shards: a document, and which copy of it a row is."""

from __future__ import annotations

import pyarrow as pa

from massivetext.documents import DOCUMENT_SCHEMA

__all__ = ["MIXTURE_SCHEMA", "SCHEMA_NAME"]

SCHEMA_NAME = "mixture-1"
"""Of the manifest and of the files' metadata. Mixtures before it are of `document-1`, without `epoch`."""

MIXTURE_SCHEMA = pa.schema(
    # Null only in shards that were written without a plan that knows it.
    [*DOCUMENT_SCHEMA, pa.field("epoch", pa.int32())],
    metadata={"massivetext.schema": SCHEMA_NAME},
)
"""`epoch`: 0 for the first copy of a document, 1 for the second. (id, epoch) is unique in a mixture."""
