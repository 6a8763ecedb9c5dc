"""The report of a run: one HTML page from what the run left, without a second pass over the text."""

from __future__ import annotations

from massivetext import storage
from massivetext.sealed import sealed

__all__ = ["write"]


def write(folder: str, path: str | None = None, *, samples: int = 3) -> str:
    """Write the report of an output folder to `path`, or to DIR/report/index.html; returns where it is. The account of
    test sets goes to DIR/report/contamination.json as well, if the recipe lists any.

    samples: documents shown for each rule. The page's bytes are a function of the folder's. Raises OutputError if the
    folder is not that of a run.
    """
    # The libraries of charts and queries take half a second to import, and every process of a run imports this package.
    from massivetext.report.gather import gather
    from massivetext.report.page import render

    path = path or storage.join(folder, "report", "index.html")
    page = gather(folder, samples=samples)
    storage.write_bytes(path, render(page).encode("utf-8", "replace"))
    if page["test_sets"]["sets"]:
        tests = page["test_sets"]
        for row in tests["sets"]:
            row["samples"] = [{k: v for k, v in sample.items() if k != "row"} for sample in row["samples"]]
        storage.write_bytes(storage.join(folder, "report", "contamination.json"), sealed(tests))
    return path
