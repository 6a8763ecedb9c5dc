"""Pages of the site that are made from the code, and the order of pages: new files in docs/ come in by themselves."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from mkdocs.structure.files import File, Files

FIRST = {
    "Start": ["index.md", "getting-started.md"],
    "What a run shows": ["report.md"],
    "From page to text": ["extraction.md"],
    "Rules": ["rules.md", "language.md", "safe-search.md", "hashes.md", "test-sets.md"],
    "Reference": ["recipe.md", "commands.md", "readers.md", "formats.md", "extending.md", "api.md"],
    "Training": ["training.md", "sequences.md"],
    "How it works": ["architecture.md", "determinism.md", "performance.md"],
}
"""Pages whose place is given. A page that is not there is passed over; one that is not listed comes under `More`."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the code, and lay out the navigation."""
    # MkDocs takes a hook's folder off the path again once it has loaded the hook.
    sys.path.insert(0, os.path.dirname(__file__))
    from pages import pages

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    there = {file.src_uri for file in files.documentation_pages()}
    nav: list[dict[str, Any]] = []
    for title, names in FIRST.items():
        nav.append({title: [name for name in names if name in there]})
    listed = {name for names in FIRST.values() for name in names}
    rest = sorted(there - listed)
    config.nav = [entry for entry in [*nav, {"More": rest}] if any(entry.values())]
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put tables that are made from the code where a page asks for them."""
    from pages import tables

    return re.sub(r"<!-- made: (\w+) -->", lambda found: tables()[found[1]], markdown)
