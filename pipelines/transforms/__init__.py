"""Transforms: PTransforms over batches of documents, each a pure function and a counter of its own."""
