"""The report of a run: one HTML page from what the run left, without a second pass over the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from massivetext import storage
from massivetext.sealed import sealed

__all__ = ["write", "write_comparison"]


def write(folder: str, path: str | None = None, *, samples: int = 3, seed: int | None = None) -> str:
    """Write the report of an output folder to `path`, or to DIR/report/index.html. The account of test
    sets goes to DIR/report/contamination.json as well, if the recipe lists any.

    The page's bytes are a function of the folder and of the seed.

    Args:
        folder: The `--output` of a run.
        path: The page's file.
        samples: Documents shown for each rule.
        seed: Which documents those are; the recipe's seed if None.

    Returns:
        Where the page is.

    Raises:
        OutputError: If the folder is not that of a run.
    """
    # The libraries of charts and queries take half a second to import, and every process of a run imports this package.
    from massivetext.report.gather import gather
    from massivetext.report.page import render

    path = path or storage.join(folder, "report", "index.html")
    page = gather(folder, samples=samples, seed=seed)
    storage.write_bytes(path, render(page).encode("utf-8", "replace"))
    if page["test_sets"]["sets"]:
        tests = page["test_sets"]
        for row in tests["sets"]:
            row["samples"] = [{k: v for k, v in sample.items() if k != "row"} for sample in row["samples"]]
        storage.write_bytes(storage.join(folder, "report", "contamination.json"), sealed(tests))
    return path


def write_comparison(folders: tuple[str, str], difference: Mapping[str, Any], path: str | None = None) -> str:
    """Write one page about two runs to `path`, or to DIR/report/against-NAME.html of the first.

    Args:
        folders: The `--output` of each run.
        difference: What `massivetext.looking.diff.diff` returns for them.
        path: The page's file.

    Returns:
        Where the page is.

    Raises:
        OutputError: If a folder is not that of a run.
    """
    from massivetext.report.comparison import gather_comparison
    from massivetext.report.gather import run_name
    from massivetext.report.page import render

    name = re.sub("[^A-Za-z0-9._-]+", "-", run_name(folders[1]))
    path = path or storage.join(folders[0], "report", f"against-{name}.html")
    page = gather_comparison(folders, difference)
    storage.write_bytes(path, render(page, "against.html").encode("utf-8", "replace"))
    return path
