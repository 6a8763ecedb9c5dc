"""Extraction: from the page of a record to its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
from pydantic import field_validator

from massivetext import extraction, isolation, readers
from massivetext.batches import pages_of, with_columns
from massivetext.errors import LimitError, RecordError, TimeLimitError
from massivetext.extraction import ENGINES
from massivetext.extraction.options import CHOICES, Options
from massivetext.suggestions import did_you_mean
from massivetext.warm_up import EXTRACTION
from pipelines.stages.functions import function_fingerprint, importable, is_function, load_function
from pipelines.stages.stage import Block, Function, Stage

__all__ = ["Extraction"]


class ExtractionBlock(Block):
    """`engine`: salient, trafilatura, or a function of one's own (`package.module:function`, `./mine.py:function`);
    `fast`: trafilatura's fast mode. The others are what the text contains and its format: see
    massivetext.extraction.extract."""

    engine: Function = "salient"
    fast: bool = False
    comments: Literal["auto", "keep", "drop"] = "auto"
    tables: Literal["keep", "drop"] = "keep"
    headings: Literal["keep", "drop"] = "keep"
    captions: Literal["auto", "keep", "drop"] = "auto"
    format: Literal["text", "markdown"] = "text"
    favour: Literal["balance", "precision", "recall"] = "balance"

    @field_validator("engine")
    @classmethod
    def _known(cls, value: str) -> str:
        if is_function(value):
            importable(value)
        elif value not in ENGINES:
            hint = did_you_mean(value, ENGINES)
            raise ValueError(f"unknown engine; expected one of {', '.join(ENGINES)}, or package.module:function{hint}")
        return value


class Extraction(Stage):
    """Turn web pages into text by the tree of their markup (paper, appendix A.1.1, "Text Extraction")."""

    name = "extraction"
    version = extraction.VERSION
    block, default = ExtractionBlock, ExtractionBlock()
    kernels, compiled_by = ("massivetext.extraction.html",), EXTRACTION
    needs_texts = "pages would have to be extracted again"

    @property
    def runs_user_code(self) -> bool:
        return is_function(self.settings.engine)

    @classmethod
    def needs_kernels(cls, formats: Iterable[str]) -> bool:
        return any(readers.get(name).gives_pages for name in formats)

    def load(self) -> None:
        if self.settings.engine in ENGINES:
            self._extract(b"<p>A page.</p>", None, None)

    def has_work(self, batch: pa.RecordBatch) -> bool:
        """Return whether the batch has a page that is not text yet."""
        return "page" in batch.schema.names and batch.column("page").null_count < batch.num_rows

    @cached_property
    def _options(self) -> Options:
        return Options(**self.settings.model_dump(exclude={"engine", "fast"}))

    def _extract(self, page: bytes, url: str | None, content_type: str | None) -> extraction.Extracted:
        engine = self.settings.engine
        own = load_function(engine) if is_function(engine) else None
        if own is not None:
            return extraction.Extracted(str(own(page, url=url, content_type=content_type)), "")
        return extraction.extract_page(
            page, engine=engine, url=url, content_type=content_type, fast=self.settings.fast, options=self._options
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the text of each page and its type (`page_type`), and without the pages.

        A page that cannot be extracted is a failed record and takes no other with it.
        """
        if "page" not in batch.schema.names:
            return batch
        if self.has_work(batch):
            texts, outcomes, reasons = (batch.column(name).to_pylist() for name in ("text", "outcome", "reason"))
            urls, types, offsets = (batch.column(name).to_pylist() for name in ("url", "content_type", "offset"))
            kinds: list[str | None] = [None] * batch.num_rows
            sources = batch.column("source").to_pylist() if "source" in batch.schema.names else [""] * batch.num_rows
            for i, page in enumerate(pages_of(batch)):
                if page is not None and outcomes[i] is None:
                    isolation.of_file(sources[i])
                    texts[i], kinds[i], reasons[i] = self._one(page, offsets[i], urls[i], types[i])
                    if reasons[i] is not None:
                        outcomes[i] = reasons[i].partition(".")[0]
            batch = with_columns(
                batch,
                {
                    "text": pa.array(texts, pa.large_string()),
                    "page_type": pa.array(kinds, pa.string()),
                    "outcome": pa.array(outcomes, pa.string()),
                    "reason": pa.array(reasons, pa.string()),
                },
            )
        return batch.drop_columns(["page"])

    def _one(
        self, page: bytes, offset: int, url: str | None, content_type: str | None
    ) -> tuple[str | None, str | None, str | None]:
        """(text, type of page, None), or (None, None, why there is none)."""
        isolation.begin("extraction", offset, len(page))
        try:
            text, kind = self._extract(page, url, content_type)
            return text, kind or None, None
        except RecordError as error:
            return None, None, error.reason if error.reason.startswith("skipped.") else f"failed.{error.reason}"
        except TimeLimitError:
            return None, None, "failed.timeout in extraction"
        except LimitError:
            return None, None, "failed.limit in extraction"
        except Exception as error:  # an engine's own fault with one page
            return None, None, f"failed.{type(error).__name__} in extraction"

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field("page_type", pa.string())]

    def settings_in_words(self) -> list[tuple[str, str]]:
        words = [("extraction.engine", self.settings.engine)]
        for name, choices in CHOICES.items():
            if (value := getattr(self.settings, name)) != choices[0]:
                words.append((f"extraction.{name}", value))
        return words

    def fingerprint(self) -> Any:
        return [super().fingerprint(), function_fingerprint(self.settings.engine)]
