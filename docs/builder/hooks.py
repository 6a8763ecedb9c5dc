"""Pages of the site that are made from the code. The order of pages is mkdocs.yml's: one that is not there is passed
over, and a file of docs/ that it does not list comes under `More`."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the code, and fit the navigation to what is there."""
    # MkDocs takes a hook's folder off the path again once it has loaded the hook.
    sys.path.insert(0, os.path.dirname(__file__))
    from pages import pages

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    there = {file.src_uri for file in files.documentation_pages()}
    nav = [{title: [name for name in names if name in there]} for entry in config.nav for title, names in entry.items()]
    listed = {name for entry in config.nav for names in entry.values() for name in names}
    config.nav = [entry for entry in [*nav, {"More": sorted(there - listed)}] if any(entry.values())]
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put tables that are made from the code where a page asks for them."""
    from pages import tables

    return re.sub(r"<!-- made: (\w+) -->", lambda found: tables()[found[1]], markdown)
