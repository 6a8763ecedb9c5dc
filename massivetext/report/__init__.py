"""The report of a run: one HTML page from what the run left, without a second pass over the text."""

from __future__ import annotations

from massivetext import storage
from massivetext.report.gather import gather
from massivetext.report.page import render

__all__ = ["gather", "render", "write"]


def write(folder: str, path: str | None = None, *, samples: int = 3) -> str:
    """Write the report of an output folder to `path`, or to DIR/report/index.html; returns where it is.

    samples: documents shown for each rule. The page's bytes are a function of the folder's. Raises OutputError if the
    folder is not that of a run.
    """
    path = path or storage.join(folder, "report", "index.html")
    storage.write_bytes(path, render(gather(folder, samples=samples)).encode("utf-8", "replace"))
    return path
